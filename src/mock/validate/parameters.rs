//! Whether the parameters of a request are those of its operation.

use http::header::COOKIE;
use serde_json::Value as Json;

use super::{
    RequestValidator, ValidatedRequest, Violation,
    coerce::coerce,
    json,
    style::{EncodedPair, Pairs, ParameterStyle, decoded, decoded_form},
    violation::MessageSide,
};
use crate::{
    budget::{Budget, Exhausted},
    openapi::{
        Api, Parameter,
        api::{ParameterLocation, SerializationStyle},
        sample::Direction,
        validator::{KeywordError, Shape, Validator},
    },
};

/// The parts of a request, in the order in which they are told.
const PARTS: [(ParameterLocation, &str); 4] = [
    (ParameterLocation::Header, "header"),
    (ParameterLocation::Query, "query"),
    (ParameterLocation::Path, "path"),
    (ParameterLocation::Cookie, "cookie"),
];

/// Everything that is wrong with the parameters.
pub(super) fn check(
    checks: &RequestValidator,
    api: &Api,
    operation: usize,
    sent: &ValidatedRequest<'_>,
    violations: &mut Vec<Violation>,
    budget: &Budget,
) -> Result<(), Exhausted> {
    let parameters = &api.operations[operation].parameters;
    if parameters.is_empty() {
        return Ok(());
    }
    let query = Pairs::read(sent.query.unwrap_or_default(), budget)?;
    let lines = sent.headers.get_all(COOKIE).iter().filter_map(|it| it.to_str().ok());
    let cookies: Vec<EncodedPair<'_>> = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let cookies = Pairs::new(cookies);
    for (location, part) in PARTS {
        let mut wrong = Vec::new();
        for (n, parameter) in parameters.iter().enumerate().filter(|(_, it)| it.location == location) {
            if is_of_http(parameter) {
                continue;
            }
            let media = parameter.content.as_ref();
            let node = media.map_or(parameter.schema.as_ref(), |it| it.schema.as_ref());
            budget.spend(1)?;
            let slot = &checks.operations[operation].parameters[n];
            let schema = match node {
                Some(node) => Some(checks.schema(slot, api, node, Direction::Request, budget)?),
                None => None,
            };
            let shape = schema.as_deref().map(Validator::shape);
            match value(parameter, sent, (&query, &cookies), shape, budget)? {
                ParameterValue::Nothing if parameter.required => {
                    let message = format!("Request {part} must have required property '{}'", parameter.name);
                    violations.push(Violation::word(vec![part.to_owned()], "required", message));
                }
                ParameterValue::Nothing | ParameterValue::Empty => (),
                ParameterValue::Value(value) => {
                    let errors = match &schema {
                        Some(schema) => errors(schema, value, budget)?,
                        None => Vec::new(),
                    };
                    let name = Some(&*parameter.name);
                    wrong.extend(
                        errors.into_iter().map(|it| Violation::of(MessageSide::Request, part, name, it)),
                    );
                }
            }
        }
        // What is missing stands before what is wrong.
        violations.append(&mut wrong);
    }
    Ok(())
}

/// Header parameters of these names say nothing. (OpenAPI 3.0.3, "Parameter Object".)
fn is_of_http(parameter: &Parameter) -> bool {
    parameter.location == ParameterLocation::Header
        && ["accept", "content-type", "authorization"]
            .iter()
            .any(|it| parameter.name.eq_ignore_ascii_case(it))
}

/// What is wrong with a value, read as what its schema wants.
fn errors(schema: &Validator, value: Json, budget: &Budget) -> Result<Vec<KeywordError>, Exhausted> {
    let text = if let Json::String(text) = &value { Some(text.clone()) } else { None };
    let errors = schema.errors(&coerce(schema.shape(), value, budget)?, budget)?;
    // Where texts are allowed among others, `5` may still have to be a number.
    if let Some(text) = text.filter(|_| !errors.is_empty())
        && let Ok(other) = json::parse(text.as_bytes(), budget)?
        && !other.is_string()
        && schema.is_valid(&other, budget)?
    {
        return Ok(Vec::new());
    }
    Ok(errors)
}

/// What a request has for a parameter.
enum ParameterValue {
    Nothing,
    /// A name without a value, where that is allowed.
    Empty,
    Value(Json),
}

fn value(
    parameter: &Parameter,
    sent: &ValidatedRequest<'_>,
    (query, cookies): (&Pairs<'_>, &Pairs<'_>),
    shape: Option<Shape<'_>>,
    budget: &Budget,
) -> Result<ParameterValue, Exhausted> {
    let types = shape.map(Shape::types).unwrap_or_default();
    let properties = match shape {
        Some(shape) if types.object() => shape.layers(budget)?.properties(),
        _ => Vec::new(),
    };
    budget.spend(properties.len() as u64)?;
    let written = ParameterStyle {
        name: &parameter.name,
        style: parameter.style,
        explode: parameter.explode,
        types,
        properties: &properties,
    };
    let text = match parameter.location {
        ParameterLocation::Path => {
            let found = sent.path.iter().find(|(name, _)| **name == *parameter.name);
            match found.filter(|(_, text)| !text.is_empty() && *text != super::EMPTY_SEGMENT) {
                Some((_, text)) => *text,
                None => return Ok(ParameterValue::Nothing),
            }
        }
        ParameterLocation::Header => match sent.headers.get(&*parameter.name).and_then(|it| it.to_str().ok())
        {
            Some(text) => text,
            None => return Ok(ParameterValue::Nothing),
        },
        ParameterLocation::Query => return among(parameter, &written, query, budget),
        ParameterLocation::Cookie => return among(parameter, &written, cookies, budget),
    };
    let decode = if parameter.location == ParameterLocation::Path { decoded } else { str::to_owned };
    if parameter.content.is_some() {
        return Ok(ParameterValue::Value(json_or_text(decode(text), budget)?));
    }
    Ok(ParameterValue::Value(written.alone(text, decode)))
}

fn among(
    parameter: &Parameter,
    written: &ParameterStyle<'_>,
    pairs: &Pairs<'_>,
    budget: &Budget,
) -> Result<ParameterValue, Exhausted> {
    if parameter.content.is_some() {
        return match pairs.texts(&parameter.name).first() {
            Some(text) => Ok(ParameterValue::Value(json_or_text(decoded_form(text), budget)?)),
            None => Ok(ParameterValue::Nothing),
        };
    }
    Ok(match written.among(pairs, budget)? {
        // A name without a value is none, unless the document says otherwise.
        Some(Json::String(text)) if text.is_empty() => {
            if parameter.allow_empty {
                ParameterValue::Empty
            } else {
                ParameterValue::Nothing
            }
        }
        Some(value) => ParameterValue::Value(value),
        // An object of which no property is there.
        None if parameter.required
            && written.types.object()
            && parameter.style == SerializationStyle::Form
            && parameter.explode =>
        {
            ParameterValue::Value(Json::Object(serde_json::Map::new()))
        }
        None => ParameterValue::Nothing,
    })
}

/// The value of a parameter that is written in a media type, which is JSON nearly always.
fn json_or_text(text: String, budget: &Budget) -> Result<Json, Exhausted> {
    Ok(json::parse(text.as_bytes(), budget)?.unwrap_or(Json::String(text)))
}
