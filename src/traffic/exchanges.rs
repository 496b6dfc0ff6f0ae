//! Recorded exchanges: heads and times of the last requests, without their bodies and without credentials.

use std::{collections::VecDeque, sync::Arc};

use http::{HeaderMap, HeaderName, header};

use super::AnswerKind;
use crate::{
    document::Value, entity::record_label, nginx_status::CLIENT_CLOSED_REQUEST, plugin::RequestRecord,
};

/// Most exchanges that are kept.
const MAX_EXCHANGES: usize = 500;

/// Most bytes of the exchanges that are kept together.
const MAX_BYTES: usize = 4 << 20;

/// The value in place of credentials.
const HIDDEN: &str = "(hidden)";

/// The last exchanges, the oldest first.
#[derive(Debug, Default)]
pub(super) struct ExchangeLog {
    kept: VecDeque<Arc<RecordedExchange>>,
    bytes: usize,
    last_number: u64,
}

/// A finished request with its response.
#[derive(Debug)]
pub struct RecordedExchange {
    /// Number in the order in which exchanges end, from 1.
    pub number: u64,
    /// Id of the request.
    pub request_id: String,
    /// Arrival: Unix time in milliseconds.
    pub started: u64,
    /// Time to the end of the response, in microseconds.
    pub duration: u64,
    /// Method of the request.
    pub method: String,
    /// Scheme, host and port of the request.
    pub origin: String,
    /// Path and query of the request.
    pub target: String,
    /// Fields of the request.
    pub request_fields: Vec<(String, String)>,
    /// Bytes of the request.
    pub request_size: u64,
    /// TLS version and cipher.
    pub tls: Option<(&'static str, &'static str)>,
    /// Address of the client.
    pub client: String,
    /// Route, by its name or else its id; empty without one.
    pub route: String,
    /// Service, by its name or else its id; empty without one.
    pub service: String,
    /// Consumer; empty without one.
    pub consumer: String,
    /// What made the answer.
    pub kind: AnswerKind,
    /// Status; 499 if the client left before there was a response.
    pub status: u16,
    /// Fields of the response.
    pub response_fields: Vec<(String, String)>,
    /// Bytes of the body of the response.
    pub response_size: u64,
    /// Milliseconds to the head of the response.
    pub head_latency: Option<u64>,
    /// The request to the upstream.
    pub upstream: Option<UpstreamExchange>,
    /// Bytes that it occupies in memory, about.
    bytes: usize,
}

/// The part of an exchange between the gateway and an upstream.
#[derive(Debug)]
pub struct UpstreamExchange {
    /// Target of the request to the upstream.
    pub target: String,
    /// Milliseconds from the arrival of the request until it was sent.
    pub gateway_latency: u64,
    /// Milliseconds from then to the head of the response.
    pub upstream_latency: u64,
    /// Status of the upstream's response.
    pub status: Option<u16>,
    /// Attempts: address, whether an idle connection was used, status for the client if the attempt failed.
    pub attempts: Vec<(String, bool, Option<u16>)>,
}

/// Selection of exchanges.
#[derive(Clone, Debug, Default)]
pub struct ExchangeFilter {
    /// Only exchanges with a greater number.
    pub after: u64,
    /// Only those of this Route.
    pub route: Option<String>,
    /// Only those with this status, or with this first digit of it.
    pub status: Option<u16>,
    /// Only those whose answer is of this kind.
    pub kind: Option<AnswerKind>,
    /// Only those whose method, target or Route contain this text, in any case.
    pub text: Option<String>,
}

impl ExchangeFilter {
    fn admits(&self, exchange: &RecordedExchange) -> bool {
        let contains = |text: &str| {
            let parts = [&exchange.method, &exchange.origin, &exchange.target, &exchange.route];
            parts.iter().any(|part| part.to_lowercase().contains(&text.to_lowercase()))
        };
        exchange.number > self.after
            && self.route.as_ref().is_none_or(|route| *route == exchange.route)
            && self.kind.is_none_or(|kind| kind == exchange.kind)
            && self.status.is_none_or(|status| status == exchange.status || status == exchange.status / 100)
            && self.text.as_deref().is_none_or(contains)
    }
}

impl ExchangeLog {
    pub(super) fn push(&mut self, record: &RequestRecord, kind: AnswerKind) {
        self.last_number += 1;
        let exchange = RecordedExchange::new(self.last_number, record, kind);
        self.bytes += exchange.bytes;
        self.kept.push_back(Arc::new(exchange));
        while self.kept.len() > MAX_EXCHANGES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.bytes;
        }
    }

    pub(super) fn last(&self, filter: &ExchangeFilter, count: usize) -> Vec<Arc<RecordedExchange>> {
        self.kept.iter().rev().filter(|exchange| filter.admits(exchange)).take(count).cloned().collect()
    }

    pub(super) fn find(&self, number: u64) -> Option<Arc<RecordedExchange>> {
        self.kept.iter().find(|exchange| exchange.number == number).cloned()
    }

    pub(super) const fn last_number(&self) -> u64 {
        self.last_number
    }
}

