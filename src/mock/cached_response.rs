//! Answers as they go out: header fields and bytes.

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
        sample::Sampler,
    },
};

/// An answer, for one request.
#[derive(Clone, Debug)]
pub struct MockResponse {
    /// The status.
    pub status: StatusCode,
    /// The header fields, framing aside.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What is wrong with the body by its own schema; only looked for in the profile that tells of it.
    pub violations: Arc<[Violation]>,
}

/// An answer, for every request that chooses it.
#[derive(Debug)]
pub(super) struct CachedResponse {
    headers: HeaderMap,
    body: Bytes,
    violations: Arc<[Violation]>,
    /// Whether the schema asked for too long a search, so that the value is a small one.
    pub(super) reduced: bool,
}

/// Steps of all samples of header fields of one answer.
const HEADER_STEPS: u64 = 200_000;
/// A field is no longer than this: no client reads more.
const LONGEST_FIELD: usize = 16 * 1024;

/// How an answer is made: the document, the wishes, and the bounds.
#[derive(Clone, Copy)]
pub(super) struct Recipe<'a> {
    pub(super) api: &'a Api,
    pub(super) sample_mode: SampleMode,
    pub(super) budget: &'a Budget,
}

impl CachedResponse {
    /// The answer of a response without a body.
    pub(super) fn empty(recipe: Recipe<'_>, response: &ResponseSpec) -> Result<Self, Exhausted> {
        let headers = declared_headers(recipe, response)?;
        Ok(Self { headers, body: Bytes::new(), violations: Arc::default(), reduced: false })
    }

    /// The answer that was chosen: of an example, or of a sample of the schema if there is none.
    pub(super) fn new(
        recipe: Recipe<'_>,
        response: &ResponseSpec,
        chosen: &ChosenAnswer<'_>,
    ) -> Result<Self, Exhausted> {
        let Some(media) = chosen.media.and_then(|media| response.media.get(media)) else {
            return Self::empty(recipe, response);
        };
        let (body, reduced) = body(recipe, media, chosen.example, chosen.concrete)?;
        Ok(Self { reduced, ..Self::of(recipe, response, body)? })
    }

    /// The answer that was chosen, with another value as its body.
    pub(super) fn of_value(
        recipe: Recipe<'_>,
        response: &ResponseSpec,
        chosen: &ChosenAnswer<'_>,
        value: &Value,
    ) -> Result<Self, Exhausted> {
        let Some(media) = chosen.media.and_then(|media| response.media.get(media)) else {
            return Self::empty(recipe, response);
        };
        let body = render(recipe, media, chosen.concrete, value, ValueSource::Example)?;
        Self::of(recipe, response, body)
    }

    fn of(recipe: Recipe<'_>, response: &ResponseSpec, body: EncodedBody) -> Result<Self, Exhausted> {
        let mut headers = declared_headers(recipe, response)?;
        if let Ok(value) = HeaderValue::from_str(&body.content_type) {
            headers.insert(CONTENT_TYPE, value);
        }
        Ok(Self { headers, body: body.bytes, violations: Arc::default(), reduced: false })
    }

    /// The same with what `judge` says of its content type and its bytes.
    pub(super) fn judged(mut self, judge: impl FnOnce(&str, &[u8]) -> Vec<Violation>) -> Self {
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        self.violations = judge(content_type.unwrap_or_default(), &self.body).into();
        self
    }

    pub(super) fn answer(&self, status: StatusCode) -> MockResponse {
        MockResponse {
            status,
            headers: self.headers.clone(),
            body: self.body.clone(),
            violations: self.violations.clone(),
        }
    }
}

fn body(
    recipe: Recipe<'_>,
    media: &MediaTypeBody,
    example: Option<usize>,
    concrete: Option<&str>,
) -> Result<(EncodedBody, bool), Exhausted> {
    let external = example.and_then(|n| media.examples.get(n)?.external.clone());
    if let Some(bytes) = external {
        let content_type = concrete.unwrap_or_else(|| usual(&media.media_type, None)).to_owned();
        return Ok((EncodedBody { content_type, bytes }, false));
    }
    if let Some(example) = example.and_then(|n| media.examples.get(n)) {
        let body = render(recipe, media, concrete, &example.value.value, ValueSource::Example)?;
        return Ok((body, false));
    }
    let Some(schema) = &media.schema else {
        let renderer =
            BodyRenderer::new(&recipe.api.library, recipe.budget).charset(recipe.sample_mode.charset);
        let body = renderer.undescribed(concrete.unwrap_or_else(|| usual(&media.media_type, None)));
        return Ok((body, false));
    };
    let SampleMode { mode, skip_examples, plain, .. } = recipe.sample_mode;
    let sampler = Sampler::new(&recipe.api.library).mode(mode).examples(!skip_examples).plain(plain);
    let sample = sampler.within(recipe.budget).sample(schema);
    recipe.budget.look()?;
    let body = render(recipe, media, concrete, &sample.value, ValueSource::Sample)?;
    Ok((body, sample.reduced))
}

fn render(
    recipe: Recipe<'_>,
    media: &MediaTypeBody,
    concrete: Option<&str>,
    value: &Value,
    source: ValueSource,
) -> Result<EncodedBody, Exhausted> {
    let mut renderer =
        BodyRenderer::new(&recipe.api.library, recipe.budget).charset(recipe.sample_mode.charset);
    if let Some(name) = recipe.sample_mode.xml_root {
        renderer = renderer.xml_root(name);
    }
    let media_type = concrete.unwrap_or_else(|| usual(&media.media_type, Some(value)));
    let body = renderer.render(media_type, value, media.schema.as_ref(), media.encoding.as_ref(), source);
    body.map(|rendered| rendered.body)
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
fn declared_headers(recipe: Recipe<'_>, response: &ResponseSpec) -> Result<HeaderMap, Exhausted> {
    let budget = recipe.budget;
    // Room for those that the gateway adds.
    let mut headers = HeaderMap::with_capacity(response.headers.len() + 8);
    let sampler = Sampler::new(&recipe.api.library).mode(recipe.sample_mode.mode).within(budget);
    for header in &response.headers {
        let value = match (&header.example, &header.schema) {
            (Some(example), _) => example.value.clone(),
            (None, Some(schema)) if sampler.effort() < HEADER_STEPS => sampler.sample_field(schema).value,
            _ => continue,
        };
        // One that is too long is left out, as one that is no text for a field is.
        let Some(text) = simple(header, &value) else { continue };
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(header.name.clone(), value);
        }
        budget.spend(8)?;
    }
    budget.look()?;
    Ok(headers)
}

/// A value in the style `simple`, the one of header fields. (OpenAPI 3.0.3, "Style Values".)
fn simple(header: &ResponseHeaderSpec, value: &Value) -> Option<String> {
    let mut text = String::new();
    let mut add = |start: &str, value: &Value| {
        text.push_str(start);
        match value.as_str() {
            Some(it) if it.len() <= LONGEST_FIELD => text.push_str(it),
            Some(_) => return false,
            None if !value.fits_json(LONGEST_FIELD) => return false,
            None => value.write_json(&mut text),
        }
        text.len() <= LONGEST_FIELD
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
