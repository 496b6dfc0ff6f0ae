//! Defaults of [`Settings`] as values; a test of `load` compares them with the rows. They are Kong's but for logs.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use super::{
    AccessLogFormat, AccessLogTarget, ConfigErrorAction, DnsSettings, ErrorTemplateFiles, ErrorType,
    HeaderBuffers, Listener, ListenerTls, LogLevel, PluginSelection, PortMaps, RealIpHeader, ResponseHeaders,
    RouteMatchCalculation, RouterFlavor, Settings, TrustedIps, UntrustedLua,
};

impl Default for Settings {
    fn default() -> Self {
        let listen = |address: Ipv4Addr, plain, tls| {
            let plain_at = |port| Listener::plain(SocketAddr::new(IpAddr::V4(address), port));
            vec![plain_at(plain), Listener { tls: true, http2: true, ..plain_at(tls) }]
        };
        Self {
            declarative_config: None,
            declarative_config_string: None,
            on_config_error: ConfigErrorAction::Refuse,
            env_substitution: false,
            specs_dir: None,
            proxy_listen: listen(Ipv4Addr::UNSPECIFIED, 8000, 8443),
            admin_listen: listen(Ipv4Addr::LOCALHOST, 8001, 8444),
            status_listen: Vec::new(),
            http2_streams: NonZeroU32::new(128).unwrap_or(NonZeroU32::MIN),
            tls: ListenerTls::default(),
            admin_writes: true,
            admin_token: None,
            admin_allowed_hosts: Vec::new(),
            admin_gui_url: Vec::new(),
            log_level: LogLevel::Notice,
            proxy_access_log: AccessLogTarget::Stdout,
            admin_access_log: AccessLogTarget::Off,
            access_log_format: AccessLogFormat::Combined,
            log_format: None,
            proxy_log_template: None,
            admin_log_template: None,
            access_log_query: false,
            headers: ResponseHeaders::default(),
            added_fields: Vec::new(),
            upstream_request_id: true,
            allow_debug_header: false,
            error_default_type: ErrorType::Plain,
            error_templates: ErrorTemplateFiles::default(),
            trusted_ips: TrustedIps::default(),
            real_ip_from: TrustedIps::default(),
            real_ip_header: RealIpHeader::default(),
            real_ip_recursive: false,
            port_maps: PortMaps::default(),
            client_max_body_size: None,
            admin_max_body_size: None,
            client_body_buffer_size: 64 << 10,
            body_memory: 256 << 20,
            rate_limiting_memory: 64 << 20,
            response_cache_memory: 128 << 20,
            rate_limiting_ipv6_prefix: 128,
            large_client_header_buffers: HeaderBuffers::default(),
            max_headers: 100,
            client_header_timeout: Duration::from_secs(10),
            client_body_timeout: Duration::from_mins(1),
            send_timeout: Duration::from_mins(1),
            keepalive_timeout: Some(Duration::from_secs(75)),
            keepalive_requests: NonZeroU64::new(10_000),
            worker_connections: None,
            concurrent_requests: None,
            nginx_daemon: true,
            vault_env_prefix: String::new(),
            shutdown_delay: Duration::ZERO,
            prefix: None,
            graceful_timeout: Duration::from_secs(30),
            response_head_size: 64 << 10,
            response_buffers: HeaderBuffers { number: 8, size: 8 << 10 },
            max_response_headers: 1000,
            upstream_keepalive_pool_size: 512,
            upstream_keepalive_max_requests: NonZeroU64::new(10_000),
            upstream_keepalive_idle_timeout: Some(Duration::from_mins(1)),
            dns: DnsSettings::default(),
            router_flavor: RouterFlavor::TraditionalCompatible,
            route_match_calculation: RouteMatchCalculation::Original,
            plugins: PluginSelection::default(),
            untrusted_lua: UntrustedLua::Sandbox,
            untrusted_lua_requires: Vec::new(),
            untrusted_lua_environment: Vec::new(),
            worker_user: None,
            worker_threads: None,
        }
    }
}
