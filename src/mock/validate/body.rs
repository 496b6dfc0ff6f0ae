//! Whether the body of a request is one that its operation takes.

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use serde_json::Value as Json;

use super::{
    RequestValidator, ValidatedRequest, Violation, coerce::coerce, form, json, style::Pairs,
    violation::MessageSide,
};
use crate::{
    budget::{Budget, Exhausted},
    openapi::{Api, MediaTypeBody, MediaTypeOffers, negotiate, sample::Direction, validator::Shape},
};

const FORM: &str = "application/x-www-form-urlencoded";

/// Why a body has no value.
enum Unread {
    Wrong(Vec<Violation>),
    Exhausted(Exhausted),
}

impl From<Exhausted> for Unread {
    fn from(exhausted: Exhausted) -> Self {
        Self::Exhausted(exhausted)
    }
}

/// Everything that is wrong with the body.
pub(super) fn check(
    checks: &RequestValidator,
    api: &Api,
    operation: usize,
    sent: &ValidatedRequest<'_>,
    violations: &mut Vec<Violation>,
    budget: &Budget,
) -> Result<(), Exhausted> {
    let Some(declared) = &api.operations[operation].request_body else {
        if !sent.body.is_empty() {
            let message = "No supported content types, but request included a non-empty body";
            violations.push(Violation::with_status(place(), 415, message));
        }
        return Ok(());
    };
    if sent.body.is_empty() {
        if declared.required {
            violations.push(Violation::word(place(), "required", "Body parameter is required"));
        }
        return Ok(());
    }
    let content_type = sent.headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let types = declared.media.iter().map(|it| it.media_type.as_str());
    let chosen = match content_type {
        None => (!declared.media.is_empty()).then_some(0),
        Some(text) => negotiate(Some(text), &MediaTypeOffers::new(types.clone())).map(|it| it.offer),
    };
    let Some((n, media)) = chosen.and_then(|n| Some((n, declared.media.get(n)?))) else {
        let message = format!("Supported content types: {}", types.collect::<Vec<_>>().join(","));
        violations.push(Violation::with_status(place(), 415, message));
        return Ok(());
    };
    let schema = match &media.schema {
        Some(node) => {
            let slot = &checks.operations[operation].bodies[n];
            Some(checks.schema(slot, api, node, Direction::Request, budget)?)
        }
        None => None,
    };
    let shape = schema.as_ref().map(|it| it.shape());
    let content_type = content_type.unwrap_or(&media.media_type);
    let value = match read(media, content_type, sent.body, shape, budget) {
        Ok(value) => value,
        Err(Unread::Wrong(mut wrong)) => {
            violations.append(&mut wrong);
            return Ok(());
        }
        Err(Unread::Exhausted(exhausted)) => return Err(exhausted),
    };
    if let (Some(value), Some(schema)) = (value, schema) {
        let errors = schema.errors(&value, budget)?.into_iter();
        violations.extend(errors.map(|it| Violation::of(MessageSide::Request, "body", None, it)));
    }
    Ok(())
}

fn place() -> Vec<String> {
    vec!["body".to_owned()]
}

/// The value that a body is; nothing for types that no schema can be put to.
fn read(
    media: &MediaTypeBody,
    content_type: &str,
    body: &[u8],
    shape: Option<Shape<'_>>,
    budget: &Budget,
) -> Result<Option<Json>, Unread> {
    let wrong =
        |status, message: String| Unread::Wrong(vec![Violation::with_status(place(), status, message)]);
    let essence = essence(content_type);
    if is_json(&essence) {
        let value = json::parse(body, budget)?;
        return value.map(Some).map_err(|error| wrong(400, format!("Request body is not JSON: {error}")));
    }
    let encoding = media.encoding.as_ref();
    let object = |fields: &Pairs<'_>| {
        let wrong = form::reserved(fields, encoding);
        if !wrong.is_empty() {
            return Err(Unread::Wrong(wrong));
        }
        Ok(Some(form::value(fields, shape, encoding, budget)?))
    };
    if essence == FORM {
        return object(&Pairs::read(&text(body, budget)?, budget)?);
    }
    if essence == "multipart/form-data" {
        let Some(boundary) = boundary(content_type) else {
            let message = "Boundary parameter for multipart/form-data is not defined in the request header";
            return Err(wrong(415, message.to_owned()));
        };
        // Parts are copied, and what has to be is percent-encoded.
        budget.allocate(body.len().saturating_mul(4))?;
        let Some(fields) = form::multipart(&text(body, budget)?, &boundary) else {
            return Err(wrong(400, format!("Request body has more than {} parts", form::MAX_PARTS)));
        };
        let pairs = fields.iter().map(|(name, text)| (name.clone(), text.as_str())).collect();
        return object(&Pairs::new(pairs));
    }
    if essence.starts_with("text/") && essence != "text/xml" {
        let text = Json::String(text(body, budget)?.into_owned());
        return Ok(Some(match shape {
            Some(shape) => coerce(shape, text, budget)?,
            None => text,
        }));
    }
    Ok(None)
}

/// The body as a text.
fn text<'a>(body: &'a [u8], budget: &Budget) -> Result<Cow<'a, str>, Exhausted> {
    budget.spend(body.len() as u64 / 16)?;
    budget.allocate(body.len().saturating_mul(3))?;
    Ok(String::from_utf8_lossy(body))
}

/// A media type without its parameters, in lower case.
pub(super) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether bodies of this type are JSON.
pub(super) fn is_json(essence: &str) -> bool {
    matches!(essence, "application/json" | "text/json") || essence.ends_with("+json")
}

fn boundary(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (key.trim().eq_ignore_ascii_case("boundary") && !value.is_empty()).then(|| value.to_owned())
    })
}
