//! `/metrics`: state of the node and counters of its requests, in Prometheus' text format. Names and help lines are in
//! `metrics::definitions`. (Kong: Prometheus plugin, "Available metrics".)

use std::collections::BTreeMap;

use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

use super::AdminApi;
use crate::{
    balancer::ReportedHealth,
    body::Body,
    metrics::{MetricsText, RouteMetrics, definitions},
    reply,
    snapshot::Snapshot,
};

/// All entities are in Kong's default workspace, the only one.
const WORKSPACE: (&str, &str) = ("workspace", "default");

impl AdminApi {
    /// Reports all metrics.
    pub(super) fn metrics(&self) -> Response<Body> {
        let snapshot = self.control.live().current();
        let mut text = MetricsText::default();
        self.write_node_metrics(&mut text);
        self.write_configuration_metrics(&mut text, &snapshot);
        write_process_metrics(&mut text);
        write_request_metrics(&mut text, &snapshot);
        write_latency_metrics(&mut text, &snapshot);
        if snapshot.metric_groups().upstream_health {
            write_health_metrics(&mut text, &snapshot);
        }
        let mut response = reply::json(StatusCode::OK, text.into_text());
        let content_type = HeaderValue::from_static("text/plain; charset=UTF-8");
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response
    }

    fn write_node_metrics(&self, text: &mut MetricsText) {
        let id = self.node_id.to_string();
        text.begin(&definitions::NODE_INFO);
        let labels = [("node_id", id.as_str()), ("version", env!("CARGO_PKG_VERSION"))];
        text.sample(&definitions::NODE_INFO, &labels, 1);
        text.single(&definitions::DATASTORE_REACHABLE, 1);
        let connections = self.connections.states();
        text.begin(&definitions::CONNECTIONS);
        for (state, value) in [
            ("accepted", connections.accepted),
            ("active", connections.active()),
            ("handled", connections.accepted),
            ("reading", connections.reading),
            ("total", connections.requests),
            ("waiting", connections.waiting),
            ("writing", connections.writing),
        ] {
            let labels = [("node_id", id.as_str()), ("subsystem", "http"), ("state", state)];
            text.sample(&definitions::CONNECTIONS, &labels, value);
        }
        text.begin(&definitions::REQUESTS);
        let labels = [("node_id", id.as_str()), ("subsystem", "http")];
        text.sample(&definitions::REQUESTS, &labels, connections.requests);
        text.single(&definitions::DRAINING, u8::from(self.readiness.is_draining()));
        text.single(&definitions::UPTIME_SECONDS, self.started.elapsed().as_secs());
        self.write_memory_metrics(text);
    }

    /// Writes the usage of the memory budgets that requests share.
    fn write_memory_metrics(&self, text: &mut MetricsText) {
        let snapshot = self.control.live().current();
        let bodies = snapshot.resources().buffers.memory();
        text.single(&definitions::BODY_MEMORY_BYTES, bodies.held());
        text.single(&definitions::RATE_LIMITING_MEMORY_BYTES, snapshot.resources().counters.held());
        text.single(&definitions::RESPONSE_CACHE_BYTES, snapshot.resources().responses.memory().held());
        text.single(&definitions::BODY_MEMORY_REFUSED, bodies.refused());
    }

    fn write_configuration_metrics(&self, text: &mut MetricsText, snapshot: &Snapshot) {
        let history = self.control.load_history();
        text.single(&definitions::CONFIG_LOADS, history.loads);
        text.single(&definitions::CONFIG_FAILURES, history.failures);
        text.single(&definitions::CONFIG_GENERATION, snapshot.generation);
        text.single(&definitions::CONFIGS_HELD, self.control.live().count_in_memory());
        text.single(&definitions::QUARANTINED_ENTITIES, snapshot.quarantined().len());
        text.single(&definitions::LAST_GOOD_LIVE, u8::from(history.restored.is_some()));
        if let Some(store) = self.control.last_good() {
            text.single(&definitions::LAST_GOOD_FAILURES, store.status().failures);
        }
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for record in &snapshot.entities.records {
            *counts.entry(record.collection()).or_default() += 1;
        }
        text.begin(&definitions::ENTITIES);
        for (collection, count) in counts {
            text.sample(&definitions::ENTITIES, &[("entity", collection)], count);
        }
    }
}

