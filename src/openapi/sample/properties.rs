//! Property tests over random schemas: schemas that can be satisfied are, and sampling is repeatable.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{Sampler, SamplingMode};
use crate::{
    document::Value,
    openapi::{DocumentLibrary, DocumentNode, LibraryLocation},
};

fn sample(schema: &Json, mode: SamplingMode, version: &str) -> super::Sample {
    let root = Value::from(&json!({"openapi": version, "a": schema, "items": schema}));
    let library = DocumentLibrary::new(root, &LibraryLocation::alone()).0;
    Sampler::new(&library).mode(mode).sample(&DocumentNode { value: Value::from(schema), file: 0 })
}

/// A value, from which schemas are made that it is valid by.
fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-1000_i64..1000).prop_map(Json::from),
        (-4000_i32..4000).prop_map(|eighths| json!(f64::from(eighths) / 8.0)),
        "[a-z]{0,12}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map("[a-e]", inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// A schema that the value is valid by; `bits` select its constraints.
fn schema_for(value: &Json, bits: &mut impl Iterator<Item = u8>) -> Json {
    let mut flag = || bits.next().unwrap_or(0);
    let choice = flag();
    let schema = match value {
        Json::Null => json!({"type": "null"}),
        Json::Bool(_) => json!({"type": "boolean"}),
        Json::Number(number) => schema_for_number(number.as_f64().unwrap(), choice),
        Json::String(text) => {
            let length = text.chars().count();
            let mut schema = json!({"type": "string"});
            if choice & 1 == 0 {
                schema["minLength"] = json!(length.saturating_sub(usize::from(choice % 4)));
            }
            if choice & 2 == 0 {
                schema["maxLength"] = json!(length + usize::from(choice % 3));
            }
            if choice & 4 == 0 {
                schema["pattern"] =
                    json!(["^[a-z]*$", "^[a-z]{0,12}$", r"^\w*$", "^.*$"][usize::from(choice % 4)]);
            }
            schema
        }
        Json::Array(items) => {
            let parts: Vec<Json> = items.iter().map(|item| schema_for(item, bits)).collect();
            let mut schema =
                json!({"type": "array", "minItems": items.len().saturating_sub(usize::from(choice % 2))});
            if choice & 2 == 0 {
                schema["maxItems"] = json!(items.len() + 1);
            }
            if choice & 4 == 0 && !parts.is_empty() {
                schema["prefixItems"] = json!(parts);
            } else if !parts.is_empty() {
                schema["items"] = json!({"anyOf": parts});
            }
            if choice & 8 == 0
                && items.iter().enumerate().all(|(n, item)| !items[..n].contains(item))
                && choice & 4 != 0
            {
                schema["uniqueItems"] = json!(true);
            }
            schema
        }
        Json::Object(members) => {
            let properties: Json = members
                .iter()
                .map(|(key, member)| (key.clone(), schema_for(member, bits)))
                .collect::<serde_json::Map<_, _>>()
                .into();
            let mut schema = json!({"type": "object", "properties": properties});
            if choice & 1 == 0 {
                schema["required"] = members.keys().take(usize::from(choice % 5)).cloned().collect();
            }
            if choice & 2 == 0 {
                schema["additionalProperties"] = json!(false);
            }
            if choice & 4 == 0 {
                schema["minProperties"] = json!(members.len());
            }
            if choice & 8 == 0 {
                schema["maxProperties"] = json!(members.len());
            }
            schema
        }
    };
    wrap(value, schema, bits.next().unwrap_or(0))
}

fn schema_for_number(value: f64, choice: u8) -> Json {
    let mut schema =
        json!({"type": if value.fract() == 0.0 && choice & 1 == 0 { "integer" } else { "number" }});
    if choice & 2 == 0 {
        schema["minimum"] = json!(value - f64::from(choice % 3));
    }
    if choice & 4 == 0 {
        schema["exclusiveMaximum"] = json!(value + 0.5 + f64::from(choice % 5));
    }
    if choice & 8 == 0 && value.fract() == 0.0 {
        let step = [7, 5, 3, 2, 1].into_iter().find(|step| value % f64::from(*step) == 0.0);
        schema["multipleOf"] = json!(step);
    }
    schema
}

/// The schema in another one that has the same verdict about the value.
fn wrap(value: &Json, mut schema: Json, choice: u8) -> Json {
    match choice % 12 {
        0 => {
            let other = ["null", "boolean", "array"].into_iter().find(|name| schema["type"] != *name);
            json!({"allOf": [schema, {"not": {"type": other}}]})
        }
        1 => json!({"anyOf": [{"type": "string", "minLength": 3, "maxLength": 2}, schema]}),
        2 => json!({"oneOf": [{"allOf": [schema.clone(), {"not": schema.clone()}]}, schema]}),
        3 => json!({"enum": [value, "another", 12345], "allOf": [schema]}),
        4 => json!({"if": {"type": "string"}, "then": {"minLength": 0}, "allOf": [schema]}),
        5 => {
            let kind = schema["type"].take();
            schema["type"] = if kind == "null" { kind } else { json!([kind, "null"]) };
            schema
        }
        _ => schema,
    }
}

const KEYWORDS: &str = "type properties items allOf oneOf anyOf not if then else enum const minimum maximum exclusiveMinimum \
    multipleOf minLength maxLength pattern format required additionalProperties patternProperties \
    propertyNames minItems maxItems uniqueItems contains prefixItems minProperties maxProperties \
    dependentRequired discriminator $ref nullable example default a b ^a";

/// Anything that resembles a schema, and much that is invalid.
fn arbitrary_schema() -> impl Strategy<Value = Json> {
    let words = prop::sample::select(KEYWORDS.split_whitespace().collect::<Vec<_>>());
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(|number| json!(number)),
        prop::sample::select(vec![
            "string",
            "integer",
            "number",
            "object",
            "array",
            "null",
            "boolean",
            "#",
            "#/a",
            "#/properties/a",
            "#/items",
            "date-time",
            "uuid",
            "email",
            "byte",
            "^a+$",
            "(",
            "[a-",
            "a{1000}{1000}",
            r"\p{L}",
            "(?=a)",
            "",
        ])
        .prop_map(Json::from),
        ".{0,8}".prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map(words.clone(), inner, 0..7).prop_map(|members| {
                Json::Object(members.into_iter().map(|(key, member)| (key.to_owned(), member)).collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn schemas_that_can_be_satisfied_get_valid_samples(value in value(), bits in prop::collection::vec(any::<u8>(), 64), seed: Option<u64>) {
        let schema = schema_for(&value, &mut bits.into_iter());
        let oracle = jsonschema::draft202012::new(&schema).unwrap();
        prop_assert!(oracle.is_valid(&value), "the value must be valid");
        let mode = seed.map_or(SamplingMode::Stable, SamplingMode::Seeded);
        let sample = sample(&schema, mode, "3.1.0");
        prop_assert!(oracle.is_valid(&Json::from(&sample.value)), "{schema}\n{:?}\n{}", sample, sample.value.to_json());
    }

    #[test]
    fn sampling_any_schema_is_repeatable(schema in arbitrary_schema(), seed: Option<u64>, is_30: bool) {
        let mode = seed.map_or(SamplingMode::Stable, SamplingMode::Seeded);
        let version = if is_30 { "3.0.3" } else { "3.1.0" };
        let first = sample(&schema, mode, version);
        prop_assert_eq!(first, sample(&schema, mode, version));
    }
}
