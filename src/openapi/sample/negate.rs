//! Schemas of the values that another schema forbids: `not {minimum: 0}` is a number below zero.

use super::evaluator::count_of;
use crate::{
    document::{Mapping, Number, Value},
    openapi::{DocumentLibrary, DocumentNode, keywords::SchemaKeyword},
};

/// Maximum nesting of schemas that are followed.
const MAX_DEPTH: u32 = 8;
/// Maximum number of schemas that are collected.
const MAX_ALTERNATIVES: usize = 512;
/// Maximum number of schemas that are visited for them.
const MAX_VISITS: u32 = 2_000;

const TYPES: [&str; 6] = ["string", "number", "object", "array", "boolean", "null"];

/// Schemas of values that are probably not valid by `schema`, the least surprising first.
pub(super) fn negate(library: &DocumentLibrary, schema: &DocumentNode) -> Vec<DocumentNode> {
    let mut alternatives = Vec::new();
    collect(library, schema, 0, &mut { MAX_VISITS }, &mut alternatives);
    alternatives.sort_by_key(|(rank, _)| *rank);
    alternatives.into_iter().map(|(_, node)| node).collect()
}

#[expect(clippy::too_many_lines, reason = "one arm for each keyword")]
#[expect(clippy::match_same_arms, reason = "keywords that are not negated have different reasons")]
fn collect(
    library: &DocumentLibrary,
    schema: &DocumentNode,
    depth: u32,
    visits: &mut u32,
    alternatives: &mut Vec<(u8, DocumentNode)>,
) {
    let Some(left) = visits.checked_sub(1) else { return };
    *visits = left;
    if depth > MAX_DEPTH || alternatives.len() > MAX_ALTERNATIVES {
        return;
    }
    if library.reference_of(schema).is_some() {
        if let Ok(target) = library.resolve(schema) {
            collect(library, &target, depth + 1, visits, alternatives);
        }
        return;
    }
    for (keyword, rule) in schema.entries() {
        if alternatives.len() > MAX_ALTERNATIVES {
            return;
        }
        let Some(keyword) = SchemaKeyword::named(keyword) else { continue };
        let in_file = |(rank, value)| (rank, DocumentNode { value, file: schema.file });
        match keyword {
            SchemaKeyword::AllOf => {
                rule.items().for_each(|part| collect(library, &part, depth + 1, visits, alternatives));
            }
            SchemaKeyword::AnyOf | SchemaKeyword::OneOf => {
                let all: Vec<Value> = rule.value.items().iter().map(not).collect();
                alternatives.push((3, node_of(schema, [("allOf", all.into())])));
            }
            SchemaKeyword::Not => alternatives.push((1, rule)),
            SchemaKeyword::Minimum
            | SchemaKeyword::Maximum
            | SchemaKeyword::ExclusiveMinimum
            | SchemaKeyword::ExclusiveMaximum
            | SchemaKeyword::MultipleOf => {
                alternatives
                    .extend(negate_bound(schema, keyword, &rule.value).map(|value| in_file((1, value))));
            }
            SchemaKeyword::MinLength
            | SchemaKeyword::MaxLength
            | SchemaKeyword::MinItems
            | SchemaKeyword::MaxItems
            | SchemaKeyword::MinProperties
            | SchemaKeyword::MaxProperties => {
                alternatives.extend(negate_length(keyword, &rule.value).map(|value| in_file((1, value))));
            }
            SchemaKeyword::Required
            | SchemaKeyword::Type
            | SchemaKeyword::Properties
            | SchemaKeyword::AdditionalProperties
            | SchemaKeyword::Items
            | SchemaKeyword::Contains
            | SchemaKeyword::Pattern
            | SchemaKeyword::Format => {
                alternatives.extend(negate_structure(keyword, &rule.value).into_iter().map(in_file));
            }
            // Values that break these are only found by chance.
            SchemaKeyword::If
            | SchemaKeyword::Then
            | SchemaKeyword::Else
            | SchemaKeyword::DependentSchemas
            | SchemaKeyword::DependentRequired
            | SchemaKeyword::Dependencies
            | SchemaKeyword::PrefixItems
            | SchemaKeyword::AdditionalItems
            | SchemaKeyword::MinContains
            | SchemaKeyword::MaxContains
            | SchemaKeyword::UniqueItems
            | SchemaKeyword::PatternProperties
            | SchemaKeyword::PropertyNames
            | SchemaKeyword::UnevaluatedItems
            | SchemaKeyword::UnevaluatedProperties
            | SchemaKeyword::Enum
            | SchemaKeyword::Const => (),
            // Not assertions.
            SchemaKeyword::Schema
            | SchemaKeyword::Vocabulary
            | SchemaKeyword::Id
            | SchemaKeyword::Anchor
            | SchemaKeyword::DynamicAnchor
            | SchemaKeyword::Ref
            | SchemaKeyword::DynamicRef
            | SchemaKeyword::Defs
            | SchemaKeyword::Definitions
            | SchemaKeyword::Comment
            | SchemaKeyword::ContentEncoding
            | SchemaKeyword::ContentMediaType
            | SchemaKeyword::ContentSchema
            | SchemaKeyword::Title
            | SchemaKeyword::Description
            | SchemaKeyword::Default
            | SchemaKeyword::Deprecated
            | SchemaKeyword::ReadOnly
            | SchemaKeyword::WriteOnly
            | SchemaKeyword::Example
            | SchemaKeyword::Examples
            | SchemaKeyword::Discriminator
            | SchemaKeyword::Xml
            | SchemaKeyword::ExternalDocs
            | SchemaKeyword::Nullable
            | SchemaKeyword::XNullable => (),
        }
    }
}

