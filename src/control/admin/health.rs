//! `/upstreams/{upstream}/health`: which targets work; and the hand that says so for them.
//! (Kong: Admin API, "Health", "Set target as healthy".)

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

/// Whether a path is one of these.
pub(super) fn knows(segments: &[&str]) -> bool {
    match segments {
        ["upstreams", _, "health"] => true,
        ["upstreams", _, "targets", _, address @ .., "healthy" | "unhealthy"] => address.len() < 2,
        _ => false,
    }
}

impl AdminApi {
    /// The state of every target, or with `balancer_health=1` of the whole.
    pub(super) fn health(&self, upstream: &str, query: &str) -> Response<Body> {
        let snapshot = self.control.live().current();
        let Some((upstream, balancer)) = find(&snapshot, upstream) else { return not_found() };
        let whole = form_urlencoded::parse(query.as_bytes())
            .any(|(name, value)| name == "balancer_health" && value == "1");
        let data = if whole {
            json!({ "id": upstream.id.to_string(), "health": balancer.verdict_of_all().name() })
        } else {
            let records = records(&snapshot.entities, upstream);
            let all = records.iter().zip(balancer.report());
            all.map(|(record, report)| target(record, &report)).collect::<Vec<_>>().into()
        };
        let text = json!({ "data": data, "next": null, "node_id": self.node_id.to_string() });
        reply::json(StatusCode::OK, text.to_string())
    }

    /// Says of a target, or of one of its addresses, whether it works.
    pub(super) fn set_health(
        &self,
        upstream: &str,
        target: &str,
        address: Option<&str>,
        works: bool,
    ) -> Response<Body> {
        let snapshot = self.control.live().current();
        let (target, address) = (decoded(target), address.map(decoded));
        let Some((upstream, balancer)) = find(&snapshot, upstream) else { return not_found() };
        match balancer.set(&target, address.as_deref(), works) {
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
fn find<'a>(snapshot: &'a Snapshot, key: &str) -> Option<(&'a Upstream, &'a Arc<Balancer>)> {
    let key = decoded(key);
    let mut all = snapshot.entities.upstreams.iter().zip(snapshot.balancers());
    all.find(|(upstream, _)| upstream.name == key || upstream.id.to_string() == key)
}

fn records<'a>(entities: &'a Entities, upstream: &Upstream) -> Vec<&'a Value> {
    upstream.targets.iter().filter_map(|it| Some(&entities.targets.get(it.0)?.record)).collect()
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// A target as Kong shows it, with what is known about it.
fn target(record: &Value, report: &TargetReport) -> Json {
    let mut shown = Json::from(record);
    let weight = |wanted: fn(&AddressReport) -> bool| -> u32 {
        report.addresses.iter().filter(|it| wanted(it)).map(|it| it.weight).sum()
    };
    let (total, available) = (weight(|_| true), weight(|it| it.works));
    let addresses: Vec<Json> = report.addresses.iter().map(address).collect();
    shown["health"] = report.verdict.name().into();
    shown["data"] = json!({
        "host": report.host,
        "port": report.port,
        "dns": report.dns,
        "nodeWeight": report.weight,
        "weight": { "total": total, "available": available, "unavailable": total - available },
        "addresses": addresses,
    });
    shown
}

fn address(report: &AddressReport) -> Json {
    json!({
        "ip": report.address.ip(),
        "port": report.address.port(),
        "weight": report.weight,
        "health": report.verdict.name(),
    })
}
