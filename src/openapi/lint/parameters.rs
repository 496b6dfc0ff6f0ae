//! Check that path templates and path parameters agree: `/pets/{id}` needs a path parameter `id`, and no other.

use crate::{
    diag::Diagnostic,
    document::{NodePath, PathStep},
    openapi::{Api, DocumentNode, Operation, api::ParameterLocation, messages::excerpt},
};

use super::LintFindings;

pub(super) fn check(api: &Api, findings: &mut LintFindings) {
    for operation in api.operations.iter().filter(|operation| operation.defect.is_none()) {
        let names = template_names(&operation.template);
        let mut declared =
            operation.parameters.iter().filter(|parameter| parameter.location == ParameterLocation::Path);
        for (n, name) in names.iter().enumerate() {
            if names[..n].contains(name) {
                let message = format!("the path contains `{{{}}}` twice", excerpt(name));
                findings.add(Diagnostic::warning(operation.path.parent(), message).key());
            } else if !declared.clone().any(|parameter| &*parameter.name == *name) {
                let message =
                    format!("the path has `{{{0}}}`, but no parameter `{0}` is declared", excerpt(name));
                let help = format!("add a parameter with `name: {}` and `in: path`", excerpt(name));
                findings.add(Diagnostic::error(operation.path.clone(), message).key().help(help));
            }
        }
        for parameter in declared.by_ref().filter(|parameter| !names.contains(&&*parameter.name)) {
            let template = excerpt(&operation.template);
            let message = format!(
                "the path parameter `{}` does not occur in the path `{template}`",
                excerpt(&parameter.name)
            );
            findings.add(Diagnostic::error(find_parameter(api, operation, &parameter.name), message));
        }
    }
}

/// The names between the braces of a template, in order.
fn template_names(template: &str) -> Vec<&str> {
    let parts = template.split('{').skip(1);
    parts
        .filter_map(|part| part.split_once('}'))
        .map(|(name, _)| name)
        .filter(|name| !name.is_empty())
        .collect()
}

/// The position of a path parameter: in the operation, else in its path item; else the position of the operation.
fn find_parameter(api: &Api, operation: &Operation, name: &str) -> NodePath {
    let root = api.library.root();
    for holder in [operation.path.clone(), operation.path.parent()] {
        let Some(parameters) = find_node(&root, &holder).and_then(|node| node.get("parameters")) else {
            continue;
        };
        let is_parameter = |node: &DocumentNode| {
            let node = api.library.resolve(node).ok();
            node.is_some_and(|parameter| {
                parameter.text("name") == Some(name) && parameter.text("in") == Some("path")
            })
        };
        if let Some(n) = parameters.items().position(|node| is_parameter(&node)) {
            return holder.key("parameters").index(n);
        }
    }
    operation.path.clone()
}

fn find_node(root: &DocumentNode, path: &NodePath) -> Option<DocumentNode> {
    path.steps().iter().try_fold(root.clone(), |node, step| match step {
        PathStep::Key(key) => node.get(key),
        PathStep::Index(index) => node.items().nth(*index),
        PathStep::Inside => None,
    })
}