fn node_of<const N: usize>(schema: &DocumentNode, members: [(&str, Value); N]) -> DocumentNode {
    DocumentNode { value: mapping_of(members), file: schema.file }
}

fn mapping_of<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().collect::<Mapping>().into()
}

fn not(schema: &Value) -> Value {
    mapping_of([("not", schema.clone())])
}

fn count_value(number: usize) -> Value {
    Value::Number(Number::from(u64::try_from(number).unwrap_or(u64::MAX)))
}

fn negate_bound(schema: &DocumentNode, keyword: SchemaKeyword, rule: &Value) -> Option<Value> {
    if !matches!(rule, Value::Number(_)) {
        return None;
    }
    let exclusive = |name: &str| schema.value.get(name).and_then(Value::as_bool) == Some(true);
    let opposite = match keyword {
        SchemaKeyword::Minimum if exclusive("exclusiveMinimum") => "maximum",
        SchemaKeyword::Maximum if exclusive("exclusiveMaximum") => "minimum",
        SchemaKeyword::Minimum => "exclusiveMaximum",
        SchemaKeyword::Maximum => "exclusiveMinimum",
        SchemaKeyword::ExclusiveMinimum => "maximum",
        SchemaKeyword::ExclusiveMaximum => "minimum",
        SchemaKeyword::MultipleOf => return Some(mapping_of([("type", "number".into())])),
        _ => return None,
    };
    Some(mapping_of([("type", "number".into()), (opposite, rule.clone())]))
}

fn negate_length(keyword: SchemaKeyword, rule: &Value) -> Option<Value> {
    let (kind, opposite) = match keyword {
        SchemaKeyword::MinLength => ("string", "maxLength"),
        SchemaKeyword::MaxLength => ("string", "minLength"),
        SchemaKeyword::MinItems => ("array", "maxItems"),
        SchemaKeyword::MaxItems => ("array", "minItems"),
        SchemaKeyword::MinProperties => ("object", "maxProperties"),
        SchemaKeyword::MaxProperties => ("object", "minProperties"),
        _ => return None,
    };
    let rule = count_of(rule)?;
    let bound = if keyword.name().starts_with("min") { rule.checked_sub(1)? } else { rule.checked_add(1)? };
    Some(mapping_of([("type", kind.into()), (opposite, count_value(bound))]))
}

