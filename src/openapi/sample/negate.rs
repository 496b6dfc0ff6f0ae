//! Schemas for what another schema forbids: `not {minimum: 0}` is a number below zero.

use super::valid::size;
use crate::{
    document::{Mapping, Number, Value},
    openapi::{DocumentLibrary, DocumentNode},
};

/// `not`s in `not`s are followed this deep.
const DEPTH: u32 = 8;
/// More ways than this are not collected.
const WAYS: usize = 512;
/// More schemas than this are not looked at for them.
const VISITS: u32 = 2_000;

const TYPES: [&str; 6] = ["string", "number", "object", "array", "boolean", "null"];

/// Ways to be invalid by `schema`, the least surprising first. They are hints: none is sure to do.
pub(super) fn negate(library: &DocumentLibrary, schema: &DocumentNode) -> Vec<DocumentNode> {
    let mut ways = Vec::new();
    collect(library, schema, 0, &mut { VISITS }, &mut ways);
    ways.sort_by_key(|(rank, _)| *rank);
    ways.into_iter().map(|(_, node)| node).collect()
}

fn collect(
    library: &DocumentLibrary,
    schema: &DocumentNode,
    depth: u32,
    visits: &mut u32,
    ways: &mut Vec<(u8, DocumentNode)>,
) {
    let Some(left) = visits.checked_sub(1) else { return };
    *visits = left;
    if depth > DEPTH || ways.len() > WAYS {
        return;
    }
    if library.reference_of(schema).is_some() {
        if let Ok(target) = library.resolve(schema) {
            collect(library, &target, depth + 1, visits, ways);
        }
        return;
    }
    for (keyword, rule) in schema.entries() {
        if ways.len() > WAYS {
            return;
        }
        match keyword {
            "allOf" => rule.items().for_each(|it| collect(library, &it, depth + 1, visits, ways)),
            "anyOf" | "oneOf" => {
                let all: Vec<Value> = rule.value.items().iter().map(not).collect();
                ways.push((3, at(schema, [("allOf", all.into())])));
            }
            "not" => ways.push((1, rule)),
            _ => {
                let found = number(schema, keyword, &rule.value)
                    .or_else(|| length(keyword, &rule.value))
                    .map_or_else(|| structure(keyword, &rule.value), |it| vec![(1, it)]);
                ways.extend(
                    found.into_iter().map(|(rank, it)| (rank, DocumentNode { value: it, file: schema.file })),
                );
            }
        }
    }
}

fn at<const N: usize>(schema: &DocumentNode, members: [(&str, Value); N]) -> DocumentNode {
    DocumentNode { value: of(members), file: schema.file }
}

fn of<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().collect::<Mapping>().into()
}

fn not(schema: &Value) -> Value {
    of([("not", schema.clone())])
}

fn count(number: usize) -> Value {
    Value::Number(Number::from(u64::try_from(number).unwrap_or(u64::MAX)))
}

fn number(schema: &DocumentNode, keyword: &str, rule: &Value) -> Option<Value> {
    if !matches!(rule, Value::Number(_)) {
        return None;
    }
    let exclusive = |name: &str| schema.value.get(name).and_then(Value::as_bool) == Some(true);
    let opposite = match keyword {
        "minimum" if exclusive("exclusiveMinimum") => "maximum",
        "maximum" if exclusive("exclusiveMaximum") => "minimum",
        "minimum" => "exclusiveMaximum",
        "maximum" => "exclusiveMinimum",
        "exclusiveMinimum" => "maximum",
        "exclusiveMaximum" => "minimum",
        "multipleOf" => return Some(of([("type", "number".into())])),
        _ => return None,
    };
    Some(of([("type", "number".into()), (opposite, rule.clone())]))
}

fn length(keyword: &str, rule: &Value) -> Option<Value> {
    let (kind, opposite) = match keyword {
        "minLength" => ("string", "maxLength"),
        "maxLength" => ("string", "minLength"),
        "minItems" => ("array", "maxItems"),
        "maxItems" => ("array", "minItems"),
        "minProperties" => ("object", "maxProperties"),
        "maxProperties" => ("object", "minProperties"),
        _ => return None,
    };
    let rule = size(rule)?;
    let bound = if keyword.starts_with("min") { rule.checked_sub(1)? } else { rule.checked_add(1)? };
    Some(of([("type", kind.into()), (opposite, count(bound))]))
}

fn structure(keyword: &str, rule: &Value) -> Vec<(u8, Value)> {
    let object = |rest: [(&str, Value); 2]| {
        let [first, second] = rest;
        of([("type", "object".into()), first, second])
    };
    match keyword {
        "required" => rule
            .items()
            .iter()
            .filter_map(Value::as_str)
            .map(|key| (0, of([("type", "object".into()), ("properties", of([(key, false.into())]))])))
            .collect(),
        "type" => {
            let given: Vec<&str> = rule
                .as_sequence()
                .map_or_else(|| vec![rule], |all| all.iter().collect())
                .into_iter()
                .filter_map(Value::as_str)
                .collect();
            let whole = given.contains(&"integer");
            let others = TYPES.into_iter().filter(|it| !given.contains(it) && (!whole || *it != "number"));
            let mut ways = vec![(2, of([("type", others.map(Value::from).collect::<Vec<_>>().into())]))];
            if whole && !given.contains(&"number") {
                let tenth = Number::from_f64(0.1).map_or(Value::Null, Value::Number);
                ways.insert(0, (2, of([("type", "number".into()), ("multipleOf", tenth)])));
            }
            ways
        }
        "properties" => rule
            .entries()
            .map(|(key, schema)| {
                let parts =
                    [("required", vec![Value::from(key)].into()), ("properties", of([(key, not(schema))]))];
                (4, object(parts))
            })
            .collect(),
        "additionalProperties" if rule.as_bool() != Some(true) => {
            let parts = [
                ("required", vec![Value::from("property1")].into()),
                ("properties", of([("property1", not(rule))])),
            ];
            vec![(3, object(parts))]
        }
        "items" | "contains" if rule.as_mapping().is_some() => {
            let inner = if keyword == "items" { "contains" } else { "items" };
            vec![(4, of([("type", "array".into()), (inner, not(rule))]))]
        }
        "pattern" | "format" => vec![(1, of([("type", "string".into())]))],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Dialect, read};
    use crate::openapi::LibraryLocation;

    #[track_caller]
    fn check(schema: &str, ways: &[&str]) {
        let value = read(schema, Dialect::Specification).unwrap().value;
        let found: Vec<String> = negate(
            &DocumentLibrary::new(Value::Null, &LibraryLocation::alone()).0,
            &DocumentNode { value, file: 0 },
        )
        .iter()
        .map(|it| it.value.to_json())
        .collect();
        assert_eq!(found, ways);
    }

    #[test]
    fn opposites() {
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
