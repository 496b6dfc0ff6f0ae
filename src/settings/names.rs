//! Names of settings: those that mynah honours, and those of Kong that it does not.

use super::{guards, setting_row::SettingRow, table, value::nearest};

/// How mynah treats a setting of Kong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SettingKind {
    /// Honoured, under this name.
    Supported(&'static str),
    /// Ignored without a warning: it configures something that mynah does not need (a database, nginx, Lua), so nothing is
    /// missing without it.
    NotApplicable,
    /// Ignored with a warning: it asks for something that mynah lacks.
    Unsupported,
}

/// Settings that do not apply. Logs other than access logs are one log in mynah, on standard error.
const NOT_APPLICABLE: &[&str] = &[
    "_debug_pg_ttl_cleanup_interval",
    "admin_error_log",
    "admin_gui_access_log",
    "admin_gui_error_log",
    "anonymous_reports",
    "admin_api_uri",
    "cluster_listen",
    "cluster_telemetry_endpoint",
    "cluster_telemetry_listen",
    "cluster_telemetry_server_name",
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
    "lua_ssl_verify_depth",
    "new_dns_client",
    "nginx_events_multi_accept",
    "nginx_http_charset",
    "nginx_http_lua_regex_cache_max_entries",
    "nginx_http_lua_regex_match_limit",
    "nginx_optimizations",
    "nginx_http_proxy_busy_buffers_size",
    "nginx_main_worker_rlimit_nofile",
    "nginx_proxy_proxy_busy_buffers_size",
    "node_id",
    "openresty_path",
    "portal",
    "privileged_worker",
    "proxy_error_log",
    "proxy_stream_access_log",
    "proxy_stream_error_log",
    "resolver_lru_cache_size",
    "resolver_mem_cache_size",
    "router_consistency",
    "status_error_log",
    "version",
    "vitals",
    "vitals_strategy",
    "worker_consistency",
    "worker_events_max_payload",
    "worker_state_update_frequency",
];

/// Settings of features that mynah lacks; further ones are in `guards`.
const UNSUPPORTED: &[&str] = &[
    "admin_gui_csp_header",
    "admin_gui_ssl_cert",
    "admin_gui_ssl_cert_key",
    "cluster_ca_cert",
    "cluster_cert",
    "cluster_cert_key",
    "cluster_cjson",
    "cluster_control_plane",
    "cluster_data_plane_purge_delay",
    "cluster_dp_labels",
    "cluster_max_payload",
    "cluster_mtls",
    "cluster_ocsp",
    "cluster_rpc",
    "cluster_rpc_sync",
    "cluster_server_name",
    "cluster_use_proxy",
    "concurrency_timeout",
    "opentelemetry_tracing",
    "opentelemetry_tracing_sampling_rate",
    "pluginserver_names",
    "proxy_server",
    "proxy_server_ssl_verify",
    "request_debug",
    "request_debug_token",
    "resolver_family",
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

/// Directives of nginx, in any block of HTTP, that set what is as they say, what an entity sets instead (as nginx's
/// timeouts with upstreams, which those of the Service replace in Kong, too), or what only costs or saves work.
const DIRECTIVES_NOT_APPLICABLE: &[&str] = &[
    "client_header_buffer_size",
    "gzip",
    "gzip_buffers",
    "gzip_comp_level",
    "gzip_disable",
    "gzip_http_version",
    "gzip_min_length",
    "gzip_proxied",
    "gzip_types",
    "gzip_vary",
    "lua_shared_dict",
    "map_hash_bucket_size",
    "map_hash_max_size",
    "proxy_buffering",
    "proxy_connect_timeout",
    "proxy_read_timeout",
    "proxy_request_buffering",
    "proxy_send_timeout",
    "sendfile",
    "server_names_hash_bucket_size",
    "server_names_hash_max_size",
    "tcp_nodelay",
    "tcp_nopush",
    "types_hash_bucket_size",
    "types_hash_max_size",
    "variables_hash_bucket_size",
    "variables_hash_max_size",
];

/// Blocks of nginx for requests of the proxy, by Kong's names.
const PROXY_BLOCKS: [&str; 4] = ["nginx_http_", "nginx_proxy_", "nginx_location_", "nginx_server_"];

/// Prefixes of names that are in no other table.
const FAMILIES: &[(&str, SettingKind)] = &[
    ("cassandra_", SettingKind::NotApplicable),
    ("db_", SettingKind::NotApplicable),
    ("license_", SettingKind::NotApplicable),
    ("pg_", SettingKind::NotApplicable),
    ("portal_", SettingKind::NotApplicable),
    ("process_secrets_", SettingKind::NotApplicable),
    ("smtp_", SettingKind::NotApplicable),
    // Of Kong's Enterprise edition.
    ("analytics_", SettingKind::Unsupported),
    ("audit_log", SettingKind::Unsupported),
    ("event_hooks_", SettingKind::Unsupported),
    ("fallback_config_", SettingKind::Unsupported),
    ("keyring_", SettingKind::Unsupported),
    ("konnect_", SettingKind::Unsupported),
    // Directives of nginx: `nginx_http_...`, `nginx_proxy_...`, `nginx_main_...` and others.
    ("nginx_", SettingKind::Unsupported),
    ("pluginserver_", SettingKind::Unsupported),
    ("vault_", SettingKind::Unsupported),
];

/// How a setting is treated; none if Kong has no such setting either.
pub(super) fn lookup(name: &str) -> Option<SettingKind> {
    if let Some(row) = table::rows().find(|row| row.is_named(name)) {
        return Some(SettingKind::Supported(row.name));
    }
    let directive = PROXY_BLOCKS.iter().find_map(|block| name.strip_prefix(block));
    if NOT_APPLICABLE.contains(&name)
        || directive.is_some_and(|directive| DIRECTIVES_NOT_APPLICABLE.contains(&directive))
    {
        return Some(SettingKind::NotApplicable);
    }
    if UNSUPPORTED.contains(&name) || guards::is_guard(name) {
        return Some(SettingKind::Unsupported);
    }
    FAMILIES.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, kind)| *kind)
}

