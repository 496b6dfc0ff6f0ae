//! Record of a finished request, and its log entry.
//! (Kong: the log serializer; "Plugin Development Kit", `kong.log.serialize`.)

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{
    Extensions, HeaderMap, HeaderName, Method, StatusCode, Uri,
    header::{AUTHORIZATION, PROXY_AUTHORIZATION},
};

use super::{EntryEdit, EntryEdits, MatchedRoute, RequestIdentity};
use crate::{
    document::{Mapping, Value},
    nginx_status::CLIENT_CLOSED_REQUEST,
    request_id::RequestId,
};

/// A finished request.
#[derive(Debug)]
pub struct RequestRecord {
    /// Its id.
    pub id: RequestId,
    /// Its method.
    pub method: Method,
    /// Its target as the client sent it, with the changes of plugins.
    pub target: Uri,
    /// Its fields as the client sent them, with the changes of plugins.
    pub fields: HeaderMap,
    /// The scheme, host and port that it was sent to.
    pub origin: String,
    /// The size of its head and body in bytes.
    pub size: u64,
    /// TLS version and cipher; `None` without TLS.
    pub tls: Option<(&'static str, &'static str)>,
    /// The address of the client, behind trusted proxies if there are any.
    pub client: IpAddr,
    /// The arrival of its head: Unix time in milliseconds.
    pub started: u64,
    /// The Route that it matched, with its Service.
    pub matched: Option<Arc<MatchedRoute>>,
    /// Its identity, if it was authenticated.
    pub identity: Option<RequestIdentity>,
    /// The request to the upstream; `None` if there was none.
    pub upstream: Option<UpstreamRecord>,
    /// The response; `None` if the client disconnected before there was one.
    pub response: Option<ResponseRecord>,
    /// The time from the arrival of its head to the end of the response.
    pub duration: Duration,
    /// Values that plugins have kept for this phase.
    pub kept: Extensions,
    entry: OnceLock<Bytes>,
}

/// A request to an upstream.
#[derive(Debug, Default)]
pub struct UpstreamRecord {
    /// The target.
    pub target: String,
    /// All attempts, in their order.
    pub attempts: Vec<UpstreamAttempt>,
    /// Milliseconds from the arrival of the request until it was sent.
    pub gateway_latency: u64,
    /// Milliseconds from then to the head of the response.
    pub upstream_latency: u64,
    /// The status of the upstream's response; `None` without a response.
    pub status: Option<StatusCode>,
}

/// One attempt to send a request.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamAttempt {
    /// The address of the peer.
    pub address: SocketAddr,
    /// The time when its peer was picked: time since 1970.
    pub picked_at: Duration,
    /// The time that picking the peer took.
    pub pick_duration: Duration,
    /// Whether it used an idle connection.
    pub reused: bool,
    /// The status for the client if the attempt failed.
    pub failure_status: Option<StatusCode>,
}

/// The response to a request.
#[derive(Debug)]
pub struct ResponseRecord {
    /// Its status; 444 if the connection was closed without sending it.
    pub status: u16,
    /// Its fields.
    pub fields: HeaderMap,
    /// The bytes of its body that were sent.
    pub body_size: u64,
    /// Milliseconds from the arrival of the request to the head of the response.
    pub head_latency: u64,
}

/// The value in place of credentials.
const REDACTED: &str = "REDACTED";

/// The id of the one workspace that Kong has without a database.
const WORKSPACE: &str = "0dc6f45b-8f8d-40d2-a504-473544ee190b";

impl RequestRecord {
    /// A record without a response; the caller fills in the other fields.
    #[must_use]
    pub fn new(id: RequestId, method: Method, target: Uri, fields: HeaderMap, client: IpAddr) -> Self {
        Self {
            id,
            method,
            target,
            fields,
            origin: String::new(),
            size: 0,
            tls: None,
            client,
            started: 0,
            matched: None,
            identity: None,
            upstream: None,
            response: None,
            duration: Duration::ZERO,
            kept: Extensions::new(),
            entry: OnceLock::new(),
        }
    }

    /// The size of a head in bytes, with these fields and a first line of `first` bytes.
    #[must_use]
    pub fn head_size(first: usize, fields: &HeaderMap) -> u64 {
        let lines = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
        (first + "\r\n\r\n".len() + lines.sum::<usize>()) as u64
    }

    /// Its log entry: JSON in one line, without a line end. Built at the first call, with the changes of plugins until
    /// then.
    #[must_use]
    pub fn entry(&self) -> &Bytes {
        self.entry.get_or_init(|| match self.kept.get::<EntryEdits>().map(EntryEdits::all) {
            Some(edits) if !edits.is_empty() => self.edited_entry(&edits),
            _ => Value::from(self.value()).to_json().into(),
        })
    }

