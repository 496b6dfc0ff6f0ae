//! What one field must be where another has certain values. (Kong: `conditional` entity checks.)

use crate::document::Value;

/// What one field must be where another has certain values.
#[derive(Clone, Copy, Debug)]
pub struct FieldCondition {
    /// The field that decides.
    pub given: &'static str,
    /// The values of it that this is about.
    pub values: &'static [&'static str],
    /// Whether it is about all other values instead.
    pub unless: bool,
    /// The field that something is asked of.
    pub field: &'static str,
    /// What is asked.
    pub must: FieldRequirement,
}

/// What a condition asks of a field.
#[derive(Clone, Copy, Debug)]
pub enum FieldRequirement {
    /// It must be there.
    BeThere,
    /// It must not be there.
    BeNull,
    /// It must be one of these texts.
    BeOneOf(&'static [&'static str]),
}

impl FieldCondition {
    /// A condition on records whose field `given` is one of `values`.
    #[must_use]
    pub const fn when(given: &'static str, values: &'static [&'static str]) -> Self {
        Self { given, values, unless: false, field: given, must: FieldRequirement::BeThere }
    }

    /// A condition on records whose field `given` is none of `values`.
    #[must_use]
    pub const fn unless(given: &'static str, values: &'static [&'static str]) -> Self {
        Self { unless: true, ..Self::when(given, values) }
    }

    /// Asks for a field.
    #[must_use]
    pub const fn needs(self, field: &'static str) -> Self {
        Self { field, must: FieldRequirement::BeThere, ..self }
    }

    /// Forbids a field.
    #[must_use]
    pub const fn forbids(self, field: &'static str) -> Self {
        Self { field, must: FieldRequirement::BeNull, ..self }
    }

    /// Leaves a field only these values.
    #[must_use]
    pub const fn leaves(self, field: &'static str, values: &'static [&'static str]) -> Self {
        Self { field, must: FieldRequirement::BeOneOf(values), ..self }
    }

    /// What is wrong with the field of a complete record, if anything is. Messages are Kong's.
    #[must_use]
    pub fn broken_by(&self, record: &Value) -> Option<String> {
        let given = record.get(self.given).and_then(Value::as_str)?;
        if self.values.contains(&given) == self.unless {
            return None;
        }
        let value = record.get(self.field).filter(|it| !it.is_null());
        match self.must {
            FieldRequirement::BeThere => value.is_none().then(|| "required field missing".to_owned()),
            FieldRequirement::BeNull => value.is_some().then(|| "value must be null".to_owned()),
            FieldRequirement::BeOneOf(all) => {
                let text = value.and_then(Value::as_str)?;
                (!all.contains(&text)).then(|| format!("expected one of: {}", all.join(", ")))
            }
        }
    }

    /// What Kong says of the record besides.
    #[must_use]
    pub fn entity_message(&self) -> String {
        format!("failed conditional validation given value of field '{}'", self.given)
    }
}
