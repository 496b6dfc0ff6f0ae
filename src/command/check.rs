//! `mynah check`: errors and warnings of configurations.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Result;
use clap::Args;
use mynah::{
    config::QuarantinedEntity,
    control::read_config,
    diag::{DiagnosticReport, SourceFile, plural},
    snapshot::CompiledSnapshot,
};
use serde_json::Value;

use super::{
    exit_code,
    flags::{OutputFormatFlag, SpecsFlag},
    load::{CompileOptions, QUARANTINE_HELP, default_specs_folder, load_settings, summary},
    output::{OutputFormat, print_line, print_report},
};

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Configurations, YAML or JSON
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    specs: SpecsFlag,
    /// Check what `mynah run --quarantine` would serve: list the entities with errors and what becomes of their requests
    #[arg(long)]
    quarantine: bool,
    #[command(flatten)]
    output: OutputFormatFlag,
}

impl CheckArgs {
    /// Checks every file; succeeds if each can be served.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let options = CompileOptions::new(&load_settings([], None)?.settings);
        let specs = self.specs.specs.as_deref();
        let format = self.output.format;
        let mut findings = Vec::new();
        let (mut success, mut has_remedy) = (true, false);
        for file in &self.files {
            let checked = CheckedFile::new(file, specs, options, self.quarantine);
            success &= checked.summary.is_some();
            has_remedy |= checked.has_remedy;
            match format {
                OutputFormat::Json => findings.extend(checked.to_json()),
                OutputFormat::Text => checked.print(file),
            }
        }
        match format {
            OutputFormat::Json => print_line(Value::Array(findings)),
            OutputFormat::Text if has_remedy => {
                print_line(format_args!(
                    "help: {QUARANTINE_HELP}; mynah check --quarantine lists what is left out"
                ));
            }
            OutputFormat::Text => (),
        }
        Ok(exit_code(success))
    }
}

/// The diagnostics of a file, and what would be served of it.
struct CheckedFile {
    /// The errors of entities in quarantine come first.
    report: DiagnosticReport,
    /// The numbers of its entities if it can be served.
    summary: Option<String>,
    /// Entities in quarantine, if it is served without them.
    quarantined: Vec<QuarantinedEntity>,
    /// Whether it could be served without the entities that have errors.
    has_remedy: bool,
}

impl CheckedFile {
    fn new(file: &Path, specs: Option<&Path>, options: CompileOptions, quarantines: bool) -> Self {
        let refused =
            |report, has_remedy| Self { report, summary: None, quarantined: Vec::new(), has_remedy };
        let source = match read_config(file) {
            Ok(source) => source,
            Err(report) => return refused(report, false),
        };
        let specs = specs.map_or_else(|| default_specs_folder(file), Path::to_path_buf);
        let report = match options.compile(specs.clone(), &source) {
            Ok(compiled) => return Self::served(source, compiled),
            Err(report) => report,
        };
        match options.compile_in_quarantine(specs, &source) {
            Ok(compiled) if quarantines => Self::served(source, compiled),
            Ok(_) => refused(report, true),
            Err(in_the_way) => refused(if quarantines { in_the_way } else { report }, false),
        }
    }

    fn served(source: Arc<SourceFile>, compiled: CompiledSnapshot) -> Self {
        let CompiledSnapshot { snapshot, warnings, .. } = compiled;
        let quarantined = snapshot.quarantined().to_vec();
        let errors = quarantined.iter().map(|entity| entity.error.clone());
        let report = DiagnosticReport::new(source, errors.chain(warnings).collect());
        Self { report, summary: Some(summary(&snapshot)), quarantined, has_remedy: false }
    }

    /// Its findings; those of entities in quarantine have their effect, too.
    fn to_json(&self) -> Vec<Value> {
        let in_quarantine = self.report.to_json().as_array().cloned().unwrap_or_default();
        let effect = |finding: &Value| {
            let path = finding.get("path").and_then(Value::as_str)?;
            let message = finding.get("message").and_then(Value::as_str)?;
            let is_it = |entity: &&QuarantinedEntity| {
                entity.error.path.to_string() == path && entity.error.message == message
            };
            self.quarantined.iter().find(is_it).map(|entity| entity.effect)
        };
        let with_effect = |mut finding: Value| {
            if let (Some(effect), Some(members)) = (effect(&finding), finding.as_object_mut()) {
                members.insert("effect".to_owned(), effect.into());
            }
            finding
        };
        in_quarantine.into_iter().map(with_effect).collect()
    }

    fn print(&self, file: &Path) {
        print_report(&self.report);
        let errors: Vec<_> = self.quarantined.iter().map(|entity| entity.error.clone()).collect();
        for (entity, place) in self.quarantined.iter().zip(self.report.positions(&errors)) {
            let name = &self.report.source_of(&entity.error).name;
            let (kind, entity_name, effect) = (entity.entity.singular(), &entity.name, entity.effect);
            print_line(format_args!(
                "{name}:{}: the {kind} '{entity_name}' is left out: {effect}",
                place.line
            ));
        }
        let (errors, warnings) = self.report.count();
        let counts = match (errors, warnings) {
            (0, 0) => String::new(),
            (0, _) => format!(", {}", plural(warnings, "warning")),
            (_, 0) => plural(errors, "error"),
            _ => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
        };
        let file = file.display();
        match &self.summary {
            Some(summary) if self.quarantined.is_empty() => {
                print_line(format_args!("{file}: ok: {summary}{counts}"));
            }
            Some(summary) => print_line(format_args!("{file}: served with {summary} in spite of {counts}")),
            None => print_line(format_args!("{file}: {counts}")),
        }
    }
}
