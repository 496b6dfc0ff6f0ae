//! Objects: what is required first, then what is declared, then what else the schema hopes for.

use std::collections::{HashMap, HashSet};

use super::{
    SampleError,
    evaluated::declares,
    hint,
    layers::SchemaLayers,
    pattern::LengthBounds,
    place::SamplePlace,
    rules::MergedRules,
    search::{Generation, Nested},
    seeded_rng::{self, SeededRng},
};
use crate::{
    document::{Mapping, SharedText, Value},
    openapi::DocumentNode,
};

/// Names that are tried for properties that have none, beyond those needed.
const NAMES: usize = 64;
/// Properties that nobody named are no more than this, whatever `minProperties` says.
const UNNAMED: usize = 1_000;

/// The properties so far.
struct ObjectMembers {
    values: HashMap<SharedText, Value>,
    /// In the order of the document; those without a value are left out.
    order: Vec<SharedText>,
    /// The same, to search in.
    known: HashSet<SharedText>,
    most: usize,
}

impl ObjectMembers {
    fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    fn is_full(&self) -> bool {
        self.values.len() >= self.most
    }

    fn insert(&mut self, name: &SharedText, value: Value) {
        if self.known.insert(name.clone()) {
            self.order.push(name.clone());
        }
        self.values.insert(name.clone(), value);
    }

    fn finish(mut self) -> Value {
        let mut mapping = Mapping::default();
        for name in self.order {
            if let Some(value) = self.values.remove(&name) {
                mapping.insert(name, value);
            }
        }
        mapping.into()
    }
}

