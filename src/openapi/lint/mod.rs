//! Lint of OpenAPI documents: faults beyond those that keep an operation from being served, for `mynah lint`.
//!
//! | file | contents |
//! |---|---|
//! | `walk` | walk that visits every node with examples or schemas once, with its position |
//! | `visit` | interface of the walk to the checks: values and the schemas they have to fit |
//! | `examples` | examples that break their own schema, and schemas that no value satisfies |
//! | `operations` | operations that are unreachable, and operation ids that are not unique |
//! | `parameters` | path templates and path parameters that do not agree |
//! | `descriptions` | responses without a description, in the strict mode only |
//!
//! Work and diagnostics are bounded: the walk visits every node once, and each evaluation of a schema has a bound.

mod descriptions;
mod examples;
mod operations;
mod parameters;
#[cfg(test)]
mod tests;
mod visit;
mod walk;

use std::{collections::HashSet, sync::Arc};

use crate::{
    diag::{Diagnostic, DiagnosticReport, Severity, SourceFile},
    document::{self, Dialect, NodePath, PathStep, Value},
};

use super::{Api, LibraryLocation, SpecVersion, lower, messages::MORE_PROBLEMS, strict};

/// Bound on the diagnostics of one document.
const MAX_DIAGNOSTICS: usize = 1000;

/// Reads a document as [`lower()`] does, and returns all its faults.
///
/// Faults that change what is served are errors: references that lead nowhere or in a circle, operations that have a
/// defect or are unreachable, examples that break their schema, path parameters that the path does not contain. The
/// others are warnings. `is_strict` adds requirements of the specification that no tool depends on.
///
/// # Errors
/// The version of the document is not supported.
pub fn lint(
    value: Value,
    location: &LibraryLocation,
    is_strict: bool,
) -> Result<(Api, Vec<Diagnostic>), Diagnostic> {
    let strict_error = is_strict.then(|| check_strictly(&value)).flatten();
    let (api, diagnostics) = lower(value, location)?;
    let mut findings = LintFindings { list: strict_error.into_iter().collect(), seen: HashSet::new() };
    for diagnostic in diagnostics {
        findings.add(with_lint_severity(diagnostic, &api));
    }
    operations::check(&api, &mut findings);
    parameters::check(&api, &mut findings);
    examples::check(&api, &mut findings);
    if is_strict {
        descriptions::check(&api, &mut findings);
    }
    Ok((api, findings.list))
}

/// Reads a text, and returns all faults of the document with their places, and the API if it can be used.
#[must_use]
pub fn lint_text(
    source: &Arc<SourceFile>,
    location: &LibraryLocation,
    is_strict: bool,
) -> (DiagnosticReport, Option<Api>) {
    let document = match document::read(&source.text, Dialect::Specification) {
        Ok(document) => document,
        Err(error) => {
            let diagnostic = Diagnostic::syntax(NodePath::root(), &error);
            return (DiagnosticReport::new(source.clone(), vec![diagnostic]), None);
        }
    };
    let warn_of_duplicate =
        |path| Diagnostic::warning(path, "this key stands twice; the last one counts").key();
    let mut diagnostics: Vec<Diagnostic> = document.duplicates.into_iter().map(warn_of_duplicate).collect();
    let api = match lint(document.value, location, is_strict) {
        Ok((api, found)) => {
            diagnostics.extend(found);
            Some(api)
        }
        Err(error) => {
            diagnostics.push(error);
            None
        }
    };
    (DiagnosticReport::new(source.clone(), diagnostics), api)
}

/// The error of the crate `openapiv3`, which supports OpenAPI 3.0 only.
fn check_strictly(value: &Value) -> Option<Diagnostic> {
    let version = SpecVersion::of(value).ok().filter(|version| *version == SpecVersion::OpenApi30)?;
    let message = strict(value).err()?;
    Some(Diagnostic::error(NodePath::root(), format!("not strictly {version}: {message}")))
}

/// A diagnostic of the lowering, which is lenient, with the severity that it has for the lint.
fn with_lint_severity(diagnostic: Diagnostic, api: &Api) -> Diagnostic {
    let is_reference = matches!(diagnostic.path.steps().last(), Some(PathStep::Key(key)) if &**key == "$ref");
    let has_defect = || {
        api.operations.iter().any(|operation| operation.defect.is_some() && operation.path == diagnostic.path)
    };
    if is_reference || has_defect() {
        return Diagnostic { severity: Severity::Error, ..diagnostic };
    }
    diagnostic
}

/// Diagnostics without duplicates.
struct LintFindings {
    list: Vec<Diagnostic>,
    seen: HashSet<(NodePath, String)>,
}

impl LintFindings {
    fn add(&mut self, diagnostic: Diagnostic) {
        if self.list.len() < MAX_DIAGNOSTICS {
            if self.seen.insert((diagnostic.path.clone(), diagnostic.message.clone())) {
                self.list.push(diagnostic);
            }
        } else if self.list.len() == MAX_DIAGNOSTICS {
            let rest = Diagnostic::warning(NodePath::root(), MORE_PROBLEMS);
            self.list.push(rest);
        }
    }
}
