//! `prometheus`: has requests counted; the counts are told at `/metrics` of the Admin API and the status.
//! (Kong: Prometheus plugin.)

use std::sync::Arc;

use super::{Def, Plugin, Setup, rules};
use crate::{
    diag::Diagnostic,
    metrics::Groups,
    schema::{Field, Kind, Settings},
};

/// The plugin in the table.
pub(super) const DEF: Def = Def {
    name: "prometheus",
    priority: 13,
    per_consumer: false,
    settings: Settings { fields: FIELDS, checks: &[] },
    compile,
};

const FIELDS: &[Field] = &[
    Field::new("per_consumer", Kind::Boolean).default("false"),
    Field::new("status_code_metrics", Kind::Boolean).default("false"),
    Field::new("ai_metrics", Kind::Boolean).default("false"),
    Field::new("latency_metrics", Kind::Boolean).default("false"),
    Field::new("bandwidth_metrics", Kind::Boolean).default("false"),
    Field::new("upstream_health_metrics", Kind::Boolean).default("false"),
    Field::new("wasm_metrics", Kind::Boolean).default("false"),
];

struct Prometheus(Groups);

#[expect(clippy::unnecessary_wraps, reason = "other plugins have something to complain of")]
fn compile(setup: &Setup<'_>) -> Result<Arc<dyn Plugin>, Vec<Diagnostic>> {
    let wants = |name| rules::truth(setup.config, name);
    Ok(Arc::new(Prometheus(Groups {
        per_consumer: wants("per_consumer"),
        statuses: wants("status_code_metrics"),
        latencies: wants("latency_metrics"),
        bandwidth: wants("bandwidth_metrics"),
        upstream_health: wants("upstream_health_metrics"),
    })))
}

impl Plugin for Prometheus {
    fn counts(&self) -> Groups {
        self.0
    }
}
