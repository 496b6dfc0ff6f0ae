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
mod previous_config;
mod refusal;
mod resolve;
mod secrets;
#[cfg(test)]
mod tests;
mod vault;
mod web_socket;

pub use environment::{escaped, is_substituted, read_changed, written};
pub use lint::lint;
pub use parts::relocate;
pub use previous_config::ConfigOrigin;
pub use refusal::{RefusedDocument, in_kongs_words, refusal};

use std::sync::Arc;

use md5::{Digest, Md5};

use crate::{
    diag::{Diagnostic, DiagnosticReport, MarkedPart, SourceFile},
    document::{KnownText, NodePath, TextLayout, Value, share},
    entity::{DOCUMENT, Entities},
    schema::{self, PluginSchemas},
};
use previous_config::PreviousConfig;
use resolve::ResolvedEntities;

/// A declarative configuration that can be used.
#[derive(Clone, Debug)]
pub struct Config {
    /// What it declares.
    pub entities: Entities,
    /// What its author should know.
    pub warnings: Vec<Diagnostic>,
    /// Kong's hash of it; see [`hash`].
    pub hash: String,
    /// What it was read from.
    pub origin: ConfigOrigin,
}

/// The hash of a configuration that declares nothing.
pub const EMPTY_HASH: &str = "00000000000000000000000000000000";

/// What besides Kong's own format may stand in a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeclarativeFormat {
    /// Nothing: what Kong refuses is refused. So `POST /config` reads.
    Kong,
    /// What decK writes, and the protocols of Kong's Enterprise gateway. So files are read.
    #[default]
    Deck,
    /// The same, and `${NAME}` is the environment variable of that name. So files are read if that is asked for.
    Environment,
}

impl DeclarativeFormat {
    /// How files are read; `substitution` says whether `${NAME}` is an environment variable.
    #[must_use]
    pub const fn of_files(substitution: bool) -> Self {
        if substitution { Self::Environment } else { Self::Deck }
    }
}

/// How declarative configurations are read.
#[derive(Clone, Copy)]
pub struct ConfigReader<'a> {
    /// What may stand in them besides Kong's own format.
    pub format: DeclarativeFormat,
    /// What plugins may say.
    pub plugins: &'a dyn PluginSchemas,
    /// The Unix time in seconds that entities without one get.
    pub now: i64,
    /// The configuration before, and what it was read from: what is written as it was is taken from there.
    pub before: Option<(&'a Entities, &'a ConfigOrigin)>,
    /// Whether it is noted where nodes stand, for whoever is going to write.
    pub layout: bool,
    /// What is known of the text before: what is different is read, and no more.
    pub known: Option<KnownText<'a>>,
}

/// Reads a declarative configuration by itself. `plugins` knows what plugins may say; `now` is the Unix time in
/// seconds that entities without one get.
///
/// # Errors
/// Every error of the first phase that found any, together with the warnings so far.
pub fn parse(
    source: &Arc<SourceFile>,
    format: DeclarativeFormat,
    plugins: &dyn PluginSchemas,
    now: i64,
) -> Result<Config, DiagnosticReport> {
    let mut config =
        ConfigReader { format, plugins, now, before: None, layout: false, known: None }.parse(source)?;
    if format != DeclarativeFormat::Kong {
        config.warnings.extend(lint(&config.entities));
    }
    Ok(config)
}

impl ConfigReader<'_> {
    /// Reads a declarative configuration.
    ///
    /// # Errors
    /// Every error of the first phase that found any, together with the warnings so far.
    pub fn parse(&self, source: &Arc<SourceFile>) -> Result<Config, DiagnosticReport> {
        let fail = |diagnostics| DiagnosticReport::new(source.clone(), diagnostics);
        let (nothing, nobody) = (ConfigOrigin::default(), Entities::default());
        let (entities, origin) = self.before.unwrap_or((&nobody, &nothing));
        let ParsedDocument { value, document, is_verbatim, is_plain, layout, mut diagnostics } =
            read(source, self.format, origin, LayoutTracking { layout: self.layout, known: self.known })
                .map_err(fail)?;
        let past = PreviousConfig::new(entities, origin);
        let checked = schema::check_after(DOCUMENT, &value, self.plugins, &past);
        let transform = value.get("_transform").and_then(Value::as_bool) != Some(false);
        diagnostics.extend(checked.diagnostics);
        if diagnostics.iter().any(Diagnostic::is_error) {
            diagnostics.extend(resolve::dangling(checked.items));
            return Err(fail(diagnostics));
        }
        let ResolvedEntities { entities, nodes, diagnostics: complaints } =
            resolve::resolve(checked.items, self.plugins, self.now, transform, &past);
        diagnostics.extend(complaints);
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(fail(diagnostics));
        }
        if self.format != DeclarativeFormat::Kong {
            let written = || as_written(source, self.format, is_verbatim, &value);
            diagnostics.extend(secrets::in_clear(&value, &entities.records, &nodes, self.plugins, &written));
        }
        let text_hash = hash(source.text.as_bytes());
        let hash = if entities.is_empty() { EMPTY_HASH.to_owned() } else { text_hash.clone() };
        let origin = ConfigOrigin { hash: text_hash, document, is_verbatim, is_plain, value, layout, nodes };
        Ok(Config { entities, warnings: diagnostics, hash, origin })
    }
}

