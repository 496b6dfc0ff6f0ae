//! `/metrics`: what the node knows of itself and of its requests, for Prometheus, under Kong's names where they mean
//! the same. (Kong: Prometheus plugin, "Available metrics".)

use std::collections::BTreeMap;

use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

use super::AdminApi;
use crate::{
    balancer::ReportedHealth,
    body::Body,
    metrics::{MetricKind, MetricsText, RouteMetrics},
    reply,
    snapshot::Snapshot,
};

/// Everything is in Kong's only workspace.
const WORKSPACE: (&str, &str) = ("workspace", "default");

impl AdminApi {
    pub(super) fn metrics(&self) -> Response<Body> {
        let snapshot = self.control.live().current();
        let mut text = MetricsText::default();
        self.node_metrics(&mut text);
        self.configuration_metrics(&mut text, &snapshot);
        process_metrics(&mut text);
        request_metrics(&mut text, &snapshot);
        latency_metrics(&mut text, &snapshot);
        if snapshot.metric_groups().upstream_health {
            health_metrics(&mut text, &snapshot);
        }
        let mut response = reply::json(StatusCode::OK, text.into_text());
        let kind = HeaderValue::from_static("text/plain; charset=UTF-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }

    fn node_metrics(&self, text: &mut MetricsText) {
        let id = self.node_id.to_string();
        text.metric("kong_node_info", MetricKind::Gauge, "Kong Node metadata information");
        text.sample("kong_node_info", &[("node_id", &id), ("version", env!("CARGO_PKG_VERSION"))], 1);
        let help = "Datastore reachable from Kong, 0 is unreachable";
        text.single("kong_datastore_reachable", MetricKind::Gauge, help, 1);
        let doing = self.connections.states();
        let name = "kong_nginx_connections_total";
        text.metric(name, MetricKind::Gauge, "Number of connections by subsystem");
        for (state, value) in [
            ("accepted", doing.accepted),
            ("active", doing.active()),
            ("handled", doing.accepted),
            ("reading", doing.reading),
            ("total", doing.requests),
            ("waiting", doing.waiting),
            ("writing", doing.writing),
        ] {
            text.sample(name, &[("node_id", &id), ("subsystem", "http"), ("state", state)], value);
        }
        let name = "kong_nginx_requests_total";
        text.metric(name, MetricKind::Gauge, "Total number of requests");
        text.sample(name, &[("node_id", &id), ("subsystem", "http")], doing.requests);
        let draining = u8::from(self.ready.is_draining());
        text.single(
            "mynah_draining",
            MetricKind::Gauge,
            "Whether the last requests are being served",
            draining,
        );
        let uptime = self.started.elapsed().as_secs();
        text.single("mynah_uptime_seconds", MetricKind::Gauge, "Seconds since the start", uptime);
        self.memory_metrics(text);
    }

    /// The budgets of memory that requests share.
    fn memory_metrics(&self, text: &mut MetricsText) {
        let snapshot = self.control.live().current();
        let bodies = snapshot.resources().buffers.memory();
        let help = "Bytes of bodies that are held, of at most max_body_memory";
        text.single("mynah_body_memory_bytes", MetricKind::Gauge, help, bodies.held());
        let help = "Bodies for which max_body_memory had no room";
        let counters = snapshot.resources().counters.held();
        let what = "Bytes of counters of clients, of at most max_rate_limiting_memory";
        text.single("mynah_rate_limiting_memory_bytes", MetricKind::Gauge, what, counters);
        text.single("mynah_body_memory_refused_total", MetricKind::Counter, help, bodies.refused());
    }

    fn configuration_metrics(&self, text: &mut MetricsText, snapshot: &Snapshot) {
        let state = self.control.state();
        let (loads, failures) = (state.loads, state.failures);
        text.single("mynah_config_loads_total", MetricKind::Counter, "Configurations made current", loads);
        text.single("mynah_config_failures_total", MetricKind::Counter, "Configurations refused", failures);
        let generation = snapshot.generation;
        text.single("mynah_config_generation", MetricKind::Gauge, "The current configuration", generation);
        let held = self.control.live().count_in_memory();
        let what =
            "Configurations in memory: the current one, and those that requests on their way still use";
        text.single("mynah_configs_held", MetricKind::Gauge, what, held);
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for record in &snapshot.entities.records {
            *counts.entry(record.collection()).or_default() += 1;
        }
        text.metric("mynah_entities", MetricKind::Gauge, "Entities that are declared");
        for (name, count) in counts {
            text.sample("mynah_entities", &[("entity", name)], count);
        }
    }
}

/// What Prometheus' own libraries tell of a process, as far as the system says it.
/// (Prometheus: "Writing client libraries", process metrics.)
fn process_metrics(text: &mut MetricsText) {
    if let Some(kib) = resident_kib() {
        let name = "process_resident_memory_bytes";
        text.single(name, MetricKind::Gauge, "Resident memory size in bytes", kib << 10);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        text.single("process_open_fds", MetricKind::Gauge, "Number of open file descriptors", open.count());
    }
}

/// The memory that the process holds, in KiB, where the system tells it.
pub(super) fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    resident.trim().strip_suffix(" kB")?.trim().parse().ok()
}

fn request_metrics(text: &mut MetricsText, snapshot: &Snapshot) {
    let told: Vec<_> = snapshot.route_metrics().map(|it| (it, it.counters().requests())).collect();
    let name = "kong_http_requests_total";
    if told.iter().any(|(counting, _)| counting.groups().statuses) {
        text.metric(name, MetricKind::Counter, "HTTP status codes per consumer/service/route in Kong");
    }
    for (counting, requests) in told.iter().filter(|(counting, _)| counting.groups().statuses) {
        let [service, route] = labels(counting);
        for one in requests {
            for ((code, source), count) in &one.statuses {
                let code = code.to_string();
                let consumer = ("consumer", one.consumer.as_str());
                let all = [service, route, ("code", &code), ("source", source), WORKSPACE, consumer];
                text.sample(name, &all, count);
            }
        }
    }
    let name = "kong_bandwidth_bytes";
    if told.iter().any(|(counting, _)| counting.groups().bandwidth) {
        text.metric(name, MetricKind::Counter, "Total bandwidth (ingress/egress) throughput in bytes");
    }
    for (counting, requests) in told.iter().filter(|(counting, _)| counting.groups().bandwidth) {
        let [service, route] = labels(counting);
        for one in requests.iter().filter(|it| it.ingress > 0) {
            for (direction, bytes) in [("ingress", one.ingress), ("egress", one.egress)] {
                let consumer = ("consumer", one.consumer.as_str());
                let all = [service, route, ("direction", direction), WORKSPACE, consumer];
                text.sample(name, &all, bytes);
            }
        }
    }
}

fn latency_metrics(text: &mut MetricsText, snapshot: &Snapshot) {
    let timed = snapshot.route_metrics().filter(|it| it.groups().latencies);
    let told: Vec<_> = timed.map(|it| (labels(it), it.counters().latencies())).collect();
    if told.is_empty() {
        return;
    }
    for (name, help, at) in [
        ("kong_kong_latency_ms", "Latency added by Kong in ms for each service/route in Kong", 0),
        (
            "kong_upstream_latency_ms",
            "Latency added by upstream response in ms for each service/route in Kong",
            1,
        ),
        (
            "kong_request_latency_ms",
            "Total latency incurred during requests in ms for each service/route in Kong",
            2,
        ),
    ] {
        text.metric(name, MetricKind::Histogram, help);
        for ([service, route], latencies) in &told {
            let observed = [&latencies.gateway, &latencies.upstream, &latencies.request][at];
            if observed.count > 0 {
                text.histogram(name, &[*service, *route, WORKSPACE], observed);
            }
        }
    }
}

fn health_metrics(text: &mut MetricsText, snapshot: &Snapshot) {
    let name = "kong_upstream_target_health";
    text.metric(
        name,
        MetricKind::Gauge,
        "Health status of targets of upstream. States = healthchecks_off|healthy|unhealthy|dns_error, value is 1 when \
         state is populated.",
    );
    for (upstream, balancer) in snapshot.entities.upstreams.iter().zip(snapshot.balancers()) {
        for target in balancer.report() {
            let place = format!("{}:{}", target.host, target.port);
            let mut addresses: Vec<(String, ReportedHealth)> =
                target.addresses.iter().map(|it| (it.address.to_string(), it.verdict)).collect();
            if addresses.is_empty() {
                addresses.push((String::new(), target.verdict));
            }
            for (address, verdict) in addresses {
                for state in [
                    ReportedHealth::Unchecked,
                    ReportedHealth::Healthy,
                    ReportedHealth::Unhealthy,
                    ReportedHealth::NoAddress,
                ] {
                    let labels = [
                        ("upstream", upstream.name.as_str()),
                        ("target", &place),
                        ("address", &address),
                        ("state", &state.name().to_ascii_lowercase()),
                        ("subsystem", "http"),
                    ];
                    text.sample(name, &labels, u8::from(state == verdict));
                }
            }
        }
    }
}

fn labels(counting: &RouteMetrics) -> [(&'static str, &str); 2] {
    let counters = counting.counters();
    [("service", &counters.service), ("route", &counters.route)]
}
