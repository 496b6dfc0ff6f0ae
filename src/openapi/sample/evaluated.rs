//! Which members of a value a schema speaks about: what `additionalProperties` and `unevaluatedProperties` are not
//! about.

use std::collections::HashSet;

use super::valid::{Evaluator, reference};
use crate::{document::Value, openapi::Node};

/// Whether the schema itself speaks about the property.
pub(super) fn declares(on: &Evaluator<'_>, schema: &Node, key: &str) -> bool {
    let named = schema.value.get("properties").is_some_and(|it| it.get(key).is_some());
    named
        || schema.value.get("patternProperties").is_some_and(|patterns| {
            patterns.entries().any(|(pattern, _)| on.patterns.compiled(pattern).matches(key))
        })
}

/// The properties that the schema, or a schema in it that is valid for the value, speaks about.
/// (JSON Schema 2020-12, section 11.3.)
pub(super) fn properties(on: &Evaluator<'_>, schema: &Node, value: &Value, depth: u32) -> HashSet<String> {
    let mut all = HashSet::new();
    collect(on, schema, value, depth, &mut |part| {
        let open = part.value.get("additionalProperties").is_some();
        for (key, _) in value.entries() {
            if open || declares(on, part, key) {
                all.insert(key.to_owned());
            }
        }
    });
    all
}

/// How many items from the first on the schema, or a schema in it, speaks about.
pub(super) fn items(on: &Evaluator<'_>, schema: &Node, value: &Value, depth: u32) -> usize {
    let mut count = 0;
    collect(on, schema, value, depth, &mut |part| {
        let fixed = part.value.get("prefixItems").map_or(0, |it| it.items().len());
        let all = part.value.get("items").is_some();
        count = count.max(if all { usize::MAX } else { fixed });
    });
    count
}

fn collect(on: &Evaluator<'_>, schema: &Node, value: &Value, depth: u32, each: &mut dyn FnMut(&Node)) {
    if depth > 32 || schema.value.as_mapping().is_none() {
        return;
    }
    if reference(on.library, schema).is_some()
        && let Ok(target) = on.library.resolve(schema)
    {
        collect(on, &target, value, depth + 1, each);
    }
    each(schema);
    for keyword in ["allOf", "anyOf", "oneOf"] {
        for part in schema.get(keyword).iter().flat_map(Node::items) {
            if on.check(&part, value, depth + 1) {
                collect(on, &part, value, depth + 1, each);
            }
        }
    }
    if let Some(condition) = schema.get("if") {
        let holds = on.check(&condition, value, depth + 1);
        if holds {
            collect(on, &condition, value, depth + 1, each);
        }
        if let Some(next) = schema.get(if holds { "then" } else { "else" }) {
            collect(on, &next, value, depth + 1, each);
        }
    }
    if let Some(dependent) = schema.value.get("dependentSchemas") {
        for (key, part) in dependent.entries() {
            if value.get(key).is_some() {
                collect(on, &schema.beside(part), value, depth + 1, each);
            }
        }
    }
}
