//! Export of a configuration as one document that can be loaded again.
//!
//! Entities are not nested; they are in file order, with their ids and all defaults, and refer to each other by name where
//! there is one, else by id. Fields without a value are left out.

use std::collections::HashMap;

use crate::{
    document::{Mapping, Value},
    entity::{self, CREATED_AT, Entities, EntityRecord, UPDATED_AT, document},
    schema::{EntitySchema, Field},
};

/// The complete document. Time stamps from `since` on (Unix time in seconds) come from the load, not from the author, and
/// are left out.
#[must_use]
pub fn export(entities: &Entities, since: i64) -> Value {
    let names = EntityNames::of(entities);
    let format = (document::FORMAT_VERSION.name, Value::from("3.0"));
    // Hashes are exported in place of passwords.
    let mut document: Mapping =
        [format, (document::TRANSFORM.name, Value::from(false))].into_iter().collect();
    for kind in entity::kinds() {
        let of_kind = entities.records.iter().filter(|record| record.entity == kind);
        let records: Vec<Value> = of_kind.map(|record| exported(record, &names, since).into()).collect();
        if !records.is_empty() {
            document.insert(kind.collection, records);
        }
    }
    document.into()
}

fn exported(record: &EntityRecord, names: &EntityNames<'_>, since: i64) -> Mapping {
    let is_exported = |key: &str, value: &Value| !value.is_null() && !is_time_of_load(key, value, since);
    let fields = record.value.entries().filter(|(key, value)| is_exported(key, value));
    let written = fields.map(|(key, value)| {
        let reference = record.entity.field(key).and_then(|field| names.reference(field, value));
        (key.to_owned(), reference.unwrap_or_else(|| without_nulls(value)))
    });
    written.collect()
}

fn is_time_of_load(key: &str, value: &Value, since: i64) -> bool {
    let Value::Number(number) = value else { return false };
    let seconds = number.as_str().split('.').next().unwrap_or_default();
    (key == CREATED_AT.name || key == UPDATED_AT.name)
        && seconds.parse::<i64>().is_ok_and(|seconds| seconds >= since)
}

/// The same value without members that are null.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Mapping(_) => {
            let set = value.entries().filter(|(_, value)| !value.is_null());
            set.map(|(key, value)| (key.to_owned(), without_nulls(value))).collect::<Mapping>().into()
        }
        Value::Sequence(items) => items.iter().map(without_nulls).collect::<Vec<_>>().into(),
        scalar => scalar.clone(),
    }
}

/// Names of entities, by kind and id, as references write them.
pub(crate) struct EntityNames<'a>(HashMap<(&'static str, &'a str), &'a str>);

impl<'a> EntityNames<'a> {
    /// The names of all entities that have one.
    pub(crate) fn of(entities: &'a Entities) -> Self {
        let name = |record: &'a EntityRecord| {
            let name = record.text(record.entity.name_field?)?;
            Some(((record.collection(), record.id()), name))
        };
        Self(entities.records.iter().filter_map(name).collect())
    }

    /// A reference by name, else by id, if the field is a reference.
    pub(crate) fn reference(&self, field: &Field, value: &Value) -> Option<Value> {
        let target: &EntitySchema = field.target()?;
        let id = value.get(entity::ID.name)?.as_str()?;
        Some(self.0.get(&(target.collection, id)).copied().unwrap_or(id).into())
    }
}