/// Writes the metrics that Prometheus' own client libraries have of a process, as far as the system reports them.
/// (Prometheus: "Writing client libraries", process metrics.)
fn write_process_metrics(text: &mut MetricsText) {
    if let Some(kib) = resident_memory_kib() {
        text.single(&definitions::RESIDENT_MEMORY_BYTES, kib << 10);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        text.single(&definitions::OPEN_FDS, open.count());
    }
}

/// Resident memory of the process in KiB, where the system reports it.
pub(super) fn resident_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    resident.trim().strip_suffix(" kB")?.trim().parse().ok()
}

fn write_request_metrics(text: &mut MetricsText, snapshot: &Snapshot) {
    let routes: Vec<_> = snapshot.route_metrics().map(|route| (route, route.counters().requests())).collect();
    let metric = &definitions::HTTP_REQUESTS;
    if routes.iter().any(|(route, _)| route.groups().statuses) {
        text.begin(metric);
    }
    for (route, requests) in routes.iter().filter(|(route, _)| route.groups().statuses) {
        let [service_label, route_label] = labels(route);
        for counts in requests {
            for ((code, source), count) in &counts.statuses {
                let code = code.to_string();
                let consumer = ("consumer", counts.consumer.as_str());
                let all =
                    [service_label, route_label, ("code", &code), ("source", source), WORKSPACE, consumer];
                text.sample(metric, &all, count);
            }
        }
    }
    let metric = &definitions::BANDWIDTH_BYTES;
    if routes.iter().any(|(route, _)| route.groups().bandwidth) {
        text.begin(metric);
    }
    for (route, requests) in routes.iter().filter(|(route, _)| route.groups().bandwidth) {
        let [service_label, route_label] = labels(route);
        for counts in requests.iter().filter(|counts| counts.ingress > 0) {
            for (direction, bytes) in [("ingress", counts.ingress), ("egress", counts.egress)] {
                let consumer = ("consumer", counts.consumer.as_str());
                let all = [service_label, route_label, ("direction", direction), WORKSPACE, consumer];
                text.sample(metric, &all, bytes);
            }
        }
    }
}

fn write_latency_metrics(text: &mut MetricsText, snapshot: &Snapshot) {
    let timed = snapshot.route_metrics().filter(|route| route.groups().latencies);
    let routes: Vec<_> = timed.map(|route| (labels(route), route.counters().latencies())).collect();
    if routes.is_empty() {
        return;
    }
    for (n, metric) in
        [definitions::KONG_LATENCY_MS, definitions::UPSTREAM_LATENCY_MS, definitions::REQUEST_LATENCY_MS]
            .iter()
            .enumerate()
    {
        text.begin(metric);
        for ([service_label, route_label], latencies) in &routes {
            let observed = [&latencies.gateway, &latencies.upstream, &latencies.request][n];
            if observed.count > 0 {
                text.histogram(metric, &[*service_label, *route_label, WORKSPACE], observed);
            }
        }
    }
}

fn write_health_metrics(text: &mut MetricsText, snapshot: &Snapshot) {
    let metric = &definitions::UPSTREAM_TARGET_HEALTH;
    text.begin(metric);
    for (upstream, balancer) in snapshot.entities.upstreams.iter().zip(snapshot.balancers()) {
        for target in balancer.report() {
            let host_and_port = format!("{}:{}", target.host, target.port);
            let mut addresses: Vec<(String, ReportedHealth)> = target
                .addresses
                .iter()
                .map(|address| (address.address.to_string(), address.health))
                .collect();
            if addresses.is_empty() {
                addresses.push((String::new(), target.health));
            }
            for (address, health) in addresses {
                for state in [
                    ReportedHealth::Unchecked,
                    ReportedHealth::Healthy,
                    ReportedHealth::Unhealthy,
                    ReportedHealth::NoAddress,
                ] {
                    let labels = [
                        ("upstream", upstream.name.as_str()),
                        ("target", &host_and_port),
                        ("address", &address),
                        ("state", &state.name().to_ascii_lowercase()),
                        ("subsystem", "http"),
                    ];
                    text.sample(metric, &labels, u8::from(state == health));
                }
            }
        }
    }
}

/// The labels of a Route.
fn labels(route: &RouteMetrics) -> [(&'static str, &str); 2] {
    let counters = route.counters();
    [("service", &counters.service), ("route", &counters.route)]
}
