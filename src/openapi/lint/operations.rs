//! Checks for operations that are unreachable, and for operation ids that are not unique.

use std::collections::HashMap;

use crate::{
    diag::Diagnostic,
    openapi::{Api, PathLookup, PathTable, messages::excerpt},
};

use super::LintFindings;

pub(super) fn check(api: &Api, findings: &mut LintFindings) {
    let paths = PathTable::new(&api.operations);
    for n in paths.unreachable() {
        let Some(operation) = api.operations.get(*n) else { continue };
        let path = operation.template.split(['#', '?']).next().unwrap_or_default();
        let first = match paths.find(&operation.method, path) {
            PathLookup::Match(found) => api.operations.get(found.operation),
            _ => None,
        };
        let reason = first.map_or_else(
            || String::from("its path has too many segments"),
            |first| format!("`{} {}` has the same path", first.method, excerpt(&first.template)),
        );
        let message = format!("this operation is never found: {reason}");
        findings.add(Diagnostic::error(operation.path.clone(), message).key());
    }
    let mut names: HashMap<&str, usize> = HashMap::new();
    for (n, operation) in api.operations.iter().enumerate() {
        let Some(name) = &operation.operation_id else { continue };
        let first = &api.operations[*names.entry(name).or_insert(n)];
        if std::ptr::eq(first, operation) {
            continue;
        }
        let message = format!(
            "`operationId: {}` is not unique: `{} {}` has it, too",
            excerpt(name),
            first.method,
            excerpt(&first.template)
        );
        findings.add(Diagnostic::error(operation.path.key("operationId"), message));
    }
}
