//! Tests of the sampler, with the `jsonschema` crate as oracle.

use super::*;
use crate::{
    document::{Dialect, read},
    openapi::LibraryLocation,
};

#[track_caller]
pub(super) fn check_sample(schema: &str, expected: &str) {
    assert_eq!(check(schema), expected, "{schema}");
}

/// Samples the schema; the value must be valid by the oracle, which asserts formats.
#[track_caller]
pub(super) fn check(schema: &str) -> String {
    let value = read(schema, Dialect::Specification).unwrap().value;
    let library = DocumentLibrary::new(value.clone(), &LibraryLocation::alone()).0;
    let sampler = Sampler::new(&library);
    let sample = sampler.sample(&DocumentNode { value: value.clone(), file: 0 });
    let text = sample.value.to_json();
    let oracle = oracle(&serde_json::Value::from(&value));
    let instance = serde_json::Value::from(&sample.value);
    let errors: Vec<String> = oracle.iter_errors(&instance).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{schema}\n{text}\n{errors:?} {:?}", sample.notes);
    assert!(sample.valid, "{schema}\n{text}\n{:?}", sample.notes);
    text
}

fn oracle(schema: &serde_json::Value) -> jsonschema::Validator {
    let mut schema = schema.clone();
    remove_hidden_required(&mut schema);
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
}

/// Removes properties from `required` that do not travel in a response.
fn remove_hidden_required(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Object(members) => {
            let hidden: Vec<String> = members
                .get("properties")
                .and_then(serde_json::Value::as_object)
                .into_iter()
                .flatten()
                .filter(|(_, property)| property["writeOnly"] == true)
                .map(|(key, _)| key.clone())
                .collect();
            if let Some(serde_json::Value::Array(required)) = members.get_mut("required") {
                required.retain(|name| !hidden.iter().any(|key| name == key));
            }
            members.values_mut().for_each(remove_hidden_required);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(remove_hidden_required),
        _ => (),
    }
}

#[test]
fn scalars_are_sampled() {
    for (schema, expected) in [
        ("{type: integer}", "1"),
        ("{type: number}", "1"),
        ("{type: string}", "\"string\""),
        ("{type: boolean}", "true"),
        ("{type: 'null'}", "null"),
        ("{type: ['null', string]}", "\"string\""),
        ("{}", "{}"),
        ("{type: string, enum: [zeta, alpha]}", "\"zeta\""),
        ("{const: 42}", "42"),
        ("{type: string, default: d}", "\"d\""),
        ("{type: string, example: e, default: d}", "\"e\""),
        ("{type: string, examples: [one, two]}", "\"one\""),
        ("{type: string, example: 12345}", "\"12345\""),
        ("{type: integer, example: '7'}", "7"),
        ("{type: integer, example: wrong}", "1"),
        ("{type: number, exclusiveMinimum: 3, exclusiveMaximum: 4}", "3.1"),
        ("{type: integer, minimum: 10, multipleOf: 7}", "14"),
        ("{type: number, multipleOf: 0.01, minimum: 0.005}", "1"),
        ("{type: number, example: 100.00}", "100.00"),
        ("{type: string, minLength: 15}", "\"stringstringstr\""),
        ("{type: string, maxLength: 3}", "\"str\""),
        ("{type: string, format: date-time}", "\"2019-08-24T14:15:22Z\""),
        ("{type: string, format: byte}", "\"c3RyaW5n\""),
        ("{type: integer, not: {minimum: 0}}", "-1"),
        ("{format: int32}", "1"),
        ("{minLength: 2}", "\"string\""),
    ] {
        check_sample(schema, expected);
    }
}

#[test]
fn keywords_of_older_specifications_are_read() {
    for (version, schema, expected) in [
        ("3.0.3", "{type: integer, minimum: 3, exclusiveMinimum: true}", "4"),
        ("3.0.3", "{type: number, minimum: 0, exclusiveMinimum: true, maximum: 0.5}", "0.1"),
        ("3.0.3", "{type: string, nullable: true, enum: [null]}", "null"),
        ("3.1.0", "{type: string, nullable: true, example: null}", "\"string\""),
        ("3.0.3", "{type: string, nullable: true, example: null}", "null"),
        ("3.0.3", "{type: object, nullable: true, required: [a], properties: {a: {$ref: '#/s/A'}}}", "null"),
        ("3.0.3", "{$ref: '#/s/B', example: 7}", "2"),
        ("3.1.0", "{$ref: '#/s/B', example: 7}", "7"),
        ("3.1.0", "{$ref: '#/s/B', minimum: 5}", "5"),
    ] {
        let node =
            |text: &str| DocumentNode { value: read(text, Dialect::Specification).unwrap().value, file: 0 };
        let root = format!(
            "{{openapi: {version}, s: {{B: {{type: integer, minimum: 2}}, A: {{type: object, required: [a], \
             properties: {{a: {{$ref: '#/s/A'}}}}}}}}}}"
        );
        let library = DocumentLibrary::new(node(&root).value, &LibraryLocation::alone()).0;
        let sample = Sampler::new(&library).sample(&node(schema));
        assert_eq!((sample.value.to_json(), sample.valid), (expected.to_owned(), true), "{version} {schema}");
    }
    let swagger =
        DocumentLibrary::new(Value::from(&serde_json::json!({"swagger": "2.0"})), &LibraryLocation::alone())
            .0;
    let sampler = Sampler::new(&swagger);
    let schema =
        read("{type: string, x-nullable: true, example: null}", Dialect::Specification).unwrap().value;
    assert_eq!(sampler.sample(&DocumentNode { value: schema, file: 0 }).value, Value::Null);
}

