//! Laws for schemas that refer to one another in any way: no stack overflows, the steps are bounded, and where there is a
//! small value, there is a valid sample.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::openapi::LibraryLocation;

/// Components that refer to one another.
const NAMES: [&str; 5] = ["A", "B", "C", "D", "E"];
/// Steps of one search here: few, so that many tries run out of them.
const STEPS: u64 = 5_000;
/// The stack of the thread that samples, and what of it the sampler may take.
const STACK: (usize, usize) = (256 << 10, 96 << 10);

fn schema() -> impl Strategy<Value = Json> {
    let reference = prop::sample::select(NAMES.to_vec())
        .prop_map(|name| json!({ "$ref": format!("#/components/schemas/{name}") }));
    let leaf = prop_oneof![
        4 => reference,
        1 => prop::sample::select(vec![
            json!({}),
            json!({"type": "string"}),
            json!({"type": "integer", "minimum": 3}),
            json!({"type": "null"}),
            json!({"enum": ["a", 1, null]}),
            json!({"type": "string", "pattern": "^[a-c]{2}$"}),
            json!(false),
        ]),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 1..5);
        let names = prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 0..3);
        let properties = prop::collection::btree_map("[abc]", inner.clone(), 0..4);
        prop_oneof![
            list.clone().prop_map(|all| json!({ "oneOf": all })),
            list.clone().prop_map(|all| json!({ "anyOf": all })),
            list.prop_map(|all| json!({ "allOf": all })),
            inner.clone().prop_map(|it| json!({ "not": it })),
            (inner.clone(), 0..4_u8, any::<bool>()).prop_map(|(items, least, unique)| {
                json!({"type": "array", "items": items, "minItems": least, "uniqueItems": unique})
            }),
            (inner.clone(), 0..3_u8)
                .prop_map(|(it, least)| json!({"additionalProperties": it, "minProperties": least})),
            (properties, names, prop::option::of(inner)).prop_map(|(properties, required, rest)| {
                let mut schema = json!({"type": "object", "properties": properties, "required": required});
                if let Some(rest) = rest {
                    schema["additionalProperties"] = rest;
                }
                schema
            }),
        ]
    })
}

fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(STACK.0).spawn(work).unwrap().join().unwrap()
}

/// What a sampler says of the component `A`: whether it is valid, its steps, and whether there is a small value.
fn sampled(document: &Json, mode: SamplingMode) -> (bool, u64, bool, String) {
    let document = Value::from(document);
    on_a_small_stack(move || {
        let library = DocumentLibrary::new(document, &LibraryLocation::alone()).0;
        let schemas = library.root().get("components").unwrap().get("schemas").unwrap();
        let schema = schemas.get("A").unwrap();
        let sampler = Sampler::new(&library).mode(mode).stack(Stack::of(STACK.1));
        let sample = sampler.sample_in(&schema, STEPS);
        let steps = sampler.effort();
        let smallest = Smallest::new(&sampler, sampler.effort_of(STEPS));
        let small = smallest.of(std::slice::from_ref(&schema));
        let exists = small.is_some_and(|it| sampler.valid(&schema, &it));
        (sample.valid, steps, exists, sample.value.to_json())
    })
}

/// Whether a schema applies itself to the same value again.
fn comes_back(document: &Json) -> bool {
    fn beside(schema: &Json, found: &mut Vec<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            found.push(reference.rsplit('/').next().unwrap_or_default().to_owned());
        }
        for keyword in ["oneOf", "anyOf", "allOf"] {
            schema[keyword].as_array().into_iter().flatten().for_each(|it| beside(it, found));
        }
        if schema["not"].is_object() {
            beside(&schema["not"], found);
        }
    }
    NAMES.iter().any(|start| {
        let (mut reached, mut open) = (Vec::new(), vec![(*start).to_owned()]);
        while let Some(name) = open.pop() {
            let mut found = Vec::new();
            beside(&document["components"]["schemas"][&name], &mut found);
            for name in found {
                if !reached.contains(&name) {
                    reached.push(name.clone());
                    open.push(name);
                }
            }
        }
        reached.iter().any(|it| it == start)
    })
}

