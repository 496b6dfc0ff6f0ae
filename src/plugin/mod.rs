//! STEPS: what may happen to a request on its way, one step per plugin.
//!
//! To add a plugin: write `plugin/<name>.rs` with a `pub(super) const DEF`, and name it in [`ALL`]. Nothing else
//! in the crate knows a plugin by name.

mod acl;
mod basic_auth;
mod chain;
mod consumers;
mod correlation_id;
mod cors;
mod delivery;
mod exchange;
mod file_log;
mod http_log;
mod identity;
mod ip_restriction;
mod jwt;
mod key_auth;
mod mocking;
#[cfg(test)]
mod panics;
mod prometheus;
mod rate_limiting;
mod record;
mod request_size_limiting;
mod request_termination;
mod request_transformer;
mod resources;
mod response_transformer;
mod setting_checks;
#[cfg(test)]
mod test_support;
mod transform_rules;
mod whole_body;

pub use chain::{ChainStep, ConsumerOverrides, ConsumerPerStep, PluginChain};
pub use consumers::{ConsumerHeaders, ConsumerRecord, Consumers, Credential, RequestIdentity};
pub use delivery::DeliveryTracker;
pub use exchange::{EditedRequest, Exchange, HttpResponse, MatchedRoute, Origin};
pub use jwt::{JwtKey, KeyFault};
pub use record::{RequestRecord, ResponseRecord, UpstreamRecord, UpstreamTry};
pub use resources::Resources;

use std::{cell::RefCell, future::Future, path::PathBuf, pin::Pin, sync::Arc};

use uuid::Uuid;

use crate::{
    budget::WorkPool,
    diag::Diagnostic,
    document::{NodePath, Value},
    file_read::FileReader,
    metrics::MetricGroups,
    schema::{PluginSchemas, PluginSettings},
};

/// Every plugin of this build.
pub static ALL: &[PluginDef] = &[
    acl::DEF,
    basic_auth::DEF,
    correlation_id::DEF,
    cors::DEF,
    file_log::DEF,
    http_log::DEF,
    ip_restriction::DEF,
    jwt::DEF,
    key_auth::DEF,
    mocking::DEF,
    #[cfg(test)]
    panics::DEF,
    prometheus::DEF,
    rate_limiting::DEF,
    request_size_limiting::DEF,
    request_termination::DEF,
    request_transformer::DEF,
    response_transformer::DEF,
];

/// A kind of plugin: how it is called, when it runs, how it is made.
#[derive(Clone, Copy, Debug)]
pub struct PluginDef {
    /// Its name in `kong.yaml`.
    pub name: &'static str,
    /// Higher runs earlier; Kong's own number where Kong has one.
    pub priority: i32,
    /// Whether it may be bound to a Consumer.
    pub per_consumer: bool,
    /// What its settings may say.
    pub settings: PluginSettings,
    /// Makes one from its checked settings. All work that can be done before a request is done here.
    pub compile: CompilePlugin,
}

/// Makes a plugin, or says what is wrong with its settings.
pub type CompilePlugin = fn(&PluginSetup<'_>) -> Result<Arc<dyn Plugin>, Vec<Diagnostic>>;

/// What a plugin is made from.
pub struct PluginSetup<'a> {
    /// Its own id, by which nodes that share a configuration know it.
    pub id: Uuid,
    /// Its settings, checked, defaults filled in.
    pub config: &'a Value,
    /// Where its settings stand.
    pub at: NodePath,
    /// The folder that files named by settings are in; none leaves it.
    pub specs: &'a std::path::Path,
    /// What the author should know, though the plugin works.
    pub warnings: &'a RefCell<Vec<Diagnostic>>,
    /// The files that the plugin was made from, with the hash of what they said; a change to one of them makes the
    /// plugin anew.
    pub files: &'a RefCell<Vec<(PathBuf, u64)>>,
    /// What all plugins share.
    pub resources: &'a Resources,
    /// Where work runs that may take over a millisecond; all plugins of the process share it.
    pub pool: &'a WorkPool,
    /// Reads files.
    pub reader: &'a FileReader,
}

impl std::fmt::Debug for PluginSetup<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("at", &self.at).finish_non_exhaustive()
    }
}

/// One configured plugin, ready to run. Phases are Kong's.
/// (Kong: "Plugin development", implementing custom logic.)
pub trait Plugin: Send + Sync {
    /// Before the upstream; may change the request, or answer in the upstream's place.
    fn access<'a>(&'a self, _exchange: &'a mut Exchange) -> Flow<'a> {
        Flow::Continue
    }

    /// Forgets what requests have made it remember for later ones, if that is state which its user may want back
    /// as it was; counters of limits are not.
    fn forget(&self) {}

