//! MAY: what a record may say, one row per field, as in Kong's own schemas.
//!
//! Rows are data; [`check`] reads them. The same rows check a file, fill its defaults and describe themselves on
//! the Admin API.

mod check;
mod condition;
mod item;
mod messages;
mod nearest;
mod rule;
mod spelling;
mod value;

pub use check::{PluginSchemas, check, check_after};
pub use condition::{FieldCondition, FieldRequirement};
pub use item::{CheckedDocument, CheckedItem, ParentEntity, PreviousItems};
pub use nearest::nearest;

use crate::document::{Mapping, Value};

/// One field of a record.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What its value is.
    pub kind: FieldKind,
    /// Whether it must be there.
    pub required: bool,
    /// Its value, as JSON, when it is not there.
    pub default: Option<&'static str>,
    /// What else must hold of its value.
    pub rules: &'static [FieldRule],
    /// Whether it exists only where routes may be expressions.
    pub of_expressions: bool,
    /// Whether a reference to a vault may stand for its value.
    pub referenceable: bool,
    /// The steps to the field of the same settings that it is an older spelling of; none if it speaks for itself.
    pub stands_for: &'static [&'static str],
    /// What it is for, which editors show.
    pub description: Option<&'static str>,
}

/// The kinds of values, named as Kong names them.
#[derive(Clone, Copy, Debug)]
pub enum FieldKind {
    /// Text of at least one character.
    String,
    /// Text that may be empty.
    Text,
    /// Text of at least one character that no message may repeat.
    Secret,
    /// A UUID.
    Uuid,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list.
    Array(&'static Field),
    /// A list in which equal items count once.
    Set(&'static Field),
    /// Keys of the author's own, values of one kind.
    Map(&'static Field),
    /// A mapping with these fields.
    Record(&'static [Field]),
    /// A list of records that are entities of their own; the text names the field of theirs that refers back here.
    Entities(fn() -> &'static EntitySchema, &'static str),
    /// A reference to an entity of this collection, by id or name.
    Foreign(&'static str),
    /// Whatever the plugin named beside it says.
    Config,
    /// A list of entities that Kong knows and this version does not use; accepted with a warning.
    Unused,
    /// Anything; for comments.
    Any,
}

/// What else must hold of a value.
#[derive(Clone, Copy, Debug)]
pub enum FieldRule {
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// Between two numbers, both allowed.
    Between(f64, f64),
    /// One of these numbers.
    OneOfNumbers(&'static [i64]),
    /// At least one item.
    NotEmpty,
    /// Something only code can say; it returns what is wrong.
    Holds(fn(&Value) -> Result<(), String>),
    /// Something across the fields of a record.
    Across(fn(&Value) -> Option<EntityFault>),
}

/// A kind of entity: its collection, its fields, and what must hold across them.
#[derive(Debug)]
pub struct EntitySchema {
    /// Its collection, such as `services`.
    pub collection: &'static str,
    /// Its fields, in the order of the Admin API.
    pub fields: &'static [Field],
    /// Rewrites shorthands before the fields are looked at.
    pub prepare: Option<PrepareRecord>,
    /// Fills in what follows from the fields, once they are checked and the id is given.
    pub complete: Option<fn(&mut Mapping)>,
    /// What one field must be where another has certain values.
    pub conditions: &'static [FieldCondition],
    /// What else must hold across fields, told of a complete record.
    pub checks: &'static [fn(&Value) -> Option<EntityFault>],
}

/// Rewrites shorthands of a record.
pub type PrepareRecord = fn(&Mapping) -> Result<Mapping, EntityFault>;

/// What a check across fields has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityFault {
    /// The field to point at, or the steps to it with dots between them; none means the record.
    pub field: Option<&'static str>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// What Kong says of the record as a whole besides.
    pub besides: Option<String>,
}

impl EntityFault {
    /// A complaint about a record as a whole.
    pub fn record(message: impl Into<String>) -> Self {
        Self { field: None, message: message.into(), help: None, besides: None }
    }

    /// A complaint about one field of a record.
    pub fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::record(message) }
    }

    /// Whether it is about this field, among others.
    #[must_use]
    pub fn is_about(&self, field: &str) -> bool {
        self.field == Some(field) || self.message.contains(&format!("'{field}'"))
    }

    /// The same with what Kong says of the record as a whole besides.
    #[must_use]
    pub fn besides(mut self, message: impl Into<String>) -> Self {
        self.besides = Some(message.into());
        self
    }

    /// The same with a hint.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The settings of a plugin: its fields, and what must hold across them.
#[derive(Clone, Copy, Debug)]
pub struct PluginSettings {
    /// The fields of `config`.
    pub fields: &'static [Field],
    /// What must hold across them.
    pub checks: &'static [fn(&Value) -> Option<EntityFault>],
}

impl Field {
    /// An optional field.
    #[must_use]
    pub const fn new(name: &'static str, kind: FieldKind) -> Self {
        Self {
            name,
            kind,
            required: false,
            default: None,
            rules: &[],
            of_expressions: false,
            referenceable: false,
            stands_for: &[],
            description: None,
        }
    }

    /// An item of a list or map.
    #[must_use]
    pub const fn item(kind: FieldKind) -> Self {
        Self::new("", kind)
    }

    /// The same field, required.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same field, known only where [`PluginSchemas::expressions`] says so.
    #[must_use]
    pub const fn of_expressions(mut self) -> Self {
        self.of_expressions = true;
        self
    }

    /// The same field, whose value a reference to a vault may stand for. (Kong: "Secrets management".)
    #[must_use]
    pub const fn referenceable(mut self) -> Self {
        self.referenceable = true;
        self
    }

    /// Whether a value is a reference to a vault, where one may stand.
    #[must_use]
    pub fn is_reference(&self, value: &Value) -> bool {
        let is = |it: &str| it.starts_with("{vault://") && it.ends_with('}');
        self.referenceable && value.as_str().is_some_and(is)
    }

    /// The same field as an older spelling of another one of the settings of a plugin.
    #[must_use]
    pub const fn stands_for(mut self, steps: &'static [&'static str]) -> Self {
        self.stands_for = steps;
        self
    }

    /// The same field with a text for editors.
    #[must_use]
    pub const fn describe(mut self, text: &'static str) -> Self {
        self.description = Some(text);
        self
    }

    /// The same field with a default, written as JSON.
    #[must_use]
    pub const fn default(mut self, json: &'static str) -> Self {
        self.default = Some(json);
        self
    }

    /// The same field with rules.
    #[must_use]
    pub const fn rules(mut self, rules: &'static [FieldRule]) -> Self {
        self.rules = rules;
        self
    }
}

impl FieldKind {
    /// Its name in messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::String | Self::Text | Self::Secret | Self::Uuid => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Array(_) | Self::Entities(..) | Self::Unused => "array",
            Self::Set(_) => "set",
            Self::Map(_) => "map",
            Self::Record(_) | Self::Config => "record",
            Self::Foreign(_) => "foreign",
            Self::Any => "any",
        }
    }
}
