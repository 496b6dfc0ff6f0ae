//! `mynah check FILE...`: says everything that is wrong with a configuration.

use std::path::{Path, PathBuf};

use mynah::{
    control::read_config,
    diag::{DiagnosticReport, plural},
};
use serde_json::Value;

use super::{draw, run::CompileOptions, say};

/// How the findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FindingsFormat {
    /// Drawn on the text, for people.
    Text,
    /// One JSON array, for machines.
    Json,
}

/// Checks every file; true if all can be used.
pub(crate) fn check(
    files: &[PathBuf],
    specs: Option<&Path>,
    reading: CompileOptions,
    format: FindingsFormat,
) -> bool {
    let mut all = Vec::new();
    let mut good = true;
    for file in files {
        let (report, summary) = one(file, specs, reading);
        let (errors, warnings) = report.count();
        good &= errors == 0;
        match format {
            FindingsFormat::Json => all.extend(report.to_json().as_array().cloned().unwrap_or_default()),
            FindingsFormat::Text => {
                draw(&report);
                let counts = match (errors, warnings) {
                    (0, 0) => String::new(),
                    (0, _) => format!(", {}", plural(warnings, "warning")),
                    (_, 0) => plural(errors, "error"),
                    _ => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
                };
                match summary {
                    Some(summary) => say(format_args!("{}: ok: {summary}{counts}", file.display())),
                    None => say(format_args!("{}: {counts}", file.display())),
                }
            }
        }
    }
    if format == FindingsFormat::Json {
        say(Value::Array(all));
    }
    good
}

/// What is to be said about a file, and what it declares if it can be used.
fn one(file: &Path, specs: Option<&Path>, reading: CompileOptions) -> (DiagnosticReport, Option<String>) {
    let source = match read_config(file) {
        Ok(source) => source,
        Err(report) => return (report, None),
    };
    let specs = specs.map_or_else(|| super::run::specs_beside(file), Path::to_path_buf);
    match reading.compile(specs, &source) {
        Ok(compiled) => {
            let summary = super::run::summary(&compiled.snapshot);
            (DiagnosticReport::new(source, compiled.warnings), Some(summary))
        }
        Err(report) => (report, None),
    }
}