    /// Its log entry with further changes.
    #[must_use]
    pub fn entry_with(&self, more: &[EntryEdit]) -> Bytes {
        let mut edits = self.kept.get::<EntryEdits>().map(EntryEdits::all).unwrap_or_default();
        edits.extend_from_slice(more);
        self.edited_entry(&edits)
    }

    fn edited_entry(&self, edits: &[EntryEdit]) -> Bytes {
        let mut entry = serde_json::Value::from(&Value::from(self.value()));
        for edit in edits {
            edit.apply(&mut entry);
        }
        entry.to_string().into()
    }

    fn value(&self) -> Mapping {
        let mut entry = Mapping::default();
        entry.insert("request", self.request());
        entry.insert("response", self.response());
        entry.insert("latencies", self.latencies());
        let sent = self.upstream.as_ref();
        let attempts = sent.map(|sent| sent.attempts.iter().map(attempt_entry).collect::<Vec<_>>());
        entry.insert("tries", attempts.unwrap_or_default());
        if let Some(sent) = sent {
            entry.insert("upstream_uri", &*sent.target);
        }
        let upstream = sent.and_then(|sent| sent.status).map(|status| status.as_u16().to_string());
        entry.insert("upstream_status", upstream.as_deref().unwrap_or_default());
        entry.insert("source", if upstream.is_some() { "upstream" } else { "kong" });
        if let Some(matched) = self.matched.as_deref() {
            entry.insert("route", matched.route_record.clone());
            if !matched.service_record.is_null() {
                entry.insert("service", matched.service_record.clone());
            }
        }
        if let Some(identity) = &self.identity {
            entry.insert("consumer", identity.consumer.record.clone());
            if let Some(credential) = identity.credential.as_deref() {
                let entity = [("id", &*credential.id), ("consumer_id", &*identity.consumer.id)];
                let entity: Mapping =
                    entity.into_iter().map(|(key, value)| (key, Value::from(value))).collect();
                entry.insert("authenticated_entity", entity);
            }
        }
        entry.insert("client_ip", self.client.to_string());
        entry.insert("started_at", number(self.started));
        entry.insert("workspace", WORKSPACE);
        entry.insert("workspace_name", "default");
        entry
    }

    fn request(&self) -> Mapping {
        let target = self.target.path_and_query().map_or("/", |target| target.as_str());
        let mut request = Mapping::default();
        request.insert("id", self.id.as_str());
        request.insert("method", self.method.as_str());
        request.insert("uri", target);
        request.insert("url", format!("{}{target}", self.origin));
        request.insert("querystring", query(self.target.query().unwrap_or_default()));
        request.insert("headers", fields(&self.fields));
        request.insert("size", number(self.size));
        if let Some((version, cipher)) = self.tls {
            let tls = [("version", version), ("cipher", cipher), ("client_verify", "NONE")];
            let tls: Mapping = tls.into_iter().map(|(key, value)| (key, Value::from(value))).collect();
            request.insert("tls", tls);
        }
        request
    }