impl Generation<'_> {
    /// An empty object, where a plain sample would go round a second time and may be empty.
    pub(super) fn cut_short(&self, schemas: &[DocumentNode], place: &SamplePlace<'_>) -> Option<Value> {
        let [schema] = schemas else { return None };
        let text = self.library.reference_of(schema).filter(|_| self.plain)?;
        if place.visits(&(schema.file, text.clone())) < 2 {
            return None;
        }
        let empty = Value::from(Mapping::default());
        let is_object = self.library.resolve(schema).is_ok_and(|it| it.text("type") == Some("object"));
        (is_object && self.strict.valid(schema, &empty)).then_some(empty)
    }

    pub(super) fn object(
        &mut self,
        layers: &SchemaLayers,
        rules: &MergedRules,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        let declared = declared(layers);
        let required = self.required(layers);
        let known = declared.iter().cloned().collect();
        let mut members = ObjectMembers {
            values: HashMap::new(),
            order: declared.clone(),
            known,
            most: rules.properties.most,
        };
        for name in &required {
            match self.property(layers, name, place) {
                Ok(value) => members.insert(name, value),
                Err(_) if self.makes_do() => (),
                Err(stop) => return Err(stop),
            }
        }
        let tags: Vec<SharedText> = layers.tags.iter().map(|(name, _)| name.clone()).collect();
        let needed: HashSet<&SharedText> = required.iter().collect();
        let optional = tags.iter().chain(&declared).filter(|name| !needed.contains(name));
        for name in optional {
            if members.is_full() || self.is_lean() {
                break;
            }
            if members.has(name) || self.is_hidden(layers, name) || !self.is_name(layers, name) {
                continue;
            }
            if let Ok(value) = self.property(layers, name, place) {
                members.insert(name, value);
            }
        }
        if !self.is_lean() {
            self.hoped_for(layers, place, &mut members);
        }
        self.unnamed(layers, rules.properties.least, place, &mut members)?;
        Ok(members.finish())
    }

    /// Whether what cannot be made is left out, as nothing better is to be had.
    pub(super) const fn makes_do(&self) -> bool {
        self.forgiving && matches!(self.nested, Nested::Known(_))
    }

    /// The value of one property; `Impossible` if it may not be there.
    fn property(
        &mut self,
        layers: &SchemaLayers,
        name: &str,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        if !self.effort.spend_each(layers.size(), 2) {
            return Err(SampleError::Spent);
        }
        let schemas = self.schemas_of(layers, name).ok_or(SampleError::Impossible)?;
        let tag = layers.tags.iter().filter(|(property, _)| **property == *name).flat_map(|(_, names)| names);
        for name in tag {
            let value = Value::String(name.clone());
            if schemas.iter().all(|schema| self.lenient.valid(schema, &value)) {
                return Ok(value);
            }
        }
        let place = place.key(name);
        if schemas.is_empty() {
            return Ok(hint::text(name).filter(|_| !self.plain).unwrap_or("string").into());
        }
        self.solve(&schemas, &place)
    }

    /// The schemas that a property has to fit; none if it is forbidden.
    fn schemas_of(&self, layers: &SchemaLayers, name: &str) -> Option<Vec<DocumentNode>> {
        let mut schemas = Vec::new();
        let mut rest = Vec::new();
        for layer in &layers.all {
            let schema = &layer.schema;
            if declares(self.patterns, schema, name) {
                schemas.extend(schema.get("properties").and_then(|it| it.get(name)));
                for (pattern, it) in schema.get("patternProperties").iter().flat_map(DocumentNode::entries) {
                    if !self.effort.spend(1) {
                        return None;
                    }
                    if self.patterns.compiled(pattern).matches(name) {
                        schemas.push(it);
                    }
                }
            } else {
                schemas
                    .extend(schema.get("additionalProperties").filter(|it| it.value.as_bool() != Some(true)));
                rest.extend(schema.get("unevaluatedProperties"));
            }
        }
        let spoken = layers.all.iter().any(|layer| {
            declares(self.patterns, &layer.schema, name)
                || layer.schema.value.get("additionalProperties").is_some()
        });
        if !spoken {
            schemas.extend(rest);
        }
        (!schemas.iter().any(|it| it.value.as_bool() == Some(false))).then_some(schemas)
    }

    /// The required names, but for properties that do not travel in this direction.
    fn required(&self, layers: &SchemaLayers) -> Vec<SharedText> {
        let mut names: Vec<SharedText> = Vec::new();
        let mut seen = HashSet::new();
        for name in layers.values("required").flat_map(Value::items) {
            if let Value::String(name) = name
                && seen.insert(name)
                && !self.is_hidden(layers, name)
            {
                names.push(name.clone());
            }
        }
        names
    }

    fn is_hidden(&self, layers: &SchemaLayers, name: &str) -> bool {
        let mut properties = layers.nodes("properties").filter_map(|it| it.get(name));
        properties.any(|it| self.direction.hides(self.library, &it))
    }

    fn is_name(&self, layers: &SchemaLayers, name: &str) -> bool {
        layers.nodes("propertyNames").all(|schema| self.lenient.valid(&schema, &Value::from(name)))
    }

    /// One property for every pattern of names, two where any name goes.
    fn hoped_for(&mut self, layers: &SchemaLayers, place: &SamplePlace<'_>, members: &mut ObjectMembers) {
        for (n, patterns) in layers.nodes("patternProperties").enumerate() {
            for (pattern, _) in patterns.entries() {
                let name = self.named_by(pattern, n, place);
                self.extra(layers, name, place, members);
            }
        }
        let telling = |it: &Value| it.as_mapping().is_some_and(|it| !it.is_empty());
        if layers.values("additionalProperties").any(telling) {
            for turn in 0..2 {
                let name = self.free_name(layers, turn, place);
                self.extra(layers, name, place, members);
            }
        }
    }

    fn extra(
        &mut self,
        layers: &SchemaLayers,
        name: Option<SharedText>,
        place: &SamplePlace<'_>,
        members: &mut ObjectMembers,
    ) {
        let Some(name) = name.filter(|name| !members.has(name) && !members.is_full()) else { return };
        if self.is_name(layers, &name)
            && !self.is_hidden(layers, &name)
            && let Ok(value) = self.property(layers, &name, place)
        {
            members.insert(&name, value);
        }
    }

    /// Properties until there are enough.
    fn unnamed(
        &mut self,
        layers: &SchemaLayers,
        least: usize,
        place: &SamplePlace<'_>,
        members: &mut ObjectMembers,
    ) -> Result<(), SampleError> {
        if least > UNNAMED {
            self.note(place, "`minProperties` asks for more properties than a sample has room for");
        }
        let least = least.min(UNNAMED);
        // Declared ones that were left out to keep the sample small come first.
        let left: Vec<SharedText> = members.order.iter().filter(|name| !members.has(name)).cloned().collect();
        for name in left {
            if members.values.len() < least {
                self.extra(layers, Some(name), place, members);
            }
        }
        for turn in 0..least.saturating_add(NAMES) {
            if members.values.len() >= least || self.effort.is_spent() {
                break;
            }
            let name = self.free_name(layers, turn, place);
            self.extra(layers, name, place, members);
        }
        if members.values.len() >= least || self.makes_do() { Ok(()) } else { Err(SampleError::Impossible) }
    }

    /// A name for a property that the document does not name.
    fn free_name(
        &mut self,
        layers: &SchemaLayers,
        turn: usize,
        place: &SamplePlace<'_>,
    ) -> Option<SharedText> {
        let plain = SharedText::from(format!("property{}", turn + 1));
        if self.is_name(layers, &plain) && self.schemas_of(layers, &plain).is_some() {
            return Some(plain);
        }
        let rules: Vec<DocumentNode> = layers.nodes("propertyNames").collect();
        if !rules.is_empty() {
            let text = DocumentNode {
                value: [("type", Value::from("string"))].into_iter().collect::<Mapping>().into(),
                file: 0,
            };
            let rules: Vec<DocumentNode> = std::iter::once(text).chain(rules).collect();
            let place = place.index(turn, u32::try_from(turn).unwrap_or(u32::MAX));
            return match self.solve(&rules, &place) {
                Ok(Value::String(name)) => Some(name),
                _ => None,
            };
        }
        let patterns: Vec<DocumentNode> = layers.nodes("patternProperties").collect();
        let mut names = patterns.iter().flat_map(DocumentNode::entries).collect::<Vec<_>>();
        names.retain(|(_, schema)| schema.value.as_bool() != Some(false));
        let pattern = (!names.is_empty()).then(|| names[turn % names.len()].0.to_owned())?;
        self.named_by(&pattern, turn, place)
    }

    fn named_by(&self, pattern: &str, turn: usize, place: &SamplePlace<'_>) -> Option<SharedText> {
        let compiled = self.patterns.compiled(pattern);
        let mut dice = SeededRng::new(seeded_rng::child(place.seed, pattern) ^ turn as u64);
        let lengths = LengthBounds { least: 0, most: usize::MAX };
        let mut names = (0..16).filter_map(|attempt| compiled.write(lengths, attempt + turn, &mut dice));
        names.find(|name| compiled.matches(name)).map(SharedText::from)
    }
}

