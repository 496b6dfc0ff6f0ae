//! Finished responses of a mock: header fields and bytes.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};

use super::{ChosenAnswer, SampleMode, Violation};
use crate::{
    budget::{Budget, Exhausted},
    document::Value,
    openapi::{
        Api, MediaTypeBody, ResponseHeaderSpec, ResponseSpec,
        body::{BodyRenderer, EncodedBody, ValueSource},
        media_type::{self, JSON, PLAIN_TEXT},
        sample::Sampler,
    },
};

/// Response to one request.
#[derive(Clone, Debug)]
pub struct MockResponse {
    /// The status.
    pub status: StatusCode,
    /// The header fields, without those of HTTP framing.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Violations of the body against its own schema; only Prism's profile looks for them.
    pub violations: Arc<[Violation]>,
}

/// Response that all requests with the same choice share.
#[derive(Debug)]
pub(super) struct CachedResponse {
    headers: HeaderMap,
    body: Bytes,
    violations: Arc<[Violation]>,
    /// Whether the search for a valid sample took too long, so that the sample is a reduced one.
    pub(super) reduced: bool,
}

/// Bound on the steps for the samples of all header fields of one response.
const HEADER_STEPS: u64 = 200_000;
/// Bound on the length of a header field, in bytes; clients do not read longer ones.
const MAX_FIELD_LENGTH: usize = 16 * 1024;

/// Inputs of a response: the document, the mode of samples, and the budget.
#[derive(Clone, Copy)]
pub(super) struct ResponseContext<'a> {
    pub(super) api: &'a Api,
    pub(super) sample_mode: SampleMode,
    pub(super) budget: &'a Budget,
}

impl CachedResponse {
    /// The response without a body.
    pub(super) fn empty(context: ResponseContext<'_>, response: &ResponseSpec) -> Result<Self, Exhausted> {
        let headers = make_headers(context, response)?;
        Ok(Self { headers, body: Bytes::new(), violations: Arc::default(), reduced: false })
    }

    /// The chosen response: an example, or a sample of the schema if none was chosen.
    pub(super) fn new(
        context: ResponseContext<'_>,
        response: &ResponseSpec,
        chosen: &ChosenAnswer<'_>,
    ) -> Result<Self, Exhausted> {
        let Some(media) = chosen.media.and_then(|media| response.media.get(media)) else {
            return Self::empty(context, response);
        };
        let (body, reduced) = make_body(context, media, chosen.example, chosen.concrete)?;
        Ok(Self { reduced, ..Self::from_body(context, response, body)? })
    }

    /// The chosen response with another value as its body.
    pub(super) fn with_value(
        context: ResponseContext<'_>,
        response: &ResponseSpec,
        chosen: &ChosenAnswer<'_>,
        value: &Value,
    ) -> Result<Self, Exhausted> {
        let Some(media) = chosen.media.and_then(|media| response.media.get(media)) else {
            return Self::empty(context, response);
        };
        let body = render(context, media, chosen.concrete, value, ValueSource::Example)?;
        Self::from_body(context, response, body)
    }

    fn from_body(
        context: ResponseContext<'_>,
        response: &ResponseSpec,
        body: EncodedBody,
    ) -> Result<Self, Exhausted> {
        let mut headers = make_headers(context, response)?;
        if let Ok(value) = HeaderValue::from_str(&body.content_type) {
            headers.insert(CONTENT_TYPE, value);
        }
        Ok(Self { headers, body: body.bytes, violations: Arc::default(), reduced: false })
    }

    /// This response with the violations that `validate` finds in its body, which it gets with the content type.
    pub(super) fn validated(mut self, validate: impl FnOnce(&str, &[u8]) -> Vec<Violation>) -> Self {
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        self.violations = validate(content_type.unwrap_or_default(), &self.body).into();
        self
    }

    pub(super) fn to_response(&self, status: StatusCode) -> MockResponse {
        MockResponse {
            status,
            headers: self.headers.clone(),
            body: self.body.clone(),
            violations: self.violations.clone(),
        }
    }
}

