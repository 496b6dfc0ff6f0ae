//! What keywords say about the kind of a value without naming it.

use super::{layers::SchemaLayers, place::SamplePlace, rules::ValueKind};
use crate::document::Value;

/// Keywords after which a collection has to be tested as a whole.
const INTRICATE: [&str; 16] = [
    "oneOf",
    "anyOf",
    "not",
    "if",
    "enum",
    "const",
    "contains",
    "uniqueItems",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "unevaluatedProperties",
    "unevaluatedItems",
    "patternProperties",
    "minProperties",
];

pub(super) fn is_intricate(layers: &SchemaLayers) -> bool {
    INTRICATE.iter().any(|keyword| layers.values(keyword).next().is_some())
}

/// The kind that keywords without a type suggest.
pub(super) fn infer(layers: &SchemaLayers, place: &SamplePlace<'_>) -> ValueKind {
    let has = |keywords: &[&str]| keywords.iter().any(|keyword| layers.values(keyword).next().is_some());
    let number =
        |it: &Value| it.as_str().is_some_and(|it| ["int32", "int64", "float", "double"].contains(&it));
    if has(&[
        "properties",
        "required",
        "additionalProperties",
        "minProperties",
        "maxProperties",
        "patternProperties",
        "propertyNames",
        "dependentRequired",
        "dependentSchemas",
        "discriminator",
        "unevaluatedProperties",
    ]) {
        ValueKind::Object
    } else if has(&["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"]) {
        ValueKind::Array
    } else if has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"])
        || layers.values("format").any(number)
    {
        ValueKind::Number
    } else if has(&["pattern", "minLength", "maxLength", "format", "contentEncoding", "contentMediaType"]) {
        ValueKind::String
    } else if place.is_root() {
        ValueKind::Object
    } else {
        ValueKind::Null
    }
}
