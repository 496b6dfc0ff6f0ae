//! Values that the author of a document gives for a schema: examples, constants, defaults and enumerations.

use super::{
    equality::equal,
    layers::SchemaLayers,
    place::SamplePlace,
    search::{Generation, SampleGoal},
};
use crate::document::Value;

/// Up to this many values are compared with one another, so that each counts once.
const MAX_COMPARED: usize = 64;

/// The values of the author, and whether no others are allowed.
pub(super) struct AuthorValues<'a> {
    pub(super) values: Vec<&'a Value>,
    pub(super) is_closed: bool,
}

impl Generation<'_> {
    /// The value, or the value of another type that its author probably converted, if it is valid.
    pub(super) fn matching_value(
        &self,
        value: &Value,
        goal: &SampleGoal<'_>,
        is_closed: bool,
    ) -> Option<Value> {
        let is_valid = |value: &Value| {
            goal.schemas.iter().all(|schema| self.strict.is_valid(schema, value))
                // No other values are allowed, so their format does not count.
                || is_closed && goal.schemas.iter().all(|schema| self.lenient.is_valid(schema, value))
        };
        if is_valid(value) {
            return Some(value.clone());
        }
        // YAML reads an unquoted `12345` as a number, and authors quote numbers.
        let converted = match value {
            Value::Number(number) => Value::from(number.as_str()),
            Value::Bool(flag) => Value::from(flag.to_string()),
            Value::String(text) => serde_json::from_str::<Value>(text)
                .ok()
                .filter(|parsed| matches!(parsed, Value::Number(_) | Value::Bool(_)))?,
            _ => return None,
        };
        is_valid(&converted).then_some(converted)
    }

    /// The values that the document gives, the most specific first.
    pub(super) fn author_values<'b>(&self, layers: &'b SchemaLayers) -> AuthorValues<'b> {
        let mut sorted: Vec<_> = layers.all.iter().collect();
        sorted.sort_by_key(|layer| layer.level);
        let each =
            |keyword: &'static str| sorted.iter().filter_map(move |layer| layer.schema.value.get(keyword));
        let mut values: Vec<&'b Value> = Vec::new();
        let mut add = |value: &'b Value| {
            // In long lists a value may occur twice.
            if values.len() > MAX_COMPARED || !values.iter().any(|known| equal(known, value)) {
                values.push(value);
            }
        };
        if self.examples {
            each("example").for_each(&mut add);
            each("examples").for_each(|examples| examples.items().iter().for_each(&mut add));
        }
        each("const").for_each(&mut add);
        if self.examples {
            each("default").for_each(&mut add);
        }
        each("enum").for_each(|all| all.items().iter().for_each(&mut add));
        let is_closed = each("const").next().is_some() || each("enum").any(|all| all.as_sequence().is_some());
        AuthorValues { values, is_closed }
    }

    /// Adds a note where an example or default is not valid by its own schema.
    pub(super) fn note_invalid_example(
        &mut self,
        layers: &SchemaLayers,
        value: &Value,
        place: &SamplePlace<'_>,
    ) {
        let wrong = layers.all.iter().any(|layer| {
            ["example", "default"].iter().any(|keyword| layer.schema.value.get(keyword) == Some(value))
                && !self.strict.is_valid(&layer.schema, value)
        });
        if wrong && place.variant == 0 {
            self.note(place, "an example or default does not fit its own schema, so another value was made");
        }
    }
}
