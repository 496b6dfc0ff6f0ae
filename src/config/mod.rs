//! Reader of `kong.yaml`: from its text to [`Entities`], in Kong's own phases.
//!
//! The first phase reads the document, the second one checks it against the schemas of the entities, and the third one
//! resolves references and names. A phase runs if the previous one found no error, and reports all its errors at once.

mod collect;
mod deck;
mod environment;
mod foreign_files;
mod hints;
mod lint;
mod migrate;
mod parts;
mod previous_config;
mod protocols;
mod quarantine;
mod refusal;
mod resolve;
mod secrets;
#[cfg(test)]
mod tests;
mod value_hints;
mod vault;
mod written_forms;

pub use environment::{escaped, is_substituted, read_changed, written};
pub use lint::lint;
pub use parts::relocate;
pub use previous_config::ConfigOrigin;
pub use quarantine::{
    CredentialBlock, CredentialKind, EntityPlaces, Quarantine, QuarantineState, QuarantinedEntity,
    RouteFence, ScopeBlock,
};
pub use refusal::{RefusedDocument, refusal, with_kongs_messages};
pub use vault::set_env_prefix;

use std::sync::Arc;

use md5::{Digest, Md5};

use crate::{
    diag::{self, Diagnostic, DiagnosticReport, MAX_DIAGNOSTICS, MAX_QUARANTINED, MarkedPart, SourceFile},
    document::{KnownText, NodePath, TextLayout, Value, share},
    entity::{DOCUMENT, Entities, document::TRANSFORM},
    schema::{self, PluginSchemas},
};
use previous_config::PreviousConfig;
use quarantine::QuarantineContext;
use resolve::ResolvedEntities;

/// A declarative configuration that can be used.
#[derive(Clone, Debug)]
pub struct Config {
    /// The entities that it declares.
    pub entities: Entities,
    /// Warnings for its author.
    pub warnings: Vec<Diagnostic>,
    /// Kong's hash of it; see [`hash`].
    pub hash: String,
    /// The document that it was read from.
    pub origin: ConfigOrigin,
    /// What was kept out of it.
    pub quarantine: Quarantine,
}

/// The hash of a configuration that declares nothing.
pub const EMPTY_HASH: &str = "00000000000000000000000000000000";

/// The format of a document: Kong's own, or one of its extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeclarativeFormat {
    /// Kong's own format, for `POST /config`.
    Kong,
    /// The same with decK's extensions and the protocols of Kong's Enterprise gateway, for files.
    #[default]
    Deck,
    /// The same with `${NAME}` for the environment variable of that name, for files if the settings ask for it.
    Environment,
}

impl DeclarativeFormat {
    /// The format of files; with `substitution`, `${NAME}` is an environment variable.
    #[must_use]
    pub const fn of_files(substitution: bool) -> Self {
        if substitution { Self::Environment } else { Self::Deck }
    }
}

/// Reads declarative configurations.
#[derive(Clone, Copy)]
pub struct ConfigReader<'a> {
    /// The format of the text.
    pub format: DeclarativeFormat,
    /// The schemas of plugins.
    pub plugins: &'a dyn PluginSchemas,
    /// The Unix time in seconds for new entities without a time.
    pub now: i64,
    /// The previous configuration and its document; entities whose text did not change are taken from there.
    pub before: Option<(&'a Entities, &'a ConfigOrigin)>,
    /// Whether the positions of nodes are recorded, for a write that follows.
    pub layout: bool,
    /// The previous text, if only the difference has to be read.
    pub known: Option<KnownText<'a>>,
}

/// Reads a declarative configuration without a previous one. `plugins` are the schemas of plugins; `now` is the Unix time in
/// seconds for entities without a time.
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
        self.parse_with(source, None)
    }

    /// Reads a declarative configuration; with a state of quarantine, without the entities that have errors.
    ///
    /// # Errors
    /// As [`Self::parse`]; with a state of quarantine, the errors that cannot be quarantined are among them.
    pub fn parse_with(
        &self,
        source: &Arc<SourceFile>,
        state: Option<&mut QuarantineState>,
    ) -> Result<Config, DiagnosticReport> {
        let fail = |diagnostics| DiagnosticReport::new(source.clone(), diagnostics);
        let (no_origin, no_entities) = (ConfigOrigin::default(), Entities::default());
        let (entities, origin) = self.before.unwrap_or((&no_entities, &no_origin));
        let ParsedDocument { value, document, is_verbatim, is_plain, layout, mut diagnostics } = read(
            source,
            self.format,
            self.plugins,
            origin,
            LayoutTracking { layout: self.layout, known: self.known },
        )
        .map_err(|mut diagnostics| {
            if source.parts.is_empty() {
                for diagnostic in &mut diagnostics {
                    hints::add_syntax_hint(diagnostic, source);
                }
            }
            fail(diagnostics)
        })?;
        let previous = PreviousConfig::new(entities, origin);
        let most = if state.is_some() { MAX_QUARANTINED } else { MAX_DIAGNOSTICS };
        let checked = schema::check_after(DOCUMENT, &value, self.plugins, &previous, most);
        let transform = value.get(TRANSFORM.name).and_then(Value::as_bool) != Some(false);
        diagnostics.extend(checked.diagnostics);
        let resolve = |items| resolve::resolve(items, self.plugins, self.now, transform, &previous);
        let (resolved, quarantine) = if let Some(state) = state {
            let (errors, warnings): (Vec<_>, Vec<_>) =
                diagnostics.into_iter().partition(Diagnostic::is_error);
            diagnostics = warnings;
            let context = QuarantineContext { previous: &previous, plugins: self.plugins, resolve: &resolve };
            match state.resolve(&checked.items, errors, &context) {
                Ok(resolved) => resolved,
                Err(errors) => return Err(fail(errors.into_iter().chain(diagnostics).collect())),
            }
        } else {
            if diagnostics.iter().any(Diagnostic::is_error) {
                diagnostics.extend(resolve::dangling_references(checked.items));
                self.add_hints(&mut diagnostics, source, &value);
                return Err(fail(diagnostics));
            }
            (resolve(checked.items), Quarantine::default())
        };
        let ResolvedEntities { entities, nodes, diagnostics: found } = resolved;
        diagnostics.extend(found);
        if diagnostics.iter().any(Diagnostic::is_error) {
            self.add_hints(&mut diagnostics, source, &value);
            return Err(fail(diagnostics));
        }
        if source.text.contains('$') {
            diagnostics.extend(hints::warn_of_variables(&value, self.format));
        }
        if self.format != DeclarativeFormat::Kong {
            let written = || as_written(source, self.format, is_verbatim, &value);
            let records = &entities.records;
            let warning = secrets::warn_of_clear_secrets(&value, records, &nodes, self.plugins, &written);
            diagnostics.extend(warning);
        }
        let text_hash = hash(source.text.as_bytes());
        let is_empty = entities.is_empty() && quarantine.is_empty();
        let hash = if is_empty { EMPTY_HASH.to_owned() } else { text_hash.clone() };
        let origin = ConfigOrigin { hash: text_hash, document, is_verbatim, is_plain, value, layout, nodes };
        Ok(Config { entities, warnings: diagnostics, hash, origin, quarantine })
    }

    /// Adds hints for people to the errors of a file.
    fn add_hints(&self, diagnostics: &mut Vec<Diagnostic>, source: &SourceFile, value: &Value) {
        if self.format != DeclarativeFormat::Kong {
            hints::add_hints(diagnostics, source, value, self.format);
        }
    }
}

