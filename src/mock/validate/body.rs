//! Validation of request bodies.

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use serde_json::Value as Json;

use super::{
    RequestValidator, ValidatedRequest, Violation, coerce::coerce, form, json, style::Pairs,
    violation::MessageSide,
};
use crate::{
    budget::{Budget, Exhausted},
    openapi::{
        Api, MediaTypeBody, MediaTypeOffers,
        media_type::{FORM, JSON, MULTIPART_FORM, lowercase_essence},
        negotiate,
        sample::Direction,
        validator::Shape,
    },
};

/// Error of a body that was not parsed.
enum BodyParseError {
    Invalid(Vec<Violation>),
    Exhausted(Exhausted),
}

impl From<Exhausted> for BodyParseError {
    fn from(exhausted: Exhausted) -> Self {
        Self::Exhausted(exhausted)
    }
}

/// Validates the body of a request.
pub(super) fn validate(
    validator: &RequestValidator,
    api: &Api,
    operation: usize,
    request: &ValidatedRequest<'_>,
    violations: &mut Vec<Violation>,
    budget: &Budget,
) -> Result<(), Exhausted> {
    let Some(declared) = &api.operations[operation].request_body else {
        if !request.body.is_empty() {
            let message = "No supported content types, but request included a non-empty body";
            violations.push(Violation::with_status(location(), 415, message));
        }
        return Ok(());
    };
    if request.body.is_empty() {
        if declared.required {
            violations.push(Violation::with_keyword(location(), "required", "Body parameter is required"));
        }
        return Ok(());
    }
    let content_type = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let types = declared.media.iter().map(|media| media.media_type.as_str());
    let chosen = match content_type {
        None => (!declared.media.is_empty()).then_some(0),
        Some(text) => negotiate(Some(text), &MediaTypeOffers::new(types.clone())).map(|choice| choice.offer),
    };
    let Some((n, media)) = chosen.and_then(|n| Some((n, declared.media.get(n)?))) else {
        let message = format!("Supported content types: {}", types.collect::<Vec<_>>().join(","));
        violations.push(Violation::with_status(location(), 415, message));
        return Ok(());
    };
    let schema = match &media.schema {
        Some(node) => {
            let slot = &validator.operations[operation].bodies[n];
            Some(validator.compiled(slot, api, node, Direction::Request, budget)?)
        }
        None => None,
    };
    let shape = schema.as_ref().map(|compiled| compiled.shape());
    let content_type = content_type.unwrap_or(&media.media_type);
    let value = match parse(media, content_type, request.body, shape, budget) {
        Ok(value) => value,
        Err(BodyParseError::Invalid(mut found)) => {
            violations.append(&mut found);
            return Ok(());
        }
        Err(BodyParseError::Exhausted(exhausted)) => return Err(exhausted),
    };
    if let (Some(value), Some(schema)) = (value, schema) {
        let errors = schema.errors(&value, budget)?.into_iter();
        violations.extend(errors.map(|error| Violation::of_value(MessageSide::Request, "body", None, error)));
    }
    Ok(())
}

/// Location of violations of a whole body.
pub(super) fn location() -> Vec<String> {
    vec!["body".to_owned()]
}

/// Parses a body to the value that its schema describes; `None` for media types without such a value.
fn parse(
    media: &MediaTypeBody,
    content_type: &str,
    body: &[u8],
    shape: Option<Shape<'_>>,
    budget: &Budget,
) -> Result<Option<Json>, BodyParseError> {
    let invalid = |status, message: String| {
        BodyParseError::Invalid(vec![Violation::with_status(location(), status, message)])
    };
    let essence = lowercase_essence(content_type);
    if is_json(&essence) {
        let value = json::parse(body, budget)?;
        return value.map(Some).map_err(|error| invalid(400, format!("Request body is not JSON: {error}")));
    }
    let encoding = media.encoding.as_ref();
    let object = |fields: &Pairs<'_>| {
        let violations = form::find_reserved(fields, encoding);
        if !violations.is_empty() {
            return Err(BodyParseError::Invalid(violations));
        }
        Ok(Some(form::parse_object(fields, shape, encoding, budget)?))
    };
    if essence == FORM {
        return object(&Pairs::parse(&decode_text(body, budget)?, budget)?);
    }
    if essence == MULTIPART_FORM {
        let Some(boundary) = find_boundary(content_type) else {
            let message = "Boundary parameter for multipart/form-data is not defined in the request header";
            return Err(invalid(415, message.to_owned()));
        };
        // Parts are copied, with some bytes percent-encoded, which takes three bytes for one.
        budget.allocate(body.len().saturating_mul(4))?;
        let Some(fields) = form::parse_multipart(&decode_text(body, budget)?, &boundary) else {
            return Err(invalid(400, format!("Request body has more than {} parts", form::MAX_PARTS)));
        };
        let pairs = fields.iter().map(|(name, text)| (name.clone(), text.as_str())).collect();
        return object(&Pairs::new(pairs));
    }
    if essence.starts_with("text/") && essence != "text/xml" {
        let text = Json::String(decode_text(body, budget)?.into_owned());
        return Ok(Some(match shape {
            Some(shape) => coerce(shape, text, budget)?,
            None => text,
        }));
    }
    Ok(None)
}

/// The body as text.
fn decode_text<'a>(body: &'a [u8], budget: &Budget) -> Result<Cow<'a, str>, Exhausted> {
    budget.spend(body.len() as u64 / 16)?;
    budget.allocate(body.len().saturating_mul(3))?;
    Ok(String::from_utf8_lossy(body))
}

/// Whether bodies of a media type are JSON.
pub(super) fn is_json(essence: &str) -> bool {
    matches!(essence, JSON | "text/json") || essence.ends_with("+json")
}

fn find_boundary(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (key.trim().eq_ignore_ascii_case("boundary") && !value.is_empty()).then(|| value.to_owned())
    })
}
