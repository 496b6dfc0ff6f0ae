//! What `x-kong-...` says of a document, a path or an operation. (go-apiops: "OpenAPI to Kong", extensions.)

use super::{
    ImportComplaints,
    servers::{self, ServerAddress},
};
use crate::{
    diag::Diagnostic,
    document::{Mapping, NodePath, Value},
    openapi::{DocumentLibrary, DocumentNode, SpecVersion},
};

/// What is said at one level.
#[derive(Clone, Debug, Default)]
pub(super) struct ExtensionLevel {
    /// Where it is said.
    pub(super) at: NodePath,
    /// `x-kong-name`.
    pub(super) name: Option<String>,
    /// `x-kong-tags`.
    pub(super) tags: Option<Vec<Value>>,
    /// Where operations are served.
    pub(super) servers: Vec<ServerAddress>,
    /// `x-kong-service-defaults`.
    pub(super) service: Option<Mapping>,
    /// `x-kong-route-defaults`.
    pub(super) route: Option<Mapping>,
    /// `x-kong-upstream-defaults`.
    pub(super) upstream: Option<Mapping>,
    /// `x-kong-plugin-NAME`, by name.
    pub(super) plugins: Vec<(String, PluginEntry)>,
}

/// An entry for a plugin.
#[derive(Clone, Debug)]
pub(super) struct PluginEntry {
    /// What it says.
    pub(super) entry: Mapping,
    /// Where it stands.
    pub(super) at: NodePath,
}

impl ExtensionLevel {
    /// Reads what a node says, which may refer to `#/components/x-kong/...`.
    pub(super) fn read(
        library: &DocumentLibrary,
        node: &DocumentNode,
        at: &NodePath,
        version: SpecVersion,
        complaints: &mut ImportComplaints,
    ) -> Self {
        let mut level = Self { at: at.clone(), servers: servers::of(node, version), ..Self::default() };
        for (key, value) in node.entries() {
            let Some(word) = key.strip_prefix("x-kong-") else { continue };
            let value = if value.get("$ref").is_some() { library.resolve(&value).ok() } else { Some(value) };
            let value = value.map(|it| it.value).unwrap_or_default();
            let place = at.key(key);
            match (word, value) {
                ("name", Value::String(name)) => level.name = Some(name.to_string()),
                ("tags", Value::Sequence(tags)) => level.tags = Some(tags.to_vec()),
                ("service-defaults", Value::Mapping(it)) => level.service = Some((*it).clone()),
                ("route-defaults", Value::Mapping(it)) => level.route = Some((*it).clone()),
                ("upstream-defaults", Value::Mapping(it)) => level.upstream = Some((*it).clone()),
                ("name" | "tags" | "service-defaults" | "route-defaults" | "upstream-defaults", _) => {
                    let message = format!("{key} is left out: it is no {}", wanted(word));
                    complaints.add(Diagnostic::warning(place, message));
                }
                (word, value) => {
                    let Some(name) = word.strip_prefix("plugin-") else { continue };
                    if let Value::Mapping(entry) = value {
                        let plugin = PluginEntry { entry: (*entry).clone(), at: place };
                        level.plugins.push((name.to_owned(), plugin));
                    } else {
                        let message = format!("{key} is left out: it is no object");
                        complaints.add(Diagnostic::warning(place, message));
                    }
                }
            }
        }
        level
    }

    /// Whether it says that operations below it are served elsewhere, or otherwise.
    pub(super) fn is_elsewhere(&self) -> bool {
        !self.servers.is_empty() || self.service.is_some() || self.upstream.is_some()
    }
}

fn wanted(word: &str) -> &'static str {
    match word {
        "name" => "text",
        "tags" => "list",
        _ => "object",
    }
}
