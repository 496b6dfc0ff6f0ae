//! Arrays: one item, or as many as it takes.

use std::collections::HashSet;

use super::{
    SampleError,
    equality::canonical,
    layers::SchemaLayers,
    place::SamplePlace,
    rules::MergedRules,
    search::{Generation, NODES},
    seeded_rng::SeededRng,
    valid::size,
};
use crate::{
    document::{Mapping, Value},
    openapi::DocumentNode,
};

/// Items beyond this are copies of the one before.
const DIFFERENT: usize = 1_000;
/// Values that are tried for one item that has to differ from all others.
const TURNS: usize = 40;

impl Generation<'_> {
    pub(super) fn array(
        &mut self,
        layers: &SchemaLayers,
        rules: &MergedRules,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        let wanted = contained(layers);
        let fixed = layers.all.iter().map(|layer| fixed_count(&layer.schema)).max().unwrap_or(0);
        let open = self.item(layers, fixed).is_some();
        // Where no further item may stand, those asked for are among the first.
        let start = if open { fixed } else { 0 };
        let least = rules.items.least.max(if wanted.is_empty() { 0 } else { start + wanted.len() });
        let least = self.bounded(least, place);
        let count = self.length(layers, fixed, least).min(rules.items.most);
        let mut items: Vec<Value> = Vec::with_capacity(count.min(64));
        let mut seen = HashSet::new();
        for n in 0..count {
            if n >= DIFFERENT.max(start + wanted.len())
                && !rules.unique
                && let Some(last) = items.last().cloned()
            {
                match self.weigh(&last) {
                    Ok(()) => items.push(last),
                    Err(_) if n >= least || self.makes_do() => break,
                    Err(stop) => return Err(stop),
                }
                continue;
            }
            let extra = n.checked_sub(start).and_then(|n| wanted.get(n));
            let found = match self.item(layers, n) {
                Some(mut schemas) => {
                    schemas.extend(extra.cloned());
                    if extra.is_none() {
                        schemas.extend(unwanted(layers));
                    }
                    self.another(&schemas, n, rules.unique.then_some(&mut seen), place)
                }
                None => Err(SampleError::Impossible),
            };
            match found {
                Ok(item) => items.push(item),
                Err(_) if n >= least || self.makes_do() => break,
                Err(stop) => return Err(stop),
            }
        }
        Ok(items.into())
    }

    /// How many items a sample has.
    fn length(&self, layers: &SchemaLayers, fixed: usize, least: usize) -> usize {
        if self.is_lean() {
            return least;
        }
        let described = layers.values("items").any(|it| it.as_mapping().is_some());
        let more = if self.random { SeededRng::new(layers.all.len() as u64).below(3) } else { 0 };
        least.max(fixed).max(if described && fixed == 0 { 1 + more } else { 0 })
    }

    fn bounded(&mut self, least: usize, place: &SamplePlace<'_>) -> usize {
        if least > NODES {
            self.note(place, "`minItems` asks for more items than a sample has room for");
        }
        least.min(NODES)
    }

    /// One item; another than all before if they are given.
    fn another(
        &mut self,
        schemas: &[DocumentNode],
        n: usize,
        seen: Option<&mut HashSet<String>>,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        let Some(seen) = seen else { return self.solve(schemas, &place.index(n, 0)) };
        for turn in 0..TURNS {
            let turn = u32::try_from(n + turn).unwrap_or(u32::MAX);
            let item = self.solve(schemas, &place.index(n, turn))?;
            if seen.insert(canonical(&item)) {
                return Ok(item);
            }
        }
        Err(SampleError::Impossible)
    }

    /// The schemas that the item at `n` has to fit; none if it is forbidden.
    fn item(&self, layers: &SchemaLayers, n: usize) -> Option<Vec<DocumentNode>> {
        let mut schemas = Vec::new();
        for layer in &layers.all {
            if let Some(schema) = fixed(&layer.schema, n) {
                schemas.push(schema);
                continue;
            }
            let listed = layer.schema.value.get("items").is_some_and(|it| it.as_sequence().is_some());
            schemas.extend(layer.schema.get(if listed { "additionalItems" } else { "items" }));
            if fixed_count(&layer.schema) == 0 || layer.schema.value.get("items").is_none() {
                schemas.extend(layer.schema.get("unevaluatedItems").filter(|_| !self.is_listed(layers, n)));
            }
        }
        (!schemas.iter().any(|it| it.value.as_bool() == Some(false))).then_some(schemas)
    }

    /// Whether some schema speaks about the item at `n`.
    #[expect(clippy::unused_self, reason = "reads with its neighbours")]
    fn is_listed(&self, layers: &SchemaLayers, n: usize) -> bool {
        layers.all.iter().any(|layer| {
            fixed_count(&layer.schema) > n
                || layer.schema.value.get("items").is_some_and(|it| it.as_mapping().is_some())
        })
    }
}

/// The schemas of the first items; a list in `items` before 2020-12.
fn fixed_list(schema: &DocumentNode) -> &[Value] {
    schema
        .value
        .get("prefixItems")
        .or_else(|| schema.value.get("items"))
        .map(Value::items)
        .unwrap_or_default()
}

fn fixed_count(schema: &DocumentNode) -> usize {
    fixed_list(schema).len()
}

fn fixed(schema: &DocumentNode, n: usize) -> Option<DocumentNode> {
    fixed_list(schema).get(n).map(|it| schema.with_value(it))
}

/// A schema for every item that `contains` asks for.
fn contained(layers: &SchemaLayers) -> Vec<DocumentNode> {
    let mut all = Vec::new();
    for layer in &layers.all {
        if let Some(schema) = layer.schema.get("contains") {
            let count = layer.schema.value.get("minContains").and_then(size).unwrap_or(1).min(NODES);
            all.extend(std::iter::repeat_n(schema, count.min(NODES.saturating_sub(all.len()))));
        }
    }
    all
}

/// What other items may not be, where what they contain is bounded.
fn unwanted(layers: &SchemaLayers) -> Vec<DocumentNode> {
    let bounded = layers.all.iter().filter(|layer| layer.schema.value.get("maxContains").is_some());
    let schemas = bounded.filter_map(|layer| layer.schema.get("contains"));
    schemas
        .map(|schema| {
            let not = [("not", schema.value)].into_iter().collect::<Mapping>();
            DocumentNode { value: not.into(), file: schema.file }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::openapi::sample::tests::{check, exactly};

    #[test]
    fn arrays_have_one_item_or_as_many_as_it_takes() {
        exactly("{type: array, items: {type: integer}}", "[1]");
        exactly("{type: array}", "[]");
        exactly("{type: array, items: {type: string}, maxItems: 0}", "[]");
        exactly("{type: array, items: {type: integer}, minItems: 3}", "[1,1,1]");
        exactly("{type: array, items: {type: integer}, minItems: 3, uniqueItems: true}", "[1,2,3]");
        exactly(
            "{type: array, items: {type: string, enum: [x, y, z]}, minItems: 2, uniqueItems: true}",
            r#"["x","y"]"#,
        );
        exactly("{type: array, prefixItems: [{type: string}, {type: integer}]}", r#"["string",1]"#);
        exactly("{type: array, items: {type: integer}, contains: {const: 5}}", "[5]");
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
