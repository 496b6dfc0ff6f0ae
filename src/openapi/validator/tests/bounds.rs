//! Bounds of the work of the validator, tested with inputs that are made to exceed them.

use serde_json::json;

use super::*;

/// The recursive choice of an expression: each branch lacks its own member, and each evaluates `a`.
const EXPRESSION: &str = "
openapi: 3.0.3
schema: {$ref: '#/E'}
E:
  oneOf:
  - {type: object, required: [op], properties: {a: {$ref: '#/E'}, op: {type: string}}}
  - {type: object, required: [fn], properties: {a: {$ref: '#/E'}, fn: {type: string}}}
  - {type: object, required: [val], properties: {a: {$ref: '#/E'}, val: {type: number}}}
";

const TREE: &str = "
openapi: 3.0.3
schema: {$ref: '#/Node'}
Node: {oneOf: [{$ref: '#/And'}, {$ref: '#/Or'}, {$ref: '#/Leaf'}]}
And:
  type: object
  required: [type, children]
  properties: {type: {type: string, enum: [and]}, children: {type: array, items: {$ref: '#/Node'}}}
Or:
  type: object
  required: [type, children]
  properties: {type: {type: string, enum: [or]}, children: {type: array, items: {$ref: '#/Node'}}}
Leaf:
  type: object
  required: [type, field]
  properties: {type: {type: string, enum: [leaf]}, field: {type: string}}
";

fn nested(depth: usize, wrap: impl Fn(Json) -> Json) -> Json {
    (0..depth).fold(json!(1), |inner, _| wrap(inner))
}

/// The texts of the first numbers, concatenated.
fn each(count: usize, text: impl Fn(usize) -> String) -> String {
    (0..count).map(text).collect::<Vec<_>>().concat()
}

/// Checks the verdict about a value within a number of steps, and the number of its errors.
#[track_caller]
fn check(document: &str, value: &Json, steps: u64, expected: Result<bool, Exhausted>) {
    let validator = validator(document);
    let limits = WorkLimits { steps, ..LIMITS };
    let start = document.get(..document.len().min(200)).unwrap_or_default();
    assert_eq!(validator.is_valid(value, &Budget::new(limits)), expected, "{start}");
    if let Ok(valid) = expected {
        let errors = validator.errors(value, &Budget::new(WorkLimits { steps: 100 * steps, ..limits }));
        assert_eq!(errors.as_ref().map(Vec::is_empty), Ok(valid), "{start}");
        assert!(errors.is_ok_and(|errors| errors.len() <= 100), "{start}");
    }
}

#[test]
fn recursive_choices_take_steps_by_depth() {
    for depth in [1, 9, 16, 60, 100] {
        let value = nested(depth, |inner| json!({ "a": inner }));
        check(EXPRESSION, &value, 100 * depth as u64, Ok(false));
        let value = nested(depth / 2, |inner| json!({"type": "and", "children": [inner]}));
        check(TREE, &value, 200 * depth as u64, Ok(false));
        let value = nested(depth, |inner| json!({"a": inner, "op": "x", "fn": "x"}));
        check(EXPRESSION, &value, 100 * depth as u64, Ok(false));
    }
}

#[test]
fn definitions_with_many_references_are_evaluated_once() {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let last = "L60: {type: integer}\n".to_owned();
        let levels = (0..60)
            .map(|n| format!("L{n}: {{{keyword}: [{{$ref: '#/L{0}'}}, {{$ref: '#/L{0}'}}]}}\n", n + 1));
        let document = levels
            .fold(format!("openapi: 3.1.0\nschema: {{$ref: '#/L0'}}\n{last}"), |all, level| all + &level);
        check(&document, &json!(1), 1000, Ok(keyword != "oneOf"));
        check(&document, &json!("x"), 1000, Ok(false));
        let names = document.replace("{$ref: '#/L0'}", "{propertyNames: {$ref: '#/L0'}}");
        check(&names, &json!({"a": 1, "b": 1}), 2000, Ok(false));
    }
}

#[test]
fn unevaluated_members_are_evaluated_once() {
    let level = |n: usize| format!("{{anyOf: [{{$ref: '#/L{n}'}}], unevaluatedProperties: false}}");
    let levels = each(50, |n| format!("L{n}: {}\n", level(n + 1)));
    let document =
        format!("openapi: 3.1.0\nschema: {}\n{levels}L50: {{properties: {{a: true}}}}\n", level(0));
    check(&document, &json!({"a": 1}), 20_000, Ok(true));
    check(&document, &json!({"b": 1}), 20_000, Ok(false));
}

#[test]
fn schemas_that_stand_too_deep_are_not_decided() {
    for keyword in ["allOf: [", "not: [", "anyOf: ["] {
        let (open, close) = if keyword == "not: [" { ("not: ", "") } else { (keyword, "]") };
        let levels = each(5000, |n| format!("L{n}: {{{open}{{$ref: '#/L{}'}}{close}}}\n", n + 1));
        let document =
            format!("openapi: 3.1.0\nschema: {{$ref: '#/L0'}}\n{levels}L5000: {{type: integer}}\n");
        check(&document, &json!(1), 1 << 20, Err(Exhausted::Depth));
    }
}

