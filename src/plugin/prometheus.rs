//! `prometheus`: has requests counted; the counts are told at `/metrics` of the Admin API and the status.
//! (Kong: Prometheus plugin.)

use std::sync::Arc;

use super::{Plugin, PluginDef, PluginResult, PluginSetup, setting_values};
use crate::{
    metrics::MetricGroups,
    schema::{Field, FieldKind},
};

/// The plugin in the table.
pub(super) const DEF: PluginDef = PluginDef::new("prometheus", 13, FIELDS, compile);

const FIELDS: &[Field] = &[
    Field::new("per_consumer", FieldKind::Boolean).default("false"),
    Field::new("status_code_metrics", FieldKind::Boolean).default("false"),
    Field::new("ai_metrics", FieldKind::Boolean).default("false"),
    Field::new("latency_metrics", FieldKind::Boolean).default("false"),
    Field::new("bandwidth_metrics", FieldKind::Boolean).default("false"),
    Field::new("upstream_health_metrics", FieldKind::Boolean).default("false"),
    Field::new("wasm_metrics", FieldKind::Boolean).default("false"),
];

struct Prometheus(MetricGroups);

#[expect(clippy::unnecessary_wraps, reason = "other plugins have something to complain of")]
fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let wants = |name| setting_values::boolean(setup.config, name);
    Ok(Arc::new(Prometheus(MetricGroups {
        per_consumer: wants("per_consumer"),
        statuses: wants("status_code_metrics"),
        latencies: wants("latency_metrics"),
        bandwidth: wants("bandwidth_metrics"),
        upstream_health: wants("upstream_health_metrics"),
    })))
}

impl Plugin for Prometheus {
    fn metric_groups(&self) -> MetricGroups {
        self.0
    }
}
