//! Plugins that enforce the security schemes of a document.
//!
//! A request must pass all plugins, so that of several alternative requirements only one can be enforced.

use std::collections::HashMap;

use super::{ImportPlugins, ImportWarnings};
use crate::{
    diag::Diagnostic,
    document::{Mapping, NodePath, Value},
    openapi::{
        Api, DocumentNode, SpecVersion,
        api::{SecurityKind, SecurityRequirement, SecurityScheme},
    },
};

/// The plugins that enforce the security schemes of a document.
pub(super) struct SecurityPlugins<'a> {
    schemes: HashMap<&'a str, Result<Mapping, String>>,
    /// The path of the schemes.
    at: NodePath,
}

impl<'a> SecurityPlugins<'a> {
    pub(super) fn new(api: &'a Api, plugins: &ImportPlugins<'_>) -> Self {
        let root = api.library.root();
        let (at, declared) = if api.version == SpecVersion::Swagger2 {
            (NodePath::root().key("securityDefinitions"), root.get("securityDefinitions"))
        } else {
            let declared = root.get("components").and_then(|components| components.get("securitySchemes"));
            (NodePath::root().key("components").key("securitySchemes"), declared)
        };
        let entry = |scheme: &'a SecurityScheme| {
            let node = declared.as_ref().and_then(|schemes| schemes.get(&scheme.name));
            (&*scheme.name, plugin(scheme, node.as_ref(), plugins))
        };
        Self { schemes: api.security_schemes.iter().map(entry).collect(), at }
    }

    /// The plugins of an operation: those of the first alternative that plugins can enforce as a whole, else in part.
    pub(super) fn plugins(
        &self,
        alternatives: &[SecurityRequirement],
        operation: &NodePath,
        warnings: &mut ImportWarnings,
    ) -> Vec<Mapping> {
        // An empty requirement allows requests without credentials.
        if alternatives.iter().any(|requirement| requirement.schemes.is_empty()) {
            return Vec::new();
        }
        let is_enforced = |requirement: &&SecurityRequirement| {
            requirement.schemes.iter().all(|(name, _)| self.plugin(name).is_ok())
        };
        let is_partly_enforced = |requirement: &&SecurityRequirement| {
            requirement.schemes.iter().any(|(name, _)| self.plugin(name).is_ok())
        };
        let best = alternatives.iter().find(is_enforced);
        let best = best.or_else(|| alternatives.iter().find(is_partly_enforced)).or(alternatives.first());
        let Some(requirement) = best else {
            return Vec::new();
        };
        if alternatives.len() > 1 {
            let names: Vec<&str> = requirement.schemes.iter().map(|(name, _)| &**name).collect();
            let message =
                format!("of several security requirements, only one is enforced: {}", names.join(" and "));
            warnings.add(Diagnostic::warning(operation.clone(), message));
        }
        let mut plugins: Vec<Mapping> = Vec::new();
        for (name, _) in &requirement.schemes {
            match self.plugin(name) {
                Ok(plugin) if plugins.iter().any(|other| other.get("name") == plugin.get("name")) => {
                    let message = format!(
                        "the security scheme '{name}' is left out: another one with the same plugin is enforced"
                    );
                    warnings.add(Diagnostic::warning(self.at.key(name), message));
                }
                Ok(plugin) => plugins.push(plugin.clone()),
                Err(reason) => {
                    let message = format!("the security scheme '{name}' is left out: {reason}");
                    warnings.add(Diagnostic::warning(self.at.key(name), message));
                }
            }
        }
        plugins
    }

    fn plugin(&self, name: &str) -> Result<&Mapping, &str> {
        match self.schemes.get(name) {
            Some(plugin) => plugin.as_ref().map_err(|reason| &**reason),
            None => Err("the document does not declare it"),
        }
    }
}

/// The plugin that enforces a scheme.
///
/// # Errors
/// The reason if there is none.
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
    let more = node.and_then(|node| node.get(&format!("x-kong-security-{name}")));
    for (key, value) in more.iter().flat_map(|extension| extension.value.entries()) {
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