fn negate_structure(keyword: SchemaKeyword, rule: &Value) -> Vec<(u8, Value)> {
    let object = |rest: [(&str, Value); 2]| {
        let [first, second] = rest;
        mapping_of([("type", "object".into()), first, second])
    };
    match keyword {
        SchemaKeyword::Required => rule
            .items()
            .iter()
            .filter_map(Value::as_str)
            .map(|key| {
                (
                    0,
                    mapping_of([
                        ("type", "object".into()),
                        ("properties", mapping_of([(key, false.into())])),
                    ]),
                )
            })
            .collect(),
        SchemaKeyword::Type => {
            let names: Vec<&str> = rule
                .as_sequence()
                .map_or_else(|| vec![rule], |all| all.iter().collect())
                .into_iter()
                .filter_map(Value::as_str)
                .collect();
            let has_integer = names.contains(&"integer");
            let others =
                TYPES.into_iter().filter(|name| !names.contains(name) && (!has_integer || *name != "number"));
            let mut alternatives =
                vec![(2, mapping_of([("type", others.map(Value::from).collect::<Vec<_>>().into())]))];
            if has_integer && !names.contains(&"number") {
                let tenth = Number::from_f64(0.1).map_or(Value::Null, Value::Number);
                alternatives.insert(0, (2, mapping_of([("type", "number".into()), ("multipleOf", tenth)])));
            }
            alternatives
        }
        SchemaKeyword::Properties => rule
            .entries()
            .map(|(key, schema)| {
                let parts = [
                    ("required", vec![Value::from(key)].into()),
                    ("properties", mapping_of([(key, not(schema))])),
                ];
                (4, object(parts))
            })
            .collect(),
        SchemaKeyword::AdditionalProperties if rule.as_bool() != Some(true) => {
            let parts = [
                ("required", vec![Value::from("property1")].into()),
                ("properties", mapping_of([("property1", not(rule))])),
            ];
            vec![(3, object(parts))]
        }
        SchemaKeyword::Items | SchemaKeyword::Contains if rule.as_mapping().is_some() => {
            let inner = if keyword == SchemaKeyword::Items { "contains" } else { "items" };
            vec![(4, mapping_of([("type", "array".into()), (inner, not(rule))]))]
        }
        SchemaKeyword::Pattern | SchemaKeyword::Format => vec![(1, mapping_of([("type", "string".into())]))],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Dialect, read};
    use crate::openapi::LibraryLocation;

    #[track_caller]
    fn check(schema: &str, alternatives: &[&str]) {
        let value = read(schema, Dialect::Specification).unwrap().value;
        let found: Vec<String> = negate(
            &DocumentLibrary::new(Value::Null, &LibraryLocation::alone()).0,
            &DocumentNode { value, file: 0 },
        )
        .iter()
        .map(|node| node.value.to_json())
        .collect();
        assert_eq!(found, alternatives);
    }

    #[test]
    fn schemas_are_negated_keyword_by_keyword() {
        check("{minimum: 0}", &[r#"{"type":"number","exclusiveMaximum":0}"#]);
        check("{maximum: 5, exclusiveMaximum: true}", &[r#"{"type":"number","minimum":5}"#]);
        check("{minLength: 3}", &[r#"{"type":"string","maxLength":2}"#]);
        check(
            "{type: integer}",
            &[
                r#"{"type":"number","multipleOf":0.1}"#,
                r#"{"type":["string","object","array","boolean","null"]}"#,
            ],
        );
        check("{required: [a]}", &[r#"{"type":"object","properties":{"a":false}}"#]);
        check("{not: {type: string}}", &[r#"{"type":"string"}"#]);
        check(
            "{properties: {a: {type: string}}}",
            &[r#"{"type":"object","required":["a"],"properties":{"a":{"not":{"type":"string"}}}}"#],
        );
        check("{anyOf: [{type: string}]}", &[r#"{"allOf":[{"not":{"type":"string"}}]}"#]);
        check("{}", &[]);
    }
}
