//! TOLD: what the process is told when it starts, under Kong's names.
//!
//! A setting is looked for on the command line, then in the environment as `KONG_<NAME>`, then in kong.conf, then
//! in the default; the first that gives it decides. An empty value unsets what lies below it, so that the default
//! holds. Everything comes in through [`Settings::load`]: nothing here reads the environment of the process.
//!
//! A new setting is a row in `names`, a field here, its default in `defaults`, and a line in `load`.

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
mod names;
mod network;
mod tls;
mod value;

pub use admin::{AdminToken, HostPattern};
pub use choice::{
    AccessLogFormat, AccessLogTarget, ErrorTemplateFiles, ErrorType, LogLevel, PluginSelection, RealIpHeader,
    RouteMatchCalculation, RouterFlavor,
};
pub use client_certificates::{ClientCertificates, VerifyClient};
pub use directive::HeaderBuffers;
pub use dns::{DnsOrder, DnsSettings};
pub use error::{SettingOrigin, SettingsError, WrongSetting};
pub use headers::{ResponseHeader, ResponseHeaders};
pub use listen::{Listener, SocketKeepAlive};
pub use load::{LoadedSettings, supported};
pub use network::{PortMaps, TrustedIps};
pub use tls::{CertificateFiles, CipherNames, CipherSuite, ListenerTls, TlsProtocols};

use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

