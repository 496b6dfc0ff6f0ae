//! Fault of an entity, found by a rule across several of its fields.

/// What a rule across fields finds wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityFault {
    /// The field that is wrong, or the keys that lead to it with dots between them; `None` for the record as a whole.
    pub field: Option<&'static str>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// What Kong says of the record as a whole in addition.
    pub entity_message: Option<String>,
}

impl EntityFault {
    /// A fault of a record as a whole.
    pub fn record(message: impl Into<String>) -> Self {
        Self { field: None, message: message.into(), help: None, entity_message: None }
    }

    /// A fault of one field of a record.
    pub fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::record(message) }
    }

    /// Whether the fault concerns this field, among others.
    #[must_use]
    pub fn is_about(&self, field: &str) -> bool {
        self.field == Some(field) || self.message.contains(&format!("'{field}'"))
    }

    /// The same with what Kong says of the record as a whole.
    #[must_use]
    pub fn with_entity_message(mut self, message: impl Into<String>) -> Self {
        self.entity_message = Some(message.into());
        self
    }

    /// The same with a hint.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
