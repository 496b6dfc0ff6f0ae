//! Settings of the configuration, listeners, Admin API, logs, response headers, errors, router and process.

use std::path::PathBuf;

use super::{
    super::{
        ErrorType,
        added_fields::added_fields,
        admin,
        error::SettingFault,
        headers,
        listen::listeners,
        log_format::log_format,
        value::{self, access_log, seconds, switch, text, word},
    },
    SettingRow, read,
};

pub(super) const ROWS: &[SettingRow] = &[
    SettingRow::new("database", "off", "Database; only `off`", |_, name, text| database(name, text)),
    SettingRow::new("role", "traditional", "Role of the node; only `traditional`", |_, name, text| {
        role(name, text)
    }),
    SettingRow::new(
        "declarative_config",
        "",
        "File of the configuration, YAML or JSON",
        read!(declarative_config, config_path),
    ),
    SettingRow::new(
        "declarative_config_string",
        "",
        "Text of the configuration, if no file is named",
        read!(declarative_config_string, text),
    ),
    SettingRow::new(
        "declarative_config_on_error",
        "refuse",
        "Configuration with errors: `refuse` it, or `quarantine` the entities that have them (not in Kong)",
        read!(on_config_error, word),
    ),
    SettingRow::new(
        "env_substitution",
        "off",
        "Replace ${NAME} in the configuration by environment variables (not in Kong)",
        read!(env_substitution, switch),
    ),
    SettingRow::new(
        "specs_dir",
        "",
        "Folder of the OpenAPI documents that plugins name (not in Kong)",
        read!(specs_dir, text),
    ),
    SettingRow::new(
        "proxy_listen",
        "0.0.0.0:8000, 0.0.0.0:8443 http2 ssl",
        "Addresses of the proxy with flags in Kong's notation, or `off`",
        read!(proxy_listen, listeners),
    ),
    SettingRow::new(
        "admin_listen",
        "127.0.0.1:8001, 127.0.0.1:8444 http2 ssl",
        "Addresses of the Admin API with flags in Kong's notation, or `off`",
        read!(admin_listen, listeners),
    ),
    SettingRow::new(
        "status_listen",
        "off",
        "Addresses of /status and /metrics without the rest of the Admin API, or `off`",
        read!(status_listen, listeners),
    ),
    SettingRow::new(
        "nginx_http_http2_max_concurrent_streams",
        "128",
        "HTTP/2 streams that a client may have open on a connection, at least 1",
        read!(http2_streams, value::streams),
    )
    .aliases(&["nginx_proxy_http2_max_concurrent_streams"]),
    SettingRow::new(
        "admin_writes",
        "on",
        "Allow writes of entities through the Admin API (not in Kong, which refuses them without a database)",
        read!(admin_writes, switch),
    )
    .protective(),
    SettingRow::new(
        "admin_token",
        "",
        "Token that every request of the Admin API must carry (not in Kong)",
        read!(admin_token, admin::token),
    )
    .protective(),
    SettingRow::new(
        "admin_allowed_hosts",
        "",
        "Further host names by which clients may address the Admin API and the status listener (not in Kong)",
        read!(admin_allowed_hosts, admin::hosts),
    ),
    SettingRow::new(
        "admin_gui_api_url",
        "",
        "URLs of the Admin API whose host names clients may use",
        |settings, name, text| {
            settings.admin_allowed_hosts.append(&mut admin::api_urls(name, text)?);
            Ok(())
        },
    ),
    SettingRow::new(
        "admin_gui_url",
        "",
        "Origins of pages that may use the Admin API",
        read!(admin_gui_url, admin::origins),
    ),
    SettingRow::new(
        "log_level",
        "notice",
        "Least severe level that is logged: debug, info, notice, warn, error, crit, alert or emerg",
        read!(log_level, word),
    ),
    SettingRow::new(
        "proxy_access_log",
        "/dev/stdout",
        "Access log of the proxy: `off`, /dev/stdout, /dev/stderr or a file",
        read!(proxy_access_log, access_log),
    ),
    SettingRow::new(
        "admin_access_log",
        "off",
        "Access log of the Admin API and the status listener: `off`, /dev/stdout, /dev/stderr or a file",
        read!(admin_access_log, access_log),
    ),
    SettingRow::new(
        "access_log_format",
        "combined",
        "Format of access logs: `combined` or `json` (not in Kong)",
        read!(access_log_format, word),
    ),
    SettingRow::new(
        "nginx_http_log_format",
        "",
        "Format of access logs, as arguments of nginx's log_format; chosen by its name: `proxy_access_log = FILE NAME`",
        read!(log_format, log_format),
    ),
    SettingRow::new(
        "access_log_query",
        "off",
        "Include queries, which may contain secrets, in access logs (not in Kong)",
        read!(access_log_query, switch),
    ),
    SettingRow::new(
        "headers",
        "server_tokens, latency_tokens, X-Kong-Request-Id",
        "Headers that are added to responses",
        read!(headers, headers::response),
    ),
    SettingRow::new(
        "nginx_proxy_add_header",
        "",
        "Header field that is added to responses of the proxy, as arguments of nginx's add_header",
        read!(added_fields, added_fields),
    )
    .aliases(&["nginx_http_add_header", "nginx_location_add_header"]),
    SettingRow::new(
        "headers_upstream",
        "X-Kong-Request-Id",
        "Headers that are added to requests of upstreams",
        read!(upstream_request_id, headers::upstream_request_id),
    ),
    SettingRow::new(
        "allow_debug_header",
        "off",
        "Name the Route and the Service in responses to requests with `Kong-Debug: 1`",
        read!(allow_debug_header, switch),
    ),
    SettingRow::new(
        "error_default_type",
        "text/plain",
        "Media type of error bodies for clients that name none",
        read!(error_default_type, word),
    ),
    SettingRow::new("error_template_html", "", "Template file of HTML errors", |settings, name, text| {
        settings.error_templates.add(name, ErrorType::Html, text)
    }),
    SettingRow::new("error_template_json", "", "Template file of JSON errors", |settings, name, text| {
        settings.error_templates.add(name, ErrorType::Json, text)
    }),
    SettingRow::new("error_template_xml", "", "Template file of XML errors", |settings, name, text| {
        settings.error_templates.add(name, ErrorType::Xml, text)
    }),
    SettingRow::new(
        "error_template_plain",
        "",
        "Template file of plain text errors",
        |settings, name, text| settings.error_templates.add(name, ErrorType::Plain, text),
    ),
    SettingRow::new(
        "prefix",
        "",
        "Folder of the process, in which pids/nginx.pid names it; `kong` uses /usr/local/kong if unset",
        read!(prefix, text),
    ),
    SettingRow::new(
        "nginx_daemon",
        "on",
        "Whether `kong start` leaves the gateway in the background",
        read!(nginx_daemon, switch),
    )
    .aliases(&["nginx_main_daemon"]),
    SettingRow::new(
        "vault_env_prefix",
        "",
        "How the names of variables begin to which `{vault://env/...}` refers",
        |settings, _, text| {
            text.clone_into(&mut settings.vault_env_prefix);
            Ok(())
        },
    ),
    SettingRow::new(
        "shutdown_delay",
        "0",
        "Time that connections are still accepted, without readiness, when the process is stopped, in seconds (not in Kong)",
        read!(shutdown_delay, seconds),
    ),
    SettingRow::new(
        "graceful_timeout",
        "30",
        "Time that open requests have to finish when the process stops, in seconds (not in Kong)",
        read!(graceful_timeout, seconds),
    ),
    SettingRow::new(
        "router_flavor",
        "traditional_compatible",
        "Router: traditional, traditional_compatible or expressions",
        read!(router_flavor, word),
    ),
    SettingRow::new(
        "route_match_calculation",
        "original",
        "Ranking of Routes that match alike: `original` as Kong computes it, `strict` as Kong documents it",
        read!(route_match_calculation, word),
    ),
    SettingRow::new(
        "plugins",
        "bundled",
        "Plugins that may be used: `bundled`, names of plugins, or `off`",
        read!(plugins, value::plugins),
    ),
    SettingRow::new(
        "untrusted_lua",
        "sandbox",
        "Lua in the configuration: `sandbox` runs it, `off` refuses it; `on` runs it in the sandbox, too",
        read!(untrusted_lua, word),
    )
    .protective(),
    SettingRow::new(
        "untrusted_lua_sandbox_requires",
        "",
        "Modules that Lua may load; cjson, cjson.safe, bit, table.new and table.clear always",
        read!(untrusted_lua_requires, names),
    ),
    SettingRow::new(
        "untrusted_lua_sandbox_environment",
        "",
        "Further global names for Lua; only warned about, as there are none",
        read!(untrusted_lua_environment, names),
    ),
    SettingRow::new(
        "nginx_main_user",
        "",
        "User that Kong's workers would change to; mynah only warns if it runs as root instead",
        read!(worker_user, user),
    )
    .aliases(&["nginx_user"]),
    SettingRow::new(
        "nginx_worker_processes",
        "auto",
        "Threads that serve requests, 1 to 1024; `auto` is one per core",
        read!(worker_threads, value::threads),
    )
    .aliases(&["nginx_main_worker_processes"]),
];