/// The setting whose name is most like a misspelt one.
pub(super) fn suggest(name: &str) -> Option<&'static str> {
    let supported = table::rows().map(|row| row.name);
    let others = UNSUPPORTED.iter().copied().chain(NOT_APPLICABLE.iter().copied()).chain(guards::names());
    nearest(name, supported.chain(others))
}

/// Whether a setting restricts access, whether or not mynah honours it. To ignore a misspelt name of such a setting would
/// leave open what the user means to close.
pub(super) fn is_protective(name: &str) -> bool {
    table::rows().any(|row| row.protective && row.name == name)
        // Settings of certificate verification, in every block and family.
        || name.contains("ssl_verify")
        || guards::is_guard(name)
}

/// The settings that mynah honours.
pub fn supported() -> impl Iterator<Item = &'static SettingRow> {
    table::rows()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<SettingKind>) {
        assert_eq!(lookup(name), expected, "{name}");
    }

    #[test]
    fn every_name_has_a_kind() {
        check("proxy_listen", Some(SettingKind::Supported("proxy_listen")));
        check("nginx_proxy_real_ip_header", Some(SettingKind::Supported("real_ip_header")));
        check("client_max_body_size", Some(SettingKind::Supported("nginx_http_client_max_body_size")));
        check("node_id", Some(SettingKind::NotApplicable));
        check("pg_password", Some(SettingKind::NotApplicable));
        check("ssl_dhparam", Some(SettingKind::Unsupported));
        check("nginx_http_lua_shared_dict", Some(SettingKind::NotApplicable));
        check("license_data", Some(SettingKind::NotApplicable));
        check("keyring_enabled", Some(SettingKind::Unsupported));
        check("nginx_http_merge_slashes", Some(SettingKind::Unsupported));
        check("vault_env_ttl", Some(SettingKind::Unsupported));
        check("portal_gui_listen", Some(SettingKind::Supported("portal_gui_listen")));
        check("portal_auth_conf", Some(SettingKind::NotApplicable));
        check("nginx_proxy_proxy_read_timeout", Some(SettingKind::NotApplicable));
        check("nginx_upstream_keepalive", Some(SettingKind::Supported("upstream_keepalive_pool_size")));
        check("resolver_address", Some(SettingKind::Supported("dns_resolver")));
        check("proxy_listne", None);
    }

    #[test]
    fn no_name_is_in_two_tables() {
        let mut names: Vec<_> = table::rows().map(|row| row.name).collect();
        names.extend(table::rows().flat_map(|row| row.aliases));
        names.extend(NOT_APPLICABLE);
        names.extend(UNSUPPORTED);
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn misspelt_names_get_a_suggestion() {
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
