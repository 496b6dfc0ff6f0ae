//! Objects: required properties first, then declared ones, then examples of patterns and additional properties.

use std::collections::{HashMap, HashSet};

use super::{
    SampleError,
    evaluated::declares,
    hint,
    layers::SchemaLayers,
    merged_rules::MergedRules,
    pattern_sample::LengthBounds,
    place::SamplePlace,
    search::{Generation, NestedSource},
    seeded_rng::{self, SeededRng},
};
use crate::{
    document::{Mapping, SharedText, Value},
    openapi::{DocumentNode, keywords::SchemaKeyword},
};

/// Names that are tried for unnamed properties, in addition to the number that is required.
const EXTRA_NAMES: usize = 64;
/// Maximum number of unnamed properties that are added for `minProperties`.
const MAX_UNNAMED: usize = 1_000;

/// The properties so far.
struct ObjectMembers {
    values: HashMap<SharedText, Value>,
    /// The names in the order of the document; those without a value are left out.
    order: Vec<SharedText>,
    /// The names of `order`.
    known: HashSet<SharedText>,
    max: usize,
}

impl ObjectMembers {
    fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    fn is_full(&self) -> bool {
        self.values.len() >= self.max
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
    /// An empty object, where a plain sample would follow a reference for the second time and an empty object is valid.
    pub(super) fn empty_if_recursive(
        &self,
        schemas: &[DocumentNode],
        place: &SamplePlace<'_>,
    ) -> Option<Value> {
        let [schema] = schemas else { return None };
        let text = self.library.reference_of(schema).filter(|_| self.plain)?;
        if place.visits(&(schema.file, text.clone())) < 2 {
            return None;
        }
        let empty = Value::from(Mapping::default());
        let is_object =
            self.library.resolve(schema).is_ok_and(|target| target.text("type") == Some("object"));
        (is_object && self.strict.is_valid(schema, &empty)).then_some(empty)
    }

    pub(super) fn object(
        &mut self,
        layers: &SchemaLayers,
        rules: &MergedRules,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        let declared = declared_names(layers);
        let required = self.required_names(layers);
        let known = declared.iter().cloned().collect();
        let mut members = ObjectMembers {
            values: HashMap::new(),
            order: declared.clone(),
            known,
            max: rules.properties.max,
        };
        for name in &required {
            match self.make_property(layers, name, place) {
                Ok(value) => members.insert(name, value),
                Err(_) if self.accepts_incomplete() => (),
                Err(stop) => return Err(stop),
            }
        }
        let tags: Vec<SharedText> = layers.tags.iter().map(|(name, _)| name.clone()).collect();
        let required_names: HashSet<&SharedText> = required.iter().collect();
        let optional = tags.iter().chain(&declared).filter(|name| !required_names.contains(name));
        for name in optional {
            if members.is_full() || self.is_minimal() {
                break;
            }
            if members.has(name) || self.is_hidden(layers, name) || !self.allows_name(layers, name) {
                continue;
            }
            if let Ok(value) = self.make_property(layers, name, place) {
                members.insert(name, value);
            }
        }
        if !self.is_minimal() {
            self.add_suggested(layers, place, &mut members);
        }
        self.fill_to_minimum(layers, rules.properties.min, place, &mut members)?;
        Ok(members.finish())
    }

    /// Whether parts that cannot be made are left out, in the last search for any value.
    pub(super) const fn accepts_incomplete(&self) -> bool {
        self.accepts_invalid && matches!(self.nested, NestedSource::Known(_))
    }

    /// Makes the value of a property; `Impossible` if the schemas forbid it.
    fn make_property(
        &mut self,
        layers: &SchemaLayers,
        name: &str,
        place: &SamplePlace<'_>,
    ) -> Result<Value, SampleError> {
        if !self.effort.spend_each(layers.size(), 2) {
            return Err(SampleError::OutOfSteps);
        }
        let schemas = self.property_schemas(layers, name).ok_or(SampleError::Impossible)?;
        let tag = layers.tags.iter().filter(|(property, _)| **property == *name).flat_map(|(_, names)| names);
        for name in tag {
            let value = Value::String(name.clone());
            if schemas.iter().all(|schema| self.lenient.is_valid(schema, &value)) {
                return Ok(value);
            }
        }
        let place = place.key(name);
        if schemas.is_empty() {
            return Ok(hint::text_for(name).filter(|_| !self.plain).unwrap_or("string").into());
        }
        self.solve(&schemas, &place)
    }

    /// The schemas of a property; `None` if it is forbidden.
    fn property_schemas(&self, layers: &SchemaLayers, name: &str) -> Option<Vec<DocumentNode>> {
        let mut schemas = Vec::new();
        let mut rest = Vec::new();
        for layer in &layers.all {
            let schema = &layer.schema;
            if declares(self.patterns, schema, name) {
                schemas.extend(
                    schema.get(SchemaKeyword::Properties.name()).and_then(|properties| properties.get(name)),
                );
                for (pattern, property) in
                    schema.get(SchemaKeyword::PatternProperties.name()).iter().flat_map(DocumentNode::entries)
                {
                    if !self.effort.spend(1) {
                        return None;
                    }
                    if self.patterns.compile(pattern).matches(name) {
                        schemas.push(property);
                    }
                }
            } else {
                schemas.extend(
                    schema
                        .get(SchemaKeyword::AdditionalProperties.name())
                        .filter(|additional| additional.value.as_bool() != Some(true)),
                );
                rest.extend(schema.get(SchemaKeyword::UnevaluatedProperties.name()));
            }
        }
        let is_described = layers.all.iter().any(|layer| {
            declares(self.patterns, &layer.schema, name)
                || layer.schema.value.get(SchemaKeyword::AdditionalProperties.name()).is_some()
        });
        if !is_described {
            schemas.extend(rest);
        }
        (!schemas.iter().any(|schema| schema.value.as_bool() == Some(false))).then_some(schemas)
    }

    /// The required names, except those of properties that do not travel in this direction.
    fn required_names(&self, layers: &SchemaLayers) -> Vec<SharedText> {
        let mut names: Vec<SharedText> = Vec::new();
        let mut seen = HashSet::new();
        for name in layers.values(SchemaKeyword::Required.name()).flat_map(Value::items) {
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
        let mut properties = layers.nodes("properties").filter_map(|properties| properties.get(name));
        properties.any(|property| self.direction.hides(self.library, &property))
    }

    fn allows_name(&self, layers: &SchemaLayers, name: &str) -> bool {
        layers.nodes("propertyNames").all(|schema| self.lenient.is_valid(&schema, &Value::from(name)))
    }

    /// Adds a property for each pattern of names, and two where any name is allowed.
    fn add_suggested(&mut self, layers: &SchemaLayers, place: &SamplePlace<'_>, members: &mut ObjectMembers) {
        for (n, patterns) in layers.nodes("patternProperties").enumerate() {
            for (pattern, _) in patterns.entries() {
                let name = self.name_matching(pattern, n, place);
                self.add_optional(layers, name, place, members);
            }
        }
        let has_keywords = |schema: &Value| schema.as_mapping().is_some_and(|keywords| !keywords.is_empty());
        if layers.values(SchemaKeyword::AdditionalProperties.name()).any(has_keywords) {
            for variant in 0..2 {
                let name = self.unused_name(layers, variant, place);
                self.add_optional(layers, name, place, members);
            }
        }
    }

    fn add_optional(
        &mut self,
        layers: &SchemaLayers,
        name: Option<SharedText>,
        place: &SamplePlace<'_>,
        members: &mut ObjectMembers,
    ) {
        let Some(name) = name.filter(|name| !members.has(name) && !members.is_full()) else { return };
        if self.allows_name(layers, &name)
            && !self.is_hidden(layers, &name)
            && let Ok(value) = self.make_property(layers, &name, place)
        {
            members.insert(&name, value);
        }
    }

    /// Adds properties up to the minimum.
    fn fill_to_minimum(
        &mut self,
        layers: &SchemaLayers,
        min: usize,
        place: &SamplePlace<'_>,
        members: &mut ObjectMembers,
    ) -> Result<(), SampleError> {
        if min > MAX_UNNAMED {
            self.note(place, "`minProperties` requires more properties than a sample may have");
        }
        let min = min.min(MAX_UNNAMED);
        // Declared properties that were left out to keep the sample small come first.
        let omitted: Vec<SharedText> =
            members.order.iter().filter(|name| !members.has(name)).cloned().collect();
        for name in omitted {
            if members.values.len() < min {
                self.add_optional(layers, Some(name), place, members);
            }
        }
        for variant in 0..min.saturating_add(EXTRA_NAMES) {
            if members.values.len() >= min || self.effort.is_spent() {
                break;
            }
            let name = self.unused_name(layers, variant, place);
            self.add_optional(layers, name, place, members);
        }
        if members.values.len() >= min || self.accepts_incomplete() {
            Ok(())
        } else {
            Err(SampleError::Impossible)
        }
    }

    /// A name for a property that the schema does not name.
    fn unused_name(
        &mut self,
        layers: &SchemaLayers,
        variant: usize,
        place: &SamplePlace<'_>,
    ) -> Option<SharedText> {
        let plain = SharedText::from(format!("property{}", variant + 1));
        if self.allows_name(layers, &plain) && self.property_schemas(layers, &plain).is_some() {
            return Some(plain);
        }
        let rules: Vec<DocumentNode> = layers.nodes("propertyNames").collect();
        if !rules.is_empty() {
            let text = DocumentNode {
                value: [("type", Value::from("string"))].into_iter().collect::<Mapping>().into(),
                file: 0,
            };
            let rules: Vec<DocumentNode> = std::iter::once(text).chain(rules).collect();
            let place = place.index(variant, u32::try_from(variant).unwrap_or(u32::MAX));
            return match self.solve(&rules, &place) {
                Ok(Value::String(name)) => Some(name),
                _ => None,
            };
        }
        let patterns: Vec<DocumentNode> = layers.nodes("patternProperties").collect();
        let mut names = patterns.iter().flat_map(DocumentNode::entries).collect::<Vec<_>>();
        names.retain(|(_, schema)| schema.value.as_bool() != Some(false));
        let pattern = (!names.is_empty()).then(|| names[variant % names.len()].0.to_owned())?;
        self.name_matching(&pattern, variant, place)
    }

    fn name_matching(&self, pattern: &str, variant: usize, place: &SamplePlace<'_>) -> Option<SharedText> {
        let compiled = self.patterns.compile(pattern);
        let mut rng = SeededRng::new(seeded_rng::child_seed(place.seed, pattern) ^ variant as u64);
        let lengths = LengthBounds { min: 0, max: usize::MAX };
        let mut names = (0..16).filter_map(|attempt| compiled.write(lengths, attempt + variant, &mut rng));
        names.find(|name| compiled.matches(name)).map(SharedText::from)
    }
}

/// The declared names in the order of the document.
fn declared_names(layers: &SchemaLayers) -> Vec<SharedText> {
    let mut names: Vec<SharedText> = Vec::new();
    let mut seen = HashSet::new();
    for properties in layers.values(SchemaKeyword::Properties.name()) {
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
    use crate::openapi::sample::tests::{check, check_sample};

    #[test]
    fn objects_are_complete_and_in_order() {
        check_sample("{properties: {b: {type: integer}, a: {type: boolean}}}", r#"{"b":1,"a":true}"#);
        check_sample(
            "{type: object, required: [z], properties: {a: {type: integer}}}",
            r#"{"a":1,"z":"string"}"#,
        );
        check_sample("{additionalProperties: {type: integer}}", r#"{"property1":1,"property2":1}"#);
        check_sample("{type: object, additionalProperties: true}", "{}");
        check_sample("{type: object, minProperties: 2}", r#"{"property1":"string","property2":"string"}"#);
        check_sample(
            "{type: object, maxProperties: 1, required: [b], properties: {a: {type: integer}, b: {type: integer}}}",
            r#"{"b":1}"#,
        );
        check_sample(
            "{properties: {a: {type: string, writeOnly: true}, b: {type: boolean}}, required: [a]}",
            r#"{"b":true}"#,
        );
    }

    #[test]
    fn names_are_valid_by_their_schemas() {
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
