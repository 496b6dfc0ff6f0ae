//! Whether the parameters of a request are those of its operation.

use http::header::COOKIE;
use serde_json::Value as Json;

use super::{
    Checks, Sent, Violation,
    coerce::Place,
    schema::Schema,
    style::{Pair, Written, decoded, decoded_form, pairs},
    violation::Side,
};
use crate::openapi::{
    Api, Parameter,
    api::{In, Style},
    sample::Direction,
};

/// The parts of a request, in the order in which they are told.
const PARTS: [(In, &str); 4] =
    [(In::Header, "header"), (In::Query, "query"), (In::Path, "path"), (In::Cookie, "cookie")];

/// Everything that is wrong with the parameters.
pub(super) fn check(
    checks: &Checks,
    api: &Api,
    operation: usize,
    sent: &Sent<'_>,
    violations: &mut Vec<Violation>,
) {
    let parameters = &api.operations[operation].parameters;
    if parameters.is_empty() {
        return;
    }
    let query = pairs(sent.query.unwrap_or_default());
    let lines = sent.headers.get_all(COOKIE).iter().filter_map(|it| it.to_str().ok());
    let cookies: Vec<Pair<'_>> = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    for (location, part) in PARTS {
        let mut wrong = Vec::new();
        for (n, parameter) in parameters.iter().enumerate().filter(|(_, it)| it.location == location) {
            if is_of_http(parameter) {
                continue;
            }
            let media = parameter.content.as_ref();
            let node = media.map_or(parameter.schema.as_ref(), |it| it.schema.as_ref());
            let schema = node.and_then(|node| {
                checks.schema(&checks.operations[operation].parameters[n], api, node, Direction::Request)
            });
            let bundle = schema.as_ref().map_or(&Json::Bool(true), |it| &it.bundle);
            match value(parameter, sent, &query, &cookies, bundle) {
                Given::Nothing if parameter.required => {
                    let message = format!("Request {part} must have required property '{}'", parameter.name);
                    violations.push(Violation::word(vec![part.to_owned()], "required", message));
                }
                Given::Nothing | Given::Empty => (),
                Given::Value(value) => {
                    let faults = schema.map(|schema| faults(&schema, &value)).unwrap_or_default();
                    let name = Some(&*parameter.name);
                    wrong.extend(faults.into_iter().map(|it| Violation::of(Side::Request, part, name, it)));
                }
            }
        }
        // What is missing stands before what is wrong.
        violations.append(&mut wrong);
    }
}

/// Header parameters of these names say nothing. (OpenAPI 3.0.3, "Parameter Object".)
fn is_of_http(parameter: &Parameter) -> bool {
    parameter.location == In::Header
        && ["accept", "content-type", "authorization"]
            .iter()
            .any(|it| parameter.name.eq_ignore_ascii_case(it))
}

/// What is wrong with a value, read as what its schema wants.
fn faults(schema: &Schema, value: &Json) -> Vec<super::schema::Fault> {
    let read = Place::root(&schema.bundle).coerce(value.clone());
    let faults = schema.faults(&read);
    // Where texts are allowed among others, `5` may still have to be a number.
    match value {
        Json::String(text) if !faults.is_empty() => match serde_json::from_str::<Json>(text) {
            Ok(other) if !other.is_string() && schema.allows(&other) => Vec::new(),
            _ => faults,
        },
        _ => faults,
    }
}

/// What a request has for a parameter.
enum Given {
    Nothing,
    /// A name without a value, where that is allowed.
    Empty,
    Value(Json),
}

fn value(
    parameter: &Parameter,
    sent: &Sent<'_>,
    query: &[Pair<'_>],
    cookies: &[Pair<'_>],
    bundle: &Json,
) -> Given {
    let place = Place::root(bundle);
    let properties = place.properties();
    let written = Written {
        name: &parameter.name,
        style: parameter.style,
        explode: parameter.explode,
        types: place.types(),
        properties: &properties,
    };
    let text = match parameter.location {
        In::Path => {
            let found = sent.path.iter().find(|(name, _)| **name == *parameter.name);
            match found.filter(|(_, text)| !text.is_empty() && *text != super::ABSENT) {
                Some((_, text)) => *text,
                None => return Given::Nothing,
            }
        }
        In::Header => match sent.headers.get(&*parameter.name).and_then(|it| it.to_str().ok()) {
            Some(text) => text,
            None => return Given::Nothing,
        },
        In::Query => return among(parameter, &written, query),
        In::Cookie => return among(parameter, &written, cookies),
    };
    let decode = if parameter.location == In::Path { decoded } else { str::to_owned };
    if parameter.content.is_some() {
        return Given::Value(json(decode(text)));
    }
    Given::Value(written.alone(text, decode))
}

fn among(parameter: &Parameter, written: &Written<'_>, pairs: &[Pair<'_>]) -> Given {
    if parameter.content.is_some() {
        let found = pairs.iter().find(|(name, _)| **name == *parameter.name);
        return found.map_or(Given::Nothing, |(_, text)| Given::Value(json(decoded_form(text))));
    }
    match written.among(pairs) {
        // A name without a value is none, unless the document says otherwise.
        Some(Json::String(text)) if text.is_empty() => {
            if parameter.allow_empty {
                Given::Empty
            } else {
                Given::Nothing
            }
        }
        Some(value) => Given::Value(value),
        // An object of which no property is there.
        None if parameter.required
            && written.types.object()
            && parameter.style == Style::Form
            && parameter.explode =>
        {
            Given::Value(Json::Object(serde_json::Map::new()))
        }
        None => Given::Nothing,
    }
}

/// The value of a parameter that is written in a media type, which is JSON nearly always.
fn json(text: String) -> Json {
    serde_json::from_str(&text).unwrap_or(Json::String(text))
}