    fn response(&self) -> Mapping {
        let mut response = Mapping::default();
        let Some(answer) = &self.response else {
            response.insert("status", i64::from(CLIENT_CLOSED_REQUEST));
            response.insert("headers", Mapping::default());
            response.insert("size", 0);
            return response;
        };
        response.insert("status", i64::from(answer.status));
        response.insert("headers", fields(&answer.fields));
        let reason = StatusCode::from_u16(answer.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default();
        let first = "HTTP/1.1 200 ".len() + reason.len();
        response.insert("size", number(Self::head_size(first, &answer.fields) + answer.body_size));
        response
    }

    /// Latencies in milliseconds: total, gateway, upstream, and receiving the upstream's response.
    fn latencies(&self) -> Mapping {
        let total = milliseconds(self.duration);
        let head = self.response.as_ref().map_or(total, |answer| answer.head_latency);
        let sent = self.upstream.as_ref();
        let mut latencies = Mapping::default();
        latencies.insert("request", number(total));
        latencies.insert("kong", number(sent.map_or(total, |sent| sent.gateway_latency)));
        latencies.insert("proxy", sent.map_or(Value::from(-1), |sent| number(sent.upstream_latency)));
        latencies.insert("receive", number(if sent.is_some() { total.saturating_sub(head) } else { 0 }));
        latencies
    }
}

fn attempt_entry(attempt: &UpstreamAttempt) -> Value {
    let mut one = Mapping::default();
    one.insert("ip", attempt.address.ip().to_string());
    one.insert("port", i64::from(attempt.address.port()));
    one.insert("balancer_start", number(milliseconds(attempt.picked_at)));
    one.insert("balancer_start_ns", number(nanoseconds(attempt.picked_at)));
    one.insert("balancer_latency", number(milliseconds(attempt.pick_duration)));
    one.insert("balancer_latency_ns", number(nanoseconds(attempt.pick_duration)));
    one.insert("keepalive", attempt.reused);
    if let Some(status) = attempt.failure_status {
        one.insert("state", "failed");
        one.insert("code", i64::from(status.as_u16()));
    }
    one.into()
}

/// Fields by name: a string, or a list if a field has several values.
fn fields(all: &HeaderMap) -> Mapping {
    let secret = |name: &HeaderName| [AUTHORIZATION, PROXY_AUTHORIZATION].contains(name);
    let members = all.keys().map(|name| {
        let text = |value: &http::HeaderValue| {
            if secret(name) {
                return Value::from(REDACTED);
            }
            Value::from(&*String::from_utf8_lossy(value.as_bytes()))
        };
        (name.as_str(), one_or_all(all.get_all(name).iter().map(text).collect()))
    });
    members.collect()
}

/// Query parameters by name: `true` without a value, a list if a parameter occurs several times.
fn query(text: &str) -> Mapping {
    let mut all: indexmap::IndexMap<String, Vec<Value>> = indexmap::IndexMap::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let Some((name, value)) = form_urlencoded::parse(part.as_bytes()).next() else { continue };
        let value = if part.contains('=') { Value::from(&*value) } else { Value::from(true) };
        all.entry(name.into_owned()).or_default().push(value);
    }
    all.into_iter().map(|(name, values)| (name, one_or_all(values))).collect()
}

fn one_or_all(mut values: Vec<Value>) -> Value {
    if values.len() == 1 { values.remove(0) } else { values.into() }
}

fn number(whole: u64) -> Value {
    Value::Number(whole.into())
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::test_support;

    fn record() -> RequestRecord {
        let request = "GET /a?b=1&b=2&c&d=\nhost: h\nauthorization: Basic YTpi\nx: 1\nx: 2";
        let mut exchange = test_support::request(request);
        let head = exchange.take_head();
        let mut record = RequestRecord::new(
            exchange.request_id,
            head.method,
            head.target,
            head.fields,
            exchange.client.ip(),
        );
        record.origin = "http://h:8000".to_owned();
        record.size = 90;
        record.started = 1_700_000_000_000;
        record.duration = Duration::from_millis(9);
        record
    }

    fn answered(record: &mut RequestRecord) {
        let mut fields = HeaderMap::new();
        fields.insert("a", "b".parse().unwrap());
        record.response = Some(ResponseRecord { status: 200, fields, body_size: 100, head_latency: 7 });
    }

    #[test]
    fn a_request_that_a_plugin_answered() {
        let mut record = record();
        record.tls = Some(("TLSv1.3", "TLS_AES_128_GCM_SHA256"));
        answered(&mut record);
        insta::assert_snapshot!(std::str::from_utf8(record.entry()).unwrap());
    }

    #[test]
    fn a_request_that_went_on() {
        let mut record = record();
        let matched = test_support::matched();
        record.matched = Some(Arc::new(MatchedRoute {
            route: matched.route,
            route_record: test_support::json("{\"name\": \"r\"}"),
            service: None,
            service_record: test_support::json("{\"name\": \"s\"}"),
            consumers: matched.consumers.clone(),
        }));
        record.identity = matched.consumers.find_by_key("alice-key").cloned();
        let first = UpstreamAttempt {
            address: "192.0.2.1:80".parse().unwrap(),
            picked_at: Duration::from_millis(1_700_000_000_001),
            pick_duration: Duration::from_micros(1500),
            reused: false,
            failure_status: Some(StatusCode::BAD_GATEWAY),
        };
        record.upstream = Some(UpstreamRecord {
            target: "/x/a?b=1".to_owned(),
            attempts: vec![first, UpstreamAttempt { reused: true, failure_status: None, ..first }],
            gateway_latency: 2,
            upstream_latency: 4,
            status: Some(StatusCode::CREATED),
        });
        answered(&mut record);
        insta::assert_snapshot!(std::str::from_utf8(record.entry()).unwrap());
    }

    #[test]
    fn a_request_whose_client_left() {
        insta::assert_snapshot!(std::str::from_utf8(record().entry()).unwrap());
    }
}
