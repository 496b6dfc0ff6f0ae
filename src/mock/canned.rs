//! Answers as they go out: header fields and bytes.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};

use super::{Chosen, Making, Violation};
use crate::{
    document::Value,
    openapi::{
        Api, Header, Media, Response,
        body::{Body, Renderer, Source},
        sample::{Mode, Sampler},
    },
};

/// An answer, for one request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header fields, framing aside.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What is wrong with the body by its own schema; only looked for in the profile that tells of it.
    pub flaws: Arc<[Violation]>,
}

/// An answer, for every request that chooses it.
#[derive(Debug)]
pub(super) struct Canned {
    headers: HeaderMap,
    body: Bytes,
    flaws: Arc<[Violation]>,
}

impl Canned {
    /// The answer of a response without a body.
    pub(super) fn empty(api: &Api, response: &Response) -> Self {
        let headers = declared_headers(api, response, Mode::Stable);
        Self { headers, body: Bytes::new(), flaws: Arc::default() }
    }

    /// The answer that was chosen: of an example, or of a sample of the schema if there is none.
    pub(super) fn new(api: &Api, response: &Response, chosen: &Chosen<'_>, making: Making) -> Self {
        let Some(media) = chosen.media.and_then(|media| response.media.get(media)) else {
            return Self::empty(api, response);
        };
        Self::of(api, response, body(api, media, chosen.example, chosen.concrete, making), making)
    }

    /// The answer that was chosen, with another value as its body.
    pub(super) fn of_value(
        api: &Api,
        response: &Response,
        chosen: &Chosen<'_>,
        making: Making,
        value: &Value,
    ) -> Self {
        let Some(media) = chosen.media.and_then(|media| response.media.get(media)) else {
            return Self::empty(api, response);
        };
        let body = render(api, media, chosen.concrete, making, value, Source::Example);
        Self::of(api, response, body, making)
    }

    fn of(api: &Api, response: &Response, body: Body, making: Making) -> Self {
        let mut headers = declared_headers(api, response, making.mode);
        if let Ok(value) = HeaderValue::from_str(&body.content_type) {
            headers.insert(CONTENT_TYPE, value);
        }
        Self { headers, body: body.bytes, flaws: Arc::default() }
    }

    /// The same with what `judge` says of its content type and its bytes.
    pub(super) fn judged(mut self, judge: impl FnOnce(&str, &[u8]) -> Vec<Violation>) -> Self {
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
        self.flaws = judge(content_type.unwrap_or_default(), &self.body).into();
        self
    }

    pub(super) fn answer(&self, status: StatusCode) -> Answer {
        Answer { status, headers: self.headers.clone(), body: self.body.clone(), flaws: self.flaws.clone() }
    }
}

fn body(api: &Api, media: &Media, example: Option<usize>, concrete: Option<&str>, making: Making) -> Body {
    let external = example.and_then(|n| media.examples.get(n)?.external.clone());
    if let Some(bytes) = external {
        let content_type = concrete.unwrap_or_else(|| usual(&media.media_type, None)).to_owned();
        return Body { content_type, bytes };
    }
    let Some((value, source)) = value(api, media, example, making) else {
        let renderer = Renderer::new(&api.library).charset(making.charset);
        return renderer.undescribed(concrete.unwrap_or_else(|| usual(&media.media_type, None)));
    };
    render(api, media, concrete, making, &value, source)
}

/// What a body says, by an example or by the schema.
pub(super) fn value(
    api: &Api,
    media: &Media,
    example: Option<usize>,
    making: Making,
) -> Option<(Value, Source)> {
    if let Some(example) = example.and_then(|n| media.examples.get(n)) {
        return Some((example.value.value.clone(), Source::Example));
    }
    let sampler = Sampler::new(&api.library).mode(making.mode).examples(!making.fresh).plain(making.plain);
    media.schema.as_ref().map(|schema| (sampler.sample(schema).value, Source::Sample))
}

fn render(
    api: &Api,
    media: &Media,
    concrete: Option<&str>,
    making: Making,
    value: &Value,
    source: Source,
) -> Body {
    let mut renderer = Renderer::new(&api.library).charset(making.charset);
    if let Some(name) = making.xml_root {
        renderer = renderer.xml_root(name);
    }
    let media_type = concrete.unwrap_or_else(|| usual(&media.media_type, Some(value)));
    renderer.render(media_type, value, media.schema.as_ref(), media.encoding.as_ref(), source).body
}

/// The type that is sent where the document has a wildcard and the client has no wish.
fn usual<'a>(media_type: &'a str, value: Option<&Value>) -> &'a str {
    match (media_type.split(';').next().unwrap_or_default().trim(), value) {
        ("text/*", _) => "text/plain",
        ("image/*", _) => "image/png",
        (wildcard, Some(Value::String(_))) if wildcard.contains('*') => "text/plain",
        (wildcard, _) if wildcard.contains('*') => "application/json",
        _ => media_type,
    }
}

/// The fields that the response declares, each with its example, or a sample of its schema.
fn declared_headers(api: &Api, response: &Response, mode: Mode) -> HeaderMap {
    // Room for those that the gateway adds.
    let mut headers = HeaderMap::with_capacity(response.headers.len() + 8);
    for header in &response.headers {
        let value = match (&header.example, &header.schema) {
            (Some(example), _) => example.value.clone(),
            (None, Some(schema)) => Sampler::new(&api.library).mode(mode).sample(schema).value,
            (None, None) => continue,
        };
        if let Ok(value) = HeaderValue::from_str(&simple(header, &value)) {
            headers.insert(header.name.clone(), value);
        }
    }
    headers
}

/// A value in the style `simple`, the one of header fields. (OpenAPI 3.0.3, "Style Values".)
fn simple(header: &Header, value: &Value) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_json(), str::to_owned);
    let parts: Vec<String> = match value {
        Value::Sequence(items) => items.iter().map(plain).collect(),
        Value::Mapping(members) => {
            let equals = if header.explode { "=" } else { "," };
            members.iter().map(|(key, value)| format!("{key}{equals}{}", plain(value))).collect()
        }
        scalar => vec![plain(scalar)],
    };
    parts.join(",")
}
