//! `mynah import`: conversion of OpenAPI documents to a configuration.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result};
use clap::Args;
use mynah::{
    config,
    control::{compile_config, read_config},
    diag::{Diagnostic, DiagnosticReport, Severity, SourceFile},
    document::{self, Dialect},
    import::{
        DocumentSource, ImportPlugins, ImportResult, ImportSettings, MockPlugin, Specification, import,
    },
    openapi::{self, LibraryLocation},
    plugin::{self, BundledPlugins, EnabledPlugins},
    snapshot::SnapshotCompiler,
};

use super::{
    flags::ConfigFormatFlag,
    lint::reference_root,
    load::{load_settings, router_options},
    output::{print_line, print_report},
};

/// Where the plugin `mocking` gets its document from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum MockSource {
    /// The configuration contains the document
    Inline,
    /// The configuration names the document's file in the folder of --specs
    File,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// OpenAPI or Swagger documents, JSON or YAML
    #[arg(required = true, value_name = "SPEC")]
    specifications: Vec<PathBuf>,
    /// Add the plugin mocking to the services
    #[arg(long, value_enum, value_name = "SOURCE", num_args = 0..=1, require_equals = true, default_missing_value = "inline")]
    mock: Option<MockSource>,
    /// Add key-auth and basic-auth where security schemes require credentials [default: true, but false with --mock]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    security: Option<bool>,
    /// Tag of every entity; may be repeated [default: x-kong-tags of the document, else the kind and name of its file]
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Folder of the OpenAPI documents that plugins name
    #[arg(long, value_name = "DIR", default_value = "specs")]
    specs: PathBuf,
    /// File to write [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    format: ConfigFormatFlag,
}

impl ImportArgs {
    /// Writes the configuration; fails if a document or the configuration cannot be used.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let settings = load_settings([], None)?.settings;
        let mut sources = Vec::new();
        let mut specifications = Vec::new();
        for file in &self.specifications {
            match self.read_specification(file) {
                Ok((source, specification)) => {
                    sources.push(source);
                    specifications.push(specification);
                }
                Err(report) => print_report(&report),
            }
        }
        if specifications.len() < self.specifications.len() {
            return Ok(ExitCode::FAILURE);
        }
        let options = ImportSettings {
            mock: self.mock.is_some(),
            security: self.security.unwrap_or(self.mock.is_none()),
            tags: self.tags,
        };
        let schemas = BundledPlugins { expressions: false, enabled: EnabledPlugins::ALL };
        let (mock, fields) = plugin::find_for_documents().context("no plugin answers from a document")?;
        let plugins = ImportPlugins {
            schemas: &schemas,
            mock: MockPlugin { name: mock.name, text_field: fields.text, file_field: fields.file },
            enforce: plugin::find_for_security,
        };
        let ImportResult { document, warnings } = import(&specifications, &options, &plugins);
        for (source, warnings) in sources.into_iter().zip(warnings) {
            print_report(&DiagnosticReport::new(source, warnings));
        }
        let text = self.format.format.text(&document);
        // x-kong-* extensions are copied as they are, so the result is checked like any configuration.
        let imported = SourceFile::new("(the imported configuration)", text.clone());
        let mut compiler = SnapshotCompiler::new(self.specs, router_options(&settings));
        if let Err(report) = compile_config(&mut compiler, &imported, config::DeclarativeFormat::Deck, false)
        {
            let Some(report) = missing_files_as_warnings(&report, &imported) else {
                print_report(&report);
                return Ok(ExitCode::FAILURE);
            };
            print_report(&report);
        }
        if let Some(file) = self.output {
            std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        } else {
            print_line(text.trim_end_matches('\n'));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn read_specification(&self, file: &Path) -> Result<(Arc<SourceFile>, Specification), DiagnosticReport> {
        let source = read_config(file)?;
        let fail = |diagnostic| DiagnosticReport::new(source.clone(), vec![diagnostic]);
        let read = document::read(&source.text, Dialect::Specification)
            .map_err(|error| fail(Diagnostic::syntax(document::NodePath::root(), &error)))?;
        let location = LibraryLocation::file(file, reference_root(file));
        let (api, _) = openapi::lower(read.value, &location).map_err(fail)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let document = match self.mock {
            Some(MockSource::File) => {
                let path = file.strip_prefix(&self.specs).map(|path| path.to_string_lossy().into_owned());
                DocumentSource::File(path.unwrap_or_else(|_| name.clone()))
            }
            _ => DocumentSource::Text(source.text.clone()),
        };
        if self.mock == Some(MockSource::Inline) && api.library.files().next().is_some() {
            let message =
                "it refers to other files, which its text alone may not find: --mock=file names it instead";
            let warning = Diagnostic::warning(document::NodePath::root(), message);
            print_report(&DiagnosticReport::new(source.clone(), vec![warning]));
        }
        Ok((source.clone(), Specification { file: name, api, document }))
    }
}

/// The report with errors turned into warnings, if all errors are about missing files: these may exist where the
/// configuration will be loaded.
fn missing_files_as_warnings(
    report: &DiagnosticReport,
    imported: &Arc<SourceFile>,
) -> Option<DiagnosticReport> {
    let mut all = report.diagnostics().to_vec();
    for diagnostic in all.iter_mut().filter(|diagnostic| diagnostic.is_error()) {
        if !diagnostic.message.starts_with("cannot read '") {
            return None;
        }
        diagnostic.severity = Severity::Warning;
    }
    Some(DiagnosticReport::new(imported.clone(), all))
}
