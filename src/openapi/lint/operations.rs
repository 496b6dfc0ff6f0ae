//! Operations that are never found because another one has their place, and names that stand twice.

use std::collections::HashMap;

use crate::{
    diag::Diagnostic,
    openapi::{Api, PathLookup, PathTable, version::brief},
};

use super::LintFindings;

pub(super) fn check(api: &Api, complaints: &mut LintFindings) {
    let paths = PathTable::new(&api.operations);
    for n in paths.unreachable() {
        let Some(operation) = api.operations.get(*n) else { continue };
        let plain = operation.template.split(['#', '?']).next().unwrap_or_default();
        let first = match paths.find(&operation.method, plain) {
            PathLookup::Match(found) => api.operations.get(found.operation),
            _ => None,
        };
        let reason = first.map_or_else(
            || String::from("its path has too many segments"),
            |first| format!("`{} {}` has its place", first.method, brief(&first.template)),
        );
        let message = format!("this operation is never found: {reason}");
        complaints.add(Diagnostic::error(operation.path.clone(), message).key());
    }
    let mut names: HashMap<&str, usize> = HashMap::new();
    for (n, operation) in api.operations.iter().enumerate() {
        let Some(name) = &operation.operation_id else { continue };
        let first = &api.operations[*names.entry(name).or_insert(n)];
        if std::ptr::eq(first, operation) {
            continue;
        }
        let message = format!(
            "`operationId: {}` stands twice: `{} {}` has it, too",
            brief(name),
            first.method,
            brief(&first.template)
        );
        complaints.add(Diagnostic::error(operation.path.key("operationId"), message));
    }
}
