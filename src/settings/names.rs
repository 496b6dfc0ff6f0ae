//! Every setting that Kong knows, and what becomes of it here.

use super::{guards, value::nearest};

/// What becomes of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SettingKind {
    /// It is read, under this name.
    Supported(&'static str),
    /// It governs what is not there (a database, nginx, Lua), so that nothing is lost: not worth a word.
    Meaningless,
    /// It asks for what is missing: the user must be told.
    Unsupported,
}

/// A setting that is read.
pub(super) struct SettingRow {
    pub(super) name: &'static str,
    /// Other names for it, all Kong's.
    pub(super) aliases: &'static [&'static str],
    /// The default as a user would write it, empty if nothing is set.
    pub(super) default: &'static str,
}

const fn row(name: &'static str, default: &'static str) -> SettingRow {
    SettingRow { name, aliases: &[], default }
}

/// The settings that are read.
pub(super) const SUPPORTED: &[SettingRow] = &[
    row("database", "off"),
    row("role", "traditional"),
    row("declarative_config", ""),
    row("declarative_config_string", ""),
    row("env_substitution", "off"),
    row("specs_dir", ""),
    row("proxy_listen", "0.0.0.0:8000, 0.0.0.0:8443 http2 ssl"),
    row("admin_listen", "127.0.0.1:8001, 127.0.0.1:8444 http2 ssl"),
    row("status_listen", "off"),
    SettingRow {
        name: "nginx_http_http2_max_concurrent_streams",
        aliases: &["nginx_proxy_http2_max_concurrent_streams"],
        default: "128",
    },
    row("ssl_cert", ""),
    row("ssl_cert_key", ""),
    row("admin_ssl_cert", ""),
    row("admin_ssl_cert_key", ""),
    row("status_ssl_cert", ""),
    row("status_ssl_cert_key", ""),
    SettingRow { name: "ssl_protocols", aliases: &["nginx_http_ssl_protocols"], default: "TLSv1.2 TLSv1.3" },
    row("ssl_cipher_suite", "intermediate"),
    row("ssl_ciphers", ""),
    SettingRow {
        name: "ssl_prefer_server_ciphers",
        aliases: &["nginx_http_ssl_prefer_server_ciphers"],
        default: "on",
    },
    row("lua_ssl_trusted_certificate", ""),
    row("client_ssl", "off"),
    row("client_ssl_cert", ""),
    row("client_ssl_cert_key", ""),
    SettingRow { name: "ssl_session_tickets", aliases: &["nginx_http_ssl_session_tickets"], default: "on" },
    row("nginx_http_ssl_verify_client", "off"),
    row("nginx_http_ssl_client_certificate", ""),
    row("nginx_http_ssl_trusted_certificate", ""),
    row("nginx_http_ssl_verify_depth", "1"),
    row("nginx_http_ssl_crl", ""),
    row("nginx_proxy_ssl_verify_client", "off"),
    row("nginx_proxy_ssl_client_certificate", ""),
    row("nginx_proxy_ssl_trusted_certificate", ""),
    row("nginx_proxy_ssl_verify_depth", "1"),
    row("nginx_proxy_ssl_crl", ""),
    row("nginx_admin_ssl_verify_client", "off"),
    row("nginx_admin_ssl_client_certificate", ""),
    row("nginx_admin_ssl_trusted_certificate", ""),
    row("nginx_admin_ssl_verify_depth", "1"),
    row("nginx_admin_ssl_crl", ""),
    row("nginx_status_ssl_verify_client", "off"),
    row("nginx_status_ssl_client_certificate", ""),
    row("nginx_status_ssl_trusted_certificate", ""),
    row("nginx_status_ssl_verify_depth", "1"),
    row("nginx_status_ssl_crl", ""),
    row("admin_writes", "on"),
    row("admin_token", ""),
    row("admin_allowed_hosts", ""),
    row("admin_gui_api_url", ""),
    row("admin_gui_url", ""),
    row("log_level", "notice"),
    row("proxy_access_log", "/dev/stdout"),
    row("admin_access_log", "off"),
    row("access_log_format", "combined"),
    row("access_log_query", "off"),
    row("headers", "server_tokens, latency_tokens, X-Kong-Request-Id"),
    row("headers_upstream", "X-Kong-Request-Id"),
    row("allow_debug_header", "off"),
    row("error_default_type", "text/plain"),
    row("error_template_html", ""),
    row("error_template_json", ""),
    row("error_template_xml", ""),
    row("error_template_plain", ""),
    row("trusted_ips", ""),
    SettingRow { name: "real_ip_header", aliases: &["nginx_proxy_real_ip_header"], default: "X-Real-IP" },
    SettingRow { name: "real_ip_recursive", aliases: &["nginx_proxy_real_ip_recursive"], default: "off" },
    row("port_maps", ""),
    SettingRow {
        name: "nginx_http_client_max_body_size",
        aliases: &["nginx_proxy_client_max_body_size", "client_max_body_size"],
        default: "0",
    },
    SettingRow {
        name: "nginx_http_client_body_buffer_size",
        aliases: &["nginx_proxy_client_body_buffer_size", "client_body_buffer_size"],
        default: "64k",
    },
    row("nginx_admin_client_max_body_size", "0"),
    SettingRow {
        name: "nginx_http_large_client_header_buffers",
        aliases: &["nginx_proxy_large_client_header_buffers"],
        default: "4 8k",
    },
    row("max_body_memory", "256m"),
    row("max_rate_limiting_memory", "64m"),
    row("rate_limiting_ipv6_prefix", "128"),
    row("max_headers", "100"),
    SettingRow {
        name: "nginx_http_client_header_timeout",
        aliases: &["nginx_proxy_client_header_timeout"],
        default: "10s",
    },
    SettingRow {
        name: "nginx_http_client_body_timeout",
        aliases: &["nginx_proxy_client_body_timeout"],
        default: "60s",
    },
    SettingRow { name: "nginx_http_send_timeout", aliases: &["nginx_proxy_send_timeout"], default: "60s" },
    SettingRow {
        name: "nginx_http_keepalive_timeout",
        aliases: &["nginx_proxy_keepalive_timeout"],
        default: "75s",
    },
    SettingRow {
        name: "nginx_http_keepalive_requests",
        aliases: &["nginx_proxy_keepalive_requests"],
        default: "10000",
    },
    row("nginx_events_worker_connections", "auto"),
    row("max_concurrent_requests", "auto"),
    row("graceful_timeout", "30"),
    row("upstream_keepalive_pool_size", "512"),
    row("upstream_keepalive_max_requests", "10000"),
    row("upstream_keepalive_idle_timeout", "60"),
    row("dns_resolver", ""),
    row("dns_hostsfile", "/etc/hosts"),
    row("dns_order", "LAST,SRV,A,CNAME"),
    row("dns_valid_ttl", ""),
    row("dns_stale_ttl", "3600"),
    row("dns_not_found_ttl", "30"),
    row("dns_error_ttl", "1"),
    row("router_flavor", "traditional_compatible"),
    row("route_match_calculation", "original"),
    row("plugins", "bundled"),
    SettingRow { name: "nginx_main_user", aliases: &["nginx_user"], default: "" },
    SettingRow { name: "nginx_worker_processes", aliases: &["nginx_main_worker_processes"], default: "auto" },
];

