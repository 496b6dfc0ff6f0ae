//! What is wrong with a document beyond what keeps it from being answered: for `mynah lint` and for CI.
//!
//! | file | what it is about |
//! |---|---|
//! | `walk` | every node of the document that says something about examples, once, with its place |
//! | `visit` | what the walk shows: values and the schemas they are to fit |
//! | `examples` | examples that break their own schema, and schemas that nothing fits |
//! | `operations` | operations that are never found, names that stand twice |
//! | `parameters` | templates and path parameters that do not agree |
//! | `descriptions` | responses without a description, for those who want the letter |
//!
//! Work and complaints are bounded: the walk visits every node once, and a question to a schema has an end.

mod descriptions;
mod examples;
mod operations;
mod parameters;
#[cfg(test)]
mod tests;
mod visit;
mod walk;

use std::collections::HashSet;

use crate::{
    diag::{Diagnostic, Severity},
    document::{NodePath, PathStep, Value},
};

use super::{Api, LibraryLocation, SpecVersion, lower, strict};

/// How many complaints about one document anybody reads.
const LIMIT: usize = 1000;

/// Understands a document as [`lower`] does, and says everything that is wrong with it.
///
/// Errors are what cannot be answered as it is meant: references that lead nowhere or in a circle, operations that
/// are broken or never found, examples that break their schema, parameters without a place. The rest are warnings.
/// `to_the_letter` adds what the specification demands though nobody misses it.
///
/// # Errors
/// The document is none of the dialects.
pub fn lint(
    value: Value,
    location: &LibraryLocation,
    to_the_letter: bool,
) -> Result<(Api, Vec<Diagnostic>), Diagnostic> {
    let first = to_the_letter.then(|| letter(&value)).flatten();
    let (api, complaints) = lower(value, location)?;
    let mut all = LintFindings { list: first.into_iter().collect(), seen: HashSet::new() };
    for complaint in complaints {
        all.add(raised(complaint, &api));
    }
    operations::check(&api, &mut all);
    parameters::check(&api, &mut all);
    examples::check(&api, &mut all);
    if to_the_letter {
        descriptions::check(&api, &mut all);
    }
    Ok((api, all.list))
}

/// What `openapiv3` says about a document of the only edition that it knows.
fn letter(value: &Value) -> Option<Diagnostic> {
    let version = SpecVersion::of(value).ok().filter(|version| *version == SpecVersion::OpenApi30)?;
    let message = strict(value).err()?;
    Some(Diagnostic::error(NodePath::root(), format!("not strictly {version}: {message}")))
}

/// A complaint of the lowering, which is lenient, with the weight that it has here.
fn raised(complaint: Diagnostic, api: &Api) -> Diagnostic {
    let is_reference = matches!(complaint.path.steps().last(), Some(PathStep::Key(key)) if &**key == "$ref");
    let is_broken = || {
        api.operations.iter().any(|operation| operation.defect.is_some() && operation.path == complaint.path)
    };
    if is_reference || is_broken() {
        return Diagnostic { severity: Severity::Error, ..complaint };
    }
    complaint
}

/// What was found, each thing once.
struct LintFindings {
    list: Vec<Diagnostic>,
    seen: HashSet<(NodePath, String)>,
}

impl LintFindings {
    fn add(&mut self, complaint: Diagnostic) {
        if self.list.len() < LIMIT {
            if self.seen.insert((complaint.path.clone(), complaint.message.clone())) {
                self.list.push(complaint);
            }
        } else if self.list.len() == LIMIT {
            let rest = Diagnostic::warning(NodePath::root(), "there are more complaints about this document");
            self.list.push(rest);
        }
    }
}
