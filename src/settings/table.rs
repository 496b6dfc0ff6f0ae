//! Table of the settings: one row per setting, with its name, default, reader and description, in the order in which they
//! are read. The rows of `dns_*` are in `dns`, those of certificates, protocols and ciphers in `tls` and
//! `client_certificates`.

use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use super::{
    AccessLogFormat, AccessLogTarget, AddedField, AdminToken, AllowedHost, ConfigErrorAction, DnsSettings,
    ErrorTemplateFiles, ErrorType, HeaderBuffers, Listener, ListenerTls, LogLevel, LogTemplate,
    PluginSelection, PortMaps, RealIpHeader, ResponseHeaders, RouteMatchCalculation, RouterFlavor,
    TrustedIps, UntrustedLua,
    added_fields::added_fields,
    admin, client_certificates, directive, dns, headers,
    listen::listeners,
    log_format::log_format,
    network, pages,
    setting_row::{SettingRow, settings_table},
    tls,
    value::{self, access_log, seconds, switch, word},
};

settings_table! {
    /// All settings of the process, valid.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Settings at [] {
        // Configuration.
        "database" = "off", |_, name, text| value::database(name, text),
            "Database; only `off`";
        "role" = "traditional", |_, name, text| value::role(name, text),
            "Role of the node; only `traditional`";
        declarative_config: Option<PathBuf> => "declarative_config" = "", value::config_path,
            "File of the configuration, YAML or JSON";
        /// Never set together with the file, which takes precedence.
        declarative_config_string: Option<String> => "declarative_config_string" = "", value::optional_text,
            "Text of the configuration, if no file is named";
        on_config_error: ConfigErrorAction => "declarative_config_on_error" = "refuse", word,
            "Configuration with errors: `refuse` it, or `quarantine` the entities that have them (not in Kong)";
        /// Only with `prefix`.
        keeps_last_good: bool => "declarative_config_last_good" = "off", switch,
            "Keep the last good configuration in the folder `prefix`, for a start with one that cannot be used (not in Kong)";
        env_substitution: bool => "env_substitution" = "off", switch,
            "Replace ${NAME} in the configuration by environment variables (not in Kong)";
        /// None for the caller's default.
        specs_dir: Option<PathBuf> => "specs_dir" = "", value::optional_text,
            "Folder of the OpenAPI documents that plugins name (not in Kong)";

        // Listeners.
        /// Empty for `off`.
        proxy_listen: Vec<Listener> => "proxy_listen" = "0.0.0.0:8000, 0.0.0.0:8443 http2 ssl", listeners,
            "Addresses of the proxy with flags in Kong's notation, or `off`";
        /// Empty for `off`.
        admin_listen: Vec<Listener> => "admin_listen" = "127.0.0.1:8001, 127.0.0.1:8444 http2 ssl", listeners,
            "Addresses of the Admin API with flags in Kong's notation, or `off`";
        /// Empty for `off`.
        status_listen: Vec<Listener> => "status_listen" = "off", listeners,
            "Addresses of /status and /metrics without the rest of the Admin API, or `off`";
        "portal_gui_listen" = "127.0.0.1:8003",
            |settings, name, text| { settings.portal_gui_listen = Some(listeners(name, text)?); Ok(()) },
            "Addresses of the developer portal with flags in Kong's notation, or `off`";
        "admin_gui_listen" = "127.0.0.1:8002",
            |settings, name, text| { settings.admin_gui_listen = Some(listeners(name, text)?); Ok(()) },
            "Addresses of the manager with flags in Kong's notation, or `off`";
        http2_streams: NonZeroU32 => "nginx_http_http2_max_concurrent_streams"
            | "nginx_proxy_http2_max_concurrent_streams"
            = "128", value::streams,
            "HTTP/2 streams that a client may have open on a connection, at least 1";

        // The Admin API.
        admin_writes: bool => "admin_writes" = "on", switch,
            "Allow writes of entities through the Admin API (not in Kong, which refuses them without a \
             database)", protective;
        /// None for no token.
        admin_token: Option<AdminToken> => "admin_token" = "", admin::token,
            "Token that every request of the Admin API must carry (not in Kong)", protective;
        /// And the hosts of `admin_gui_api_url`.
        admin_allowed_hosts: Vec<AllowedHost> => "admin_allowed_hosts" = "", admin::hosts,
            "Further host names by which clients may address the Admin API and the status listener (not in Kong)";
        "admin_gui_api_url" = "",
            |settings, name, text| { settings.admin_allowed_hosts.append(&mut admin::api_urls(name, text)?); Ok(()) },
            "URLs of the Admin API whose host names clients may use";
        /// Empty if no page may use the Admin API.
        admin_gui_url: Vec<String> => "admin_gui_url" = "", admin::origins,
            "Origins of further pages that may use the Admin API; the portal links the first as the manager";

        // Pages.
        /// None for changes on loopback addresses only.
        portal_gui_writes: Option<bool> => "portal_gui_writes" = "", pages::optional_switch,
            "Allow changes through the portal; unset, only on loopback addresses (not in Kong)", protective;
        /// Begins and ends with a slash.
        admin_gui_path: String => "admin_gui_path" = "/", pages::page_path,
            "Path of the manager";

        // Logs.
        log_level: LogLevel => "log_level" = "notice", word,
            "Least severe level that is logged: debug, info, notice, warn, error, crit, alert or emerg";
        proxy_access_log: AccessLogTarget => "proxy_access_log" = "/dev/stdout", access_log,
            "Access log of the proxy: `off`, /dev/stdout, /dev/stderr or a file";
        /// (Kong's default is a file.)
        admin_access_log: AccessLogTarget => "admin_access_log" = "off", access_log,
            "Access log of the Admin API: `off`, /dev/stdout, /dev/stderr or a file";
        status_access_log: AccessLogTarget => "status_access_log" = "off", access_log,
            "Access log of the status listener: `off`, /dev/stdout, /dev/stderr or a file";
        access_log_format: AccessLogFormat => "access_log_format" = "combined", word,
            "Format of access logs: `combined` or `json` (not in Kong)";
        log_format: Option<LogTemplate> => "nginx_http_log_format" = "", log_format,
            "Format of access logs, as arguments of nginx's log_format; chosen by its name: `proxy_access_log \
             = FILE NAME`";
        access_log_query: bool => "access_log_query" = "off", switch,
            "Include queries, which may contain secrets, in access logs (not in Kong)";

        // Headers that are added.
        headers: ResponseHeaders => "headers"
            = "server_tokens, latency_tokens, X-Kong-Request-Id", headers::response,
            "Headers that are added to responses";
        added_fields: Vec<AddedField> => "nginx_proxy_add_header"
            | "nginx_http_add_header" | "nginx_location_add_header"
            = "", added_fields,
            "Header field that is added to responses of the proxy, as arguments of nginx's add_header";
        upstream_request_id: bool => "headers_upstream" = "X-Kong-Request-Id", headers::upstream_request_id,
            "Headers that are added to requests of upstreams";
        allow_debug_header: bool => "allow_debug_header" = "off", switch,
            "Name the Route and the Service in responses to requests with `Kong-Debug: 1`";

        // Errors of the gateway.
        error_default_type: ErrorType => "error_default_type" = "text/plain", word,
            "Media type of error bodies for clients that name none";
        "error_template_html" = "",
            |settings, name, text| settings.error_templates.add(name, ErrorType::Html, text),
            "Template file of HTML errors";
        "error_template_json" = "",
            |settings, name, text| settings.error_templates.add(name, ErrorType::Json, text),
            "Template file of JSON errors";
        "error_template_xml" = "",
            |settings, name, text| settings.error_templates.add(name, ErrorType::Xml, text),
            "Template file of XML errors";
        "error_template_plain" = "",
            |settings, name, text| settings.error_templates.add(name, ErrorType::Plain, text),
            "Template file of plain text errors";

        // The process.
        /// None if no files of the process are kept.
        prefix: Option<PathBuf> => "prefix" = "", value::optional_text,
            "Folder of the process, in which pids/nginx.pid names it; `kong` uses /usr/local/kong if unset";
        nginx_daemon: bool => "nginx_daemon" | "nginx_main_daemon" = "on", switch,
            "Whether `kong start` leaves the gateway in the background";
        vault_env_prefix: String => "vault_env_prefix" = "", value::verbatim,
            "How the names of variables begin to which `{vault://env/...}` refers";
        shutdown_delay: Duration => "shutdown_delay" = "0", seconds,
            "Time that connections are still accepted, without readiness, when the process is stopped, in \
             seconds (not in Kong)";
        graceful_timeout: Duration => "graceful_timeout" = "30", seconds,
            "Time that open requests have to finish when the process stops, in seconds (not in Kong)";

        // Router and plugins.
        router_flavor: RouterFlavor => "router_flavor" = "traditional_compatible", word,
            "Router: traditional, traditional_compatible or expressions";
        /// (A setting of Kong's Enterprise edition.)
        route_match_calculation: RouteMatchCalculation => "route_match_calculation" = "original", word,
            "Ranking of Routes that match alike: `original` as Kong computes it, `strict` as Kong documents it";
        plugins: PluginSelection => "plugins" = "bundled", value::plugins,
            "Plugins that may be used: `bundled`, names of plugins, or `off`";
        untrusted_lua: UntrustedLua => "untrusted_lua" = "sandbox", word,
            "Lua in the configuration: `sandbox` runs it, `off` refuses it; `on` runs it in the sandbox, too", protective;
        /// Modules that snippets may load. Those that are here may always be loaded.
        untrusted_lua_requires: Vec<String> => "untrusted_lua_sandbox_requires" = "", value::names,
            "Modules that Lua may load; cjson, cjson.safe, bit, table.new and table.clear always";
        /// Global names for snippets. Those that are here are always there.
        untrusted_lua_environment: Vec<String> => "untrusted_lua_sandbox_environment" = "", value::names,
            "Further global names for Lua; only warned about, as there are none";

        // Users and threads.
        worker_user: Option<String> => "nginx_main_user" | "nginx_user" = "", value::user,
            "User that Kong's workers would change to; mynah only warns if it runs as root instead";
        /// None for `auto`.
        worker_threads: Option<NonZeroUsize> => "nginx_worker_processes" | "nginx_main_worker_processes"
            = "auto", value::threads,
            "Threads that serve requests, 1 to 1024; `auto` is one per core";

        // Addresses of clients.
        trusted_ips: TrustedIps => "trusted_ips" = "", network::trusted_ips,
            "Blocks of peers whose X-Forwarded-* headers are trusted", protective;
        real_ip_from: TrustedIps => "nginx_proxy_set_real_ip_from" | "nginx_http_set_real_ip_from"
            = "", network::trusted_ips,
            "Blocks of further peers whose real_ip_header is trusted, but not their X-Forwarded-* headers", protective;
        real_ip_header: RealIpHeader => "real_ip_header" | "nginx_proxy_real_ip_header"
            = "X-Real-IP", value::real_ip_header,
            "Header in which a trusted peer names the client, or `proxy_protocol`";
        real_ip_recursive: bool => "real_ip_recursive" | "nginx_proxy_real_ip_recursive" = "off", switch,
            "Take the last address of the header that is not trusted for the client, not the last address";
        port_maps: PortMaps => "port_maps" = "", network::port_maps,
            "Ports that clients see, where they differ from the ports of listeners: `80:8000, 443:8443`";

        // Limits of requests.
        /// In bytes; none for no limit.
        client_max_body_size: Option<NonZeroU64> => "nginx_http_client_max_body_size"
            | "nginx_proxy_client_max_body_size" | "client_max_body_size"
            = "0", value::size,
            "Largest request body of the proxy, in bytes or with a unit (k, m, g); 0 is no limit", protective;
        /// In bytes; none for no limit but the fixed ones.
        admin_max_body_size: Option<NonZeroU64> => "nginx_admin_client_max_body_size" = "0", value::size,
            "Largest request body of the Admin API, in bytes or with a unit (k, m, g); 0 is no limit but the \
             fixed ones", protective;
        /// In bytes. (Kong's default is 8 KiB, and a file for the rest.)
        client_body_buffer_size: usize => "nginx_http_client_body_buffer_size"
            | "nginx_proxy_client_body_buffer_size" | "client_body_buffer_size"
            = "64k", directive::bytes,
            "Bytes of a request body that are read before the upstream is contacted, if the Route buffers requests";
        large_client_header_buffers: HeaderBuffers => "nginx_http_large_client_header_buffers"
            | "nginx_proxy_large_client_header_buffers"
            = "4 8k", directive::buffers,
            "Size of a request head: number of buffers and bytes of each; the target and each field fit into \
             one, all fields into all";
        /// In bytes.
        body_memory: usize => "max_body_memory" = "256m", directive::bytes,
            "Bytes of buffered bodies of all requests together (not in Kong)";
        /// In bytes.
        rate_limiting_memory: usize => "max_rate_limiting_memory" = "64m", directive::bytes,
            "Bytes of the counters of all rate-limiting plugins together (not in Kong)";
        /// In bytes.
        response_cache_memory: usize => "mem_cache_size" = "128m", directive::bytes,
            "Bytes of the stored responses of all proxy-cache plugins together";
        /// 1 to 128.
        rate_limiting_ipv6_prefix: u8 => "rate_limiting_ipv6_prefix" = "128", directive::prefix,
            "Bits of an IPv6 address by which rate limits tell clients apart, 1 to 128 (not in Kong)";
        /// The default costs least.
        max_headers: usize => "max_headers" = "100", value::count,
            "Header fields that a request may have (not in Kong)";

        // Timeouts and limits of the connections of clients.
        /// (nginx's default is 60 seconds.)
        client_header_timeout: Duration => "nginx_http_client_header_timeout"
            | "nginx_proxy_client_header_timeout"
            = "10s", directive::time,
            "Time for the head of a request, and for the first byte on a new connection";
        client_body_timeout: Duration => "nginx_http_client_body_timeout" | "nginx_proxy_client_body_timeout"
            = "60s", directive::time,
            "Time between two reads of a request body";
        send_timeout: Duration => "nginx_http_send_timeout" | "nginx_proxy_send_timeout"
            = "60s", directive::time,
            "Time between two writes of a response";
        /// None if no connection is kept.
        keepalive_timeout: Option<Duration> => "nginx_http_keepalive_timeout" | "nginx_proxy_keepalive_timeout"
            = "75s", directive::time_or_none,
            "Time that an idle connection of a client is kept; 0 keeps none";
        /// None for no limit.
        keepalive_requests: Option<NonZeroU64> => "nginx_http_keepalive_requests"
            | "nginx_proxy_keepalive_requests"
            = "10000", value::limit,
            "Requests that a connection of a client serves; 0 is no limit";
        /// None for `auto`.
        worker_connections: Option<NonZeroUsize> => "nginx_events_worker_connections"
            = "auto", directive::auto_or_count,
            "Connections of clients that may be open; `auto` is half of the files that the process may open";
        /// None for `auto`: half of the files, as each request may need a connection to an upstream.
        concurrent_requests: Option<NonZeroUsize> => "max_concurrent_requests"
            = "auto", directive::auto_or_count,
            "Requests that the proxy handles at a time; `auto` is half of the files that the process may open \
             (not in Kong)";

        // Responses of upstreams, and connections to them.
        /// In bytes. (nginx's default is a page of memory.)
        response_head_size: usize => "nginx_proxy_proxy_buffer_size"
            | "nginx_http_proxy_buffer_size" | "nginx_location_proxy_buffer_size"
            = "64k", directive::buffer_size,
            "Largest head of a response of an upstream, in bytes or with a unit (k, m)";
        response_buffers: HeaderBuffers => "nginx_proxy_proxy_buffers"
            | "nginx_http_proxy_buffers" | "nginx_location_proxy_buffers"
            = "8 8k", directive::buffers,
            "Number and size of buffers; a response head may have the size of one of them, if that is more \
             than `nginx_proxy_proxy_buffer_size`. Bodies are passed on as they come";
        max_response_headers: usize => "max_response_headers" = "1000", value::count,
            "Header fields that a response of an upstream may have, at most about 24000 (not in Kong)";
        /// 0 if no connection is kept.
        upstream_keepalive_pool_size: usize => "upstream_keepalive_pool_size"
            | "nginx_upstream_keepalive" | "nginx_http_upstream_keepalive" | "upstream_keepalive"
            = "512", value::count,
            "Idle connections that are kept for each upstream host; 0 keeps none";
        /// None for no limit.
        upstream_keepalive_max_requests: Option<NonZeroU64> => "upstream_keepalive_max_requests"
            | "nginx_upstream_keepalive_requests" | "nginx_http_upstream_keepalive_requests"
            = "10000", value::limit,
            "Requests that a connection to an upstream serves; 0 is no limit";
        /// None for no limit.
        upstream_keepalive_idle_timeout: Option<Duration> => "upstream_keepalive_idle_timeout"
            | "nginx_upstream_keepalive_timeout" | "nginx_http_upstream_keepalive_timeout"
            = "60", directive::time_or_none,
            "Time that an idle connection to an upstream is kept, in seconds or with a unit; 0 is no limit";
    }
    besides {
        /// Template files of error bodies.
        error_templates: ErrorTemplateFiles,
        /// Format that `proxy_access_log` names after its destination; none for `access_log_format`.
        proxy_log_template: Option<LogTemplate>,
        /// Format that `admin_access_log` names after its destination; none for `access_log_format`.
        admin_log_template: Option<LogTemplate>,
        /// Format that `status_access_log` names after its destination; none for `access_log_format`.
        status_log_template: Option<LogTemplate>,
        /// `portal_gui_listen`; none if unset ([`Settings::portal_listeners`]).
        portal_gui_listen: Option<Vec<Listener>>,
        /// `admin_gui_listen`; none if unset ([`Settings::manager_listeners`]).
        admin_gui_listen: Option<Vec<Listener>>,
        /// `ssl_*`, `admin_ssl_*`, `status_ssl_*`, `client_ssl*`, `lua_ssl_*`, `nginx_*_ssl_*`.
        tls: ListenerTls,
        /// `dns_*`.
        dns: DnsSettings,
    }
}

/// All rows.
pub(super) fn rows() -> impl Iterator<Item = &'static SettingRow> {
    [ROWS, tls::ROWS, client_certificates::ROWS, dns::ROWS].into_iter().flatten()
}