fn make_body(
    context: ResponseContext<'_>,
    media: &MediaTypeBody,
    example: Option<usize>,
    concrete: Option<&str>,
) -> Result<(EncodedBody, bool), Exhausted> {
    let external = example.and_then(|n| media.examples.get(n)?.external.clone());
    if let Some(bytes) = external {
        let content_type = concrete.unwrap_or_else(|| concrete_type(&media.media_type, None)).to_owned();
        return Ok((EncodedBody { content_type, bytes }, false));
    }
    if let Some(example) = example.and_then(|n| media.examples.get(n)) {
        let body = render(context, media, concrete, &example.value.value, ValueSource::Example)?;
        return Ok((body, false));
    }
    let Some(schema) = &media.schema else {
        let renderer =
            BodyRenderer::new(&context.api.library, context.budget).charset(context.sample_mode.charset);
        let body =
            renderer.render_default(concrete.unwrap_or_else(|| concrete_type(&media.media_type, None)));
        return Ok((body, false));
    };
    let SampleMode { mode, skip_examples, plain, .. } = context.sample_mode;
    let sampler = Sampler::new(&context.api.library).mode(mode).examples(!skip_examples).plain(plain);
    let sample = sampler.within(context.budget).sample(schema);
    context.budget.check_time()?;
    let body = render(context, media, concrete, &sample.value, ValueSource::Sample)?;
    Ok((body, sample.reduced))
}

fn render(
    context: ResponseContext<'_>,
    media: &MediaTypeBody,
    concrete: Option<&str>,
    value: &Value,
    source: ValueSource,
) -> Result<EncodedBody, Exhausted> {
    let mut renderer =
        BodyRenderer::new(&context.api.library, context.budget).charset(context.sample_mode.charset);
    if let Some(name) = context.sample_mode.xml_root {
        renderer = renderer.xml_root(name);
    }
    let media_type = concrete.unwrap_or_else(|| concrete_type(&media.media_type, Some(value)));
    let body = renderer.render(media_type, value, media.schema.as_ref(), media.encoding.as_ref(), source);
    body.map(|rendered| rendered.body)
}

/// The type to send for a wildcard of the document if the client names none.
fn concrete_type<'a>(media_type: &'a str, value: Option<&Value>) -> &'a str {
    match (media_type::essence(media_type), value) {
        ("text/*", _) => PLAIN_TEXT,
        ("image/*", _) => "image/png",
        (wildcard, Some(Value::String(_))) if wildcard.contains('*') => PLAIN_TEXT,
        (wildcard, _) if wildcard.contains('*') => JSON,
        _ => media_type,
    }
}

/// The declared header fields, each with its example or a sample of its schema.
fn make_headers(context: ResponseContext<'_>, response: &ResponseSpec) -> Result<HeaderMap, Exhausted> {
    let budget = context.budget;
    // Capacity for the fields that the gateway adds.
    let mut headers = HeaderMap::with_capacity(response.headers.len() + 8);
    let sampler = Sampler::new(&context.api.library).mode(context.sample_mode.mode).within(budget);
    for header in &response.headers {
        let value = match (&header.example, &header.schema) {
            (Some(example), _) => example.value.clone(),
            (None, Some(schema)) if sampler.effort() < HEADER_STEPS => sampler.sample_field(schema).value,
            _ => continue,
        };
        // A value that is too long or not a valid header value is left out.
        let Some(text) = write_simple(header, &value) else { continue };
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(header.name.clone(), value);
        }
        budget.spend(8)?;
    }
    budget.check_time()?;
    Ok(headers)
}

/// A value in the style `simple`, which header fields have (OpenAPI 3.0.3, "Style Values"); `None` if it is too long.
fn write_simple(header: &ResponseHeaderSpec, value: &Value) -> Option<String> {
    let mut text = String::new();
    let mut add = |start: &str, value: &Value| {
        text.push_str(start);
        match value.as_str() {
            Some(part) if part.len() <= MAX_FIELD_LENGTH => text.push_str(part),
            Some(_) => return false,
            None if !value.fits_json(MAX_FIELD_LENGTH) => return false,
            None => value.write_json(&mut text),
        }
        text.len() <= MAX_FIELD_LENGTH
    };
    let comma = |n: usize| if n == 0 { "" } else { "," };
    let is_short = match value {
        Value::Sequence(items) => items.iter().enumerate().all(|(n, item)| add(comma(n), item)),
        Value::Mapping(members) => {
            let equals = if header.explode { "=" } else { "," };
            members
                .iter()
                .enumerate()
                .all(|(n, (key, value))| add(&format!("{}{key}{equals}", comma(n)), value))
        }
        scalar => add("", scalar),
    };
    is_short.then_some(text)
}
