//! Answers as they go out: header fields and bytes.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};

use crate::{
    document::Value,
    openapi::{Api, Media, Response},
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
}

/// An answer, for every request that chooses it.
#[derive(Debug)]
pub(super) struct Canned {
    headers: HeaderMap,
    body: Bytes,
}

impl Canned {
    /// The answer of a response without a body.
    pub(super) fn empty(api: &Api, response: &Response) -> Self {
        Self { headers: declared_headers(api, response), body: Bytes::new() }
    }

    /// The answer of an example, or of a sample of the schema if there is none. `concrete` stands in place of a
    /// wildcard in the document.
    pub(super) fn new(
        api: &Api,
        response: &Response,
        media: usize,
        example: Option<usize>,
        concrete: Option<&str>,
    ) -> Self {
        let media = &response.media[media];
        let media_type = concrete.unwrap_or(&media.media_type);
        let mut headers = declared_headers(api, response);
        if let Some(value) = content_type(media_type) {
            headers.insert(CONTENT_TYPE, value);
        }
        Self { headers, body: body(media, media_type, example) }
    }

    pub(super) fn answer(&self, status: StatusCode) -> Answer {
        Answer { status, headers: self.headers.clone(), body: self.body.clone() }
    }
}

/// As declared; bare `application/json` says its charset, as Kong's answers do.
fn content_type(media_type: &str) -> Option<HeaderValue> {
    match media_type {
        "application/json" => Some(HeaderValue::from_static("application/json; charset=utf-8")),
        wildcard if wildcard.contains('*') => None,
        other => HeaderValue::from_str(other).ok(),
    }
}

fn body(media: &Media, media_type: &str, example: Option<usize>) -> Bytes {
    let Some(example) = example.and_then(|example| media.examples.get(example)) else { return Bytes::new() };
    if let Some(external) = &example.external {
        return external.clone();
    }
    match &example.value.value {
        Value::String(text) if !media_type.contains("json") => Bytes::copy_from_slice(text.as_bytes()),
        value => value.to_json().into(),
    }
}

fn declared_headers(_api: &Api, response: &Response) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(response.headers.len() + 8);
    for header in &response.headers {
        let value = match header.example.as_ref().map(|example| &example.value) {
            Some(Value::String(text)) => text.to_string(),
            Some(value) => value.to_json(),
            None => continue,
        };
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(header.name.clone(), value);
        }
    }
    headers
}
