//! `/upstreams/{upstream}/health`: health of targets, and its manual setting. (Kong: Admin API, "Health", "Set target
//! as healthy".)

use std::sync::Arc;

use http::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value as Json, json};

use super::{AdminApi, not_found};
use crate::{
    balancer::{AddressReport, Balancer, SetHealthError, TargetReport},
    body::Body,
    document::Value,
    entity::{Entities, Upstream},
    reply,
    snapshot::Snapshot,
};

impl AdminApi {
    /// Health of every target, or of the whole Upstream with `balancer_health=1`.
    pub(super) fn health(&self, upstream: &str, query: &str) -> Response<Body> {
        let snapshot = self.control.live().current();
        let Some((upstream, balancer)) = find_upstream(&snapshot, upstream) else { return not_found() };
        let is_summary = form_urlencoded::parse(query.as_bytes())
            .any(|(name, value)| name == "balancer_health" && value == "1");
        let data = if is_summary {
            json!({ "id": upstream.id.to_string(), "health": balancer.overall_health().name() })
        } else {
            let records = target_records(&snapshot.entities, upstream);
            let all = records.iter().zip(balancer.report());
            all.map(|(record, report)| target_json(record, &report)).collect::<Vec<_>>().into()
        };
        let text = json!({ "data": data, "next": null, "node_id": self.node_id.to_string() });
        reply::json(StatusCode::OK, text.to_string())
    }

    /// Sets the health of a target, or of one of its addresses.
    pub(super) fn set_health(
        &self,
        upstream: &str,
        target: &str,
        address: Option<&str>,
        is_healthy: bool,
    ) -> Response<Body> {
        let snapshot = self.control.live().current();
        let (target, address) = (decode_segment(target), address.map(decode_segment));
        let Some((upstream, balancer)) = find_upstream(&snapshot, upstream) else { return not_found() };
        match balancer.set_health(&target, address.as_deref(), is_healthy) {
            Ok(()) => reply::empty(StatusCode::NO_CONTENT),
            Err(SetHealthError::Absent) => not_found(),
            Err(SetHealthError::Unchecked) => {
                let message = format!("no healthchecker found for {}", upstream.name);
                reply::message(StatusCode::BAD_REQUEST, &message)
            }
        }
    }
}

/// The Upstream with this id or name, and its balancer.
fn find_upstream<'a>(snapshot: &'a Snapshot, key: &str) -> Option<(&'a Upstream, &'a Arc<Balancer>)> {
    let key = decode_segment(key);
    let mut all = snapshot.entities.upstreams.iter().zip(snapshot.balancers());
    all.find(|(upstream, _)| upstream.name == key || upstream.id.to_string() == key)
}

fn target_records<'a>(entities: &'a Entities, upstream: &Upstream) -> Vec<&'a Value> {
    upstream.targets.iter().filter_map(|target| Some(&entities.targets.get(target.0)?.record)).collect()
}

fn decode_segment(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// A target in Kong's notation, with its health.
fn target_json(record: &Value, report: &TargetReport) -> Json {
    let mut object = Json::from(record);
    let total_weight = |matches: fn(&AddressReport) -> bool| -> u32 {
        report.addresses.iter().filter(|address| matches(address)).map(|address| address.weight).sum()
    };
    let (total, available) = (total_weight(|_| true), total_weight(|address| address.is_healthy));
    let addresses: Vec<Json> = report.addresses.iter().map(address_json).collect();
    object["health"] = report.health.name().into();
    object["data"] = json!({
        "host": report.host,
        "port": report.port,
        "dns": report.dns,
        "nodeWeight": report.weight,
        "weight": { "total": total, "available": available, "unavailable": total - available },
        "addresses": addresses,
    });
    object
}

fn address_json(report: &AddressReport) -> Json {
    json!({
        "ip": report.address.ip(),
        "port": report.address.port(),
        "weight": report.weight,
        "health": report.health.name(),
    })
}
