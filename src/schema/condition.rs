//! Requirements on a field that depend on the value of another one. (Kong: `conditional` entity checks.)

use super::Field;
use crate::document::Value;

/// A requirement on a field that depends on the value of another one.
#[derive(Clone, Copy, Debug)]
pub struct FieldCondition {
    /// The field that decides whether the requirement applies.
    pub given: &'static str,
    /// The values of it for which the requirement applies.
    pub values: &'static [&'static str],
    /// Whether the requirement applies for all other values instead.
    pub unless: bool,
    /// The field with the requirement.
    pub field: &'static str,
    /// The requirement.
    pub must: FieldRequirement,
}

/// A requirement on a field.
#[derive(Clone, Copy, Debug)]
pub enum FieldRequirement {
    /// The field has a value.
    BeThere,
    /// The field has no value.
    BeNull,
    /// The value is one of these texts.
    BeOneOf(&'static [&'static str]),
}

impl FieldCondition {
    /// A condition on records whose field `given` is one of `values`.
    #[must_use]
    pub const fn when(given: &Field, values: &'static [&'static str]) -> Self {
        let (given, field) = (given.name, given.name);
        Self { given, values, unless: false, field, must: FieldRequirement::BeThere }
    }

    /// A condition on records whose field `given` is none of `values`.
    #[must_use]
    pub const fn unless(given: &Field, values: &'static [&'static str]) -> Self {
        Self { unless: true, ..Self::when(given, values) }
    }

    /// Requires a field.
    #[must_use]
    pub const fn needs(self, field: &Field) -> Self {
        Self { field: field.name, must: FieldRequirement::BeThere, ..self }
    }

    /// Forbids a field.
    #[must_use]
    pub const fn forbids(self, field: &Field) -> Self {
        Self { field: field.name, must: FieldRequirement::BeNull, ..self }
    }

    /// Restricts a field to these values.
    #[must_use]
    pub const fn restricts(self, field: &Field, values: &'static [&'static str]) -> Self {
        Self { field: field.name, must: FieldRequirement::BeOneOf(values), ..self }
    }

    /// What is wrong with the field of a complete record, if anything is. Messages are Kong's.
    #[must_use]
    pub fn broken_by(&self, record: &Value) -> Option<String> {
        let given = record.get(self.given).and_then(Value::as_str)?;
        if self.values.contains(&given) == self.unless {
            return None;
        }
        let value = record.get(self.field).filter(|value| !value.is_null());
        match self.must {
            FieldRequirement::BeThere => value.is_none().then(|| "required field missing".to_owned()),
            FieldRequirement::BeNull => value.is_some().then(|| "value must be null".to_owned()),
            FieldRequirement::BeOneOf(all) => {
                let text = value.and_then(Value::as_str)?;
                (!all.contains(&text)).then(|| format!("expected one of: {}", all.join(", ")))
            }
        }
    }

    /// What Kong says of the record as a whole in addition.
    #[must_use]
    pub fn entity_message(&self) -> String {
        format!("failed conditional validation given value of field '{}'", self.given)
    }
}