    /// If it has something for certain paths only, and no path that begins with one of these is among them: a path that
    /// is, in words.
    fn out_of_reach(&self, _beginnings: &mut dyn FnMut() -> Vec<Vec<u8>>) -> Option<String> {
        None
    }

    /// What it wants to be counted of the requests of its Routes.
    fn counts(&self) -> MetricGroups {
        MetricGroups::default()
    }

    /// On every response, whoever made it.
    fn header_filter(&self, _exchange: &Exchange, _response: &mut HttpResponse) {}

    /// Whether it wants to be told of requests that are over.
    fn logs(&self) -> bool {
        false
    }

    /// After the last byte of an answer was sent, or when its client has left. Nobody waits for it, and it must not
    /// wait: what takes time belongs to a queue.
    fn log(&self, _record: &RequestRecord) {}
}

/// What a plugin wants done next.
pub enum Flow<'a> {
    /// Go on with the next plugin.
    Continue,
    /// Stop here with this response.
    Respond(HttpResponse),
    /// Wait for what it takes time to decide.
    Later(Pin<Box<dyn Future<Output = Flow<'a>> + Send + 'a>>),
}

/// No file that a plugin is made from is larger than this.
const MOST_BYTES: u64 = 64 << 20;

/// The hash of what a file says now; `None` if it cannot be read.
#[must_use]
pub fn file_hash(path: &std::path::Path, reader: &FileReader) -> Option<u64> {
    reader.hash(path, MOST_BYTES)
}

/// The plugin called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static PluginDef> {
    ALL.iter().find(|def| def.name == name)
}

/// The plugins of this build, as the check of a file sees them.
#[derive(Clone, Copy, Debug)]
pub struct BundledPlugins {
    /// Whether routes may be expressions.
    pub expressions: bool,
    /// Which of the plugins may be used.
    pub enabled: EnabledPlugins,
}

/// Which plugins of this build may be used: a bit for each of [`ALL`]. (Kong: `plugins`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnabledPlugins(u64);

const _: () = assert!(ALL.len() <= 64, "a bit for each plugin");

impl EnabledPlugins {
    /// All of them.
    pub const ALL: Self = Self(u64::MAX);

    /// Those whose names are allowed.
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
        let runs_lua = matches!(name, "pre-function" | "post-function");
        runs_lua.then_some(
            "Lua does not run here; what most such functions do is done by request-transformer, \
             response-transformer and request-termination",
        )
    }

    fn is_kongs(&self, name: &str) -> bool {
        KONGS.contains(&name) || name.starts_with("ai-")
    }

    fn expressions(&self) -> bool {
        self.expressions
    }
}

/// Plugins that Kong's documentation lists, and this build may lack.
/// (Kong: "Plugin priority", the table of static priorities.)
const KONGS: &[&str] = &[
    "acl",
    "acme",
    "aws-lambda",
    "azure-functions",
    "basic-auth",
    "bot-detection",
    "canary",
    "confluent",
    "correlation-id",
    "cors",
    "datadog",
    "degraphql",
    "exit-transformer",
    "file-log",
    "forward-proxy",
    "graphql-proxy-cache-advanced",
    "graphql-rate-limiting-advanced",
    "grpc-gateway",
    "grpc-web",
    "header-cert-auth",
    "hmac-auth",
    "http-log",
    "injection-protection",
    "ip-restriction",
    "jq",
    "json-threat-protection",
    "jwe-decrypt",
    "jwt",
    "jwt-signer",
    "kafka-log",
    "kafka-upstream",
    "key-auth",
    "key-auth-enc",
    "ldap-auth",
    "ldap-auth-advanced",
    "loggly",
    "mocking",
    "mtls-auth",
    "oas-validation",
    "oauth2",
    "oauth2-introspection",
    "opa",
    "openid-connect",
    "opentelemetry",
    "post-function",
    "pre-function",
    "prometheus",
    "proxy-cache",
    "proxy-cache-advanced",
    "rate-limiting",
    "rate-limiting-advanced",
    "redirect",
    "request-callout",
    "request-size-limiting",
    "request-termination",
    "request-transformer",
    "request-transformer-advanced",
    "request-validator",
    "response-ratelimiting",
    "response-transformer",
    "response-transformer-advanced",
    "route-by-header",
    "route-transformer-advanced",
    "saml",
    "service-protection",
    "session",
    "standard-webhooks",
    "statsd",
    "statsd-advanced",
    "syslog",
    "tcp-log",
    "tls-handshake-modifier",
    "tls-metadata-headers",
    "udp-log",
    "upstream-oauth",
    "upstream-timeout",
    "vault-auth",
    "websocket-size-limit",
    "websocket-validator",
    "xml-threat-protection",
    "zipkin",
];
