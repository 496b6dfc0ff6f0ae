//! `mynah lint SPEC...`: says what is wrong with an OpenAPI document.

use std::path::{Path, PathBuf};

use mynah::{
    control::load::read,
    diag::{Diagnostic, Report, plural},
    document::{self, Dialect},
    openapi::{self, Location},
};

use super::{draw, say};

/// Checks every document; true if none has an error.
pub(crate) fn lint(files: &[PathBuf], strict: bool) -> bool {
    let mut good = true;
    for file in files {
        let (report, operations) = one(file, strict);
        let (errors, warnings) = report.count();
        good &= errors == 0;
        draw(&report);
        let found = operations.map_or_else(String::new, |n| format!("{}, ", plural(n, "operation")));
        say(format_args!(
            "{}: {found}{}, {}",
            file.display(),
            plural(errors, "error"),
            plural(warnings, "warning")
        ));
    }
    good
}

fn one(file: &Path, strict: bool) -> (Report, Option<usize>) {
    let source = match read(file) {
        Ok(source) => source,
        Err(report) => return (report, None),
    };
    let value = match document::read(&source.text, Dialect::Specification) {
        Ok(document) => document.value,
        Err(error) => {
            let complaint = Diagnostic::syntax(document::Path::root(), &error);
            return (Report::new(source, vec![complaint]), None);
        }
    };
    let mut complaints = Vec::new();
    if strict && let Err(message) = openapi::strict(&value) {
        let complaint =
            Diagnostic::error(document::Path::root(), format!("not strictly OpenAPI 3.0: {message}"));
        complaints.push(complaint);
    }
    let folder = file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match openapi::lower(value, &Location::file(file, folder)) {
        Ok((api, warnings)) => {
            complaints.extend(warnings);
            (Report::new(source, complaints), Some(api.operations.len()))
        }
        Err(error) => {
            complaints.push(error);
            (Report::new(source, complaints), None)
        }
    }
}
