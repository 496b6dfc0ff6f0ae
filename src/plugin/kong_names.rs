//! Names of the plugins that Kong's documentation lists, whether this build has them or not.

/// A plugin of Kong.
struct KongPlugin {
    name: &'static str,
    /// Whether it records requests, and changes neither a request nor its response so that a client could tell, nor refuses one.
    only_logs: bool,
}

const fn plugin(name: &'static str) -> KongPlugin {
    KongPlugin { name, only_logs: false }
}

const fn logger(name: &'static str) -> KongPlugin {
    KongPlugin { name, only_logs: true }
}

/// Plugins of Kong. (Kong: "Plugin priority", the table of static priorities.)
const PLUGINS: &[KongPlugin] = &[
    plugin("acl"),
    plugin("acme"),
    plugin("aws-lambda"),
    plugin("azure-functions"),
    plugin("basic-auth"),
    plugin("bot-detection"),
    plugin("canary"),
    plugin("confluent"),
    plugin("correlation-id"),
    plugin("cors"),
    logger("datadog"),
    plugin("degraphql"),
    plugin("exit-transformer"),
    logger("file-log"),
    plugin("forward-proxy"),
    plugin("graphql-proxy-cache-advanced"),
    plugin("graphql-rate-limiting-advanced"),
    plugin("grpc-gateway"),
    plugin("grpc-web"),
    plugin("header-cert-auth"),
    plugin("hmac-auth"),
    logger("http-log"),
    plugin("injection-protection"),
    plugin("ip-restriction"),
    plugin("jq"),
    plugin("json-threat-protection"),
    plugin("jwe-decrypt"),
    plugin("jwt"),
    plugin("jwt-signer"),
    logger("kafka-log"),
    plugin("kafka-upstream"),
    plugin("key-auth"),
    plugin("key-auth-enc"),
    plugin("ldap-auth"),
    plugin("ldap-auth-advanced"),
    logger("loggly"),
    plugin("mocking"),
    plugin("mtls-auth"),
    plugin("oas-validation"),
    plugin("oauth2"),
    plugin("oauth2-introspection"),
    plugin("opa"),
    plugin("openid-connect"),
    logger("opentelemetry"),
    plugin("post-function"),
    plugin("pre-function"),
    logger("prometheus"),
    plugin("proxy-cache"),
    plugin("proxy-cache-advanced"),
    plugin("rate-limiting"),
    plugin("rate-limiting-advanced"),
    plugin("redirect"),
    plugin("request-callout"),
    plugin("request-size-limiting"),
    plugin("request-termination"),
    plugin("request-transformer"),
    plugin("request-transformer-advanced"),
    plugin("request-validator"),
    plugin("response-ratelimiting"),
    plugin("response-transformer"),
    plugin("response-transformer-advanced"),
    plugin("route-by-header"),
    plugin("route-transformer-advanced"),
    plugin("saml"),
    plugin("service-protection"),
    plugin("session"),
    plugin("standard-webhooks"),
    logger("statsd"),
    logger("statsd-advanced"),
    logger("syslog"),
    logger("tcp-log"),
    plugin("tls-handshake-modifier"),
    plugin("tls-metadata-headers"),
    logger("udp-log"),
    plugin("upstream-oauth"),
    plugin("upstream-timeout"),
    plugin("vault-auth"),
    plugin("websocket-size-limit"),
    plugin("websocket-validator"),
    plugin("xml-threat-protection"),
    logger("zipkin"),
];

fn find(name: &str) -> Option<&'static KongPlugin> {
    PLUGINS.iter().find(|known| known.name == name)
}

/// Whether a plugin only logs. A plugin of another name may be a guard.
pub(super) fn only_logs(name: &str) -> bool {
    find(name).is_some_and(|known| known.only_logs)
}

/// The name in Kong's list that equals this one, and outlives the configuration.
#[must_use]
pub fn static_name(name: &str) -> Option<&'static str> {
    find(name).map(|known| known.name)
}

/// Whether Kong has a plugin with this name.
pub(super) fn is_kong_plugin(name: &str) -> bool {
    find(name).is_some() || name.starts_with("ai-")
}

/// Advice for the user of a Kong plugin that this build lacks.
pub(super) fn alternative_to(name: &str) -> Option<&'static str> {
    let runs_lua = matches!(name, "pre-function" | "post-function") && cfg!(not(feature = "lua"));
    runs_lua.then_some("this build has no Lua; one with the feature `lua` runs it")
}
