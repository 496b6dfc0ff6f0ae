//! REQUEST TRANSFORMER: changes method, path, headers, body and query on the way to the upstream.
//! (Kong: Request Transformer plugin.)
//!
//! Values are templates: texts with small expressions in them, read at load.

mod arguments;
mod expression;
mod parse;
mod template;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING},
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::{
    Def, Exchange, Flow, Plugin, Setup,
    rewrite::{self, Entry, Reader, Rules},
    rules::{self, TEXTS},
    whole_body,
};
use crate::{
    body::{Body, BodyBuffers, BodyError},
    diag::Diagnostic,
    document::Value,
    schema::{Field, Kind, Rule, Settings},
};
use template::Template;

/// The plugin in the table.
pub(super) const DEF: Def = Def {
    name: "request-transformer",
    priority: 801,
    per_consumer: true,
    settings: Settings { fields: FIELDS, checks: &[] },
    compile,
};

const PARTS: Kind = Kind::Record(&[
    Field::new("body", TEXTS),
    Field::new("headers", TEXTS),
    Field::new("querystring", TEXTS),
]);

const FIELDS: &[Field] = &[
    Field::new("http_method", Kind::String).rules(&[Rule::Holds(method)]),
    Field::new("remove", PARTS),
    Field::new("rename", PARTS),
    Field::new(
        "replace",
        Kind::Record(&[
            Field::new("body", TEXTS),
            Field::new("headers", TEXTS),
            Field::new("querystring", TEXTS),
            Field::new("uri", Kind::String),
        ]),
    ),
    Field::new("add", PARTS),
    Field::new("append", PARTS),
    Field::new("dots_in_keys", Kind::Boolean).default("true"),
];

fn method(value: &Value) -> Result<(), String> {
    let method = value.as_str().unwrap_or_default();
    let fits = method.bytes().all(|it| it.is_ascii_uppercase());
    if fits { Ok(()) } else { Err(format!("invalid value: {method}")) }
}

/// A body of more bytes cannot be changed.
const LIMIT: u64 = 64 << 20;

/// What a path may not hold as it is. (RFC 3986, section 3.3.)
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

struct RequestTransformer {
    method: Option<Method>,
    path: Option<Template>,
    headers: Rules<HeaderName, Header>,
    body: Rules<String, Template>,
    query: Rules<String, Template>,
    buffers: BodyBuffers,
}

/// The value of a header.
enum Header {
    Fixed(HeaderValue),
    Template(Template),
}

fn compile(setup: &Setup<'_>) -> Result<Arc<dyn Plugin>, Vec<Diagnostic>> {
    let template = |entry: &Entry<'_>| Template::new(entry.value, entry);
    let mut reader = Reader::new(setup);
    let headers = reader.rules("headers", rewrite::header_name, header);
    let body = reader.rules("body", rewrite::any_name, template);
    let query = reader.rules("querystring", rewrite::any_name, template);
    let mut complaints = reader.complaints;
    let path = setup.config.get("replace").and_then(|it| it.get("uri")?.as_str()).and_then(|text| {
        let at = setup.at.key("replace").key("uri");
        let entry = Entry { rule: "replace", place: 0, value: text, at };
        template(&entry).map_err(|complaint| complaints.push(complaint)).ok()
    });
    if !body.is_empty() && !rules::truth(setup.config, "dots_in_keys") {
        let message = "nested members of a body are not supported by this version of mynah";
        complaints.push(Diagnostic::error(setup.at.key("dots_in_keys"), message));
    }
    if !complaints.is_empty() {
        return Err(complaints);
    }
    let method = rules::text(setup.config, "http_method").and_then(|it| it.parse().ok());
    let buffers = setup.resources.buffers.clone();
    Ok(Arc::new(RequestTransformer { method, path, headers, body, query, buffers }))
}

