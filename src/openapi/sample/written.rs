//! The values that a document itself gives for a schema: its examples, constants, defaults and enumerations.

use super::{
    equality::equal,
    layers::SchemaLayers,
    place::SamplePlace,
    search::{Generation, SampleGoal},
};
use crate::document::Value;

/// Values of the document that are compared with one another.
const FEW_VALUES: usize = 64;

/// The author's values, and whether no others are allowed.
pub(super) struct AuthorValues<'a> {
    pub(super) values: Vec<&'a Value>,
    pub(super) closed: bool,
}

impl Generation<'_> {
    /// The value, or what its author will have meant, if it fits.
    pub(super) fn fitting(&self, value: &Value, goal: &SampleGoal<'_>, closed: bool) -> Option<Value> {
        let fits = |value: &Value| {
            goal.schemas.iter().all(|schema| self.strict.valid(schema, value))
                // Nothing but these values is allowed, so their format is what they are.
                || closed && goal.schemas.iter().all(|schema| self.lenient.valid(schema, value))
        };
        if fits(value) {
            return Some(value.clone());
        }
        // YAML takes an unquoted `12345` for a number, and people quote numbers.
        let meant = match value {
            Value::Number(number) => Value::from(number.as_str()),
            Value::Bool(it) => Value::from(it.to_string()),
            Value::String(text) => serde_json::from_str::<Value>(text)
                .ok()
                .filter(|it| matches!(it, Value::Number(_) | Value::Bool(_)))?,
            _ => return None,
        };
        fits(&meant).then_some(meant)
    }

    /// The values that the document itself gives, in the order of their worth.
    pub(super) fn written<'b>(&self, layers: &'b SchemaLayers) -> AuthorValues<'b> {
        let mut sorted: Vec<_> = layers.all.iter().collect();
        sorted.sort_by_key(|layer| layer.level);
        let each =
            |keyword: &'static str| sorted.iter().filter_map(move |layer| layer.schema.value.get(keyword));
        let mut values: Vec<&'b Value> = Vec::new();
        let mut add = |value: &'b Value| {
            // Of long lists it does not matter if a value stands in them twice.
            if values.len() > FEW_VALUES || !values.iter().any(|it| equal(it, value)) {
                values.push(value);
            }
        };
        if self.examples {
            each("example").for_each(&mut add);
            each("examples").for_each(|it| it.items().iter().for_each(&mut add));
        }
        each("const").for_each(&mut add);
        if self.examples {
            each("default").for_each(&mut add);
        }
        each("enum").for_each(|it| it.items().iter().for_each(&mut add));
        let closed = each("const").next().is_some() || each("enum").any(|it| it.as_sequence().is_some());
        AuthorValues { values, closed }
    }

    /// Says so where an example breaks the very schema that it stands in.
    pub(super) fn blame(&mut self, layers: &SchemaLayers, value: &Value, place: &SamplePlace<'_>) {
        let wrong = layers.all.iter().any(|layer| {
            ["example", "default"].iter().any(|it| layer.schema.value.get(it) == Some(value))
                && !self.strict.valid(&layer.schema, value)
        });
        if wrong && place.turn == 0 {
            self.note(place, "an example or default does not fit its own schema, so another value was made");
        }
    }
}