/// What the process is told, checked.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that the user knows by its name")]
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `declarative_config`: the file that says what is served; by default none.
    pub declarative_config: Option<PathBuf>,
    /// `declarative_config_string`: the same as text; never set together with the file, which wins.
    pub declarative_config_string: Option<String>,
    /// `env_substitution`: whether `${NAME}` in the configuration is an environment variable (ours); by default off.
    pub env_substitution: bool,
    /// `specs_dir`: the folder that API documents named by plugins are read from (ours); by default none is told
    /// and the caller decides.
    pub specs_dir: Option<PathBuf>,
    /// `proxy_listen`: where requests come in; by default `0.0.0.0:8000, 0.0.0.0:8443 http2 ssl`, empty for `off`.
    pub proxy_listen: Vec<Listener>,
    /// `admin_listen`: where the Admin API listens; by default `127.0.0.1:8001, 127.0.0.1:8444 http2 ssl`, empty for
    /// `off`.
    pub admin_listen: Vec<Listener>,
    /// `status_listen`: where `/status` and `/metrics` are served to strangers; by default `off`, which is empty.
    pub status_listen: Vec<Listener>,
    /// `nginx_http_http2_max_concurrent_streams`: how many streams of HTTP/2 a client may have open, at least 1; by
    /// default 128, as nginx's.
    pub http2_streams: NonZeroU32,
    /// How TLS is spoken: `ssl_cert` and its like.
    pub tls: ListenerTls,
    /// `admin_writes`: whether entities may be written through the Admin API, which Kong refuses without a
    /// database (ours); by default on.
    pub admin_writes: bool,
    /// `admin_token`, or `MYNAH_ADMIN_TOKEN`: what every client of the Admin API has to show (ours); by default
    /// nothing.
    pub admin_token: Option<AdminToken>,
    /// `admin_allowed_hosts` (ours) and `admin_gui_api_url`: further names that the Admin API and the status are asked
    /// for by; by default none.
    pub admin_allowed_hosts: Vec<HostPattern>,
    /// `admin_gui_url`: the origins of pages that may use the Admin API; by default none may.
    pub admin_gui_url: Vec<String>,
    /// `log_level`: the least grave message that is logged; by default `notice`.
    pub log_level: LogLevel,
    /// `proxy_access_log`: where one line for each request goes; by default `/dev/stdout`.
    pub proxy_access_log: AccessLogTarget,
    /// `admin_access_log`: the same for requests to the Admin API and the status; by default `off` (Kong: a file).
    pub admin_access_log: AccessLogTarget,
    /// `access_log_format`: how a line of these logs reads (ours); by default `combined`.
    pub access_log_format: AccessLogFormat,
    /// `access_log_query`: whether such a line shows queries, which may hold secrets (ours); by default it does not.
    pub access_log_query: bool,
    /// `headers`: which headers are added to answers; by default `server_tokens, latency_tokens,
    /// X-Kong-Request-Id`.
    pub headers: ResponseHeaders,
    /// `headers_upstream`: whether `X-Kong-Request-Id` is sent to services; by default it is.
    pub upstream_request_id: bool,
    /// `allow_debug_header`: whether `Kong-Debug: 1` makes answers name their route and service; by default off.
    pub allow_debug_header: bool,
    /// `error_default_type`: the type of error bodies for clients that ask for none; by default `text/plain`.
    pub error_default_type: ErrorType,
    /// `error_template_html` and its like: files that say what error bodies look like; by default none.
    pub error_templates: ErrorTemplateFiles,
    /// `trusted_ips`: peers whose `X-Forwarded-*` headers are believed; by default nobody.
    pub trusted_ips: TrustedIps,
    /// `real_ip_header`: where a trusted peer names the client; by default `X-Real-IP`.
    pub real_ip_header: RealIpHeader,
    /// `real_ip_recursive`: whether the client is the last address of the header that is not trusted, instead of
    /// simply the last; by default off.
    pub real_ip_recursive: bool,
    /// `port_maps`: the ports that clients see, where they differ from those of the listeners; by default none.
    pub port_maps: PortMaps,
    /// `nginx_http_client_max_body_size`: the largest request body in bytes; by default (`0`) there is no limit.
    pub client_max_body_size: Option<NonZeroU64>,
    /// `nginx_admin_client_max_body_size`: the largest body of a request of the Admin API in bytes, below the bounds that
    /// it has anyway; by default nothing more.
    pub admin_max_body_size: Option<NonZeroU64>,
    /// `nginx_http_client_body_buffer_size`: how much of a request's body is read before its upstream is asked for,
    /// if the Route wants it so; by default 64 KiB (Kong: 8 KiB, and the rest in a file).
    pub client_body_buffer_size: usize,
    /// `max_body_memory`: how many bytes of bodies are held at a time, for all requests together (ours); by default
    /// 256 MiB.
    pub body_memory: usize,
    /// `max_rate_limiting_memory`: how many bytes counters of clients take, for all `rate-limiting` plugins together
    /// (ours); by default 64 MiB.
    pub rate_limiting_memory: usize,
    /// `rate_limiting_ipv6_prefix`: how many bits of an IPv6 address tell clients apart, 1 to 128 (ours); by default all.
    pub rate_limiting_ipv6_prefix: u8,
    /// `nginx_http_large_client_header_buffers`: how large the head of a request may be; by default `4 8k`.
    pub large_client_header_buffers: HeaderBuffers,
    /// `max_headers`: how many fields a request may have (ours); by default 100, which costs least.
    pub max_headers: usize,
    /// `nginx_http_client_header_timeout`: how long a client may take for the head of a request, and for its first
    /// byte on a new connection; by default 10 seconds (nginx: 60).
    pub client_header_timeout: Duration,
    /// `nginx_http_client_body_timeout`: how long a client may pause in the body of a request; by default 60 seconds.
    pub client_body_timeout: Duration,
    /// `nginx_http_send_timeout`: how long a client may leave an answer unread; by default 60 seconds.
    pub send_timeout: Duration,
    /// `nginx_http_keepalive_timeout`: how long a connection is kept for the next request; by default 75 seconds, and
    /// with `0` none is kept.
    pub keepalive_timeout: Option<Duration>,
    /// `nginx_http_keepalive_requests`: how many requests a connection serves; by default 10000, and with `0` there is
    /// no limit.
    pub keepalive_requests: Option<NonZeroU64>,
    /// `nginx_events_worker_connections`: how many connections of clients may be open at once; by default (`auto`)
    /// half of what the process may open.
    pub worker_connections: Option<NonZeroUsize>,
    /// `max_concurrent_requests`: how many requests of the proxy are answered at a time (ours); by default (`auto`) half
    /// of the files that the process may open, as each may need a connection to an upstream.
    pub concurrent_requests: Option<NonZeroUsize>,
    /// `graceful_timeout`: how long open requests may take to finish once the process is asked to stop, in whole
    /// seconds (ours); by default 30.
    pub graceful_timeout: Duration,
    /// `upstream_keepalive_pool_size`: how many idle connections are kept for each upstream host; by default 512,
    /// and with 0 none is kept.
    pub upstream_keepalive_pool_size: usize,
    /// `upstream_keepalive_max_requests`: how many requests a connection to an upstream serves before it is
    /// closed; by default 10000, and with `0` there is no limit.
    pub upstream_keepalive_max_requests: Option<NonZeroU64>,
    /// `upstream_keepalive_idle_timeout`: how long an idle connection is kept, in seconds; by default 60, and with
    /// `0` it is kept for ever.
    pub upstream_keepalive_idle_timeout: Option<Duration>,
    /// `dns_*`: how names of upstreams are looked up.
    pub dns: DnsSettings,
    /// `router_flavor`: the router's dialect; by default `traditional_compatible`.
    pub router_flavor: RouterFlavor,
    /// `route_match_calculation`: whether ties between routes are broken as Kong does, or as its documentation says
    /// (known to Kong's Enterprise edition); by default `original`.
    pub route_match_calculation: RouteMatchCalculation,
    /// `plugins`: which plugins may be used; by default `bundled`.
    pub plugins: PluginSelection,
    /// `nginx_main_user`: the user that a process of root is to become, which this one does not; by default none is named.
    pub worker_user: Option<String>,
    /// `nginx_worker_processes`: how many threads serve, 1 to 1024; by default (`auto`) one for each core.
    pub worker_threads: Option<NonZeroUsize>,
}
