//! `/mynah/traffic` and `/mynah/exchanges`: the numbers of the last minutes, and the last exchanges.

use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{AdminApi, query::Query, refusal::AdminRefusal};
use crate::{
    body::Body,
    reply,
    traffic::{AnswerCounts, AnswerKind, ExchangeFilter, Percentiles, RecordedExchange, TrafficMonitor},
};

/// Seconds in an answer without `seconds`, and most of them.
const DEFAULT_SECONDS: usize = 300;
const MAX_SECONDS: usize = 600;

/// Exchanges in an answer without `count`, and most of them.
const DEFAULT_EXCHANGES: usize = 100;
const MAX_EXCHANGES: usize = 500;

impl AdminApi {
    /// The numbers of the last minutes.
    pub(super) fn traffic(&self, query: &str) -> Response<Body> {
        let Some(monitor) = &self.traffic else { return not_monitored() };
        let query = Query::new(query);
        let seconds = match query.number("seconds", MAX_SECONDS) {
            Ok(seconds) => seconds.unwrap_or(DEFAULT_SECONDS),
            Err(message) => return reply::message(StatusCode::BAD_REQUEST, &message),
        };
        let by_second: Vec<_> = monitor
            .seconds(seconds, query.text("route"))
            .iter()
            .map(|second| {
                let mut entry = counts_entry(&second.counts);
                entry.insert("at".to_owned(), second.at.into());
                entry.insert("span_ms".to_owned(), second.span.into());
                Value::from(entry)
            })
            .collect();
        let routes: Vec<_> = monitor
            .routes(seconds)
            .iter()
            .map(|route| {
                let mut entry = counts_entry(&route.counts);
                entry.insert("route".to_owned(), (*route.route).into());
                Value::from(entry)
            })
            .collect();
        reply::json(StatusCode::OK, json!({ "seconds": by_second, "routes": routes }).to_string())
    }

    /// The last exchanges. They are recorded for half a minute after each request for them.
    pub(super) fn exchanges(&self, query: &str) -> Response<Body> {
        let Some(monitor) = &self.traffic else { return not_monitored() };
        let was_recording = monitor.is_watched();
        monitor.watch();
        let query = Query::new(query);
        match exchange_filter(&query) {
            Ok((filter, count)) => {
                let data: Vec<_> = monitor.exchanges(&filter, count).iter().map(|one| summary(one)).collect();
                let answer = json!({
                    "data": data,
                    "last": monitor.last_exchange(),
                    "was_recording": was_recording,
                });
                reply::json(StatusCode::OK, answer.to_string())
            }
            Err(message) => reply::message(StatusCode::BAD_REQUEST, &message),
        }
    }

    /// One exchange with its fields and the times of its phases.
    pub(super) fn exchange(&self, number: &str) -> Response<Body> {
        let Some(monitor) = &self.traffic else { return not_monitored() };
        monitor.watch();
        let found = number.parse().ok().and_then(|number| monitor.exchange(number));
        found.map_or_else(
            || AdminRefusal::not_found().answer(),
            |exchange| reply::json(StatusCode::OK, detail(&exchange).to_string()),
        )
    }
}

fn not_monitored() -> Response<Body> {
    reply::message(StatusCode::NOT_FOUND, "the traffic of this process is not monitored")
}

fn exchange_filter(query: &Query<'_>) -> Result<(ExchangeFilter, usize), String> {
    let kind = match query.text("kind") {
        None => None,
        Some("mock") => Some(AnswerKind::Mock),
        Some("upstream") => Some(AnswerKind::Upstream),
        Some("gateway") => Some(AnswerKind::Gateway),
        Some(_) => return Err("kind must be one of: mock, upstream, gateway".to_owned()),
    };
    let filter = ExchangeFilter {
        after: query.number("after", u64::MAX)?.unwrap_or_default(),
        route: query.text("route").map(str::to_owned),
        status: query.number("status", 999)?,
        kind,
        text: query.text("q").map(str::to_owned),
    };
    Ok((filter, query.number("count", MAX_EXCHANGES)?.unwrap_or(DEFAULT_EXCHANGES)))
}

/// Counts as the Admin API shows them; times are in milliseconds.
pub(super) fn counts_entry(counts: &AnswerCounts) -> Map<String, Value> {
    let statuses: Map<_, _> =
        counts.statuses.iter().map(|(status, count)| (status.to_string(), Value::from(*count))).collect();
    let mut entry = Map::new();
    entry.insert("mock".to_owned(), counts.mock.into());
    entry.insert("upstream".to_owned(), counts.upstream.into());
    entry.insert("gateway".to_owned(), counts.gateway.into());
    entry.insert("statuses".to_owned(), statuses.into());
    entry.insert("mock_ms".to_owned(), times(counts.mock_times));
    entry.insert("other_ms".to_owned(), times(counts.other_times));
    entry
}

fn times(times: Percentiles) -> Value {
    let [p50, p95, p99, max] =
        [times.p50, times.p95, times.p99, times.max].map(|micros| f64::from(micros) / 1000.0);
    json!({ "p50": p50, "p95": p95, "p99": p99, "max": max })
}

#[expect(clippy::cast_precision_loss, reason = "a time in microseconds, shown in milliseconds")]
fn summary(exchange: &RecordedExchange) -> Value {
    json!({
        "number": exchange.number,
        "request_id": exchange.request_id,
        "started_at": exchange.started,
        "duration_ms": exchange.duration as f64 / 1000.0,
        "method": exchange.method,
        "url": format!("{}{}", exchange.origin, exchange.target),
        "status": exchange.status,
        "kind": exchange.kind.as_str(),
        "route": exchange.route,
        "service": exchange.service,
        "client_ip": exchange.client,
        "response_size": exchange.response_size,
    })
}

fn detail(exchange: &RecordedExchange) -> Value {
    let mut entry = summary(exchange);
    let upstream = exchange.upstream.as_ref().map(|sent| {
        let attempts: Vec<_> = sent
            .attempts
            .iter()
            .map(|(address, reused, failure)| {
                json!({ "address": address, "reused_connection": reused, "failure_status": failure })
            })
            .collect();
        json!({
            "target": sent.target,
            "status": sent.status,
            "gateway_latency_ms": sent.gateway_latency,
            "upstream_latency_ms": sent.upstream_latency,
            "attempts": attempts,
        })
    });
    let tls = exchange.tls.map(|(version, cipher)| json!({ "version": version, "cipher": cipher }));
    entry["consumer"] = exchange.consumer.as_str().into();
    entry["head_latency_ms"] = exchange.head_latency.into();
    entry["request"] =
        json!({ "headers": exchange.request_fields, "size": exchange.request_size, "tls": tls });
    entry["response"] = json!({ "headers": exchange.response_fields });
    entry["upstream"] = upstream.into();
    entry
}

/// The numbers of the last second, as an event.
pub(super) fn last_second(monitor: &TrafficMonitor) -> Option<Value> {
    let second = monitor.seconds(1, None).pop()?;
    let mut entry = counts_entry(&second.counts);
    entry.insert("at".to_owned(), second.at.into());
    entry.insert("span_ms".to_owned(), second.span.into());
    Some(entry.into())
}
