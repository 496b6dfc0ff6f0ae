//! `x-kong-*` extensions of a document, a path or an operation. (go-apiops: "OpenAPI to Kong", extensions.)

use super::{
    ImportWarnings,
    servers::{self, ServerAddress},
};
use crate::{
    diag::Diagnostic,
    document::{Mapping, NodePath, Value},
    openapi::{DocumentLibrary, DocumentNode, SpecVersion},
};

/// Extensions and servers of one node.
#[derive(Clone, Debug, Default)]
pub(super) struct ExtensionLevel {
    /// The path of the node.
    pub(super) at: NodePath,
    /// `x-kong-name`.
    pub(super) name: Option<String>,
    /// `x-kong-tags`.
    pub(super) tags: Option<Vec<Value>>,
    /// The servers of operations.
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

/// An entry of a plugin.
#[derive(Clone, Debug)]
pub(super) struct PluginEntry {
    /// The entry.
    pub(super) entry: Mapping,
    /// Its path in the document.
    pub(super) at: NodePath,
}

impl ExtensionLevel {
    /// Reads the extensions of a node, which may refer to `#/components/x-kong/...`.
    pub(super) fn read(
        library: &DocumentLibrary,
        node: &DocumentNode,
        at: &NodePath,
        version: SpecVersion,
        warnings: &mut ImportWarnings,
    ) -> Self {
        let mut level =
            Self { at: at.clone(), servers: servers::read_servers(node, version), ..Self::default() };
        for (key, value) in node.entries() {
            let Some(word) = key.strip_prefix("x-kong-") else { continue };
            let value = if value.get("$ref").is_some() { library.resolve(&value).ok() } else { Some(value) };
            let value = value.map(|node| node.value).unwrap_or_default();
            let path = at.key(key);
            match (word, value) {
                ("name", Value::String(name)) => level.name = Some(name.to_string()),
                ("tags", Value::Sequence(tags)) => level.tags = Some(tags.to_vec()),
                ("service-defaults", Value::Mapping(defaults)) => level.service = Some((*defaults).clone()),
                ("route-defaults", Value::Mapping(defaults)) => level.route = Some((*defaults).clone()),
                ("upstream-defaults", Value::Mapping(defaults)) => level.upstream = Some((*defaults).clone()),
                ("name" | "tags" | "service-defaults" | "route-defaults" | "upstream-defaults", _) => {
                    let message = format!("{key} is left out: it is not {}", expected_type(word));
                    warnings.add(Diagnostic::warning(path, message));
                }
                (word, value) => {
                    let Some(name) = word.strip_prefix("plugin-") else { continue };
                    if let Value::Mapping(entry) = value {
                        let plugin = PluginEntry { entry: (*entry).clone(), at: path };
                        level.plugins.push((name.to_owned(), plugin));
                    } else {
                        let message = format!("{key} is left out: it is not an object");
                        warnings.add(Diagnostic::warning(path, message));
                    }
                }
            }
        }
        level
    }

    /// Whether operations below the node need a Service of their own.
    pub(super) fn has_own_service(&self) -> bool {
        !self.servers.is_empty() || self.service.is_some() || self.upstream.is_some()
    }
}

fn expected_type(word: &str) -> &'static str {
    match word {
        "name" => "a text",
        "tags" => "a list",
        _ => "an object",
    }
}
