//! FILE: from the text of `kong.yaml` to [`Entities`], in Kong's own phases.
//!
//! Reading says what is no document; the rows of the entities say what may not stand in one; resolving says what
//! does not exist or exists twice. A phase runs when the one before found no error, and each says all it has to
//! say at once.

mod collect;
mod deck;
mod environment;
mod lint;
mod migrate;
mod parts;
mod refusal;
mod resolve;
#[cfg(test)]
mod tests;
mod vault;
mod web_socket;

pub use environment::{escaped, is_substituted, written};
pub use parts::relocate;
pub use refusal::{Refusal, refusal};

use std::sync::Arc;

use md5::{Digest, Md5};

use crate::{
    diag::{Diagnostic, Mark, Report, Source},
    document::{Path, Value},
    entity::{DOCUMENT, Entities},
    schema::{self, Plugins},
};

/// A declarative configuration that can be used.
#[derive(Clone, Debug)]
pub struct Config {
    /// What it declares.
    pub entities: Entities,
    /// What its author should know.
    pub warnings: Vec<Diagnostic>,
    /// Kong's hash of it; see [`hash`].
    pub hash: String,
}

/// The hash of a configuration that declares nothing.
pub const EMPTY_HASH: &str = "00000000000000000000000000000000";

/// What besides Kong's own format may stand in a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Nothing: what Kong refuses is refused. So `POST /config` reads.
    Kong,
    /// What decK writes, and the protocols of Kong's Enterprise gateway. So files are read.
    #[default]
    Deck,
    /// The same, and `${NAME}` is the environment variable of that name. So files are read if that is asked for.
    Environment,
}

impl Format {
    /// How files are read; `substitution` says whether `${NAME}` is an environment variable.
    #[must_use]
    pub const fn of_files(substitution: bool) -> Self {
        if substitution { Self::Environment } else { Self::Deck }
    }
}

/// Reads a declarative configuration. `plugins` knows what plugins may say; `now` is the Unix time in seconds that
/// entities without one get.
///
/// # Errors
/// Every error of the first phase that found any, together with the warnings so far.
pub fn parse(
    source: &Arc<Source>,
    format: Format,
    plugins: &dyn Plugins,
    now: i64,
) -> Result<Config, Report> {
    let fail = |diagnostics| Report::new(source.clone(), diagnostics);
    let (value, mut diagnostics) = read(source, format).map_err(fail)?;
    let checked = schema::check(DOCUMENT, &value, plugins);
    let transform = value.get("_transform").and_then(Value::as_bool) != Some(false);
    // A large file stands in memory once, not twice.
    drop(value);
    diagnostics.extend(checked.diagnostics);
    if diagnostics.iter().any(Diagnostic::is_error) {
        diagnostics.extend(resolve::dangling(checked.items));
        return Err(fail(diagnostics));
    }
    let (entities, complaints) = resolve::resolve(checked.items, now, transform);
    diagnostics.extend(complaints);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(fail(diagnostics));
    }
    if format != Format::Kong {
        diagnostics.extend(lint::lint(&entities));
    }
    let nothing = entities.is_empty();
    let hash = if nothing { EMPTY_HASH.to_owned() } else { hash(source.text.as_bytes()) };
    Ok(Config { entities, warnings: diagnostics, hash })
}

/// The document of a text, in Kong's own format 3.0, and what its author should know.
fn read(source: &Source, format: Format) -> Result<(Value, Vec<Diagnostic>), Vec<Diagnostic>> {
    if source.parts.is_empty() { read_one(source, format) } else { parts::read(source, format) }
}

fn read_one(source: &Source, format: Format) -> Result<(Value, Vec<Diagnostic>), Vec<Diagnostic>> {
    let (document, mut diagnostics) = environment::read(&source.text, format)
        .map_err(|error| vec![Diagnostic::syntax(Path::root(), &error)])?;
    // What a value that is missing would have to be is not worth a word.
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    diagnostics.extend(document.duplicates.iter().map(duplicate));
    if let Some(byte) = document.next {
        let message = "another document follows; only the first one is read";
        let mark = Mark::Byte(byte);
        diagnostics.push(Diagnostic { mark, ..Diagnostic::warning(Path::root(), message) });
    }
    let mut value = migrate::migrate(document.value);
    if format != Format::Kong {
        value = deck::reduce(value, &mut diagnostics);
        value = web_socket::plain(value, &mut diagnostics);
    }
    Ok((value, diagnostics))
}

/// Kong's hash of a configuration: MD5 of its text, in lower-case hexadecimal.
/// (Kong: Admin API, `configuration_hash` of `/status`.)
#[must_use]
pub fn hash(text: &[u8]) -> String {
    use std::fmt::Write;
    Md5::digest(text).iter().fold(String::with_capacity(32), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn duplicate(path: &Path) -> Diagnostic {
    let message = "this key stands twice in one mapping; the last one counts";
    Diagnostic::warning(path.clone(), message).key()
}