/// Settings about what is not there. Logs other than the access log are one here, on standard error.
const MEANINGLESS: &[&str] = &[
    "_debug_pg_ttl_cleanup_interval",
    "admin_error_log",
    "admin_gui_access_log",
    "admin_gui_error_log",
    "anonymous_reports",
    "dedicated_config_processing",
    "dns_cache_size",
    "dns_no_sync",
    "host_ports",
    "kic",
    "legacy_dns_client",
    "lmdb_environment_path",
    "lmdb_map_size",
    "lua_max_post_args",
    "lua_max_req_headers",
    "lua_max_resp_headers",
    "lua_max_uri_args",
    "lua_package_cpath",
    "lua_package_path",
    "lua_socket_pool_size",
    "mem_cache_size",
    "new_dns_client",
    "nginx_daemon",
    "nginx_events_multi_accept",
    "nginx_http_charset",
    "nginx_http_lua_regex_cache_max_entries",
    "nginx_http_lua_regex_match_limit",
    "nginx_main_daemon",
    "nginx_main_worker_rlimit_nofile",
    "node_id",
    "openresty_path",
    "prefix",
    "privileged_worker",
    "proxy_error_log",
    "proxy_stream_access_log",
    "proxy_stream_error_log",
    "resolver_lru_cache_size",
    "resolver_mem_cache_size",
    "router_consistency",
    "status_access_log",
    "status_error_log",
    "untrusted_lua",
    "untrusted_lua_sandbox_environment",
    "untrusted_lua_sandbox_requires",
    "version",
    "worker_consistency",
    "worker_events_max_payload",
    "worker_state_update_frequency",
];

