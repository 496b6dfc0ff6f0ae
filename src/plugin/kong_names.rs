//! Names of the plugins that Kong's documentation lists, whether this build has them or not.

/// Plugins of Kong. (Kong: "Plugin priority", the table of static priorities.)
const NAMES: &[&str] = &[
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

/// Plugins that record requests, and change neither a request nor its response so that a client could tell, nor refuse one.
const LOGGERS: &[&str] = &[
    "datadog",
    "file-log",
    "http-log",
    "kafka-log",
    "loggly",
    "opentelemetry",
    "prometheus",
    "statsd",
    "statsd-advanced",
    "syslog",
    "tcp-log",
    "udp-log",
    "zipkin",
];

/// Whether a plugin only logs. A plugin of another name may be a guard.
pub(super) fn only_logs(name: &str) -> bool {
    LOGGERS.contains(&name)
}

/// The name in Kong's list that equals this one, and outlives the configuration.
#[must_use]
pub fn static_name(name: &str) -> Option<&'static str> {
    NAMES.iter().copied().find(|known| *known == name)
}

/// Whether Kong has a plugin with this name.
pub(super) fn is_kong_plugin(name: &str) -> bool {
    NAMES.contains(&name) || name.starts_with("ai-")
}

/// Advice for the user of a Kong plugin that this build lacks.
pub(super) fn alternative_to(name: &str) -> Option<&'static str> {
    let runs_lua = matches!(name, "pre-function" | "post-function") && cfg!(not(feature = "lua"));
    runs_lua.then_some("this build has no Lua; one with the feature `lua` runs it")
}
