//! Templates and the parameters in them: `/pets/{id}` needs a parameter `id` in the path, and no other.

use crate::{
    diag::Diagnostic,
    document::{NodePath, PathStep},
    openapi::{Api, DocumentNode, Operation, api::ParameterLocation, version::brief},
};

use super::LintFindings;

pub(super) fn check(api: &Api, complaints: &mut LintFindings) {
    for operation in api.operations.iter().filter(|operation| operation.defect.is_none()) {
        let names = names(&operation.template);
        let mut declared =
            operation.parameters.iter().filter(|parameter| parameter.location == ParameterLocation::Path);
        for (n, name) in names.iter().enumerate() {
            if names[..n].contains(name) {
                let message = format!("`{{{}}}` stands twice in the path", brief(name));
                complaints.add(Diagnostic::warning(operation.path.parent(), message).key());
            } else if !declared.clone().any(|parameter| &*parameter.name == *name) {
                let message =
                    format!("the path has `{{{0}}}`, but no parameter `{0}` is declared", brief(name));
                let help = format!("add a parameter with `name: {}` and `in: path`", brief(name));
                complaints.add(Diagnostic::error(operation.path.clone(), message).key().help(help));
            }
        }
        for parameter in declared.by_ref().filter(|parameter| !names.contains(&&*parameter.name)) {
            let template = brief(&operation.template);
            let message =
                format!("the parameter `{}` has no place in the path `{template}`", brief(&parameter.name));
            complaints.add(Diagnostic::error(place(api, operation, &parameter.name), message));
        }
    }
}

/// The names between braces, in order.
fn names(template: &str) -> Vec<&str> {
    let parts = template.split('{').skip(1);
    parts
        .filter_map(|part| part.split_once('}'))
        .map(|(name, _)| name)
        .filter(|name| !name.is_empty())
        .collect()
}

/// Where the path parameter of that name stands: with the operation, else with its path, else nobody knows.
fn place(api: &Api, operation: &Operation, name: &str) -> NodePath {
    let root = api.library.root();
    for holder in [operation.path.clone(), operation.path.parent()] {
        let Some(parameters) = node(&root, &holder).and_then(|node| node.get("parameters")) else { continue };
        let is_meant = |node: &DocumentNode| {
            let node = api.library.resolve(node).ok();
            node.is_some_and(|parameter| {
                parameter.text("name") == Some(name) && parameter.text("in") == Some("path")
            })
        };
        if let Some(n) = parameters.items().position(|node| is_meant(&node)) {
            return holder.key("parameters").index(n);
        }
    }
    operation.path.clone()
}

fn node(root: &DocumentNode, path: &NodePath) -> Option<DocumentNode> {
    path.steps().iter().try_fold(root.clone(), |node, step| match step {
        PathStep::Key(key) => node.get(key),
        PathStep::Index(index) => node.items().nth(*index),
        PathStep::Inside => None,
    })
}