/// Settings about what is missing.
const UNSUPPORTED: &[&str] = &[
    "admin_gui_csp_header",
    "admin_gui_listen",
    "admin_gui_path",
    "admin_gui_ssl_cert",
    "admin_gui_ssl_cert_key",
    "cluster_ca_cert",
    "cluster_cert",
    "cluster_cert_key",
    "cluster_cjson",
    "cluster_control_plane",
    "cluster_data_plane_purge_delay",
    "cluster_dp_labels",
    "cluster_listen",
    "cluster_max_payload",
    "cluster_mtls",
    "cluster_ocsp",
    "cluster_rpc",
    "cluster_rpc_sync",
    "cluster_server_name",
    "cluster_use_proxy",
    "concurrency_timeout",
    "lua_ssl_verify_depth",
    "opentelemetry_tracing",
    "opentelemetry_tracing_sampling_rate",
    "pluginserver_names",
    "proxy_server",
    "proxy_server_ssl_verify",
    "request_debug",
    "request_debug_token",
    "resolver_address",
    "resolver_error_ttl",
    "resolver_family",
    "resolver_hosts_file",
    "resolver_stale_ttl",
    "resolver_valid_ttl",
    "ssl_dhparam",
    "ssl_session_cache_size",
    "ssl_session_timeout",
    "stream_listen",
    "tracing_instrumentations",
    "tracing_sampling_rate",
    "wasm",
    "wasm_dynamic_module",
    "wasm_filters",
    "wasm_filters_path",
];

/// Names that are told by how they begin, where no table has the whole name.
const FAMILIES: &[(&str, SettingKind)] = &[
    ("cassandra_", SettingKind::Meaningless),
    ("db_", SettingKind::Meaningless),
    ("pg_", SettingKind::Meaningless),
    ("process_secrets_", SettingKind::Meaningless),
    // Directives of nginx: `nginx_http_...`, `nginx_proxy_...`, `nginx_main_...` and the rest.
    ("nginx_", SettingKind::Unsupported),
    ("pluginserver_", SettingKind::Unsupported),
    ("vault_", SettingKind::Unsupported),
];

/// What becomes of a setting; none if Kong does not know it either.
pub(super) fn lookup(name: &str) -> Option<SettingKind> {
    let row = SUPPORTED.iter().find(|row| row.name == name || row.aliases.contains(&name));
    if let Some(row) = row {
        return Some(SettingKind::Supported(row.name));
    }
    if MEANINGLESS.contains(&name) {
        return Some(SettingKind::Meaningless);
    }
    if UNSUPPORTED.contains(&name) || guards::is_guard(name) {
        return Some(SettingKind::Unsupported);
    }
    FAMILIES.iter().find(|(start, _)| name.starts_with(start)).map(|(_, known)| *known)
}

/// The setting that a mistyped name was probably meant to be.
pub(super) fn suggest(name: &str) -> Option<&'static str> {
    let supported = SUPPORTED.iter().map(|row| row.name);
    let others = UNSUPPORTED.iter().copied().chain(MEANINGLESS.iter().copied()).chain(guards::names());
    nearest(name, supported.chain(others))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<SettingKind>) {
        assert_eq!(lookup(name), expected, "{name}");
    }

    #[test]
    fn every_name_has_its_fate() {
        check("proxy_listen", Some(SettingKind::Supported("proxy_listen")));
        check("nginx_proxy_real_ip_header", Some(SettingKind::Supported("real_ip_header")));
        check("client_max_body_size", Some(SettingKind::Supported("nginx_http_client_max_body_size")));
        check("nginx_daemon", Some(SettingKind::Meaningless));
        check("pg_password", Some(SettingKind::Meaningless));
        check("ssl_dhparam", Some(SettingKind::Unsupported));
        check("nginx_http_lua_shared_dict", Some(SettingKind::Unsupported));
        check("vault_env_prefix", Some(SettingKind::Unsupported));
        check("proxy_listne", None);
    }

    #[test]
    fn no_name_stands_in_two_tables() {
        let mut names: Vec<_> = SUPPORTED.iter().map(|row| row.name).collect();
        names.extend(SUPPORTED.iter().flat_map(|row| row.aliases));
        names.extend(MEANINGLESS);
        names.extend(UNSUPPORTED);
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn mistyped_names_are_guessed() {
        for (name, expected) in [
            ("proxy_listne", Some("proxy_listen")),
            ("declarative_conf", Some("declarative_config")),
            ("loglevel", Some("log_level")),
            ("ssl_certs", Some("ssl_cert")),
            ("something_else_entirely", None),
        ] {
            assert_eq!(suggest(name), expected, "{name}");
        }
    }
}
