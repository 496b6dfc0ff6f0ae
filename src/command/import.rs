//! `mynah import SPEC...`: OpenAPI documents become a configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mynah::{
    config,
    control::{compile_config, read_config},
    diag::{Diagnostic, DiagnosticReport, Severity, SourceFile},
    document::{self, Dialect},
    import::{
        DocumentSource, ImportPlugins, ImportResult, ImportSettings, MockPlugin, Specification,
        import as convert,
    },
    openapi::{self, LibraryLocation},
    plugin::{self, BundledPlugins, EnabledPlugins},
    router,
    snapshot::SnapshotCompiler,
};

use super::{draw, export::OutputFormat, lint::folder};

/// How the plugin `mocking` is told its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum MockSource {
    /// The text stands in the configuration.
    Inline,
    /// The configuration names the file, in the folder of specs.
    File,
}

/// What is asked of the configuration, and where it goes.
#[derive(Debug)]
pub(crate) struct ImportOptions {
    pub(crate) mock: Option<MockSource>,
    /// Whether plugins ask for credentials.
    pub(crate) security: bool,
    pub(crate) tags: Vec<String>,
    /// The folder of specs.
    pub(crate) specs: PathBuf,
    /// The file that is written, in place of the terminal.
    pub(crate) output: Option<PathBuf>,
    pub(crate) notation: OutputFormat,
}

/// Prints the configuration; false if there is none that could be used, and why has been said.
pub(crate) fn import(
    files: &[PathBuf],
    wishes: ImportOptions,
    options: router::RouterOptions,
) -> Result<bool> {
    let mut sources = Vec::new();
    let mut specifications = Vec::new();
    for file in files {
        match specification(file, &wishes) {
            Ok((source, specification)) => {
                sources.push(source);
                specifications.push(specification);
            }
            Err(report) => draw(&report),
        }
    }
    if specifications.len() < files.len() {
        return Ok(false);
    }
    let asked = ImportSettings { mock: wishes.mock.is_some(), security: wishes.security, tags: wishes.tags };
    let schemas = BundledPlugins { expressions: false, enabled: EnabledPlugins::ALL };
    let (mock, fields) = plugin::find_for_documents().context("no plugin answers from a document")?;
    let plugins = ImportPlugins {
        schemas: &schemas,
        mock: MockPlugin { name: mock.name, text_field: fields.text, file_field: fields.file },
        enforce: plugin::find_for_security,
    };
    let ImportResult { document, warnings } = convert(&specifications, &asked, &plugins);
    for (source, warnings) in sources.into_iter().zip(warnings) {
        draw(&DiagnosticReport::new(source, warnings));
    }
    let text = wishes.notation.text(&document);
    // Extensions are the author's own words: they are checked as if they stood in a configuration.
    let made = SourceFile::new("(the imported configuration)", text.clone());
    if let Err(report) = compile_config(
        &mut SnapshotCompiler::new(wishes.specs, options),
        &made,
        config::DeclarativeFormat::Deck,
    ) {
        let Some(report) = only_files_are_missing(&report, &made) else {
            draw(&report);
            return Ok(false);
        };
        draw(&report);
    }
    if let Some(file) = wishes.output {
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    } else {
        super::say(text.trim_end_matches('\n'));
    }
    Ok(true)
}

/// The warnings in place of errors, if all that is wrong is that files are not there: they may be where the configuration
/// will be loaded.
fn only_files_are_missing(
    report: &DiagnosticReport,
    made: &std::sync::Arc<SourceFile>,
) -> Option<DiagnosticReport> {
    let mut all = report.diagnostics().to_vec();
    for complaint in all.iter_mut().filter(|it| it.is_error()) {
        if !complaint.message.starts_with("cannot read '") {
            return None;
        }
        complaint.severity = Severity::Warning;
    }
    Some(DiagnosticReport::new(made.clone(), all))
}

fn specification(
    file: &Path,
    wishes: &ImportOptions,
) -> Result<(std::sync::Arc<SourceFile>, Specification), DiagnosticReport> {
    let source = read_config(file)?;
    let fail = |complaint| DiagnosticReport::new(source.clone(), vec![complaint]);
    let read = document::read(&source.text, Dialect::Specification)
        .map_err(|error| fail(Diagnostic::syntax(document::NodePath::root(), &error)))?;
    let (api, _) = openapi::lower(read.value, &LibraryLocation::file(file, folder(file))).map_err(fail)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let document = match wishes.mock {
        Some(MockSource::File) => {
            let inside = file.strip_prefix(&wishes.specs).map(|it| it.to_string_lossy().into_owned());
            DocumentSource::File(inside.unwrap_or_else(|_| name.clone()))
        }
        _ => DocumentSource::Text(source.text.clone()),
    };
    if wishes.mock == Some(MockSource::Inline) && api.library.files().next().is_some() {
        let message =
            "it refers to other files, which its text alone may not find: --mock=file names it instead";
        draw(&DiagnosticReport::new(
            source.clone(),
            vec![Diagnostic::warning(document::NodePath::root(), message)],
        ));
    }
    Ok((source.clone(), Specification { file: name, api, document }))
}