/// The document with its variables; `None` if it is in several files, of which one has variables.
fn as_written(
    source: &SourceFile,
    format: DeclarativeFormat,
    is_verbatim: bool,
    value: &Value,
) -> Option<Value> {
    let parts_are_verbatim = || source.parts.iter().all(|part| environment::is_verbatim(&part.text, format));
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
    /// As it is in the text.
    document: Value,
    /// Whether `document` has no values from the environment.
    is_verbatim: bool,
    /// Whether no key is duplicated, and no other document follows.
    is_plain: bool,
    layout: Option<Arc<TextLayout>>,
    /// Warnings for its author.
    diagnostics: Vec<Diagnostic>,
}

/// The document of a text, in Kong's own format 3.0; it shares equal nodes with the document `before`.
fn read(
    source: &SourceFile,
    format: DeclarativeFormat,
    plugins: &dyn PluginSchemas,
    before: &ConfigOrigin,
    tracking: LayoutTracking<'_>,
) -> Result<ParsedDocument, Vec<Diagnostic>> {
    if !source.parts.is_empty() {
        let (value, diagnostics) = parts::read_parts(source, format, plugins)?;
        return Ok(ParsedDocument {
            value: share(&value, &before.value),
            diagnostics,
            ..ParsedDocument::default()
        });
    }
    read_one(source, format, plugins, before, tracking)
}

/// Whether the positions of nodes are recorded, and the previous text with its positions.
#[derive(Clone, Copy, Default)]
struct LayoutTracking<'a> {
    layout: bool,
    known: Option<KnownText<'a>>,
}

fn read_one(
    source: &SourceFile,
    format: DeclarativeFormat,
    plugins: &dyn PluginSchemas,
    before: &ConfigOrigin,
    tracking: LayoutTracking<'_>,
) -> Result<ParsedDocument, Vec<Diagnostic>> {
    let is_verbatim = environment::is_verbatim(&source.text, format);
    let changed = |known| read_changed(&source.text, format, known);
    let (read, layout, mut diagnostics) = match tracking.known.and_then(changed) {
        Some((document, layout)) => (document, Some(layout), Vec::new()),
        None => environment::read(&source.text, format, &before.document, tracking.layout && is_verbatim)
            .map_err(|error| vec![Diagnostic::syntax(NodePath::root(), &error)])?,
    };
    // Errors about missing values would lead to more errors about the values themselves.
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let is_plain = read.duplicates.is_empty() && read.tagged.is_empty() && read.next.is_none();
    diagnostics.extend(read.duplicates.iter().map(duplicate_key));
    diagnostics.extend(read.tagged.iter().map(|(path, tag)| hints::meaningless_tag(path.clone(), tag)));
    if let Some(byte) = read.next {
        let message = "another document follows; only the first one is read";
        let mark = MarkedPart::Byte(byte);
        diagnostics.push(Diagnostic { mark, ..Diagnostic::warning(NodePath::root(), message) });
    }
    // What decK's extensions hold gets its type where they put it.
    let (document, value) = if is_verbatim {
        (read.value.clone(), read.value)
    } else {
        (environment::settle_all(&read.value, plugins), environment::settle_known(&read.value, plugins))
    };
    let mut value = migrate::migrate(value);
    if format != DeclarativeFormat::Kong {
        value = written_forms::without_anchor_holders(value, &source.text);
        value = written_forms::with_plain_references(value);
        value = deck::to_kongs_format(value, &mut diagnostics);
        if !is_verbatim {
            value = environment::settle_all(&value, plugins);
        }
        value = protocols::replace_protocols(value, plugins, &mut diagnostics);
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

fn duplicate_key(path: &NodePath) -> Diagnostic {
    Diagnostic::warning(path.clone(), diag::DUPLICATE_KEY).key()
}