fn document(schemas: impl IntoIterator<Item = (&'static str, Json)>) -> Json {
    let schemas: serde_json::Map<String, Json> =
        schemas.into_iter().map(|(name, it)| (name.to_owned(), it)).collect();
    json!({"openapi": "3.1.0", "components": {"schemas": schemas}})
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_schemas_refer_to(all in prop::collection::vec(schema(), NAMES.len()), seeds: [u64; 3]) {
        let document = document(NAMES.into_iter().zip(all));
        let modes = seeds.into_iter().map(SamplingMode::Seeded).chain([SamplingMode::Stable]);
        for mode in modes {
            let (valid, steps, exists, value) = sampled(&document, mode);
            // Two searches, three fallbacks, and the questions whether what they found is valid.
            prop_assert!(steps <= 12 * STEPS, "{steps} steps for {document}");
            // What applies itself to the same value again says nothing certain.
            if !comes_back(&document) {
                prop_assert!(valid || !exists, "{mode:?}: {value} for {document}");
            }
            prop_assert!(value.len() <= 8 << 20);
        }
    }
}

/// Objects that only `oneOf` tells apart, each with the choice in it again.
fn choice(count: usize, branch: impl Fn(usize) -> Json) -> Json {
    let all: Vec<Json> = (0..count).map(branch).collect();
    document([("A", json!({ "oneOf": all }))])
}

#[test]
fn choices_in_themselves_take_no_more_steps_with_every_branch() {
    let a = json!({"$ref": "#/components/schemas/A"});
    for count in [2, 6, 20, 200] {
        let alike =
            choice(count, |_| json!({"type": "object", "properties": {"a": a, "k": {"type": "string"}}}));
        let (valid, steps, ..) = sampled(&alike, SamplingMode::Stable);
        assert!(!valid && steps < 12 * STEPS, "{count}: {steps}");
        let told = choice(count, |n| {
            json!({"type": "object", "required": [format!("k{n}")],
                "properties": {"a": a, (format!("k{n}")): {"type": "string"}}})
        });
        let (valid, steps, _, value) = sampled(&told, SamplingMode::Stable);
        assert!(valid && steps < 12 * STEPS, "{count}: {steps} {value}");
    }
}

#[test]
fn long_ways_are_cut_and_not_followed_to_the_end_of_the_stack() {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let lists = json!({"type": "array", "items": reference("A"), "minItems": 1});
    let wide: Vec<Json> = (0..400).map(|_| json!({"anyOf": [{"minimum": 1}, {"minimum": 2}]})).collect();
    for schema in [
        json!({"oneOf": [reference("A"), reference("B"), {}]}),
        json!({"properties": {"l": lists, "r": reference("A")}, "required": ["l", "r"]}),
        json!({"allOf": [reference("A"), reference("B")]}),
        json!({"allOf": wide, "type": "integer"}),
        json!({"not": reference("A")}),
        json!({"if": reference("A"), "then": reference("B"), "else": reference("A")}),
        json!({"unevaluatedProperties": reference("A"), "allOf": [reference("B"), reference("A")]}),
        json!({"dependentSchemas": {"a": reference("A")}, "required": ["a"], "properties": {"a": reference("B")}}),
    ] {
        let document = document([("A", schema.clone()), ("B", json!({"anyOf": [schema, reference("A")]}))]);
        for seed in 0..4 {
            let (_, steps, ..) = sampled(&document, SamplingMode::Seeded(seed));
            assert!(steps <= 12 * STEPS, "{steps} steps for {document}");
        }
    }
}

#[test]
fn bounds_of_any_size_are_bounded() {
    let many: Vec<Json> = (0..200_000).map(Json::from).collect();
    for schema in [
        json!({"type": "array", "minItems": 1_000_000_000_000_u64}),
        json!({"type": "array", "minItems": 20_000, "items": {"type": "array", "minItems": 20_000, "items": {"type": "integer"}}}),
        json!({"type": "array", "minItems": 20_000, "items": {"type": "string", "minLength": 100_000}}),
        json!({"type": "array", "minItems": 20_000, "items": {"example": {"a": "x".repeat(100_000)}}}),
        json!({"type": "string", "minLength": 1_000_000_000_000_u64}),
        json!({"type": "integer", "minimum": 1e300, "multipleOf": 1e-300}),
        json!({"type": "object", "minProperties": 1_000_000_000_000_u64}),
        json!({"type": "string", "pattern": "^(a{1,1000000000})+$"}),
        json!({"type": "string", "pattern": "^((|a){64000}|b){64000}$", "minLength": 70_000}),
        json!({"type": "string", "pattern": "a".repeat(1_000_000)}),
        json!({"enum": many, "minimum": 250_000}),
        json!({"type": "array", "uniqueItems": true, "minItems": 5000, "items": {"enum": many}}),
        json!({"contains": {"type": "string"}, "minContains": 1_000_000_000_u64, "type": "array"}),
    ] {
        let document = document([("A", schema)]);
        let (_, steps, _, value) = sampled(&document, SamplingMode::Stable);
        assert!(steps <= 12 * STEPS, "{steps} steps for {:.200}", document.to_string());
        assert!(value.len() <= 8 << 20, "{} bytes for {:.200}", value.len(), document.to_string());
    }
}
