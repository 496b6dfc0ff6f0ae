//! `prometheus`: metrics of requests, served at `/metrics` of the Admin API and the status listener.
//! (Kong: Prometheus plugin.)

use std::sync::Arc;

use super::{Plugin, PluginDef, PluginResult, PluginSetup, setting_values};
use crate::{
    metrics::MetricGroups,
    schema::{Field, FieldKind, PLUGIN_PROTOCOLS},
};

/// Definition of the plugin.
pub(super) const DEF: PluginDef =
    PluginDef::new("prometheus", 13, FIELDS, compile).protocols(&PLUGIN_PROTOCOLS);

const FIELDS: &[Field] = &[
    Field::new("per_consumer", FieldKind::Boolean)
        .describe("whether metrics are kept for each consumer")
        .default("false"),
    Field::new("status_code_metrics", FieldKind::Boolean)
        .describe("whether responses are counted by status")
        .default("false"),
    Field::new("ai_metrics", FieldKind::Boolean)
        .describe("accepted; there are no such metrics")
        .default("false"),
    Field::new("latency_metrics", FieldKind::Boolean)
        .describe("whether latencies are measured")
        .default("false"),
    Field::new("bandwidth_metrics", FieldKind::Boolean)
        .describe("whether bytes are counted")
        .default("false"),
    Field::new("upstream_health_metrics", FieldKind::Boolean)
        .describe("whether the health of targets is shown")
        .default("false"),
    Field::new("wasm_metrics", FieldKind::Boolean).describe("accepted; there are none").default("false"),
];

struct Prometheus(MetricGroups);

#[expect(clippy::unnecessary_wraps, reason = "the contract lets plugins reject their settings")]
fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let is_enabled = |name| setting_values::boolean(setup.config, name);
    Ok(Arc::new(Prometheus(MetricGroups {
        per_consumer: is_enabled("per_consumer"),
        statuses: is_enabled("status_code_metrics"),
        latencies: is_enabled("latency_metrics"),
        bandwidth: is_enabled("bandwidth_metrics"),
        upstream_health: is_enabled("upstream_health_metrics"),
    })))
}

impl Plugin for Prometheus {
    fn metric_groups(&self) -> MetricGroups {
        self.0
    }
}
