//! Validation of parameters.

use http::header::COOKIE;
use serde_json::Value as Json;

use super::{
    RequestValidator, ValidatedRequest, Violation,
    coerce::coerce,
    json,
    style::{EncodedPair, Pairs, ParameterStyle, decode, decode_form},
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

/// Locations of parameters with their names in violations, in the order in which violations are reported.
const PARTS: [(ParameterLocation, &str); 4] = [
    (ParameterLocation::Header, "header"),
    (ParameterLocation::Query, "query"),
    (ParameterLocation::Path, "path"),
    (ParameterLocation::Cookie, "cookie"),
];

/// Validates the parameters of a request.
pub(super) fn validate(
    validator: &RequestValidator,
    api: &Api,
    operation: usize,
    request: &ValidatedRequest<'_>,
    violations: &mut Vec<Violation>,
    budget: &Budget,
) -> Result<(), Exhausted> {
    let parameters = &api.operations[operation].parameters;
    if parameters.is_empty() {
        return Ok(());
    }
    let query = Pairs::parse(request.query.unwrap_or_default(), budget)?;
    let lines = request.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies: Vec<EncodedPair<'_>> = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let cookies = Pairs::new(cookies);
    for (location, part) in PARTS {
        let mut invalid = Vec::new();
        for (n, parameter) in
            parameters.iter().enumerate().filter(|(_, parameter)| parameter.location == location)
        {
            if is_ignored(parameter) {
                continue;
            }
            let media = parameter.content.as_ref();
            let node = media.map_or(parameter.schema.as_ref(), |media| media.schema.as_ref());
            budget.spend(1)?;
            let slot = &validator.operations[operation].parameters[n];
            let schema = match node {
                Some(node) => Some(validator.compiled(slot, api, node, Direction::Request, budget)?),
                None => None,
            };
            let shape = schema.as_deref().map(Validator::shape);
            match parse_parameter(parameter, request, (&query, &cookies), shape, budget)? {
                ParameterValue::Missing if parameter.required => {
                    let message = format!("Request {part} must have required property '{}'", parameter.name);
                    violations.push(Violation::with_keyword(vec![part.to_owned()], "required", message));
                }
                ParameterValue::Missing | ParameterValue::Empty => (),
                ParameterValue::Value(value) => {
                    let errors = match &schema {
                        Some(schema) => find_errors(schema, value, budget)?,
                        None => Vec::new(),
                    };
                    let name = Some(&*parameter.name);
                    invalid.extend(
                        errors
                            .into_iter()
                            .map(|error| Violation::of_value(MessageSide::Request, part, name, error)),
                    );
                }
            }
        }
        // Missing parameters are reported before invalid ones.
        violations.append(&mut invalid);
    }
    Ok(())
}

/// Whether a parameter is a header whose declaration is ignored (OpenAPI 3.0.3, "Parameter Object").
fn is_ignored(parameter: &Parameter) -> bool {
    parameter.location == ParameterLocation::Header
        && ["accept", "content-type", "authorization"]
            .iter()
            .any(|name| parameter.name.eq_ignore_ascii_case(name))
}

/// The errors of a value after its conversion to the types of the schema.
fn find_errors(schema: &Validator, value: Json, budget: &Budget) -> Result<Vec<KeywordError>, Exhausted> {
    let text = if let Json::String(text) = &value { Some(text.clone()) } else { None };
    let errors = schema.errors(&coerce(schema.shape(), value, budget)?, budget)?;
    // If the schema allows strings and other types, the other type may be the valid one.
    if let Some(text) = text.filter(|_| !errors.is_empty())
        && let Ok(other) = json::parse(text.as_bytes(), budget)?
        && !other.is_string()
        && schema.is_valid(&other, budget)?
    {
        return Ok(Vec::new());
    }
    Ok(errors)
}

/// Value of a parameter in a request.
enum ParameterValue {
    Missing,
    /// A name without a value, if `allowEmptyValue` is set.
    Empty,
    Value(Json),
}

fn parse_parameter(
    parameter: &Parameter,
    request: &ValidatedRequest<'_>,
    (query, cookies): (&Pairs<'_>, &Pairs<'_>),
    shape: Option<Shape<'_>>,
    budget: &Budget,
) -> Result<ParameterValue, Exhausted> {
    let types = shape.map(Shape::types).unwrap_or_default();
    let properties = match shape {
        Some(shape) if types.allows_objects() => shape.layers(budget)?.properties(),
        _ => Vec::new(),
    };
    budget.spend(properties.len() as u64)?;
    let style = ParameterStyle {
        name: &parameter.name,
        style: parameter.style,
        explode: parameter.explode,
        types,
        properties: &properties,
    };
    let text = match parameter.location {
        ParameterLocation::Path => {
            let found = request.path.iter().find(|(name, _)| **name == *parameter.name);
            match found.filter(|(_, text)| !text.is_empty() && *text != super::EMPTY_SEGMENT) {
                Some((_, text)) => *text,
                None => return Ok(ParameterValue::Missing),
            }
        }
        ParameterLocation::Header => {
            match request.headers.get(&*parameter.name).and_then(|value| value.to_str().ok()) {
                Some(text) => text,
                None => return Ok(ParameterValue::Missing),
            }
        }
        ParameterLocation::Query => return parse_from_pairs(parameter, &style, query, budget),
        ParameterLocation::Cookie => return parse_from_pairs(parameter, &style, cookies, budget),
    };
    let decode = if parameter.location == ParameterLocation::Path { decode } else { str::to_owned };
    if parameter.content.is_some() {
        return Ok(ParameterValue::Value(parse_json_or_text(decode(text), budget)?));
    }
    Ok(ParameterValue::Value(style.parse_single(text, decode)))
}

fn parse_from_pairs(
    parameter: &Parameter,
    style: &ParameterStyle<'_>,
    pairs: &Pairs<'_>,
    budget: &Budget,
) -> Result<ParameterValue, Exhausted> {
    if parameter.content.is_some() {
        return match pairs.texts(&parameter.name).first() {
            Some(text) => Ok(ParameterValue::Value(parse_json_or_text(decode_form(text), budget)?)),
            None => Ok(ParameterValue::Missing),
        };
    }
    Ok(match style.parse_from_pairs(pairs, budget)? {
        // A name without a value counts as missing, unless `allowEmptyValue` is set.
        Some(Json::String(text)) if text.is_empty() => {
            if parameter.allow_empty {
                ParameterValue::Empty
            } else {
                ParameterValue::Missing
            }
        }
        Some(value) => ParameterValue::Value(value),
        // An exploded object without any property in the query is empty, not missing.
        None if parameter.required
            && style.types.allows_objects()
            && parameter.style == SerializationStyle::Form
            && parameter.explode =>
        {
            ParameterValue::Value(Json::Object(serde_json::Map::new()))
        }
        None => ParameterValue::Missing,
    })
}

/// The value of a parameter with `content`, whose media type is nearly always JSON.
fn parse_json_or_text(text: String, budget: &Budget) -> Result<Json, Exhausted> {
    Ok(json::parse(text.as_bytes(), budget)?.unwrap_or(Json::String(text)))
}