#[test]
fn schemas_that_stand_deep_are_explained() {
    let levels = each(290, |n| format!("L{n}: {{allOf: [{{$ref: '#/L{}'}}]}}\n", n + 1));
    let document = format!("openapi: 3.1.0\nschema: {{$ref: '#/L0'}}\n{levels}L290: {{type: integer}}\n");
    check(&document, &json!("x"), 2_000, Ok(false));
    let levels =
        each(110, |n| format!("L{n}: {{properties: {{a: {{anyOf: [{{$ref: '#/L{}'}}]}}}}}}\n", n + 1));
    let document = format!("openapi: 3.1.0\nschema: {{$ref: '#/L0'}}\n{levels}L110: {{type: string}}\n");
    check(&document, &nested(110, |inner| json!({ "a": inner })), 2_000, Ok(false));
}

#[test]
fn schemas_that_refer_to_themselves_end() {
    for schema in
        ["{$ref: '#/L'}", "{allOf: [{$ref: '#/L'}]}", "{not: {$ref: '#/L'}}", "{anyOf: [{$ref: '#/L'}]}"]
    {
        let document = format!("{{openapi: 3.1.0, schema: {{$ref: '#/L'}}, L: {schema}}}");
        check(&document, &json!(1), 100, Ok(true));
    }
    let document = "{openapi: 3.1.0, schema: {$ref: '#/L'}, L: {items: {$ref: '#/L'}, maxItems: 1}}";
    check(document, &nested(120, |inner| json!([inner])), 10_000, Ok(true));
    check(document, &nested(120, |inner| json!([inner, 1])), 10_000, Ok(false));
}

#[test]
fn long_lists_take_steps_by_length() {
    let numbers: Json = (0..100_000).collect();
    let objects: Json = (0..50_000).map(|n| json!({"id": n, "name": "x"})).collect();
    let unique = "{openapi: 3.1.0, schema: {uniqueItems: true}}";
    check(unique, &numbers, 400_000, Ok(true));
    check(unique, &objects, 400_000, Ok(true));
    let nested = nested(100, |inner| json!([inner, [0, 1, 2]]));
    let deep = "{openapi: 3.1.0, schema: {$ref: '#/L'}, L: {uniqueItems: true, items: {$ref: '#/L'}}}";
    check(deep, &nested, 5_000, Ok(true));
    let twice: Json = (0..100_000).map(|n| n % 99_999).collect();
    check(unique, &twice, 400_000, Ok(false));
    let spelled =
        json!([{"a": 1, "b": [1]}, serde_json::from_str::<Json>(r#"{"b":[1.0],"a":1e0}"#).unwrap()]);
    check(unique, &spelled, 100, Ok(false));

    let choices = each(1000, |n| format!("{{const: {n}}},"));
    let document = format!("{{openapi: 3.1.0, schema: {{items: {{oneOf: [{choices}]}}}}}}");
    check(&document, &(0..500).collect(), 2_000_000, Ok(true));
    check(&document, &(0..20_000).map(|n| n % 1000).collect(), 1_000_000, Err(Exhausted::Steps));

    let values = each(20_000, |n| format!("v{n},"));
    let document = format!("{{openapi: 3.1.0, schema: {{items: {{enum: [{values}]}}}}}}");
    let texts: Json = (0..20_000).map(|n| format!("v{n}")).collect();
    check(&document, &texts, 200_000, Ok(true));

    check("{openapi: 3.1.0, schema: {contains: {const: x}}}", &numbers, 500_000, Ok(false));
    check("{openapi: 3.1.0, schema: {items: {type: string}}}", &numbers, 500_000, Ok(false));
}

#[test]
fn long_numbers_take_steps_by_length() {
    let number = |text: String| serde_json::from_str::<Json>(&text).unwrap();
    let long = number(format!("1{}", "0".repeat(1_000_000)));
    let document = "{openapi: 3.1.0, schema: {type: integer, multipleOf: 3, minimum: 2}}";
    check(document, &long, 1_000_000, Ok(false));
    check(document, &number("3e1000000000".to_owned()), 1000, Ok(true));
    check(document, &number(format!("3e{}", "9".repeat(100_000))), 100_000, Ok(true));
    check(document, &number("3e-1000000000".to_owned()), 1000, Ok(false));
    check("{openapi: 3.1.0, schema: {uniqueItems: true}}", &json!([long, long]), 1_000_000, Ok(false));
}

#[test]
fn patterns_share_the_steps_of_the_request() {
    let backreference = r"{openapi: 3.1.0, schema: {items: {pattern: '^(a*)*\1b$'}}}";
    let items: Json = (0..1000).map(|_| "a".repeat(40)).collect();
    let validator = validator(backreference);
    let budget = Budget::new(WorkLimits { steps: 100_000, ..LIMITS });
    assert_eq!(validator.is_valid(&items, &budget), Err(Exhausted::Steps));

    let patterns = each(200, |n| format!("'^x{n}$': {{type: integer}},"));
    let document = format!("{{openapi: 3.1.0, schema: {{patternProperties: {{{patterns}}}}}}}");
    let names: serde_json::Map<String, Json> = (0..200).map(|n| (format!("x{n}"), json!(n))).collect();
    check(&document, &names.clone().into(), 1 << 30, Ok(true));
    check(&document, &names.into(), 10_000, Err(Exhausted::Steps));
}

#[test]
fn errors_are_few_and_short() {
    let key = "k".repeat(1 << 20);
    let members: serde_json::Map<String, Json> = (0..1000).map(|n| (format!("m{n}"), json!(n))).collect();
    let value = json!({ key: members });
    let document = "{openapi: 3.1.0, schema: {additionalProperties: {additionalProperties: {type: string}}}}";
    let errors = validator(document).errors(&value, &Budget::new(LIMITS)).unwrap();
    let bytes: usize = errors.iter().map(|error| error.message.len() + error.path.concat().len()).sum();
    assert!(errors.len() <= 100 && bytes < 70_000, "{} {bytes}", errors.len());
}
