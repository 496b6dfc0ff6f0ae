//! Arrays: one item, or as many as the schema requires.

use std::collections::HashSet;

use super::{
    SampleError,
    equality::canonical_text,
    evaluator::count_of,
    layers::SchemaLayers,
    merged_rules::MergedRules,
    place::SamplePlace,
    search::{Generation, MAX_NODES},
    seeded_rng::SeededRng,
};
use crate::{
    document::{Mapping, Value},
    openapi::{DocumentNode, keywords::SchemaKeyword},
};

/// Items after this many are copies of the one before.
const MAX_DISTINCT: usize = 1_000;
/// Values that are tried for an item that must differ from all others.
const MAX_VARIANTS: usize = 40;

impl Generation<'_> {
    pub(super) fn array(
        &mut self,
        layers: &SchemaLayers,
        rules: &MergedRules,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        let contained = contained_schemas(layers);
        let prefix = layers.all.iter().map(|layer| prefix_count(&layer.schema)).max().unwrap_or(0);
        let allows_more = self.item_schemas(layers, prefix).is_some();
        // Where no item may follow the prefix, the items that `contains` requires are in the prefix.
        let start = if allows_more { prefix } else { 0 };
        let min = rules.items.min.max(if contained.is_empty() { 0 } else { start + contained.len() });
        let min = self.limit_count(min, place);
        let count = self.item_count(layers, prefix, min).min(rules.items.max);
        let mut items: Vec<Value> = Vec::with_capacity(count.min(64));
        let mut seen = HashSet::new();
        for n in 0..count {
            if n >= MAX_DISTINCT.max(start + contained.len())
                && !rules.unique
                && let Some(last) = items.last().cloned()
            {
                match self.charge_nested(&last) {
                    Ok(()) => items.push(last),
                    Err(_) if n >= min || self.accepts_incomplete() => break,
                    Err(stop) => return Err(stop),
                }
                continue;
            }
            let required = n.checked_sub(start).and_then(|n| contained.get(n));
            let found = match self.item_schemas(layers, n) {
                Some(mut schemas) => {
                    schemas.extend(required.cloned());
                    if required.is_none() {
                        schemas.extend(excluded_schemas(layers));
                    }
                    self.make_item(&schemas, n, rules.unique.then_some(&mut seen), place)
                }
                None => Err(SampleError::Impossible),
            };
            match found {
                Ok(item) => items.push(item),
                Err(_) if n >= min || self.accepts_incomplete() => break,
                Err(stop) => return Err(stop),
            }
        }
        Ok(items.into())
    }

    /// The number of items of a sample.
    fn item_count(&self, layers: &SchemaLayers, prefix: usize, min: usize) -> usize {
        if self.is_minimal() {
            return min;
        }
        let has_items = layers.values(SchemaKeyword::Items.name()).any(|items| items.as_mapping().is_some());
        let more = if self.random { SeededRng::new(layers.all.len() as u64).below(3) } else { 0 };
        min.max(prefix).max(if has_items && prefix == 0 { 1 + more } else { 0 })
    }

    fn limit_count(&mut self, min: usize, place: &SamplePlace<'_>) -> usize {
        if min > MAX_NODES {
            self.note(place, "`minItems` requires more items than a sample may have");
        }
        min.min(MAX_NODES)
    }

    /// Makes an item; it differs from all in `seen` if that is given.
    fn make_item(
        &mut self,
        schemas: &[DocumentNode],
        n: usize,
        seen: Option<&mut HashSet<String>>,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        let Some(seen) = seen else { return self.solve(schemas, &place.index(n, 0)) };
        for variant in 0..MAX_VARIANTS {
            let variant = u32::try_from(n + variant).unwrap_or(u32::MAX);
            let item = self.solve(schemas, &place.index(n, variant))?;
            if seen.insert(canonical_text(&item)) {
                return Ok(item);
            }
        }
        Err(SampleError::Impossible)
    }

    /// The schemas of the item at `n`; `None` if there must be no such item.
    fn item_schemas(&self, layers: &SchemaLayers, n: usize) -> Option<Vec<DocumentNode>> {
        let mut schemas = Vec::new();
        for layer in &layers.all {
            if let Some(schema) = prefix_schema(&layer.schema, n) {
                schemas.push(schema);
                continue;
            }
            let is_prefix = layer
                .schema
                .value
                .get(SchemaKeyword::Items.name())
                .is_some_and(|items| items.as_sequence().is_some());
            schemas.extend(layer.schema.get(if is_prefix { "additionalItems" } else { "items" }));
            if prefix_count(&layer.schema) == 0
                || layer.schema.value.get(SchemaKeyword::Items.name()).is_none()
            {
                schemas.extend(
                    layer
                        .schema
                        .get(SchemaKeyword::UnevaluatedItems.name())
                        .filter(|_| !self.is_described(layers, n)),
                );
            }
        }
        (!schemas.iter().any(|schema| schema.value.as_bool() == Some(false))).then_some(schemas)
    }

    /// Whether one of the schemas describes the item at `n`.
    #[expect(clippy::unused_self, reason = "called like its neighbours")]
    fn is_described(&self, layers: &SchemaLayers, n: usize) -> bool {
        layers.all.iter().any(|layer| {
            prefix_count(&layer.schema) > n
                || layer
                    .schema
                    .value
                    .get(SchemaKeyword::Items.name())
                    .is_some_and(|items| items.as_mapping().is_some())
        })
    }
}