fn header(entry: &Entry<'_>) -> Result<Header, Diagnostic> {
    if entry.value.contains("$(") {
        return Template::new(entry.value.trim(), entry).map(Header::Template);
    }
    rewrite::header_value(entry).map(Header::Fixed)
}

impl Plugin for RequestTransformer {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        if let Some(path) = &self.path {
            let path = utf8_percent_encode(&path.render(exchange), UNSAFE).to_string();
            exchange.upstream_path = Some(path);
        }
        if let Some(method) = &self.method {
            exchange.head.method = method.clone();
        }
        self.transform_headers(exchange);
        let format = if self.body.is_empty() { None } else { Format::of(&exchange.head.headers) };
        let Some(format) = format else {
            self.transform_query(exchange);
            return Flow::Continue;
        };
        Flow::Later(Box::pin(self.transform_body(exchange, format)))
    }
}

impl RequestTransformer {
    fn transform_headers(&self, exchange: &mut Exchange) {
        let host = exchange.head.headers.get(HOST).cloned();
        self.headers.apply(
            exchange,
            |exchange| &mut exchange.head.headers,
            |value, exchange| match value {
                Header::Fixed(value) => Some(value.clone()),
                Header::Template(template) => HeaderValue::from_str(template.render(exchange).trim()).ok(),
            },
        );
        // The upstream's own name would take the place of one that the settings ask for.
        let now = exchange.head.headers.get(HOST);
        if now != host.as_ref() {
            exchange.upstream_host = now.cloned();
        }
    }

    async fn transform_body<'a>(&'a self, exchange: &'a mut Exchange, format: Format) -> Flow<'a> {
        let body = std::mem::replace(&mut exchange.body, Body::Empty);
        let read = self.buffers.read_whole(body, LIMIT).await;
        let bytes = match read.and_then(|bytes| self.transformed(bytes, format, exchange)) {
            Ok(bytes) => bytes,
            Err(error) => return Flow::Respond(whole_body::refusal(exchange, &error)),
        };
        let headers = &mut exchange.head.headers;
        headers.remove(TRANSFER_ENCODING);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        exchange.body = if bytes.is_empty() { Body::Empty } else { Body::Full(bytes) };
        self.transform_query(exchange);
        Flow::Continue
    }

    /// What becomes of a body.
    fn transformed(&self, bytes: Bytes, format: Format, exchange: &Exchange) -> Result<Bytes, BodyError> {
        let changed = match format {
            Format::Json => {
                let _room = whole_body::room_for_json(&self.buffers, &bytes)?;
                self.transform_json(&bytes, exchange)
            }
            Format::Form => std::str::from_utf8(&bytes)
                .ok()
                .map(|text| arguments::rewrite(text, &self.body, exchange).into_bytes()),
        };
        changed.map_or(Ok(bytes), |changed| self.buffers.hold(changed))
    }

    /// A JSON object with its members changed; none if it is no object.
    fn transform_json(&self, bytes: &[u8], exchange: &Exchange) -> Option<Vec<u8>> {
        let bytes = if bytes.is_empty() { b"{}" } else { bytes };
        let Ok(serde_json::Value::Object(mut members)) = serde_json::from_slice(bytes) else { return None };
        self.body.apply_json(&mut members, |value| value.render(exchange).into_owned().into());
        serde_json::to_vec(&members).ok()
    }

    fn transform_query(&self, exchange: &mut Exchange) {
        if self.query.is_empty() {
            return;
        }
        let query = exchange.head.uri.query().unwrap_or_default();
        let query = arguments::rewrite(query, &self.query, exchange);
        exchange.set_query(&query);
    }
}

/// The formats of bodies that can be changed.
#[derive(Clone, Copy)]
enum Format {
    Json,
    Form,
}

impl Format {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let media_type = headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next()?.trim();
        if media_type.eq_ignore_ascii_case("application/json") {
            return Some(Self::Json);
        }
        media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded").then_some(Self::Form)
    }
}
