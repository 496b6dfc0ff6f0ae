//! `mynah lint SPEC...`: says what is wrong with an OpenAPI document.

use std::path::{Path, PathBuf};

use mynah::{
    control::read_config,
    diag::{Diagnostic, DiagnosticReport, plural},
    document::{self, Dialect},
    openapi::{self, LibraryLocation},
};
use serde_json::Value;

use super::{check::FindingsFormat, draw_all, say};

/// What is asked of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LintOptions {
    /// Whether it is held to the letter of its specification.
    pub(crate) strict: bool,
    /// Whether warnings count as errors.
    pub(crate) deny_warnings: bool,
}

/// Checks every document; true if none has an error.
pub(crate) fn lint(files: &[PathBuf], demands: LintOptions, format: FindingsFormat) -> bool {
    let mut all = Vec::new();
    let mut good = true;
    for file in files {
        let (report, operations) = one(file, demands.strict);
        let (errors, warnings) = report.count();
        good &= errors == 0 && (warnings == 0 || !demands.deny_warnings);
        if format == FindingsFormat::Json {
            all.extend(report.to_json().as_array().cloned().unwrap_or_default());
            continue;
        }
        draw_all(&report);
        let found = operations.map_or_else(String::new, |n| format!("{}, ", plural(n, "operation")));
        say(format_args!(
            "{}: {found}{}, {}",
            file.display(),
            plural(errors, "error"),
            plural(warnings, "warning")
        ));
    }
    if format == FindingsFormat::Json {
        say(Value::Array(all));
    }
    good
}

fn one(file: &Path, strict: bool) -> (DiagnosticReport, Option<usize>) {
    let source = match read_config(file) {
        Ok(source) => source,
        Err(report) => return (report, None),
    };
    let document = match document::read(&source.text, Dialect::Specification) {
        Ok(document) => document,
        Err(error) => {
            let complaint = Diagnostic::syntax(document::NodePath::root(), &error);
            return (DiagnosticReport::new(source, vec![complaint]), None);
        }
    };
    let mut complaints: Vec<Diagnostic> = document
        .duplicates
        .into_iter()
        .map(|path| Diagnostic::warning(path, "this key stands twice; the last one counts").key())
        .collect();
    match openapi::lint(document.value, &LibraryLocation::file(file, folder(file)), strict) {
        Ok((api, found)) => {
            complaints.extend(found);
            (DiagnosticReport::new(source, complaints), Some(api.operations.len()))
        }
        Err(error) => {
            complaints.push(error);
            (DiagnosticReport::new(source, complaints), None)
        }
    }
}

/// The folder that the references of a document may reach into.
pub(super) fn folder(file: &Path) -> &Path {
    file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
