//! Definitions of all metrics: names, types and help lines, under Kong's names where they mean the same.
//! (Kong: Prometheus plugin, "Available metrics"; Prometheus: "Writing client libraries", process metrics.)

use super::MetricKind::{self, Counter, Gauge, Histogram};

/// Name, type and help line of a metric.
#[derive(Clone, Copy, Debug)]
pub struct MetricDefinition {
    /// The name, without the suffixes of histograms.
    pub name: &'static str,
    /// The type.
    pub kind: MetricKind,
    /// The help: one line.
    pub help: &'static str,
}

const fn metric(name: &'static str, kind: MetricKind, help: &'static str) -> MetricDefinition {
    MetricDefinition { name, kind, help }
}

// The node.

/// Id and version of the node, as labels.
pub const NODE_INFO: MetricDefinition = metric("kong_node_info", Gauge, "Kong Node metadata information");
/// Always 1: there is no database that could be unreachable.
pub const DATASTORE_REACHABLE: MetricDefinition =
    metric("kong_datastore_reachable", Gauge, "Datastore reachable from Kong, 0 is unreachable");
/// Connections of clients by state.
pub const CONNECTIONS: MetricDefinition =
    metric("kong_nginx_connections_total", Gauge, "Number of connections by subsystem");
/// Requests of clients.
pub const REQUESTS: MetricDefinition = metric("kong_nginx_requests_total", Gauge, "Total number of requests");
/// Whether the process is ending.
pub const DRAINING: MetricDefinition =
    metric("mynah_draining", Gauge, "Whether the last requests are being served");
/// Age of the process.
pub const UPTIME_SECONDS: MetricDefinition = metric("mynah_uptime_seconds", Gauge, "Seconds since the start");

// Memory that requests share.

/// Bytes of buffered bodies.
pub const BODY_MEMORY_BYTES: MetricDefinition =
    metric("mynah_body_memory_bytes", Gauge, "Bytes of bodies that are held, of at most max_body_memory");
/// Bodies that were refused for lack of memory.
pub const BODY_MEMORY_REFUSED: MetricDefinition =
    metric("mynah_body_memory_refused_total", Counter, "Bodies for which max_body_memory had no room");
/// Bytes of the counters of rate limits.
pub const RATE_LIMITING_MEMORY_BYTES: MetricDefinition = metric(
    "mynah_rate_limiting_memory_bytes",
    Gauge,
    "Bytes of counters of clients, of at most max_rate_limiting_memory",
);
/// Bytes of stored responses.
pub const RESPONSE_CACHE_BYTES: MetricDefinition = metric(
    "mynah_response_cache_bytes",
    Gauge,
    "Bytes of the stored responses of proxy-cache, of at most mem_cache_size",
);

// The configuration.

/// Successful loads.
pub const CONFIG_LOADS: MetricDefinition =
    metric("mynah_config_loads_total", Counter, "Configurations made current");
/// Entities in quarantine.
pub const QUARANTINED_ENTITIES: MetricDefinition = metric(
    "mynah_quarantined_entities",
    Gauge,
    "Entities with errors that are kept out of the configuration",
);
/// Whether the last good configuration of the disk is live.
pub const LAST_GOOD_LIVE: MetricDefinition = metric(
    "mynah_last_good_config_live",
    Gauge,
    "Whether the last good configuration of the disk is served, since the source could not be used at the start",
);
/// Configurations that could not be kept.
pub const LAST_GOOD_FAILURES: MetricDefinition = metric(
    "mynah_last_good_config_failures_total",
    Counter,
    "Current configurations that could not be kept on the disk",
);
/// Refused loads.
pub const CONFIG_FAILURES: MetricDefinition =
    metric("mynah_config_failures_total", Counter, "Configurations refused");
/// Generation of the live Snapshot.
pub const CONFIG_GENERATION: MetricDefinition =
    metric("mynah_config_generation", Gauge, "The current configuration");
/// Snapshots that are not freed yet.
pub const CONFIGS_HELD: MetricDefinition = metric(
    "mynah_configs_held",
    Gauge,
    "Configurations in memory: the current one, and those that requests on their way still use",
);
/// Entities by collection.
pub const ENTITIES: MetricDefinition = metric("mynah_entities", Gauge, "Entities that are declared");

// The process.

/// Resident memory.
pub const RESIDENT_MEMORY_BYTES: MetricDefinition =
    metric("process_resident_memory_bytes", Gauge, "Resident memory size in bytes");
/// Open file descriptors.
pub const OPEN_FDS: MetricDefinition = metric("process_open_fds", Gauge, "Number of open file descriptors");

// The requests of each Route.

/// Requests by status.
pub const HTTP_REQUESTS: MetricDefinition =
    metric("kong_http_requests_total", Counter, "HTTP status codes per consumer/service/route in Kong");
/// Bytes in and out.
pub const BANDWIDTH_BYTES: MetricDefinition =
    metric("kong_bandwidth_bytes", Counter, "Total bandwidth (ingress/egress) throughput in bytes");
/// Time spent in the gateway.
pub const KONG_LATENCY_MS: MetricDefinition =
    metric("kong_kong_latency_ms", Histogram, "Latency added by Kong in ms for each service/route in Kong");
/// Time until the upstream has answered.
pub const UPSTREAM_LATENCY_MS: MetricDefinition = metric(
    "kong_upstream_latency_ms",
    Histogram,
    "Latency added by upstream response in ms for each service/route in Kong",
);
/// Time of the whole request.
pub const REQUEST_LATENCY_MS: MetricDefinition = metric(
    "kong_request_latency_ms",
    Histogram,
    "Total latency incurred during requests in ms for each service/route in Kong",
);

// The targets of Upstreams.

/// Health of each target.
pub const UPSTREAM_TARGET_HEALTH: MetricDefinition = metric(
    "kong_upstream_target_health",
    Gauge,
    "Health status of targets of upstream. States = healthchecks_off|healthy|unhealthy|dns_error, value is 1 when \
     state is populated.",
);
