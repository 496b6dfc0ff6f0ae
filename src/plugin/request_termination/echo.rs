//! Echo of a request as JSON. (Kong: Request Termination plugin, `echo`.)

use bytes::Bytes;
use form_urlencoded::parse;
use http::{HeaderMap, header};
use uuid::Uuid;

use crate::{
    body::{Body, BodyBuffers, BodyError},
    document::{Mapping, Value},
    plugin::{Exchange, whole_body},
    uri::Scheme,
};

/// The size limit of a body that is echoed, in bytes.
const MAX_BODY_BYTES: u64 = 1 << 20;

/// The request and its matched Route and Service, as JSON. Consumes the body.
pub(super) async fn echo(
    exchange: &mut Exchange,
    message: Option<&str>,
    node_id: Uuid,
    buffers: &BodyBuffers,
) -> Result<Bytes, BodyError> {
    let body = std::mem::replace(&mut exchange.body, Body::Empty);
    let raw = match buffers.read_whole(body, MAX_BODY_BYTES).await {
        Err(BodyError::NoRoom) => return Err(BodyError::NoRoom),
        raw => raw.ok().filter(|raw| !raw.is_empty()),
    };
    let _room = raw.as_deref().map(|raw| whole_body::reserve_for_json(buffers, raw)).transpose()?;
    let raw = raw.map(|raw| String::from_utf8_lossy(&raw).into_owned());
    let (head, fields) = (exchange.head(), exchange.edited_fields());
    let authority = head.authority();
    let matched = exchange.matched.as_deref();
    let scheme = Scheme::from_tls(exchange.tls);
    let request: Mapping = [
        ("scheme", Value::from(scheme.as_str())),
        ("host", Value::from(authority.host())),
        ("port", i64::from(exchange.port).into()),
        ("headers", headers(&fields)),
        ("query", pairs(exchange.upstream_query().unwrap_or_default())),
        ("body", raw.as_deref().map_or(Value::Null, |raw| parse_body(raw, &fields))),
        ("raw_body", raw.map_or(Value::Null, Value::from)),
        ("method", Value::from(exchange.upstream_method().as_str())),
        ("path", Value::from(head.path())),
        ("uri_captures", captures(exchange).into()),
    ]
    .into_iter()
    .collect();
    let answer: Mapping = [
        ("message", message.map_or(Value::Null, Value::from)),
        ("kong", node(node_id).into()),
        ("request", request.into()),
        ("matched_route", matched.map_or(Value::Null, |route| route.route_record.clone())),
        ("matched_service", matched.map_or(Value::Null, |route| route.service_record.clone())),
    ]
    .into_iter()
    .collect();
    // Counted in the budget: the echo may be several times as large as the body, and the client may read it slowly.
    buffers.hold(Value::from(answer).to_json().into_bytes())
}

/// A parsed body, if it is JSON or a form.
fn parse_body(raw: &str, headers: &HeaderMap) -> Value {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/json" => {
            serde_json::from_str(raw).map_or(Value::Null, |json: serde_json::Value| Value::from(&json))
        }
        "application/x-www-form-urlencoded" => pairs(raw),
        _ => Value::Null,
    }
}

fn headers(headers: &HeaderMap) -> Value {
    let text = |value: &http::HeaderValue| Value::from(&*String::from_utf8_lossy(value.as_bytes()));
    let mut all = Mapping::default();
    for name in headers.keys() {
        let mut values: Vec<Value> = headers.get_all(name).iter().map(text).collect();
        let value = if values.len() == 1 { values.remove(0) } else { values.into() };
        all.insert(name.as_str(), value);
    }
    all.into()
}

/// Parameters of a query or form: a list for repeated names, true for a name without `=`.
fn pairs(text: &str) -> Value {
    let mut all = Mapping::default();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        for (name, value) in parse(part.as_bytes()) {
            let value = if part.contains('=') { Value::from(&*value) } else { Value::from(true) };
            let value = match all.get(&name) {
                Some(Value::Sequence(before)) => {
                    before.iter().cloned().chain([value]).collect::<Vec<_>>().into()
                }
                Some(before) => vec![before.clone(), value].into(),
                None => value,
            };
            all.insert(&*name, value);
        }
    }
    all.into()
}

/// This process.
fn node(node_id: Uuid) -> Mapping {
    [
        ("node_id", Value::from(node_id.to_string())),
        ("worker_pid", i64::from(std::process::id()).into()),
        ("hostname", Value::from(&*rustix::system::uname().nodename().to_string_lossy())),
    ]
    .into_iter()
    .collect()
}

/// The captures of the Route's path: all groups in their order, and those with names.
fn captures(exchange: &Exchange) -> Mapping {
    let unnamed: Vec<Value> = exchange.captures.iter().map(|(_, text)| Value::from(text.as_str())).collect();
    let named = exchange.captures.iter().filter(|(name, _)| !name.is_empty());
    let named: Mapping = named.map(|(name, text)| (name.clone(), Value::from(text.as_str()))).collect();
    [("named", Value::from(named)), ("unnamed", unnamed.into())].into_iter().collect()
}
