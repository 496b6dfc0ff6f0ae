//! Files of other kinds in place of a declarative configuration: manifests, OpenAPI documents, Compose files, and templates
//! that have not been rendered.

use crate::{
    diag::Diagnostic,
    document::{NodePath, Value},
    entity::document::FORMAT_VERSION,
};

/// The error that takes the place of all others about a file of another kind.
pub(super) fn foreign_file(document: &Value) -> Option<Diagnostic> {
    if document.get(FORMAT_VERSION.name).is_some() {
        return None;
    }
    let has = |key: &str| document.get(key).is_some();
    let (key, what, help) = if has("apiVersion") && has("kind") {
        ("apiVersion", "a Kubernetes manifest", manifest_help(document))
    } else if has("openapi") || has("swagger") {
        let key = if has("openapi") { "openapi" } else { "swagger" };
        let help = "`mynah mock FILE` answers from it, and `mynah import FILE` makes a configuration of it";
        (key, "an OpenAPI document", help.to_owned())
    } else if has_containers(document) {
        let help = "give the file that KONG_DECLARATIVE_CONFIG names in it";
        ("services", "a Compose file", help.to_owned())
    } else {
        return None;
    };
    let message = format!("this is {what}, not a declarative configuration");
    Some(Diagnostic::error(NodePath::root().key(key), message).key().help(help))
}

fn manifest_help(document: &Value) -> String {
    let holds_configuration =
        |value: &Value| value.as_str().is_some_and(|text| text.contains(FORMAT_VERSION.name));
    let data = document.get("data").into_iter().flat_map(Value::entries);
    let mut keys = data.filter(|(_, value)| holds_configuration(value)).map(|(key, _)| key);
    match keys.next() {
        Some(key) => format!("the configuration is the text of its key `data.{key}`: save that as a file"),
        None => "Kong's Ingress Controller makes a configuration of manifests and sends it to `POST /config`"
            .to_owned(),
    }
}

/// Whether `services` are containers: a mapping of those with an image, or with a folder to build one from.
fn has_containers(document: &Value) -> bool {
    let services = document.get("services").and_then(Value::as_mapping);
    services.is_some_and(|services| {
        services.iter().any(|(_, service)| service.get("image").is_some() || service.get("build").is_some())
    })
}

/// Whether the line of an offset, or a line that only templates have, shows that a text is a template.
pub(super) fn is_template(text: &str, byte: usize) -> bool {
    let start = text.get(..byte).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let has_braces = |line: &str| {
        line.match_indices("{{").any(|(at, _)| !line[..at].ends_with('$'))
            || line.contains("{%")
            || line.contains("<%")
    };
    let is_directive = |line: &str| {
        let line = line.trim_start();
        line.starts_with("{{-") || line.starts_with("{%") || line.starts_with("<%")
    };
    has_braces(line) || text.lines().any(is_directive)
}