impl RecordedExchange {
    fn new(number: u64, record: &RequestRecord, kind: AnswerKind) -> Self {
        let matched = record.matched.as_deref();
        let response = record.response.as_ref();
        let label = |record: Option<&Value>| record.and_then(record_label).unwrap_or_default().to_owned();
        let upstream = record.upstream.as_ref().map(|sent| UpstreamExchange {
            target: sent.target.clone(),
            gateway_latency: sent.gateway_latency,
            upstream_latency: sent.upstream_latency,
            status: sent.status.map(|status| status.as_u16()),
            attempts: sent
                .attempts
                .iter()
                .map(|attempt| {
                    let failure = attempt.failure_status.map(|status| status.as_u16());
                    (attempt.address.to_string(), attempt.reused, failure)
                })
                .collect(),
        });
        let mut exchange = Self {
            number,
            request_id: record.id.as_str().to_owned(),
            started: record.started,
            duration: u64::try_from(record.duration.as_micros()).unwrap_or(u64::MAX),
            method: record.method.as_str().to_owned(),
            origin: record.origin.clone(),
            target: record.target.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            request_fields: shown_fields(&record.fields),
            request_size: record.size,
            tls: record.tls,
            client: record.client.to_string(),
            route: label(matched.map(|matched| &matched.route_record)),
            service: label(matched.map(|matched| &matched.service_record)),
            consumer: record
                .identity
                .as_ref()
                .map(|identity| identity.consumer.label().to_owned())
                .unwrap_or_default(),
            kind,
            status: response.map_or(CLIENT_CLOSED_REQUEST, |response| response.status),
            response_fields: response.map(|response| shown_fields(&response.fields)).unwrap_or_default(),
            response_size: response.map_or(0, |response| response.body_size),
            head_latency: response.map(|response| response.head_latency),
            upstream,
            bytes: 0,
        };
        let fields = exchange.request_fields.iter().chain(&exchange.response_fields);
        let fields: usize = fields.map(|(name, value)| name.len() + value.len() + 48).sum();
        let attempts =
            exchange.upstream.as_ref().map_or(0, |sent| sent.target.len() + sent.attempts.len() * 64);
        exchange.bytes =
            size_of::<Self>() + fields + attempts + exchange.target.len() + exchange.origin.len();
        exchange
    }
}

/// Fields with their values, without those of credentials.
fn shown_fields(fields: &HeaderMap) -> Vec<(String, String)> {
    fields
        .iter()
        .map(|(name, value)| {
            let value = if is_credential(name) {
                HIDDEN.to_owned()
            } else {
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            };
            (name.as_str().to_owned(), value)
        })
        .collect()
}

/// Whether the value of a field may be a credential: names of the standards, and names that say so.
fn is_credential(name: &HeaderName) -> bool {
    /// Parts of names of fields with credentials (`apikey`, `x-api-key`, `x-auth-token`, `kong-admin-token`).
    const PARTS: [&str; 6] = ["apikey", "api-key", "api_key", "token", "secret", "password"];
    let standard = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE, header::SET_COOKIE];
    standard.contains(name) || PARTS.iter().any(|part| name.as_str().contains(part))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use http::{HeaderValue, Method, Uri};

    use super::*;
    use crate::request_id::RequestId;

    fn record(target: &str, fields: &[(&'static str, &str)]) -> RequestRecord {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let target: Uri = target.parse().unwrap();
        RequestRecord::new(RequestId::random(), Method::GET, target, map, IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    #[test]
    fn credentials_are_not_kept() {
        let mut log = ExchangeLog::default();
        let secret = "s3cr3t";
        let names =
            ["authorization", "cookie", "apikey", "x-api-key", "x-amz-security-token", "proxy-authorization"];
        let fields: Vec<_> = names.iter().map(|name| (*name, secret)).chain([("accept", "*/*")]).collect();
        log.push(&record("/a?b=c", &fields), AnswerKind::Mock);
        let kept = log.find(1).unwrap();
        assert!(!format!("{kept:?}").contains(secret), "{kept:?}");
        assert!(kept.request_fields.contains(&("accept".to_owned(), "*/*".to_owned())));
    }

    #[test]
    fn exchanges_are_bounded_in_number_and_bytes() {
        let mut log = ExchangeLog::default();
        for _ in 0..MAX_EXCHANGES + 10 {
            log.push(&record("/", &[]), AnswerKind::Mock);
        }
        let all = log.last(&ExchangeFilter::default(), usize::MAX);
        assert_eq!((all.len(), all[0].number), (MAX_EXCHANGES, MAX_EXCHANGES as u64 + 10));
        let long = "x".repeat(30_000);
        for _ in 0..MAX_EXCHANGES {
            log.push(&record("/", &[("x-long", &long)]), AnswerKind::Mock);
        }
        let kept = log.last(&ExchangeFilter::default(), usize::MAX).len();
        assert!((100..150).contains(&kept), "{kept}");
        assert!(log.bytes <= MAX_BYTES);
    }

    #[test]
    fn a_filter_selects_exchanges() {
        let mut log = ExchangeLog::default();
        log.push(&record("/stock?x=1", &[]), AnswerKind::Mock);
        log.push(&record("/pets", &[]), AnswerKind::Upstream);
        let count = |filter: ExchangeFilter| log.last(&filter, 10).len();
        let default = ExchangeFilter::default;
        assert_eq!(count(default()), 2);
        assert_eq!(count(ExchangeFilter { after: 1, ..default() }), 1);
        assert_eq!(count(ExchangeFilter { kind: Some(AnswerKind::Mock), ..default() }), 1);
        assert_eq!(count(ExchangeFilter { text: Some("STOCK".to_owned()), ..default() }), 1);
        assert_eq!(count(ExchangeFilter { status: Some(4), ..default() }), 2);
        assert_eq!(count(ExchangeFilter { status: Some(499), ..default() }), 2);
        assert_eq!(count(ExchangeFilter { status: Some(2), ..default() }), 0);
        assert_eq!(count(ExchangeFilter { route: Some("r".to_owned()), ..default() }), 0);
    }
}
