//! Members and items of a value that a schema evaluates, and that `additionalProperties`, `unevaluatedProperties` and
//! `unevaluatedItems` therefore do not apply to.

use std::collections::HashSet;

use super::{effort::Effort, pattern_sample::StringPatternCache};
use crate::{
    document::Value,
    openapi::{DocumentLibrary, DocumentNode, keywords::SchemaKeyword},
};

/// A value, and what is needed to evaluate it.
pub(super) struct EvaluatedKeywords<'a, F> {
    pub(super) library: &'a DocumentLibrary,
    pub(super) patterns: &'a StringPatternCache,
    pub(super) value: &'a Value,
    pub(super) effort: &'a Effort<'a>,
    /// Whether the value is valid by a schema at a depth.
    pub(super) is_valid: F,
}

/// Whether `properties` or `patternProperties` of the schema apply to the property.
pub(super) fn declares(patterns: &StringPatternCache, schema: &DocumentNode, key: &str) -> bool {
    let named = schema
        .value
        .get(SchemaKeyword::Properties.name())
        .is_some_and(|properties| properties.get(key).is_some());
    named
        || schema
            .value
            .get(SchemaKeyword::PatternProperties.name())
            .is_some_and(|all| all.entries().any(|(pattern, _)| patterns.compile(pattern).matches(key)))
}

/// The properties that the schema evaluates, itself or through subschemas that the value is valid by.
/// (JSON Schema 2020-12, section 11.3)
pub(super) fn properties<F: Fn(&DocumentNode, u32) -> bool>(
    evaluated: &EvaluatedKeywords<'_, F>,
    schema: &DocumentNode,
    depth: u32,
) -> HashSet<String> {
    let mut all = HashSet::new();
    evaluated.visit(schema, depth, &mut |part| {
        let is_open = part.value.get(SchemaKeyword::AdditionalProperties.name()).is_some();
        for (key, _) in evaluated.value.entries() {
            if is_open || declares(evaluated.patterns, part, key) {
                all.insert(key.to_owned());
            }
        }
    });
    all
}

/// The number of first items that the schema evaluates, itself or through subschemas.
pub(super) fn items<F: Fn(&DocumentNode, u32) -> bool>(
    evaluated: &EvaluatedKeywords<'_, F>,
    schema: &DocumentNode,
    depth: u32,
) -> usize {
    let mut count = 0;
    evaluated.visit(schema, depth, &mut |part| {
        let prefix = part.value.get(SchemaKeyword::PrefixItems.name()).map_or(0, |items| items.items().len());
        let all = part.value.get(SchemaKeyword::Items.name()).is_some();
        count = count.max(if all { usize::MAX } else { prefix });
    });
    count
}

impl<F: Fn(&DocumentNode, u32) -> bool> EvaluatedKeywords<'_, F> {
    /// Visits the schema, and all of its in-place subschemas that the value is valid by.
    fn visit(&self, schema: &DocumentNode, depth: u32, each: &mut dyn FnMut(&DocumentNode)) {
        let has_effort = self.effort.spend(1) && self.effort.has_stack();
        if depth > 32 || !has_effort || schema.value.as_mapping().is_none() {
            return;
        }
        if self.library.reference_of(schema).is_some()
            && let Ok(target) = self.library.resolve(schema)
        {
            self.visit(&target, depth + 1, each);
        }
        each(schema);
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for part in schema.get(keyword).iter().flat_map(DocumentNode::items) {
                if (self.is_valid)(&part, depth + 1) {
                    self.visit(&part, depth + 1, each);
                }
            }
        }
        if let Some(condition) = schema.get(SchemaKeyword::If.name()) {
            let is_valid = (self.is_valid)(&condition, depth + 1);
            if is_valid {
                self.visit(&condition, depth + 1, each);
            }
            if let Some(next) = schema.get(if is_valid { "then" } else { "else" }) {
                self.visit(&next, depth + 1, each);
            }
        }
        if let Some(dependent) = schema.value.get(SchemaKeyword::DependentSchemas.name()) {
            for (key, part) in dependent.entries() {
                if self.value.get(key).is_some() {
                    self.visit(&schema.with_value(part), depth + 1, each);
                }
            }
        }
    }
}
