//! Process settings, under Kong's names.
//!
//! The value of a setting is the first of: command line, environment (`KONG_<NAME>`, `MYNAH_<NAME>`), kong.conf, default.
//! An empty value unsets the layers below it, so that the default holds. [`Settings::load`] is the only entry: no other
//! function reads the environment or a kong.conf.
//!
//! | file | contents |
//! |---|---|
//! | `rows` | the settings that mynah honours: name, default, description, reader |
//! | `names` | all names: settings that mynah honours, ignores, or does not support |
//! | `guards` | unsupported settings that restrict access, which are errors |
//! | `layers`, `conf` | the given values, and the format of kong.conf |
//! | `load` | reading, checks across settings, warnings |
//! | `value`, `directive` | readers of values, in Kong's and in nginx's notation |
//! | the others | types of settings and their readers |
//!
//! A new setting is a row in `rows`, a field here and its value in `defaults`.

mod added_fields;
mod admin;
mod choice;
mod client_certificates;
mod conf;
mod defaults;
mod directive;
mod dns;
mod error;
mod guards;
mod headers;
mod layers;
mod listen;
mod load;
mod log_format;
mod names;
mod network;
mod rows;
mod tls;
mod value;

pub use added_fields::AddedField;
pub use admin::{AdminToken, AllowedHost};
pub use choice::{
    AccessLogFormat, AccessLogTarget, ConfigErrorAction, ErrorTemplateFiles, ErrorType, LogLevel,
    PluginSelection, RealIpHeader, RouteMatchCalculation, RouterFlavor, UntrustedLua,
};
pub use client_certificates::{ClientCertificates, VerifyClient};
pub use directive::HeaderBuffers;
pub use dns::{DnsOrder, DnsSettings};
pub use error::{SettingOrigin, SettingsError, WrongSetting};
pub use headers::{ResponseHeader, ResponseHeaders};
pub use listen::{Listener, SocketKeepAlive};
pub use load::LoadedSettings;
pub use log_format::{LogEscape, LogPart, LogTemplate};
pub use names::supported;
pub use network::{PortMaps, TrustedIps};
pub use rows::SettingRow;
pub use tls::{CertificateFiles, CipherNames, CipherSuite, ListenerTls, TlsProtocols};

use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

