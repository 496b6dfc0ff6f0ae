//! Registry of the plugins of this build, and the lookups that other modules need.

#[cfg(feature = "lua")]
use super::lua;
use super::{
    DocumentFields, PluginDef, acl, basic_auth, bot_detection, correlation_id, cors, file_log, http_log,
    ip_restriction, jwt, key_auth, kong_names, mocking, prometheus, proxy_cache, rate_limiting,
    request_size_limiting, request_termination, request_transformer, response_transformer,
};
use crate::{
    document::Mapping,
    openapi::api::SecurityKind,
    schema::{PluginSchemas, PluginSettings},
};

/// Every plugin of this build. A new plugin is one line here and one file.
pub static ALL: &[PluginDef] = &[
    acl::DEF,
    basic_auth::DEF,
    bot_detection::DEF,
    correlation_id::DEF,
    cors::DEF,
    file_log::DEF,
    http_log::DEF,
    ip_restriction::DEF,
    jwt::DEF,
    key_auth::DEF,
    mocking::DEF,
    #[cfg(test)]
    super::panics::DEF,
    #[cfg(feature = "lua")]
    lua::POST_FUNCTION,
    #[cfg(feature = "lua")]
    lua::PRE_FUNCTION,
    prometheus::DEF,
    proxy_cache::DEF,
    rate_limiting::DEF,
    request_size_limiting::DEF,
    request_termination::DEF,
    request_transformer::DEF,
    response_transformer::DEF,
];

/// The plugin with this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static PluginDef> {
    ALL.iter().find(|def| def.name == name)
}

/// The plugin that answers from an OpenAPI document, and the settings that hold it.
#[must_use]
pub fn find_for_documents() -> Option<(&'static PluginDef, DocumentFields)> {
    ALL.iter().find_map(|def| Some((def, def.document?)))
}

/// The plugin that enforces a security scheme of an OpenAPI document, and the settings with which it does.
#[must_use]
pub fn find_for_security(scheme: &SecurityKind) -> Option<(&'static str, Mapping)> {
    ALL.iter().find_map(|def| Some((def.name, (def.security?)(scheme)?)))
}

/// Plugins that may be used: a bit for each entry of [`ALL`]. (Kong: `plugins`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnabledPlugins(u64);

const _: () = assert!(ALL.len() <= 64, "a bit for each plugin");

impl EnabledPlugins {
    /// All plugins.
    pub const ALL: Self = Self(u64::MAX);

    /// Plugins whose names are allowed.
    #[must_use]
    pub fn only(allows: impl Fn(&str) -> bool) -> Self {
        let bits = ALL.iter().enumerate().filter(|(_, def)| allows(def.name)).map(|(bit, _)| 1 << bit);
        Self(bits.fold(0, |all, bit: u64| all | bit))
    }

    fn contains(self, name: &str) -> bool {
        let bit = ALL.iter().position(|def| def.name == name);
        bit.is_some_and(|bit| self.0 & (1 << bit) != 0)
    }
}

impl Default for EnabledPlugins {
    fn default() -> Self {
        Self::ALL
    }
}

/// The plugins of this build, as the check of a configuration sees them.
#[derive(Clone, Copy, Debug)]
pub struct BundledPlugins {
    /// Whether routes may be expressions.
    pub expressions: bool,
    /// The plugins that may be used.
    pub enabled: EnabledPlugins,
}

impl PluginSchemas for BundledPlugins {
    fn settings(&self, name: &str) -> Option<PluginSettings> {
        find(name).filter(|def| self.enabled.contains(def.name)).map(|def| def.settings)
    }

    fn names(&self) -> Vec<&'static str> {
        let all = ALL.iter().map(|def| def.name);
        let mut names: Vec<_> = all.filter(|name| self.enabled.contains(name)).collect();
        names.sort_unstable();
        names
    }

    fn per_consumer(&self, name: &str) -> bool {
        find(name).is_none_or(|def| def.per_consumer)
    }

    fn instead_of(&self, name: &str) -> Option<&'static str> {
        if find(name).is_some() && !self.enabled.contains(name) {
            return Some("the setting `plugins` (KONG_PLUGINS) does not name it");
        }
        kong_names::alternative_to(name)
    }

    fn is_kongs(&self, name: &str) -> bool {
        kong_names::is_kong_plugin(name)
    }

    fn only_logs(&self, name: &str) -> bool {
        kong_names::only_logs(name)
    }

    fn expressions(&self) -> bool {
        self.expressions
    }
}
