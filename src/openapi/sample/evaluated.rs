//! Which members of a value a schema speaks about: what `additionalProperties` and `unevaluatedProperties` are not
//! about.

use std::collections::HashSet;

use super::{effort::Effort, pattern::PatternCache};
use crate::{
    document::Value,
    openapi::{DocumentLibrary, DocumentNode},
};

/// A value, and how to ask about it.
pub(super) struct EvaluatedKeywords<'a, F> {
    pub(super) library: &'a DocumentLibrary,
    pub(super) patterns: &'a PatternCache,
    pub(super) value: &'a Value,
    pub(super) effort: &'a Effort<'a>,
    /// Whether it is valid by a schema that stands this deep.
    pub(super) holds: F,
}

/// Whether the schema itself speaks about the property.
pub(super) fn declares(patterns: &PatternCache, schema: &DocumentNode, key: &str) -> bool {
    let named = schema.value.get("properties").is_some_and(|it| it.get(key).is_some());
    named
        || schema
            .value
            .get("patternProperties")
            .is_some_and(|all| all.entries().any(|(pattern, _)| patterns.compiled(pattern).matches(key)))
}

/// The properties that the schema, or a schema in it that is valid for the value, speaks about.
/// (JSON Schema 2020-12, section 11.3.)
pub(super) fn properties<F: Fn(&DocumentNode, u32) -> bool>(
    of: &EvaluatedKeywords<'_, F>,
    schema: &DocumentNode,
    depth: u32,
) -> HashSet<String> {
    let mut all = HashSet::new();
    of.collect(schema, depth, &mut |part| {
        let open = part.value.get("additionalProperties").is_some();
        for (key, _) in of.value.entries() {
            if open || declares(of.patterns, part, key) {
                all.insert(key.to_owned());
            }
        }
    });
    all
}

/// How many items from the first on the schema, or a schema in it, speaks about.
pub(super) fn items<F: Fn(&DocumentNode, u32) -> bool>(
    of: &EvaluatedKeywords<'_, F>,
    schema: &DocumentNode,
    depth: u32,
) -> usize {
    let mut count = 0;
    of.collect(schema, depth, &mut |part| {
        let fixed = part.value.get("prefixItems").map_or(0, |it| it.items().len());
        let all = part.value.get("items").is_some();
        count = count.max(if all { usize::MAX } else { fixed });
    });
    count
}

impl<F: Fn(&DocumentNode, u32) -> bool> EvaluatedKeywords<'_, F> {
    /// Gives the schema, and all in it that are valid for the value.
    fn collect(&self, schema: &DocumentNode, depth: u32, each: &mut dyn FnMut(&DocumentNode)) {
        let goes_on = self.effort.spend(1) && self.effort.has_stack();
        if depth > 32 || !goes_on || schema.value.as_mapping().is_none() {
            return;
        }
        if self.library.reference_of(schema).is_some()
            && let Ok(target) = self.library.resolve(schema)
        {
            self.collect(&target, depth + 1, each);
        }
        each(schema);
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for part in schema.get(keyword).iter().flat_map(DocumentNode::items) {
                if (self.holds)(&part, depth + 1) {
                    self.collect(&part, depth + 1, each);
                }
            }
        }
        if let Some(condition) = schema.get("if") {
            let holds = (self.holds)(&condition, depth + 1);
            if holds {
                self.collect(&condition, depth + 1, each);
            }
            if let Some(next) = schema.get(if holds { "then" } else { "else" }) {
                self.collect(&next, depth + 1, each);
            }
        }
        if let Some(dependent) = schema.value.get("dependentSchemas") {
            for (key, part) in dependent.entries() {
                if self.value.get(key).is_some() {
                    self.collect(&schema.with_value(part), depth + 1, each);
                }
            }
        }
    }
}