/// The declared names in the order of the document.
fn declared(layers: &SchemaLayers) -> Vec<SharedText> {
    let mut names: Vec<SharedText> = Vec::new();
    let mut seen = HashSet::new();
    for properties in layers.values("properties") {
        for (name, _) in properties.entries() {
            if seen.insert(name) {
                names.push(name.into());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use crate::openapi::sample::tests::{check, exactly};

    #[test]
    fn objects_are_complete_and_in_order() {
        exactly("{properties: {b: {type: integer}, a: {type: boolean}}}", r#"{"b":1,"a":true}"#);
        exactly("{type: object, required: [z], properties: {a: {type: integer}}}", r#"{"a":1,"z":"string"}"#);
        exactly("{additionalProperties: {type: integer}}", r#"{"property1":1,"property2":1}"#);
        exactly("{type: object, additionalProperties: true}", "{}");
        exactly("{type: object, minProperties: 2}", r#"{"property1":"string","property2":"string"}"#);
        exactly(
            "{type: object, maxProperties: 1, required: [b], properties: {a: {type: integer}, b: {type: integer}}}",
            r#"{"b":1}"#,
        );
        exactly(
            "{properties: {a: {type: string, writeOnly: true}, b: {type: boolean}}, required: [a]}",
            r#"{"b":true}"#,
        );
    }

    #[test]
    fn names_follow_their_rules() {
        for schema in [
            "{type: object, patternProperties: {'^x-[a-z]{2}$': {type: integer}}, additionalProperties: false, minProperties: 3}",
            "{type: object, propertyNames: {pattern: '^[a-z]{3}$'}, minProperties: 4}",
            "{type: object, propertyNames: {enum: [a, b]}, additionalProperties: {type: integer}, minProperties: 2}",
            "{type: object, propertyNames: {maxLength: 3}, properties: {long_name: {type: string}, id: {type: integer}}}",
            "{type: object, properties: {a: {type: integer}}, dependentRequired: {a: [b]}}",
            "{type: object, properties: {a: {type: integer}}, dependentRequired: {a: [b]}, maxProperties: 1}",
            "{type: object, properties: {a: {type: integer}}, dependentSchemas: {a: {required: [c], properties: {c: {const: 7}}}}}",
            "{allOf: [{properties: {a: {type: integer}}, additionalProperties: false}, {properties: {b: {type: integer}}}]}",
            "{allOf: [{properties: {a: {type: integer}}}], properties: {b: {type: integer}}, unevaluatedProperties: false}",
        ] {
            check(schema);
        }
    }
}
