//! Comparison with the crate `jsonschema` over random schemas and values, and bounds of the steps.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

/// Names of properties and definitions: few, so that schemas and values share them.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(&NAMES[..]).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Json::from),
        (-3..6_i64).prop_map(Json::from),
        prop::sample::select(&["0.5", "1.0", "2e0", "-0", "30"][..])
            .prop_map(|text| serde_json::from_str(text).unwrap()),
        prop::sample::select(&["", "a", "ab", "abc", "1", "é"][..]).prop_map(Json::from),
    ]
}

fn value() -> impl Strategy<Value = Json> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(name(), inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// The keywords that schemas may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    All,
    /// All but those whose steps depend on the clock.
    Counted,
    /// All but those and those that evaluate schemas again.
    Simple,
}

/// One keyword with its value; `inner` are schemas.
fn keyword(
    inner: impl Strategy<Value = Json> + Clone + 'static,
    kind: Kind,
) -> impl Strategy<Value = (String, Json)> {
    let one = |name: &'static str, operand: BoxedStrategy<Json>| {
        operand.prop_map(move |operand| (name.to_owned(), operand)).boxed()
    };
    let list = || prop::collection::vec(inner.clone(), 1..4).prop_map(Json::from).boxed();
    let map = || {
        let map = prop::collection::btree_map(name(), inner.clone(), 0..3);
        map.prop_map(|members| Json::Object(members.into_iter().collect())).boxed()
    };
    let types =
        prop::sample::select(&["null", "boolean", "integer", "number", "string", "array", "object"][..]);
    let names = || prop::sample::subsequence(&NAMES[..], 1..3).prop_map(Json::from);
    let count = || (0..4_u64).prop_map(Json::from).boxed();
    let limit = || (-2..4_i64).prop_map(Json::from).boxed();
    let mut all = vec![
        one("type", types.prop_map(Json::from).boxed()),
        one("const", value().boxed()),
        one("enum", prop::collection::vec(value(), 1..4).prop_map(Json::from).boxed()),
        one("minimum", limit()),
        one("maximum", limit()),
        one("exclusiveMinimum", limit()),
        one("exclusiveMaximum", limit()),
        one("multipleOf", prop::sample::select(&[1, 2, 3][..]).prop_map(Json::from).boxed()),
        one("minLength", count()),
        one("maxLength", count()),
        one("minItems", count()),
        one("maxItems", count()),
        one("minProperties", count()),
        one("maxProperties", count()),
        one("uniqueItems", any::<bool>().prop_map(Json::from).boxed()),
        one(
            "pattern",
            prop::sample::select(&["^a", "b$", "(a)\\1", "^(?!b)"][..if kind == Kind::All { 4 } else { 2 }])
                .prop_map(Json::from)
                .boxed(),
        ),
        one("required", names().boxed()),
        one("dependentRequired", (name(), names()).prop_map(|(name, names)| json!({ name: names })).boxed()),
        one("dependentSchemas", map()),
        one("properties", map()),
        one("patternProperties", inner.clone().prop_map(|schema| json!({ "^[ab]": schema })).boxed()),
        one("additionalProperties", inner.clone().boxed()),
        one("propertyNames", inner.clone().boxed()),
        one("items", inner.clone().boxed()),
        one("prefixItems", list()),
        one("contains", inner.clone().boxed()),
        one("minContains", count()),
        one("maxContains", count()),
        one("allOf", list()),
        one("anyOf", list()),
        one("oneOf", list()),
        one("not", inner.clone().boxed()),
        one("if", inner.clone().boxed()),
        one("then", inner.clone().boxed()),
        one("else", inner.clone().boxed()),
    ];
    if kind != Kind::Simple {
        all.push(one("unevaluatedProperties", inner.clone().boxed()));
        all.push(one("unevaluatedItems", inner.boxed()));
    }
    prop::strategy::Union::new(all)
}

fn schema(kind: Kind) -> impl Strategy<Value = Json> + Clone {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Json::from),
        name().prop_map(|name| json!({"$ref": format!("#/definitions/{name}")})),
        name().prop_map(|name| json!({"$ref": format!("#/definitions/{name}")})),
    ];
    leaf.prop_recursive(3, 12, 4, move |inner| {
        prop::collection::vec(keyword(inner, kind), 1..4)
            .prop_map(|all| Json::Object(all.into_iter().collect()))
    })
}

/// A document whose schemas refer to one another, and themselves.
fn document(kind: Kind) -> impl Strategy<Value = Json> {
    let definitions = prop::collection::vec(schema(kind), NAMES.len());
    (schema(kind), definitions).prop_map(|(schema, all)| {
        let definitions: Map<String, Json> = NAMES.iter().map(|name| (*name).to_owned()).zip(all).collect();
        json!({"openapi": "3.1.0", "schema": schema, "definitions": definitions})
    })
}

/// The bundle of the member `schema`.
fn bundle(document: &Json) -> Json {
    let document = read(&document.to_string(), Dialect::Specification).unwrap();
    let (library, _) = DocumentLibrary::new(document.value, &LibraryLocation::alone());
    let schema = library.root().get("schema").unwrap();
    SchemaBundle::new(&library, &schema, Direction::Request, &Budget::new(LIMITS)).unwrap().schema
}

fn within(steps: u64) -> Budget {
    Budget::new(WorkLimits { steps, ..LIMITS })
}

/// The number of values, names of members included.
fn size(value: &Json) -> u64 {
    1 + match value {
        Json::Array(items) => items.iter().map(size).sum::<u64>(),
        Json::Object(members) => members.values().map(|member| 1 + size(member)).sum(),
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn verdicts_are_those_of_another_engine(document in document(Kind::All), values in prop::collection::vec(value(), 1..6)) {
        let bundle = bundle(&document);
        let validator = Validator::of_bundle(&bundle, &PatternCache::default(), &Budget::new(LIMITS)).unwrap();
        let oracle = jsonschema::draft202012::new(&bundle).unwrap();
        for value in &values {
            let budget = Budget::new(LIMITS);
            let valid = validator.is_valid(value, &budget).unwrap();
            prop_assert_eq!(valid, oracle.is_valid(value), "{} {}", bundle, value);
            let errors = validator.errors(value, &budget).unwrap();
            prop_assert_eq!(errors.is_empty(), valid, "{} {} {:?}", bundle, value, errors);
        }
    }

    #[test]
    fn steps_grow_with_schemas_times_values(document in document(Kind::Simple), value in value()) {
        let validator = Validator::of_bundle(&bundle(&document), &PatternCache::default(), &Budget::new(LIMITS)).unwrap();
        // Compiling patterns is charged by the clock.
        prop_assert!(validator.errors(&value, &Budget::new(LIMITS)).is_ok());
        let steps = 8 * validator.schemas() as u64 * size(&value);
        prop_assert!(validator.is_valid(&value, &within(steps)).is_ok());
        // Once for the verdict, once to cache results, and once more for each of the errors.
        let steps = steps * 100;
        prop_assert!(validator.errors(&value, &within(steps)).is_ok());
    }

    #[test]
    fn steps_are_bounded_where_schemas_are_evaluated_again(document in document(Kind::Counted), value in value()) {
        let validator = Validator::of_bundle(&bundle(&document), &PatternCache::default(), &Budget::new(LIMITS)).unwrap();
        prop_assert!(validator.is_valid(&value, &Budget::new(LIMITS)).is_ok());
        let schemas = validator.schemas() as u64;
        let steps = 8 * schemas * schemas * size(&value);
        prop_assert!(validator.is_valid(&value, &within(steps)).is_ok());
    }
}