/// The schemas of the first items, which stand in `items` before 2020-12.
fn prefix_schemas(schema: &DocumentNode) -> &[Value] {
    schema
        .value
        .get(SchemaKeyword::PrefixItems.name())
        .or_else(|| schema.value.get(SchemaKeyword::Items.name()))
        .map(Value::items)
        .unwrap_or_default()
}

fn prefix_count(schema: &DocumentNode) -> usize {
    prefix_schemas(schema).len()
}

fn prefix_schema(schema: &DocumentNode, n: usize) -> Option<DocumentNode> {
    prefix_schemas(schema).get(n).map(|value| schema.with_value(value))
}

/// A schema for each item that `contains` requires.
fn contained_schemas(layers: &SchemaLayers) -> Vec<DocumentNode> {
    let mut all = Vec::new();
    for layer in &layers.all {
        if let Some(schema) = layer.schema.get(SchemaKeyword::Contains.name()) {
            let count = layer
                .schema
                .value
                .get(SchemaKeyword::MinContains.name())
                .and_then(count_of)
                .unwrap_or(1)
                .min(MAX_NODES);
            all.extend(std::iter::repeat_n(schema, count.min(MAX_NODES.saturating_sub(all.len()))));
        }
    }
    all
}

/// Schemas that exclude matches of `contains` from the other items, where `maxContains` limits them.
fn excluded_schemas(layers: &SchemaLayers) -> Vec<DocumentNode> {
    let bounded =
        layers.all.iter().filter(|layer| layer.schema.value.get(SchemaKeyword::MaxContains.name()).is_some());
    let schemas = bounded.filter_map(|layer| layer.schema.get(SchemaKeyword::Contains.name()));
    schemas
        .map(|schema| {
            let not = [("not", schema.value)].into_iter().collect::<Mapping>();
            DocumentNode { value: not.into(), file: schema.file }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::openapi::sample::tests::{check, check_sample};

    #[test]
    fn arrays_have_one_item_or_as_many_as_required() {
        check_sample("{type: array, items: {type: integer}}", "[1]");
        check_sample("{type: array}", "[]");
        check_sample("{type: array, items: {type: string}, maxItems: 0}", "[]");
        check_sample("{type: array, items: {type: integer}, minItems: 3}", "[1,1,1]");
        check_sample("{type: array, items: {type: integer}, minItems: 3, uniqueItems: true}", "[1,2,3]");
        check_sample(
            "{type: array, items: {type: string, enum: [x, y, z]}, minItems: 2, uniqueItems: true}",
            r#"["x","y"]"#,
        );
        check_sample("{type: array, prefixItems: [{type: string}, {type: integer}]}", r#"["string",1]"#);
        check_sample("{type: array, items: {type: integer}, contains: {const: 5}}", "[5]");
    }

    #[test]
    fn arrays_are_valid() {
        for schema in [
            "{type: array, uniqueItems: true, minItems: 5, items: {type: string}}",
            "{type: array, uniqueItems: true, minItems: 2, items: {type: boolean}}",
            "{type: array, uniqueItems: true, minItems: 5, items: {type: object, properties: {a: {type: string, format: date}}}}",
            "{type: array, uniqueItems: true, minItems: 5, items: {type: string, format: email}}",
            "{type: array, uniqueItems: true, minItems: 5, items: {type: string, pattern: '^[a-c]{2}$'}}",
            "{type: array, uniqueItems: true, minItems: 3, items: {type: array, items: {type: integer}}}",
            "{type: array, uniqueItems: true, minItems: 20, items: {type: string, minLength: 2, maxLength: 2}}",
            "{type: array, prefixItems: [{type: integer}, {type: string}], items: false, minItems: 2}",
            "{type: array, prefixItems: [{type: integer}], items: {type: string}, minItems: 3}",
            "{type: array, contains: {type: string}, minContains: 2, maxContains: 2, minItems: 4}",
            "{type: array, prefixItems: [{}, {}], items: false, contains: {const: a}}",
            "{type: array, items: {type: integer, minimum: 3}, contains: {multipleOf: 7}, minItems: 2}",
            "{allOf: [{type: array, minItems: 2}, {items: {type: integer}}, {maxItems: 2}]}",
            "{type: array, items: {anyOf: [{type: string, maxLength: 2}, {type: integer}]}, minItems: 2, uniqueItems: true}",
            "{type: array, unevaluatedItems: false, allOf: [{prefixItems: [{type: integer}]}]}",
        ] {
            check(schema);
        }
    }
}
