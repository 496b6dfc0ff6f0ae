//! `mynah check`: errors and warnings of configurations.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use clap::Args;
use mynah::{
    control::read_config,
    diag::{DiagnosticReport, plural},
};
use serde_json::Value;

use super::{
    exit_code,
    flags::{OutputFormatFlag, SpecsFlag},
    load::{CompileOptions, default_specs_folder, load_settings, summary},
    output::{OutputFormat, print_line, print_report},
};

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Configurations, YAML or JSON
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    specs: SpecsFlag,
    #[command(flatten)]
    output: OutputFormatFlag,
}

impl CheckArgs {
    /// Checks every file; succeeds if none has an error.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let options = CompileOptions::new(&load_settings([], None)?.settings);
        let specs = self.specs.specs.as_deref();
        let format = self.output.format;
        let mut findings = Vec::new();
        let mut success = true;
        for file in &self.files {
            let (report, summary) = check_file(file, specs, options);
            let (errors, warnings) = report.count();
            success &= errors == 0;
            match format {
                OutputFormat::Json => {
                    findings.extend(report.to_json().as_array().cloned().unwrap_or_default());
                }
                OutputFormat::Text => {
                    print_report(&report);
                    let counts = match (errors, warnings) {
                        (0, 0) => String::new(),
                        (0, _) => format!(", {}", plural(warnings, "warning")),
                        (_, 0) => plural(errors, "error"),
                        _ => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
                    };
                    match summary {
                        Some(summary) => {
                            print_line(format_args!("{}: ok: {summary}{counts}", file.display()));
                        }
                        None => print_line(format_args!("{}: {counts}", file.display())),
                    }
                }
            }
        }
        if format == OutputFormat::Json {
            print_line(Value::Array(findings));
        }
        Ok(exit_code(success))
    }
}

/// The diagnostics of a file, and the numbers of its entities if it has no error.
fn check_file(
    file: &Path,
    specs: Option<&Path>,
    options: CompileOptions,
) -> (DiagnosticReport, Option<String>) {
    let source = match read_config(file) {
        Ok(source) => source,
        Err(report) => return (report, None),
    };
    let specs = specs.map_or_else(|| default_specs_folder(file), Path::to_path_buf);
    match options.compile(specs, &source) {
        Ok(compiled) => {
            let summary = summary(&compiled.snapshot);
            (DiagnosticReport::new(source, compiled.warnings), Some(summary))
        }
        Err(report) => (report, None),
    }
}
