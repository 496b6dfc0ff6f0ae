//! Whether the body of a request is one that its operation takes.

use http::header::CONTENT_TYPE;
use serde_json::Value as Json;

use super::{Checks, Sent, Violation, form, violation::Side};
use crate::openapi::{Api, Media, Offers, negotiate, sample::Direction};

const FORM: &str = "application/x-www-form-urlencoded";

/// Everything that is wrong with the body.
pub(super) fn check(
    checks: &Checks,
    api: &Api,
    operation: usize,
    sent: &Sent<'_>,
    violations: &mut Vec<Violation>,
) {
    let Some(declared) = &api.operations[operation].request_body else {
        if !sent.body.is_empty() {
            let message = "No supported content types, but request included a non-empty body";
            violations.push(Violation::with_status(place(), 415, message));
        }
        return;
    };
    if sent.body.is_empty() {
        if declared.required {
            violations.push(Violation::word(place(), "required", "Body parameter is required"));
        }
        return;
    }
    let content_type = sent.headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let types = declared.media.iter().map(|it| it.media_type.as_str());
    let chosen = match content_type {
        None => (!declared.media.is_empty()).then_some(0),
        Some(text) => negotiate(Some(text), &Offers::new(types.clone())).map(|it| it.offer),
    };
    let Some((n, media)) = chosen.and_then(|n| Some((n, declared.media.get(n)?))) else {
        let message = format!("Supported content types: {}", types.collect::<Vec<_>>().join(","));
        violations.push(Violation::with_status(place(), 415, message));
        return;
    };
    let schema = media.schema.as_ref().and_then(|node| {
        checks.schema(&checks.operations[operation].bodies[n], api, node, Direction::Request)
    });
    let bundle = schema.as_ref().map_or(&Json::Bool(true), |it| &it.bundle);
    let value = match read(media, content_type.unwrap_or(&media.media_type), sent.body, bundle) {
        Ok(value) => value,
        Err(mut wrong) => {
            violations.append(&mut wrong);
            return;
        }
    };
    if let (Some(value), Some(schema)) = (value, schema) {
        let faults = schema.faults(&value).into_iter();
        violations.extend(faults.map(|it| Violation::of(Side::Request, "body", None, it)));
    }
}

fn place() -> Vec<String> {
    vec!["body".to_owned()]
}

/// The value that a body is; nothing for types that no schema can be put to.
fn read(
    media: &Media,
    content_type: &str,
    body: &[u8],
    bundle: &Json,
) -> Result<Option<Json>, Vec<Violation>> {
    let essence = essence(content_type);
    if is_json(&essence) {
        return serde_json::from_slice(body).map(Some).map_err(|error| {
            vec![Violation::with_status(place(), 400, format!("Request body is not JSON: {error}"))]
        });
    }
    let (fields, kind) = if essence == FORM {
        (form::encoded(&String::from_utf8_lossy(body)), form::Kind::Encoded)
    } else if essence == "multipart/form-data" {
        let Some(boundary) = boundary(content_type) else {
            let message = "Boundary parameter for multipart/form-data is not defined in the request header";
            return Err(vec![Violation::with_status(place(), 415, message)]);
        };
        (form::multipart(body, &boundary), form::Kind::Multipart)
    } else if essence.starts_with("text/") && essence != "text/xml" {
        let text = String::from_utf8_lossy(body).into_owned();
        return Ok(Some(super::coerce::Place::root(bundle).coerce(text.into())));
    } else {
        return Ok(None);
    };
    let wrong = form::reserved(&fields, media.encoding.as_ref());
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(Some(form::value(&fields, kind, bundle, media.encoding.as_ref())))
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
