//! Plugins that enforce the security schemes of a document.
//!
//! Kong's plugins all have to let a request in, so of several ways in only one can be asked for.

use std::collections::HashMap;

use super::{ImportComplaints, ImportPlugins};
use crate::{
    diag::Diagnostic,
    document::{Mapping, NodePath, Value},
    openapi::{
        Api, DocumentNode, SpecVersion,
        api::{SecurityKind, SecurityRequirement, SecurityScheme},
    },
};

/// The security schemes of a document as plugins.
pub(super) struct SecurityPlugins<'a> {
    schemes: HashMap<&'a str, Result<Mapping, String>>,
    /// Where the schemes stand.
    at: NodePath,
}

impl<'a> SecurityPlugins<'a> {
    pub(super) fn new(api: &'a Api, plugins: &ImportPlugins<'_>) -> Self {
        let root = api.library.root();
        let (at, declared) = if api.version == SpecVersion::Swagger2 {
            (NodePath::root().key("securityDefinitions"), root.get("securityDefinitions"))
        } else {
            let declared = root.get("components").and_then(|it| it.get("securitySchemes"));
            (NodePath::root().key("components").key("securitySchemes"), declared)
        };
        let one = |scheme: &'a SecurityScheme| {
            let node = declared.as_ref().and_then(|it| it.get(&scheme.name));
            (&*scheme.name, plugin(scheme, node.as_ref(), plugins))
        };
        Self { schemes: api.security_schemes.iter().map(one).collect(), at }
    }

    /// The plugins of an operation: those of the first way in that plugins can ask for.
    pub(super) fn plugins(
        &self,
        ways: &[SecurityRequirement],
        operation: &NodePath,
        complaints: &mut ImportComplaints,
    ) -> Vec<Mapping> {
        // Who needs no proof is let in.
        if ways.iter().any(|it| it.schemes.is_empty()) {
            return Vec::new();
        }
        let whole = |way: &&SecurityRequirement| way.schemes.iter().all(|(it, _)| self.plugin(it).is_ok());
        let part = |way: &&SecurityRequirement| way.schemes.iter().any(|(it, _)| self.plugin(it).is_ok());
        let Some(way) = ways.iter().find(whole).or_else(|| ways.iter().find(part)).or(ways.first()) else {
            return Vec::new();
        };
        if ways.len() > 1 {
            let names: Vec<&str> = way.schemes.iter().map(|(name, _)| &**name).collect();
            let message = format!("of several ways in only one is asked for: {}", names.join(" and "));
            complaints.add(Diagnostic::warning(operation.clone(), message));
        }
        let mut plugins: Vec<Mapping> = Vec::new();
        for (name, _) in &way.schemes {
            match self.plugin(name) {
                Ok(plugin) if plugins.iter().any(|it| it.get("name") == plugin.get("name")) => {
                    let message = format!(
                        "the security scheme '{name}' is left out: one more of its kind is asked for"
                    );
                    complaints.add(Diagnostic::warning(self.at.key(name), message));
                }
                Ok(plugin) => plugins.push(plugin.clone()),
                Err(why) => {
                    let message = format!("the security scheme '{name}' is left out: {why}");
                    complaints.add(Diagnostic::warning(self.at.key(name), message));
                }
            }
        }
        plugins
    }

    fn plugin(&self, name: &str) -> Result<&Mapping, &str> {
        match self.schemes.get(name) {
            Some(plugin) => plugin.as_ref().map_err(|it| &**it),
            None => Err("the document does not declare it"),
        }
    }
}

/// The plugin that asks for a scheme, or why there is none.
fn plugin(
    scheme: &SecurityScheme,
    node: Option<&DocumentNode>,
    plugins: &ImportPlugins<'_>,
) -> Result<Mapping, String> {
    let Some((name, mut config)) = (plugins.enforce)(&scheme.kind) else {
        let reason = match scheme.kind {
            SecurityKind::ApiKey { .. } => "no plugin reads keys from cookies",
            _ => "this version of mynah has no plugin for it",
        };
        return Err(reason.to_owned());
    };
    let mut plugin: Mapping = [("name", Value::from(name))].into_iter().collect();
    let more = node.and_then(|it| it.get(&format!("x-kong-security-{name}")));
    for (key, value) in more.iter().flat_map(|it| it.value.entries()) {
        if key == "config" {
            for (key, value) in value.entries() {
                config.insert(key, value.clone());
            }
        } else if !matches!(key, "id" | "name") {
            plugin.insert(key, value.clone());
        }
    }
    if !config.is_empty() {
        plugin.insert("config", config);
    }
    Ok(plugin)
}
