//! Schemas of every dialect, in the words of 2020-12.

use std::time::Duration;

use super::{values::BYTE, *};
use crate::{
    budget::WorkLimits,
    document::{Dialect, read},
    openapi::LibraryLocation,
};

#[track_caller]
fn check(version: &str, schema: &str, expected: &Json) {
    let text = format!(
        "{{openapi: {version}, schema: {schema}, T: {{type: string}}, L: {{allOf: [{{$ref: '#/L'}}]}}, \
         R: {{properties: {{again: {{$ref: '#/R'}}}}}}}}"
    );
    let document = read(&text, Dialect::Specification).unwrap();
    let (library, _) = DocumentLibrary::new(document.value, &LibraryLocation::alone());
    let schema = library.root().get("schema").unwrap();
    let limits = WorkLimits { steps: 1 << 20, bytes: 0, depth: 0, time: Duration::from_mins(10) };
    let bundle = SchemaBundle::new(&library, &schema, Direction::Request, &Budget::new(limits)).unwrap();
    assert_eq!(bundle.schema, *expected, "{text}");
}

#[test]
fn every_dialect_is_said_in_the_words_of_2020_12() {
    check(
        "3.0.3",
        "{type: string, nullable: true, enum: [a]}",
        &json!({"type": ["string", "null"], "enum": ["a", null]}),
    );
    check("3.0.3", "{minimum: 1, exclusiveMinimum: true}", &json!({"exclusiveMinimum": 1}));
    check("3.0.3", "{maximum: 1, exclusiveMaximum: false}", &json!({"maximum": 1}));
    check("3.1.0", "{exclusiveMinimum: 1}", &json!({"exclusiveMinimum": 1}));
    check(
        "3.1.0",
        "{items: [true, false], additionalItems: false}",
        &json!({"prefixItems": [true, false], "items": false}),
    );
    check("3.0.3", "{format: byte}", &json!({"pattern": BYTE, "format": "byte"}));
}

#[test]
fn what_makes_no_sense_is_left_out() {
    check(
        "3.0.3",
        "{type: colour, minimum: x, required: true, enum: [], pattern: 5, maxLength: -1}",
        &json!({}),
    );
    check(
        "3.0.3",
        "{multipleOf: 0, uniqueItems: 1, properties: [], allOf: [], items: 3}",
        &json!({"items": true}),
    );
    check("3.0.3", "{$ref: '#/nowhere'}", &json!(true));
}

#[test]
fn references_are_bundled_and_circles_opened() {
    check(
        "3.0.3",
        "{$ref: '#/T', maxLength: 1}",
        &json!({"$ref": "#/$defs/s1", "$defs": {"s1": {"type": "string"}}}),
    );
    check(
        "3.1.0",
        "{$ref: '#/T', maxLength: 1}",
        &json!({"$ref": "#/$defs/s1", "maxLength": 1, "$defs": {"s1": {"type": "string"}}}),
    );
    check("3.0.3", "{$ref: '#/L'}", &json!({"$ref": "#/$defs/s1", "$defs": {"s1": true}}));
    check(
        "3.0.3",
        "{$ref: '#/R'}",
        &json!({"$ref": "#/$defs/s1", "$defs": {"s1": {"properties": {"again": {"$ref": "#/$defs/s1"}}}}}),
    );
}

#[test]
fn what_does_not_travel_is_not_required() {
    check(
        "3.0.3",
        "{required: [id, name], properties: {id: {readOnly: true}}}",
        &json!({"required": ["name"], "properties": {"id": {}}}),
    );
}
