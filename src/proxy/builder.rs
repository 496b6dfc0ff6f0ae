//! Construction of the proxy from the settings.

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use super::{
    Proxy, bounds::RequestBounds, client_address::RealIp, dns_options, error_responses::error_format,
    headers::HeaderTokens, request_body::BodyLimits,
};
use crate::{
    access_log::AccessLog,
    dns::DnsResolver,
    reply::ErrorTemplates,
    router::MatchFlavor,
    settings::{RouterFlavor, Settings},
    snapshot::LiveSnapshot,
    traffic::TrafficMonitor,
    upstream::{ConnectionPool, PoolSettings, ResponseHeadBounds},
};

impl Proxy {
    /// A proxy for the current Snapshot of `live`.
    #[must_use]
    pub fn new(live: Arc<LiveSnapshot>, settings: &Settings) -> Self {
        let pool = PoolSettings {
            idle_per_origin: settings.upstream_keepalive_pool_size,
            idle_timeout: settings.upstream_keepalive_idle_timeout.unwrap_or(Duration::MAX),
            max_requests: settings
                .upstream_keepalive_max_requests
                .map_or(u32::MAX, |most| u32::try_from(most.get()).unwrap_or(u32::MAX)),
            head_bounds: ResponseHeadBounds {
                bytes: settings.response_head_size.max(settings.response_buffers.size),
                fields: settings.max_response_headers,
            },
        };
        Self {
            pool: ConnectionPool::new(pool),
            resolver: DnsResolver::new(dns_options::dns_options(&settings.dns)),
            tokens: HeaderTokens::from(settings.headers),
            added_fields: settings.added_fields.clone(),
            upstream_request_id: settings.upstream_request_id,
            bounds: RequestBounds::from(settings),
            body_limits: BodyLimits {
                max_bytes: settings.client_max_body_size.map(NonZeroU64::get),
                max_pause: settings.client_body_timeout,
            },
            read_ahead_bytes: settings.client_body_buffer_size,
            buffers: live.current().resources().buffers.clone(),
            live,
            real_ip: RealIp::from(settings),
            port_maps: settings.port_maps.clone(),
            flavor: match settings.router_flavor {
                RouterFlavor::Traditional => MatchFlavor::Traditional,
                RouterFlavor::TraditionalCompatible => MatchFlavor::TraditionalCompatible,
                RouterFlavor::Expressions => MatchFlavor::Expressions,
            },
            error_format: error_format(settings.error_default_type),
            templates: None,
            access_log: None,
            traffic: None,
        }
    }

    /// The proxy with these templates of errors. (Kong: `error_template_html` and similar.)
    #[must_use]
    pub fn with_templates(mut self, templates: ErrorTemplates) -> Self {
        self.templates = (!templates.is_empty()).then(|| Arc::new(templates));
        self
    }

    /// The proxy with this log of requests.
    #[must_use]
    pub fn with_access_log(mut self, log: Option<Arc<AccessLog>>) -> Self {
        self.access_log = log;
        self
    }

    /// The proxy with this monitor of its traffic.
    #[must_use]
    pub fn with_traffic_monitor(mut self, monitor: Option<Arc<TrafficMonitor>>) -> Self {
        self.traffic = monitor;
        self
    }
}
