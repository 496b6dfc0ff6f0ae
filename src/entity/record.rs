//! Complete records of entities, and typed access to their fields.

use std::fmt;

use uuid::Uuid;

use super::shared_fields::{CREATED_AT, ID, UPDATED_AT};
use crate::{
    document::{NodePath, Value},
    schema::{EntitySchema, Field},
};

/// The field `name`, which most kinds of entities have.
const NAME: &str = "name";

/// One entity of any kind, as the Admin API shows it.
#[derive(Clone)]
pub struct EntityRecord {
    /// Its kind.
    pub entity: &'static EntitySchema,
    /// Its complete record: with defaults and its id, references as `{id: ...}`.
    pub value: Value,
    /// Its path in the file.
    pub at: NodePath,
}

impl EntityRecord {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.value.get(ID.name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The collection that it belongs to.
    #[must_use]
    pub const fn collection(&self) -> &'static str {
        self.entity.collection
    }

    /// The text of a field, if the entity has such a field and it is set.
    #[must_use]
    pub fn text(&self, field: &Field) -> Option<&str> {
        self.value.get(field.name)?.as_str()
    }

    /// The id of the entity that a field refers to.
    #[must_use]
    pub fn reference(&self, field: &Field) -> Option<&str> {
        reference(&self.value, field)
    }
}

impl fmt::Debug for EntityRecord {
    /// The kind and the id; the record may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.collection(), self.id())
    }
}

/// The name of an entity with this record, or its id if it has no name.
#[must_use]
pub fn record_label(record: &Value) -> Option<&str> {
    let text = |key| record.get(key).and_then(Value::as_str);
    text(NAME).or_else(|| text(ID.name))
}

/// Whether two complete records are equal, apart from the times of creation and change.
#[must_use]
pub fn is_same_record(one: &Value, other: &Value) -> bool {
    let covers = |one: &Value, other: &Value| {
        let mut fields = one.entries().filter(|(key, _)| *key != CREATED_AT.name && *key != UPDATED_AT.name);
        fields.all(|(key, value)| other.get(key).unwrap_or(&Value::Null) == value)
    };
    one.address() == other.address() || (covers(one, other) && covers(other, one))
}

/// The id in a field of a complete record that refers to another entity.
pub(crate) fn reference<'a>(record: &'a Value, field: &Field) -> Option<&'a str> {
    record.get(field.name)?.get(ID.name)?.as_str()
}

/// Whether a field of a record has a value.
pub(super) fn is_set(record: &Value, field: &Field) -> bool {
    record.get(field.name).is_some_and(|value| !value.is_null())
}

/// The texts of a checked list; none if the list is not there.
pub(super) fn texts(record: &Value, field: &Field) -> Vec<String> {
    let items = record.get(field.name).map(Value::items).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The text of a checked field.
pub(super) fn text(record: &Value, field: &Field) -> Option<String> {
    record.get(field.name).and_then(Value::as_str).map(str::to_owned)
}

/// The whole number of a checked field, in the range that its rules allow; zero if it is not there.
pub(super) fn integer<T: TryFrom<i64> + Default>(record: &Value, field: &Field) -> T {
    let number = record.get(field.name).and_then(Value::as_i64);
    number.and_then(|number| T::try_from(number).ok()).unwrap_or_default()
}

/// The boolean of a checked field; false if it is not there.
pub(super) fn boolean(record: &Value, field: &Field) -> bool {
    record.get(field.name).and_then(Value::as_bool).unwrap_or_default()
}

/// The id of a checked record.
pub(super) fn id(record: &Value) -> Uuid {
    record.get(ID.name).and_then(Value::as_str).and_then(|id| id.parse().ok()).unwrap_or_default()
}
