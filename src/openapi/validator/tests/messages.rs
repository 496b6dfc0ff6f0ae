//! Tests of error messages, and of their order.

use serde_json::json;

use super::*;

#[track_caller]
fn check(schema: &str, value: &Json, expected: &[&str]) {
    let text = format!("{{openapi: 3.1.0, schema: {schema}, P: {{type: string, enum: [a, b]}}}}");
    let validator = validator(&text);
    let errors = validator.errors(value, &Budget::new(LIMITS)).unwrap();
    let found: Vec<String> = errors
        .iter()
        .map(|error| format!("{} {} {}", error.path.join("."), error.keyword, error.message))
        .collect();
    assert_eq!(found, expected, "{text}");
    assert_eq!(validator.is_valid(value, &Budget::new(LIMITS)), Ok(expected.is_empty()));
}

#[test]
fn errors_are_those_of_ajv() {
    check("{type: integer}", &json!("x"), &[" type must be integer"]);
    check("{type: [string, 'null']}", &json!(1), &[" type must be string,null"]);
    check(
        "{type: object, properties: {s: {$ref: '#/P'}, n: {minimum: 3}}, required: [id]}",
        &json!({"n": 2, "s": "c"}),
        &[
            " required must have required property 'id'",
            "s enum must be equal to one of the allowed values: a, b",
            "n minimum must be >= 3",
        ],
    );
    check(
        "{additionalProperties: false}",
        &json!({"a/b": 1}),
        &[" additionalProperties must NOT have additional properties; found 'a/b'"],
    );
    check("{properties: {a/b: {const: 1}}}", &json!({"a/b": 2}), &["a/b const must be equal to constant"]);
    check(
        "{anyOf: [{type: string}, {maximum: 1}]}",
        &json!(2),
        &[" type must be string", " maximum must be <= 1", " anyOf must match a schema in anyOf"],
    );
    check(
        "{format: byte}",
        &json!("%"),
        &[r#" pattern must match pattern "^[\w\d+\/=]*$""#, " format must match format \"byte\""],
    );
}

#[test]
fn errors_of_contains_are_reported_item_by_item() {
    check(
        "{type: array, contains: {$ref: '#/P'}, minContains: 2}",
        &json!(["a", "c"]),
        &[
            "1 enum must be equal to one of the allowed values: a, b",
            " contains must contain at least 2 valid item(s)",
        ],
    );
}

#[test]
fn a_pattern_that_cannot_be_parsed_is_ignored() {
    check("{type: string, pattern: '(?<'}", &json!("x"), &[]);
    check(
        "{type: string, pattern: '(?<', minLength: 2}",
        &json!("x"),
        &[" minLength must NOT have fewer than 2 characters"],
    );
    check("{patternProperties: {'(': false}}", &json!({"(": 1}), &[]);
}
