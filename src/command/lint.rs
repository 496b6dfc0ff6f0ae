//! `mynah lint`: errors and warnings of OpenAPI documents.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use clap::Args;
use mynah::{
    control::read_config,
    diag::{DiagnosticReport, plural},
    openapi::{self, LibraryLocation},
};
use serde_json::Value;

use super::{
    bulk, exit_code,
    flags::OutputFormatFlag,
    output::{OutputFormat, print_line, print_whole_report},
};

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// OpenAPI or Swagger documents, JSON or YAML
    #[arg(required_unless_present = "bulk", value_name = "SPEC")]
    specifications: Vec<PathBuf>,
    /// Also check each document strictly against its version of the specification
    #[arg(long)]
    strict: bool,
    /// Exit with code 1 if there are warnings
    #[arg(long)]
    deny_warnings: bool,
    /// Generate every response of every document in a folder, and print a table of the results
    #[arg(long, value_name = "DIR", conflicts_with_all = ["specifications", "strict", "deny_warnings"])]
    bulk: Option<PathBuf>,
    #[command(flatten)]
    output: OutputFormatFlag,
}

impl LintArgs {
    /// Checks every document; succeeds if none has an error.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let format = self.output.format;
        if let Some(path) = &self.bulk {
            return bulk::execute(path, format).map(exit_code);
        }
        let mut findings = Vec::new();
        let mut success = true;
        for file in &self.specifications {
            let (report, operations) = lint_file(file, self.strict);
            let (errors, warnings) = report.count();
            success &= errors == 0 && (warnings == 0 || !self.deny_warnings);
            if format == OutputFormat::Json {
                findings.extend(report.to_json().as_array().cloned().unwrap_or_default());
                continue;
            }
            print_whole_report(&report);
            let operations = operations.map_or_else(String::new, |n| format!("{}, ", plural(n, "operation")));
            print_line(format_args!(
                "{}: {operations}{}, {}",
                file.display(),
                plural(errors, "error"),
                plural(warnings, "warning")
            ));
        }
        if format == OutputFormat::Json {
            print_line(Value::Array(findings));
        }
        Ok(exit_code(success))
    }
}

/// The diagnostics of a document, and the number of its operations if it can be used.
fn lint_file(file: &Path, strict: bool) -> (DiagnosticReport, Option<usize>) {
    let source = match read_config(file) {
        Ok(source) => source,
        Err(report) => return (report, None),
    };
    let location = LibraryLocation::file(file, reference_root(file));
    let (report, api) = openapi::lint_text(&source, &location, strict);
    (report, api.map(|api| api.operations.len()))
}

/// The folder that the references of a document may not leave: its own.
pub(super) fn reference_root(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
