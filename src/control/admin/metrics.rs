//! `/metrics`: what the node knows of itself, for Prometheus, under Kong's names where they mean the same.
//! (Kong: Prometheus plugin, "Available metrics".)

use std::{collections::BTreeMap, fmt::Write as _};

use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

use super::Admin;
use crate::{body::Body, reply};

impl Admin {
    pub(super) fn metrics(&self) -> Response<Body> {
        let state = self.control.state();
        let snapshot = self.control.live().current();
        let mut text = String::new();
        let mut metric = |name: &str, kind: &str, help: &str, samples: &[(String, f64)]| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let only = |value: f64| vec![(String::new(), value)];
        let node = format!("{{node_id=\"{}\",version=\"{}\"}}", self.node_id, env!("CARGO_PKG_VERSION"));
        metric("kong_node_info", "gauge", "Kong Node metadata information", &[(node, 1.0)]);
        metric(
            "kong_datastore_reachable",
            "gauge",
            "Datastore reachable from Kong, 0 is unreachable",
            &only(1.0),
        );
        let draining = f64::from(u8::from(self.ready.is_draining()));
        metric("mynah_draining", "gauge", "Whether the last requests are being served", &only(draining));
        let uptime = self.started.elapsed().as_secs_f64().floor();
        metric("mynah_uptime_seconds", "gauge", "Seconds since the start", &only(uptime));
        #[expect(clippy::cast_precision_loss, reason = "counters of loads are small")]
        let (loads, failures, generation) =
            (state.loads as f64, state.failures as f64, snapshot.generation as f64);
        metric("mynah_config_loads_total", "counter", "Configurations made current", &only(loads));
        metric("mynah_config_failures_total", "counter", "Configurations refused", &only(failures));
        metric("mynah_config_generation", "gauge", "The current configuration", &only(generation));
        let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
        for record in &snapshot.entities.records {
            *counts.entry(record.collection()).or_default() += 1.0;
        }
        let counts: Vec<(String, f64)> =
            counts.into_iter().map(|(name, count)| (format!("{{entity=\"{name}\"}}"), count)).collect();
        metric("mynah_entities", "gauge", "Entities that are declared", &counts);
        let mut response = reply::json(StatusCode::OK, text);
        let kind = HeaderValue::from_static("text/plain; charset=UTF-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}
