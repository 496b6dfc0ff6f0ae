//! Fields of records: the key, the kind of value, the default and the rules of each.

use super::{EntityFault, EntitySchema};
use crate::document::Value;

/// One field of a record. An entity has each of its fields as a constant; code that reads a record takes the key from
/// there (`record.get(HOST.name)`), so that a misspelt key does not compile.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a property of its own")]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: FieldKind,
    /// Whether a value is required.
    pub required: bool,
    /// The value of a record without one, as JSON.
    pub default: Option<&'static str>,
    /// The rules that a value must keep.
    pub rules: &'static [FieldRule],
    /// Whether the field exists only where routes may be expressions.
    pub of_expressions: bool,
    /// Whether a reference to a vault may stand for its value.
    pub referenceable: bool,
    /// The keys that lead to the setting of which this field is an older spelling; empty for every other field.
    pub alias_of: &'static [&'static str],
    /// Where no two entities of a collection may have the same value.
    pub uniqueness: Uniqueness,
    /// Whether a record without a value gets a random text, another one at each load.
    pub is_generated: bool,
    /// Whether derived ids leave the value out. Ids are public and stable; secrets are not public, and generated texts
    /// are not stable.
    pub is_left_out_of_id: bool,
    /// Whether a hash is stored in place of the value, a password.
    pub is_hashed: bool,
    /// The text that editors show for the field.
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
    /// Keys chosen by the author, values of one kind.
    Map(&'static Field),
    /// A mapping with these fields.
    Record(&'static [Field]),
    /// A list of nested entities; the text names the field of these that refers to the entity around them. Entities refer
    /// to each other in circles, hence the function.
    Entities(fn() -> &'static EntitySchema, &'static str),
    /// A reference to an entity of this kind, by id or name.
    Foreign(fn() -> &'static EntitySchema, OnDelete),
    /// Settings whose fields depend on the plugin named in the same record.
    Config,
    /// A list of entities that Kong has and this version does not use; accepted with a warning.
    Unused,
    /// Any value.
    Any,
}

/// What a write through the Admin API does with an entity when the entity that it refers to is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// Deletes it, too.
    Cascade,
    /// Refuses the write.
    Restrict,
}

/// Where no two entities of a collection may have the same value in a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Uniqueness {
    /// Nowhere: values may repeat.
    #[default]
    None,
    /// In files and in writes through the Admin API.
    Everywhere,
    /// In files only: the Admin API has no such entities.
    InFiles,
    /// In writes through the Admin API only: Kong accepts files with equal values.
    InWrites,
}

/// A rule that a value must keep.
#[derive(Clone, Copy, Debug)]
pub enum FieldRule {
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// Between two numbers, both allowed.
    Between(f64, f64),
    /// Greater than this number.
    Above(f64),
    /// One of these numbers.
    OneOfNumbers(&'static [i64]),
    /// At least one item.
    NotEmpty,
    /// A rule in code; it returns what is wrong.
    Holds(fn(&Value) -> Result<(), String>),
    /// A rule in code across the fields of a record.
    Across(fn(&Value) -> Option<EntityFault>),
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
            alias_of: &[],
            uniqueness: Uniqueness::None,
            is_generated: false,
            is_left_out_of_id: false,
            is_hashed: false,
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

    /// The same field, known only where [`PluginSchemas::expressions`](super::PluginSchemas::expressions) is true.
    #[must_use]
    pub const fn of_expressions(mut self) -> Self {
        self.of_expressions = true;
        self
    }

    /// The same field; a reference to a vault may stand for its value. (Kong: "Secrets management".)
    #[must_use]
    pub const fn referenceable(mut self) -> Self {
        self.referenceable = true;
        self
    }

    /// The same field as an older spelling of another one of the settings of a plugin.
    #[must_use]
    pub const fn alias_of(mut self, keys: &'static [&'static str]) -> Self {
        self.alias_of = keys;
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

    /// The same field; no two entities of the collection may have the same value.
    #[must_use]
    pub const fn unique(self) -> Self {
        self.unique_where(Uniqueness::Everywhere)
    }

    /// The same field, unique only there.
    #[must_use]
    pub const fn unique_where(mut self, uniqueness: Uniqueness) -> Self {
        self.uniqueness = uniqueness;
        self
    }

    /// The same field; a record without a value gets a random text.
    #[must_use]
    pub const fn generated(mut self) -> Self {
        self.is_generated = true;
        self.is_left_out_of_id = true;
        self
    }

    /// The same field, left out of derived ids.
    #[must_use]
    pub const fn left_out_of_id(mut self) -> Self {
        self.is_left_out_of_id = true;
        self
    }

    /// The same field; a hash is stored in place of its value.
    #[must_use]
    pub const fn hashed(mut self) -> Self {
        self.is_hashed = true;
        self
    }

    /// The same field with a text for editors.
    #[must_use]
    pub const fn describe(mut self, text: &'static str) -> Self {
        self.description = Some(text);
        self
    }

    /// The entity that the field refers to, if it is a reference.
    #[must_use]
    pub fn target(&self) -> Option<&'static EntitySchema> {
        match self.kind {
            FieldKind::Foreign(target, _) => Some(target()),
            _ => None,
        }
    }

    /// Whether an entity is deleted together with the one that the field refers to.
    #[must_use]
    pub const fn cascades(&self) -> bool {
        matches!(self.kind, FieldKind::Foreign(_, OnDelete::Cascade))
    }

    /// Whether a value is a reference to a vault, where the field allows one.
    #[must_use]
    pub fn is_reference(&self, value: &Value) -> bool {
        self.referenceable && value.as_str().is_some_and(is_vault_reference)
    }
}

/// Whether a text is a reference to a vault. (Kong: "Secrets management", `{vault://<name>/<path>}`.)
#[must_use]
pub fn is_vault_reference(text: &str) -> bool {
    text.starts_with("{vault://") && text.ends_with('}')
}

impl FieldKind {
    /// The name of the kind in messages.
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
            Self::Foreign(..) => "foreign",
            Self::Any => "any",
        }
    }
}