#[test]
fn requests_have_no_read_only_properties() {
    let text = "{type: object, required: [id, pw], properties: {id: {type: integer, readOnly: true}, \
        pw: {type: string, writeOnly: true}}}";
    let schema = DocumentNode { value: read(text, Dialect::Specification).unwrap().value, file: 0 };
    let library = DocumentLibrary::new(schema.value.clone(), &LibraryLocation::alone()).0;
    let response = Sampler::new(&library).sample(&schema);
    let request = Sampler::new(&library).direction(Direction::Request).sample(&schema);
    assert_eq!((&*response.value.to_json(), response.valid), ("{\"id\":1}", true));
    assert_eq!((&*request.value.to_json(), request.valid), ("{\"pw\":\"string\"}", true));
}

#[test]
fn compositions_are_sampled() {
    for (schema, expected) in [
        (
            "{allOf: [{type: object, properties: {a: {type: integer}}}, {required: [b], properties: {b: {type: boolean}}}]}",
            r#"{"a":1,"b":true}"#,
        ),
        ("{allOf: [{minimum: 3}, {maximum: 5}, {type: integer}]}", "3"),
        ("{oneOf: [{type: integer}, {type: string}]}", "1"),
        ("{type: string, oneOf: [{type: integer}, {enum: [x]}]}", "\"x\""),
        ("{anyOf: [{type: string, enum: [q]}, {type: integer}]}", "\"q\""),
        ("{oneOf: [{type: number}, {type: integer}]}", "1.1"),
        ("{oneOf: [{type: string, format: ipv4}, {type: string, format: ipv6}]}", "\"192.0.2.1\""),
        (
            "{type: object, if: {properties: {k: {const: 1}}}, then: {properties: {m: {type: string}}}}",
            r#"{"k":1,"m":"string"}"#,
        ),
        ("{if: {type: string}, then: {minLength: 9}, type: string}", "\"stringstr\""),
        ("{not: {type: string}}", "1"),
        ("{type: [string, integer], not: {type: string}}", "1"),
        ("{enum: [1, a, null], type: [string, 'null'], not: {const: a}}", "null"),
        (
            "{type: object, required: [x], properties: {x: {type: string}, y: {type: string}}, not: {required: [x, y]}}",
            r#"{"x":"string"}"#,
        ),
        ("{allOf: [{enum: [a, b]}, {enum: [b, c]}]}", "\"b\""),
        ("{allOf: [{pattern: '^a'}, {pattern: 'z$'}, {type: string, minLength: 9}]}", ""),
    ] {
        let found = check(schema);
        assert!(expected.is_empty() || found == expected, "{schema}\n{found}");
    }
}

#[test]
fn exactly_one_alternative_is_valid() {
    for schema in [
        "{oneOf: [{properties: {a: {type: boolean}}}, {properties: {b: {type: boolean}}}], type: object}",
        "{oneOf: [{required: [a]}, {required: [b]}], properties: {a: {type: integer}, b: {type: integer}}}",
        "{oneOf: [{type: integer, multipleOf: 3}, {type: integer, multipleOf: 5}]}",
        "{oneOf: [{type: object, required: [meow], properties: {meow: {type: boolean}}}, {type: object, required: [bark], properties: {bark: {type: boolean}}}]}",
        "{oneOf: [{minimum: 5}, {maximum: 10}], type: integer}",
        "{oneOf: [{type: array, items: {type: integer}}, {type: array, items: {type: string}}]}",
    ] {
        check(schema);
    }
}

#[test]
fn names_of_properties_suggest_values() {
    check_sample(
        "{properties: {email: {type: string}, price: {type: number}, age: {type: integer, maximum: 9}}}",
        r#"{"email":"user@example.com","price":9.99,"age":1}"#,
    );
}

