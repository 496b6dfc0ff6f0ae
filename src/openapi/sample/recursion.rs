//! Property tests over schemas that refer to one another: the stack does not overflow, the steps are bounded, and where
//! there is a small value, there is a valid sample.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::openapi::LibraryLocation;

/// Components that refer to one another.
const NAMES: [&str; 5] = ["A", "B", "C", "D", "E"];
/// Steps of a search in these tests: few, so that many searches run out of them.
const STEPS: u64 = 5_000;
/// The stack of the thread that samples, and the part that the sampler may use.
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
            inner.clone().prop_map(|schema| json!({ "not": schema })),
            (inner.clone(), 0..4_u8, any::<bool>()).prop_map(|(items, min, unique)| {
                json!({"type": "array", "items": items, "minItems": min, "uniqueItems": unique})
            }),
            (inner.clone(), 0..3_u8)
                .prop_map(|(schema, min)| json!({"additionalProperties": schema, "minProperties": min})),
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

fn run_on_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(STACK.0).spawn(work).unwrap().join().unwrap()
}

/// Samples the component `A`: whether the sample is valid, the steps, whether there is a small value, and the sample.
fn sample_component(document: &Json, mode: SamplingMode) -> (bool, u64, bool, String) {
    let document = Value::from(document);
    run_on_small_stack(move || {
        let library = DocumentLibrary::new(document, &LibraryLocation::alone()).0;
        let schemas = library.root().get("components").unwrap().get("schemas").unwrap();
        let schema = schemas.get("A").unwrap();
        let sampler = Sampler::new(&library).mode(mode).stack(Stack::with_limit(STACK.1));
        let sample = sampler.sample_within(&schema, STEPS);
        let steps = sampler.effort();
        let smallest = Smallest::new(&sampler, sampler.new_effort(STEPS));
        let small = smallest.find(std::slice::from_ref(&schema));
        let exists = small.is_some_and(|value| sampler.is_valid(&schema, &value));
        (sample.valid, steps, exists, sample.value.to_json())
    })
}

/// Whether a schema applies itself to the same value.
fn applies_itself(document: &Json) -> bool {
    fn collect_references(schema: &Json, found: &mut Vec<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            found.push(reference.rsplit('/').next().unwrap_or_default().to_owned());
        }
        for keyword in ["oneOf", "anyOf", "allOf"] {
            schema[keyword].as_array().into_iter().flatten().for_each(|part| collect_references(part, found));
        }
        if schema["not"].is_object() {
            collect_references(&schema["not"], found);
        }
    }
    NAMES.iter().any(|start| {
        let (mut reached, mut pending) = (Vec::new(), vec![(*start).to_owned()]);
        while let Some(name) = pending.pop() {
            let mut found = Vec::new();
            collect_references(&document["components"]["schemas"][&name], &mut found);
            for name in found {
                if !reached.contains(&name) {
                    reached.push(name.clone());
                    pending.push(name);
                }
            }
        }
        reached.iter().any(|name| name == start)
    })
}

fn document(schemas: impl IntoIterator<Item = (&'static str, Json)>) -> Json {
    let schemas: serde_json::Map<String, Json> =
        schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({"openapi": "3.1.0", "components": {"schemas": schemas}})
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn schemas_that_refer_to_one_another_have_bounded_samples(all in prop::collection::vec(schema(), NAMES.len()), seeds: [u64; 3]) {
        let document = document(NAMES.into_iter().zip(all));
        let modes = seeds.into_iter().map(SamplingMode::Seeded).chain([SamplingMode::Stable]);
        for mode in modes {
            let (valid, steps, exists, value) = sample_component(&document, mode);
            // Two searches, three fallbacks, and the evaluations of their results.
            prop_assert!(steps <= 12 * STEPS, "{steps} steps for {document}");
            // A schema that applies itself to the same value has no defined verdict.
            if !applies_itself(&document) {
                prop_assert!(valid || !exists, "{mode:?}: {value} for {document}");
            }
            prop_assert!(value.len() <= 8 << 20);
        }
    }
}

/// Objects that only `oneOf` distinguishes, each containing the choice again.
fn choice(count: usize, branch: impl Fn(usize) -> Json) -> Json {
    let all: Vec<Json> = (0..count).map(branch).collect();
    document([("A", json!({ "oneOf": all }))])
}

#[test]
fn recursive_choices_take_bounded_steps_for_any_number_of_branches() {
    let a = json!({"$ref": "#/components/schemas/A"});
    for count in [2, 6, 20, 200] {
        let alike =
            choice(count, |_| json!({"type": "object", "properties": {"a": a, "k": {"type": "string"}}}));
        let (valid, steps, ..) = sample_component(&alike, SamplingMode::Stable);
        assert!(!valid && steps < 12 * STEPS, "{count}: {steps}");
        let distinct = choice(count, |n| {
            json!({"type": "object", "required": [format!("k{n}")],
                "properties": {"a": a, (format!("k{n}")): {"type": "string"}}})
        });
        let (valid, steps, _, value) = sample_component(&distinct, SamplingMode::Stable);
        assert!(valid && steps < 12 * STEPS, "{count}: {steps} {value}");
    }
}

#[test]
fn recursive_schemas_do_not_overflow_the_stack() {
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
            let (_, steps, ..) = sample_component(&document, SamplingMode::Seeded(seed));
            assert!(steps <= 12 * STEPS, "{steps} steps for {document}");
        }
    }
}

#[test]
fn samples_are_bounded_for_bounds_of_any_size() {
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
        let (_, steps, _, value) = sample_component(&document, SamplingMode::Stable);
        assert!(steps <= 12 * STEPS, "{steps} steps for {:.200}", document.to_string());
        assert!(value.len() <= 8 << 20, "{} bytes for {:.200}", value.len(), document.to_string());
    }
}
