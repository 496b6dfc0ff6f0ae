//! `mynah import SPEC...`: OpenAPI documents become a configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mynah::{
    config,
    control::{compile, read},
    diag::{Diagnostic, Report, Severity, Source},
    document::{self, Dialect},
    import::{Imported, Options, Specification, import as convert},
    openapi::{self, Location},
    plugin::{Bundled, EnabledPlugins},
    router,
    snapshot::Compiler,
};

use super::{draw, export::Notation, lint::folder};

/// How the plugin `mocking` is told its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mock {
    /// The text stands in the configuration.
    Inline,
    /// The configuration names the file, in the folder of specs.
    File,
}

/// What is asked of the configuration, and where it goes.
#[derive(Debug)]
pub(crate) struct Wishes {
    pub(crate) mock: Option<Mock>,
    /// Whether plugins ask for credentials.
    pub(crate) security: bool,
    pub(crate) tags: Vec<String>,
    /// The folder of specs.
    pub(crate) specs: PathBuf,
    /// The file that is written, in place of the terminal.
    pub(crate) output: Option<PathBuf>,
    pub(crate) notation: Notation,
}

/// Prints the configuration; false if there is none that could be used, and why has been said.
pub(crate) fn import(files: &[PathBuf], wishes: Wishes, options: router::Options) -> Result<bool> {
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
    let asked = Options { mock: wishes.mock.is_some(), security: wishes.security, tags: wishes.tags };
    let Imported { document, warnings } =
        convert(&specifications, &asked, &Bundled { expressions: false, enabled: EnabledPlugins::ALL });
    for (source, warnings) in sources.into_iter().zip(warnings) {
        draw(&Report::new(source, warnings));
    }
    let text = wishes.notation.text(&document);
    // Extensions are the author's own words: they are checked as if they stood in a configuration.
    let made = Source::new("(the imported configuration)", text.clone());
    if let Err(report) = compile(&mut Compiler::new(wishes.specs, options), &made, config::Format::Deck) {
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
fn only_files_are_missing(report: &Report, made: &std::sync::Arc<Source>) -> Option<Report> {
    let mut all = report.diagnostics().to_vec();
    for complaint in all.iter_mut().filter(|it| it.is_error()) {
        if !complaint.message.starts_with("cannot read '") {
            return None;
        }
        complaint.severity = Severity::Warning;
    }
    Some(Report::new(made.clone(), all))
}

fn specification(file: &Path, wishes: &Wishes) -> Result<(std::sync::Arc<Source>, Specification), Report> {
    let source = read(file)?;
    let fail = |complaint| Report::new(source.clone(), vec![complaint]);
    let read = document::read(&source.text, Dialect::Specification)
        .map_err(|error| fail(Diagnostic::syntax(document::Path::root(), &error)))?;
    let (api, _) = openapi::lower(read.value, &Location::file(file, folder(file))).map_err(fail)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let document = match wishes.mock {
        Some(Mock::File) => {
            let inside = file.strip_prefix(&wishes.specs).map(|it| it.to_string_lossy().into_owned());
            ("api_specification_filename", inside.unwrap_or_else(|_| name.clone()))
        }
        _ => ("api_specification", source.text.clone()),
    };
    if wishes.mock == Some(Mock::Inline) && api.library.files().next().is_some() {
        let message =
            "it refers to other files, which its text alone may not find: --mock=file names it instead";
        draw(&Report::new(source.clone(), vec![Diagnostic::warning(document::Path::root(), message)]));
    }
    Ok((source.clone(), Specification { file: name, api, document }))
}