#[test]
fn discriminators_name_the_schema() {
    let schema = "{$ref: '#/s/Animal', s: {Animal: {type: object, required: [kind], discriminator: {propertyName: kind, \
        mapping: {cat: '#/s/Cat'}}, oneOf: [{$ref: '#/s/Cat'}, {$ref: '#/s/Dog'}], properties: {kind: {type: string}}}, \
        Cat: {type: object, required: [meow], properties: {meow: {type: boolean}}}, Dog: {type: object, required: [bark], \
        properties: {bark: {type: boolean}}}}}";
    check_sample(schema, r#"{"kind":"cat","meow":true}"#);
    let schema = "{$ref: '#/s/Dog', s: {Pet: {type: object, required: [kind], discriminator: {propertyName: kind}, \
        properties: {kind: {type: string}}}, Dog: {allOf: [{$ref: '#/s/Pet'}, {properties: {bark: {type: boolean}}}]}}}";
    check_sample(schema, r#"{"kind":"Dog","bark":true}"#);
}

#[test]
fn recursion_ends() {
    for schema in [
        "{$ref: '#/s/N', s: {N: {type: object, properties: {v: {type: integer}, next: {$ref: '#/s/N'}, kids: {type: array, items: {$ref: '#/s/N'}}}}}}",
        "{$ref: '#/s/N', s: {N: {type: object, required: [next], properties: {next: {oneOf: [{$ref: '#/s/N'}, {type: 'null'}]}}}}}",
        "{$ref: '#/s/E', s: {E: {oneOf: [{$ref: '#/s/B'}, {$ref: '#/s/L'}]}, B: {type: object, required: [l, r], properties: {l: {$ref: '#/s/E'}, r: {$ref: '#/s/E'}}}, L: {type: integer}}}",
        "{$ref: '#/s/A', s: {A: {allOf: [{$ref: '#/s/A'}, {type: object}]}}}",
        "{$ref: '#/s/M', s: {M: {type: object, additionalProperties: {$ref: '#/s/M'}}}}",
    ] {
        check(schema);
    }
}

#[test]
fn hostile_schemas_end() {
    let choice = "{anyOf: [{minimum: 5}, {minimum: 6}, {minimum: 7}, {minimum: 8}]}";
    let choices = vec![choice; 30].join(", ");
    let deep = (0..25).fold("{type: integer}".to_owned(), |inner, _| {
        format!("{{oneOf: [{{type: 'null', minimum: 3}}, {{type: object, required: [a], properties: {{a: {inner}}}}}]}}")
    });
    let wide = "{$ref: '#/s/W', s: {W: {type: object, properties: {P}}}}".replace(
        "{P}",
        &format!(
            "{{{}}}",
            (0..30).map(|n| format!("p{n}: {{$ref: '#/s/W'}}")).collect::<Vec<_>>().join(", ")
        ),
    );
    for schema in [
        format!("{{type: integer, allOf: [{choices}, {{not: {{minimum: -9}}}}]}}"),
        format!("{{type: string, maxLength: 1, allOf: [{choices}, {{minLength: 2}}]}}"),
        deep,
        wide,
        format!("{}{{}}{}", "{allOf: [".repeat(60), "]}".repeat(60)),
        format!("{}{{}}{}", "{not: ".repeat(100), "}".repeat(100)),
        format!("{}{{}}{}", "{type: array, minItems: 2, items: ".repeat(60), "}".repeat(60)),
        "{type: array, minItems: 5000, items: {type: string, minLength: 100000}}".to_owned(),
        "{type: string, pattern: '^(a{1000}){1000}$'}".to_owned(),
    ] {
        let value = read(&schema, Dialect::Specification).unwrap().value;
        let library = DocumentLibrary::new(value.clone(), &LibraryLocation::alone()).0;
        let sample = Sampler::new(&library).sample(&DocumentNode { value, file: 0 });
        assert!(sample.value.to_json().len() < 8 << 20, "{schema}");
    }
}

#[test]
fn schemas_that_cannot_be_satisfied_are_noted() {
    for schema in [
        "{$ref: '#/s/A', s: {A: {type: object, required: [a], properties: {a: {$ref: '#/s/A'}}}}}",
        "{type: integer, minimum: 5, maximum: 3}",
        "{type: string, allOf: [{type: integer}]}",
        "{type: array, minItems: 1000000000, items: {type: integer}}",
        "{type: string, minLength: 1000000000}",
        "{type: object, minProperties: 1000000000}",
        "{not: {}}",
        "{enum: []}",
        "{type: array, uniqueItems: true, minItems: 3, items: {type: boolean}}",
        "{type: string, pattern: '^a{3}$', maxLength: 2}",
    ] {
        let value = read(schema, Dialect::Specification).unwrap().value;
        let library = DocumentLibrary::new(value.clone(), &LibraryLocation::alone()).0;
        let sample = Sampler::new(&library).sample(&DocumentNode { value, file: 0 });
        assert!(!sample.valid && !sample.notes.is_empty(), "{schema} {}", sample.value.to_json());
    }
}