/// The document without the values of variables; none if it is in several files, of which one has variables.
fn as_written(
    source: &SourceFile,
    format: DeclarativeFormat,
    is_verbatim: bool,
    value: &Value,
) -> Option<Value> {
    let parts_are_verbatim = || source.parts.iter().all(|it| environment::is_verbatim(&it.text, format));
    match (is_verbatim, source.parts.is_empty()) {
        (true, _) => Some(value.clone()),
        (false, true) => written(&source.text, format).ok(),
        (false, false) => parts_are_verbatim().then(|| value.clone()),
    }
}

/// A document as it was read.
#[derive(Default)]
struct ParsedDocument {
    /// In Kong's own format 3.0.
    value: Value,
    /// Before it became that.
    document: Value,
    /// Whether that is what is written, and no value came from the environment.
    is_verbatim: bool,
    /// Whether no key stands twice, and no other document follows.
    is_plain: bool,
    layout: Option<Arc<TextLayout>>,
    /// What its author should know.
    diagnostics: Vec<Diagnostic>,
}

/// The document of a text, in Kong's own format 3.0; what it shares with the one `before` is that one's.
fn read(
    source: &SourceFile,
    format: DeclarativeFormat,
    before: &ConfigOrigin,
    noted: LayoutTracking<'_>,
) -> Result<ParsedDocument, Vec<Diagnostic>> {
    if !source.parts.is_empty() {
        let (value, diagnostics) = parts::read(source, format)?;
        return Ok(ParsedDocument {
            value: share(&value, &before.value),
            diagnostics,
            ..ParsedDocument::default()
        });
    }
    read_one(source, format, before, noted)
}

/// Whether it is noted where nodes stand, and what of that is known of the text before.
#[derive(Clone, Copy, Default)]
struct LayoutTracking<'a> {
    layout: bool,
    known: Option<KnownText<'a>>,
}

fn read_one(
    source: &SourceFile,
    format: DeclarativeFormat,
    before: &ConfigOrigin,
    noted: LayoutTracking<'_>,
) -> Result<ParsedDocument, Vec<Diagnostic>> {
    let is_verbatim = environment::is_verbatim(&source.text, format);
    let changed = |known| read_changed(&source.text, format, known);
    let (read, layout, mut diagnostics) = match noted.known.and_then(changed) {
        Some((document, layout)) => (document, Some(layout), Vec::new()),
        None => environment::read(&source.text, format, &before.document, noted.layout && is_verbatim)
            .map_err(|error| vec![Diagnostic::syntax(NodePath::root(), &error)])?,
    };
    // What a value that is missing would have to be is not worth a word.
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let is_plain = read.duplicates.is_empty() && read.next.is_none();
    diagnostics.extend(read.duplicates.iter().map(duplicate));
    if let Some(byte) = read.next {
        let message = "another document follows; only the first one is read";
        let mark = MarkedPart::Byte(byte);
        diagnostics.push(Diagnostic { mark, ..Diagnostic::warning(NodePath::root(), message) });
    }
    let document = read.value;
    let mut value = migrate::migrate(document.clone());
    if format != DeclarativeFormat::Kong {
        value = deck::reduce(value, &mut diagnostics);
        value = web_socket::plain(value, &mut diagnostics);
    }
    if value.address() != document.address() {
        value = share(&value, &before.value);
    }
    Ok(ParsedDocument { value, document, is_verbatim, is_plain, layout: layout.map(Arc::new), diagnostics })
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

fn duplicate(path: &NodePath) -> Diagnostic {
    let message = "this key stands twice in one mapping; the last one counts";
    Diagnostic::warning(path.clone(), message).key()
}