/// All settings of the process, valid. Each field names its setting, which `rows` describes.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that the user knows by its name")]
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `declarative_config`.
    pub declarative_config: Option<PathBuf>,
    /// `declarative_config_string`; never set together with the file, which takes precedence.
    pub declarative_config_string: Option<String>,
    /// `declarative_config_on_error`.
    pub on_config_error: ConfigErrorAction,
    /// `env_substitution`.
    pub env_substitution: bool,
    /// `specs_dir`; none for the caller's default.
    pub specs_dir: Option<PathBuf>,
    /// `proxy_listen`; empty for `off`.
    pub proxy_listen: Vec<Listener>,
    /// `admin_listen`; empty for `off`.
    pub admin_listen: Vec<Listener>,
    /// `status_listen`; empty for `off`.
    pub status_listen: Vec<Listener>,
    /// `nginx_http_http2_max_concurrent_streams`.
    pub http2_streams: NonZeroU32,
    /// `ssl_*`, `admin_ssl_*`, `status_ssl_*`, `client_ssl*`, `lua_ssl_*`, `nginx_*_ssl_*`.
    pub tls: ListenerTls,
    /// `admin_writes`.
    pub admin_writes: bool,
    /// `admin_token`; none for no token.
    pub admin_token: Option<AdminToken>,
    /// `admin_allowed_hosts` and the hosts of `admin_gui_api_url`.
    pub admin_allowed_hosts: Vec<AllowedHost>,
    /// `admin_gui_url`; empty if no page may use the Admin API.
    pub admin_gui_url: Vec<String>,
    /// `log_level`.
    pub log_level: LogLevel,
    /// `proxy_access_log`.
    pub proxy_access_log: AccessLogTarget,
    /// `admin_access_log`. (Kong's default is a file.)
    pub admin_access_log: AccessLogTarget,
    /// `access_log_format`.
    pub access_log_format: AccessLogFormat,
    /// `nginx_http_log_format`.
    pub log_format: Option<LogTemplate>,
    /// Format that `proxy_access_log` names after its destination; none for `access_log_format`.
    pub proxy_log_template: Option<LogTemplate>,
    /// Format that `admin_access_log` names after its destination; none for `access_log_format`.
    pub admin_log_template: Option<LogTemplate>,
    /// `access_log_query`.
    pub access_log_query: bool,
    /// `headers`.
    pub headers: ResponseHeaders,
    /// `nginx_proxy_add_header`.
    pub added_fields: Vec<AddedField>,
    /// `headers_upstream`: whether `X-Kong-Request-Id` is added.
    pub upstream_request_id: bool,
    /// `allow_debug_header`.
    pub allow_debug_header: bool,
    /// `error_default_type`.
    pub error_default_type: ErrorType,
    /// `error_template_html`, `error_template_json`, `error_template_xml`, `error_template_plain`.
    pub error_templates: ErrorTemplateFiles,
    /// `trusted_ips`.
    pub trusted_ips: TrustedIps,
    /// `nginx_proxy_set_real_ip_from`: peers whose `real_ip_header` is trusted, beside `trusted_ips`.
    pub real_ip_from: TrustedIps,
    /// `real_ip_header`.
    pub real_ip_header: RealIpHeader,
    /// `real_ip_recursive`.
    pub real_ip_recursive: bool,
    /// `port_maps`.
    pub port_maps: PortMaps,
    /// `nginx_http_client_max_body_size`, in bytes; none for no limit.
    pub client_max_body_size: Option<NonZeroU64>,
    /// `nginx_admin_client_max_body_size`, in bytes; none for no limit but the fixed ones.
    pub admin_max_body_size: Option<NonZeroU64>,
    /// `nginx_http_client_body_buffer_size`, in bytes. (Kong's default is 8 KiB, and a file for the rest.)
    pub client_body_buffer_size: usize,
    /// `max_body_memory`, in bytes.
    pub body_memory: usize,
    /// `max_rate_limiting_memory`, in bytes.
    pub rate_limiting_memory: usize,
    /// `mem_cache_size`, in bytes.
    pub response_cache_memory: usize,
    /// `rate_limiting_ipv6_prefix`, 1 to 128.
    pub rate_limiting_ipv6_prefix: u8,
    /// `nginx_http_large_client_header_buffers`.
    pub large_client_header_buffers: HeaderBuffers,
    /// `max_headers`. The default costs least.
    pub max_headers: usize,
    /// `nginx_http_client_header_timeout`. (nginx's default is 60 seconds.)
    pub client_header_timeout: Duration,
    /// `nginx_http_client_body_timeout`.
    pub client_body_timeout: Duration,
    /// `nginx_http_send_timeout`.
    pub send_timeout: Duration,
    /// `nginx_http_keepalive_timeout`; none if no connection is kept.
    pub keepalive_timeout: Option<Duration>,
    /// `nginx_http_keepalive_requests`; none for no limit.
    pub keepalive_requests: Option<NonZeroU64>,
    /// `nginx_events_worker_connections`; none for `auto`.
    pub worker_connections: Option<NonZeroUsize>,
    /// `max_concurrent_requests`; none for `auto`: half of the files, as each request may need a connection to an upstream.
    pub concurrent_requests: Option<NonZeroUsize>,
    /// `nginx_daemon`: whether `kong start` leaves the gateway in the background.
    pub nginx_daemon: bool,
    /// `vault_env_prefix`: how the names of variables begin for `{vault://env/...}`.
    pub vault_env_prefix: String,
    /// `shutdown_delay`.
    pub shutdown_delay: Duration,
    /// `prefix`; none if no files of the process are kept.
    pub prefix: Option<PathBuf>,
    /// `graceful_timeout`.
    pub graceful_timeout: Duration,
    /// `nginx_proxy_proxy_buffer_size`, in bytes. (nginx's default is a page of memory.)
    pub response_head_size: usize,
    /// `nginx_proxy_proxy_buffers`.
    pub response_buffers: HeaderBuffers,
    /// `max_response_headers`.
    pub max_response_headers: usize,
    /// `upstream_keepalive_pool_size`; 0 if no connection is kept.
    pub upstream_keepalive_pool_size: usize,
    /// `upstream_keepalive_max_requests`; none for no limit.
    pub upstream_keepalive_max_requests: Option<NonZeroU64>,
    /// `upstream_keepalive_idle_timeout`; none for no limit.
    pub upstream_keepalive_idle_timeout: Option<Duration>,
    /// `dns_*`.
    pub dns: DnsSettings,
    /// `router_flavor`.
    pub router_flavor: RouterFlavor,
    /// `route_match_calculation`. (A setting of Kong's Enterprise edition.)
    pub route_match_calculation: RouteMatchCalculation,
    /// `plugins`.
    pub plugins: PluginSelection,
    /// `untrusted_lua`.
    pub untrusted_lua: UntrustedLua,
    /// `untrusted_lua_sandbox_requires`: modules that snippets may load. Those that are here may always be loaded.
    pub untrusted_lua_requires: Vec<String>,
    /// `untrusted_lua_sandbox_environment`: global names for snippets. Those that are here are always there.
    pub untrusted_lua_environment: Vec<String>,
    /// `nginx_main_user`; none if unset.
    pub worker_user: Option<String>,
    /// `nginx_worker_processes`; none for `auto`.
    pub worker_threads: Option<NonZeroUsize>,
}
