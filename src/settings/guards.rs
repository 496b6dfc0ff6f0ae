//! Unsupported settings that restrict access: with a restrictive value, the process does not start.
//!
//! A guard is a setting that admits fewer requests, clients, bytes or protocols. To ignore one would leave open what the
//! user believes closed, so a warning is not enough. Directives of nginx have the form `nginx_<block>_<directive>`. In
//! families of guards (`ssl_`, `auth_`, `limit_` and so on), every directive is refused that is not listed as harmless, so
//! that a directive added to nginx later is not ignored.

use super::error::SettingFault;

/// The names that a row matches.
enum SettingPattern {
    Exact(&'static str),
    /// Names with this prefix.
    Family(&'static str),
    /// Names with this text anywhere.
    Contains(&'static str),
}

use SettingPattern::{Contains, Exact, Family};

/// A setting or directive that restricts access.
struct Guard {
    name: SettingPattern,
    /// Whether a value is restrictive.
    restricts: fn(&str) -> bool,
    /// The help text: what to do instead.
    instead: &'static str,
}

const fn guard(name: SettingPattern, restricts: fn(&str) -> bool, instead: &'static str) -> Guard {
    Guard { name, restricts, instead }
}

/// Any value but `off`.
fn unless_off(value: &str) -> bool {
    !matches!(value, "off" | "false" | "")
}

/// Any value but `all`.
fn unless_all(value: &str) -> bool {
    value != "all"
}

fn unless_zero(value: &str) -> bool {
    !value.is_empty() && value.bytes().any(|byte| byte != b'0')
}

fn if_off(value: &str) -> bool {
    matches!(value, "off" | "false")
}

fn always(value: &str) -> bool {
    !value.is_empty()
}

/// Versions of TLS without TLS 1.2, the oldest that mynah supports.
fn without_tls12(value: &str) -> bool {
    !value.is_empty() && !value.split_whitespace().any(|word| word == "TLSv1.2")
}

/// Vaults without `env`, the only one of mynah.
fn without_vault(value: &str) -> bool {
    !value.is_empty() && !value.split(',').any(|word| matches!(word.trim(), "bundled" | "env"))
}

/// Headers by which browsers protect pages.
fn is_protective_header(value: &str) -> bool {
    let name =
        value.split_ascii_whitespace().next().unwrap_or_default().trim_matches('"').to_ascii_lowercase();
    let prefixes = ["content-security-policy", "cross-origin-", "permissions-policy", "referrer-policy"];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
        || matches!(
            name.as_str(),
            "strict-transport-security" | "x-frame-options" | "x-content-type-options" | "x-xss-protection"
        )
}

const ADMIN: &str = "protect the Admin API with a token (MYNAH_ADMIN_TOKEN) or with client certificates \
                     (nginx_admin_ssl_verify_client), and remove it";
const PLUGIN: &str = "remove it, and use the plugins ip-restriction, key-auth, basic-auth, jwt, acl or rate-limiting for \
                      the proxy, and admin_token or nginx_admin_ssl_verify_client for the Admin API";
const UPSTREAM: &str = "remove it, and set tls_verify, tls_verify_depth and ca_certificates of the Services";

/// Kong's own settings.
const SETTINGS: &[Guard] = &[
    guard(Exact("enforce_rbac"), unless_off, ADMIN),
    guard(Exact("admin_gui_auth"), unless_off, ADMIN),
    guard(
        Exact("fips"),
        unless_off,
        "remove it: the cryptography of this gateway is not certified by FIPS 140",
    ),
    guard(Exact("tls_certificate_verify"), unless_off, UPSTREAM),
    guard(
        Exact("lua_ssl_protocols"),
        without_tls12,
        "add TLSv1.2, or remove it: connections to upstreams and of plugins speak TLS 1.2 and 1.3",
    ),
    guard(
        Exact("vaults"),
        without_vault,
        "write `bundled` or `env`, or remove it: references to the vault env cannot be turned off",
    ),
    guard(
        Exact("nginx_conf"),
        always,
        "remove it: there is no nginx, and a template of its configuration may restrict access",
    ),
];

/// Directives of nginx, in any block of [`BLOCKS`].
const DIRECTIVES: &[Guard] = &[
    guard(Exact("allow"), unless_all, PLUGIN),
    guard(Exact("deny"), always, PLUGIN),
    guard(Exact("satisfy"), unless_all, PLUGIN),
    guard(Exact("internal"), always, PLUGIN),
    guard(Exact("return"), always, "remove it, and use the plugin request-termination"),
    guard(Exact("valid_referers"), always, PLUGIN),
    guard(Family("auth_"), unless_off, PLUGIN),
    guard(Family("secure_link"), always, PLUGIN),
    guard(Family("limit_"), always, "remove it, and use the plugin rate-limiting"),
    guard(Family("modsecurity"), unless_off, "remove it: there is no web application firewall"),
    guard(Family("app_protect"), unless_off, "remove it: there is no web application firewall"),
    guard(Family("wallarm"), unless_off, "remove it: there is no web application firewall"),
    guard(Family("secrules"), always, "remove it: there is no web application firewall"),
    guard(Exact("deniedurl"), always, "remove it: there is no web application firewall"),
    guard(Exact("checkrule"), always, "remove it: there is no web application firewall"),
    guard(Family("js_"), always, "remove it: there is no JavaScript, and code may restrict access"),
    guard(
        Contains("_by_lua"),
        always,
        "remove it, and use the plugin pre-function: Lua of nginx is not run, and may restrict access",
    ),
    guard(Exact("include"), always, "remove it: files of nginx are not read, and may restrict access"),
    guard(
        Exact("underscores_in_headers"),
        if_off,
        "remove it: fields with underscores are passed on, as by Kong",
    ),
    guard(Exact("ignore_invalid_headers"), if_off, "remove it: a request with an invalid field is refused"),
    guard(Exact("proxy_hide_header"), always, "remove it, and use the plugin response-transformer"),
    guard(Exact("grpc_hide_header"), always, "remove it, and use the plugin response-transformer"),
    guard(Exact("add_header"), is_protective_header, "remove it, and use the plugin response-transformer"),
    guard(
        Family("proxy_cookie_flags"),
        unless_off,
        "remove it: cookies of upstreams are passed on as they are",
    ),
    guard(Family("proxy_ssl_"), unless_off, UPSTREAM),
    guard(Family("grpc_ssl_"), unless_off, UPSTREAM),
    guard(Exact("ssl_protocols"), without_tls12, "write ssl_protocols, which holds for all listeners"),
    guard(Exact("ssl_session_tickets"), if_off, "write ssl_session_tickets, which holds for all listeners"),
    guard(
        Exact("ssl_ciphers"),
        always,
        "write ssl_cipher_suite = custom and ssl_ciphers, which hold for all listeners",
    ),
    guard(Exact("lua_ssl_protocols"), without_tls12, "add TLSv1.2, or remove it"),
    guard(Family("lua_ssl_"), unless_off, UPSTREAM),
    guard(
        Family("ssl_"),
        unless_off,
        "remove it; of client certificates, ssl_verify_client, ssl_client_certificate, ssl_trusted_certificate, \
         ssl_verify_depth and ssl_crl are read, as nginx_http_..., nginx_proxy_..., nginx_admin_... and nginx_status_...",
    ),
    guard(
        Family("client_max_body"),
        unless_zero,
        "write nginx_http_client_max_body_size for the proxy, nginx_admin_client_max_body_size for the Admin API",
    ),
    guard(
        Exact("max_headers"),
        unless_zero,
        "write max_headers (KONG_MAX_HEADERS), which holds for all listeners",
    ),
    guard(
        Exact("large_client_header_buffers"),
        always,
        "write nginx_http_large_client_header_buffers, which holds for all listeners",
    ),
    guard(
        Exact("client_header_timeout"),
        always,
        "write nginx_http_client_header_timeout, which holds for all listeners",
    ),
    guard(
        Exact("client_body_timeout"),
        always,
        "write nginx_http_client_body_timeout, which holds for all listeners",
    ),
    guard(Exact("send_timeout"), always, "write nginx_http_send_timeout, which holds for all listeners"),
    guard(
        Exact("http2_max_concurrent_streams"),
        always,
        "write nginx_http_http2_max_concurrent_streams, which holds for all listeners",
    ),
];

/// Directives of guarding families that admit no more when they are ignored.
const HARMLESS: &[&str] = &[
    "auth_delay",
    "auth_request_set",
    "limit_conn_dry_run",
    "limit_conn_log_level",
    "limit_conn_status",
    "limit_rate_after",
    "limit_req_dry_run",
    "limit_req_log_level",
    "limit_req_status",
    "lua_ssl_certificate",
    "lua_ssl_certificate_key",
    "lua_ssl_trusted_certificate",
    "lua_ssl_verify_depth",
    "proxy_ssl_certificate",
    "proxy_ssl_certificate_cache",
    "proxy_ssl_certificate_key",
    "proxy_ssl_name",
    "proxy_ssl_password_file",
    "proxy_ssl_server_name",
    "proxy_ssl_session_reuse",
    "grpc_ssl_certificate",
    "grpc_ssl_certificate_key",
    "grpc_ssl_name",
    "grpc_ssl_password_file",
    "grpc_ssl_server_name",
    "grpc_ssl_session_reuse",
    "ssl_alpn",
    "ssl_buffer_size",
    "ssl_certificate",
    "ssl_certificate_cache",
    "ssl_certificate_compression",
    "ssl_certificate_key",
    "ssl_dhparam",
    "ssl_early_data",
    "ssl_engine",
    "ssl_handshake_timeout",
    "ssl_key_log",
    "ssl_object_cache_inheritable",
    "ssl_password_file",
    "ssl_prefer_server_ciphers",
    "ssl_preread",
    "ssl_session_cache",
    "ssl_session_ticket_key",
    "ssl_session_timeout",
    "ssl_stapling",
    "ssl_stapling_file",
    "ssl_stapling_responder",
    "ssl_stapling_verify",
];

/// Blocks of nginx that apply to HTTP requests, by Kong's names.
const BLOCKS: [&str; 7] = ["http", "proxy", "location", "admin", "status", "main", "events"];

/// Blocks of servers that mynah lacks: there is nothing that they could close.
const ABSENT_BLOCKS: [&str; 9] =
    ["stream", "sproxy", "supstream", "upstream", "debug", "wasm", "admin_gui", "portal_gui", "portal_api"];

/// A guard without effect: the status listener reads no bodies.
const WITHOUT_EFFECT: &str = "nginx_status_client_max_body_size";

/// The guard that an unsupported setting is; none if it restricts nothing.
fn find(name: &str) -> Option<&'static Guard> {
    if let Some(guard) = SETTINGS.iter().find(|guard| guard.name.matches(name)) {
        return Some(guard);
    }
    let rest = name.strip_prefix("nginx_").filter(|_| name != WITHOUT_EFFECT)?;
    let in_block = |block: &&str| rest.strip_prefix(*block).and_then(|rest| rest.strip_prefix('_'));
    if ABSENT_BLOCKS.iter().find_map(in_block).is_some() {
        return None;
    }
    // In an unknown block, the directive may begin after the block or after its first part.
    let in_known_block = BLOCKS.iter().find_map(in_block);
    let directive = |directive: &str| {
        let harmless = HARMLESS.contains(&directive);
        DIRECTIVES.iter().find(|guard| !harmless && guard.name.matches(directive))
    };
    match in_known_block {
        Some(name) => directive(name),
        None => directive(rest).or_else(|| directive(rest.split_once('_')?.1)),
    }
}

impl SettingPattern {
    fn matches(&self, name: &str) -> bool {
        match self {
            Exact(exact) => name == *exact,
            Family(prefix) => name.starts_with(prefix),
            Contains(part) => name.contains(part),
        }
    }
}

/// Whether a setting is a guard, whatever its value.
pub(super) fn is_guard(name: &str) -> bool {
    find(name).is_some()
}

/// Whether the value of a guard is what holds without it.
pub(super) fn is_default(name: &str, value: &str) -> bool {
    let Some(guard) = find(name) else { return false };
    let only_off_restricts = (guard.restricts)("off") && !(guard.restricts)("on");
    if only_off_restricts {
        value == "on"
    } else {
        matches!(value, "off" | "all") && !(guard.restricts)(value)
    }
}

/// The error of a restrictive value.
pub(super) fn refuse(name: &str, value: &str) -> Option<SettingFault> {
    let guard = find(name).filter(|guard| (guard.restricts)(value))?;
    let shown: String = value.chars().take(60).collect();
    let message = format!("{name} is '{shown}', which restricts access, and mynah does not support it");
    Some(SettingFault::new(message, guard.instead))
}

/// The names of Kong's own settings, for suggestions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().filter_map(|guard| match guard.name {
        Exact(name) => Some(name),
        Family(_) | Contains(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restrictive_values_are_refused_in_every_spelling() {
        for (name, value) in [
            ("enforce_rbac", "on"),
            ("enforce_rbac", "both"),
            ("admin_gui_auth", "basic-auth"),
            ("fips", "on"),
            ("tls_certificate_verify", "on"),
            ("lua_ssl_protocols", "TLSv1.3"),
            ("vaults", "off"),
            ("nginx_conf", "/etc/kong/custom.template"),
            ("nginx_admin_allow", "10.0.0.0/8"),
            ("nginx_admin_deny", "all"),
            ("nginx_proxy_deny", "192.0.2.1"),
            ("nginx_http_satisfy", "any"),
            ("nginx_admin_auth_basic", "closed"),
            ("nginx_admin_auth_basic_user_file", "/etc/htpasswd"),
            ("nginx_location_auth_request", "/auth"),
            ("nginx_http_auth_jwt", "x"),
            ("nginx_http_auth_not_yet_known", "x"),
            ("nginx_http_limit_req_zone", "$binary_remote_addr zone=a:1m rate=1r/s"),
            ("nginx_proxy_limit_req", "zone=a"),
            ("nginx_proxy_limit_conn", "a 1"),
            ("nginx_location_limit_except", "GET"),
            ("nginx_proxy_limit_rate", "10k"),
            ("nginx_admin_ssl_ocsp", "on"),
            ("nginx_proxy_ssl_conf_command", "MinProtocol TLSv1.3"),
            ("nginx_admin_ssl_protocols", "TLSv1.3"),
            ("nginx_proxy_ssl_ecdh_curve", "secp384r1"),
            ("nginx_proxy_ssl_reject_handshake", "on"),
            ("nginx_proxy_ssl_not_yet_known", "on"),
            ("nginx_http_ssl_ciphers", "ECDHE-RSA-AES256-GCM-SHA384"),
            ("nginx_proxy_ssl_session_tickets", "off"),
            ("nginx_location_ssl_verify_client", "on"),
            ("nginx_elsewhere_ssl_verify_client", "on"),
            ("nginx_ssl_verify_client", "on"),
            ("nginx_proxy_proxy_ssl_verify", "on"),
            ("nginx_proxy_proxy_ssl_trusted_certificate", "/ca.pem"),
            ("nginx_location_grpc_ssl_crl", "/crl.pem"),
            ("nginx_http_lua_ssl_crl", "/crl.pem"),
            ("nginx_http_include", "/etc/nginx/allow.conf"),
            ("nginx_main_include", "/etc/nginx/more.conf"),
            ("nginx_proxy_access_by_lua_block", "{ ngx.exit(403) }"),
            ("nginx_http_modsecurity", "on"),
            ("nginx_location_client_max_body_size", "1m"),
            ("nginx_admin_client_header_timeout", "1s"),
            ("nginx_admin_return", "403"),
            ("nginx_proxy_add_header", "Strict-Transport-Security max-age=31536000"),
            ("nginx_proxy_proxy_hide_header", "X-Secret"),
            ("nginx_http_underscores_in_headers", "off"),
        ] {
            let fault = refuse(name, value);
            let fault = fault.unwrap_or_else(|| panic!("{name} = {value} is ignored"));
            assert!(fault.message.contains(name) && !fault.help.is_empty(), "{name}");
        }
    }

    #[test]
    fn other_values_are_not_refused() {
        for (name, value) in [
            ("enforce_rbac", "off"),
            ("vaults", "bundled"),
            ("vaults", "hcv, env"),
            ("lua_ssl_protocols", "TLSv1.1 TLSv1.2 TLSv1.3"),
            ("nginx_admin_allow", "all"),
            ("nginx_admin_auth_basic", "off"),
            ("nginx_http_ssl_session_cache", "shared:SSL:10m"),
            ("nginx_admin_ssl_protocols", "TLSv1.2 TLSv1.3"),
            ("nginx_http_limit_req_status", "429"),
            ("nginx_http_lua_shared_dict", "x 1m"),
            ("nginx_proxy_proxy_buffers", "8 16k"),
            ("nginx_proxy_add_header", "X-Served-By kong"),
            ("nginx_http_underscores_in_headers", "on"),
            ("nginx_stream_allow", "10.0.0.0/8"),
            ("nginx_supstream_keepalive", "60"),
            ("nginx_status_client_max_body_size", "1m"),
            ("nginx_admin_gui_auth_basic", "x"),
            ("nginx_http_gzip", "on"),
            ("log_level", "off"),
        ] {
            assert!(refuse(name, value).is_none(), "{name} = {value}");
        }
    }
}