/// Reads the path of a configuration, which is no configuration itself.
fn config_path(name: &str, given: &str) -> Result<Option<PathBuf>, SettingFault> {
    let begins_document = given.trim_start().starts_with(['{', '[']) && given.contains(['"', ':']);
    if begins_document || given.contains('\n') || given.contains("_format_version") {
        let help =
            "set declarative_config_string (KONG_DECLARATIVE_CONFIG_STRING) to the text, or name a file here";
        return Err(SettingFault::new(format!("{name} is a text, not the path of a file"), help));
    }
    text(name, given)
}

/// Reads the name of a user, which the name of a group may follow.
#[expect(clippy::unnecessary_wraps, reason = "other readers return errors")]
fn user(_: &str, text: &str) -> Result<Option<String>, SettingFault> {
    Ok(text.split_ascii_whitespace().next().map(str::to_owned))
}

/// Reads a list of names.
#[expect(clippy::unnecessary_wraps, reason = "other readers return errors")]
fn names(_: &str, text: &str) -> Result<Vec<String>, SettingFault> {
    Ok(value::list(text).into_iter().map(str::to_owned).collect())
}

fn database(name: &str, text: &str) -> Result<(), SettingFault> {
    let help = "write `off` or leave it out, and name a file by `declarative_config`";
    match text {
        "off" => Ok(()),
        "postgres" | "cassandra" => Err(SettingFault::new(
            format!("{name} is '{text}', but mynah is DB-less and uses no database"),
            help,
        )),
        _ => Err(SettingFault::new(
            format!("{name} has an invalid value: '{text}' (postgres, cassandra, off)"),
            help,
        )),
    }
}

fn role(name: &str, text: &str) -> Result<(), SettingFault> {
    let help = "write `traditional` or leave it out";
    match text {
        "traditional" => Ok(()),
        "data_plane" | "control_plane" => {
            Err(SettingFault::new(format!("{name} is '{text}', but mynah does not run in hybrid mode"), help))
        }
        _ => Err(SettingFault::new(
            format!("{name} has an invalid value: '{text}' (data_plane, control_plane, traditional)"),
            help,
        )),
    }
}
