//! Export of entities as a document that can be loaded again.
//!
//! Entities are not nested, are in file order, and have their ids and all defaults. They refer to each other by name if they
//! have one, else by id. Unset fields are omitted.

use std::collections::HashMap;

use crate::{
    document::{Mapping, Value},
    entity::{DOCUMENT, Entities, EntityRecord},
    schema::{EntitySchema, Field, FieldKind},
};

/// The complete document. Time stamps from `since` on (Unix time in seconds) were set by the load and are omitted.
#[must_use]
pub fn export(entities: &Entities, since: i64) -> Value {
    let names = EntityNames::of(entities);
    // Passwords are exported as they are stored, hashed; without this, a load would hash them again.
    let start = [("_format_version", Value::from("3.0")), ("_transform", Value::from(false))];
    let mut document: Mapping = start.into_iter().collect();
    for collection in collections() {
        let these = entities.records.iter().filter(|record| record.collection() == collection.collection);
        let records: Vec<Value> =
            these.map(|entry| record(&entry.value, entry.entity, &names, since).into()).collect();
        if !records.is_empty() {
            document.insert(collection.collection, records);
        }
    }
    document.into()
}

/// The schemas of the collections of a document, in their order.
pub(crate) fn collections() -> impl Iterator<Item = &'static EntitySchema> {
    DOCUMENT.iter().filter_map(|field| match field.kind {
        FieldKind::Entities(entity, _) => Some(entity()),
        _ => None,
    })
}

fn record(value: &Value, entity: &'static EntitySchema, names: &EntityNames<'_>, since: i64) -> Mapping {
    let kept =
        value.entries().filter(|(key, value)| !value.is_null() && !is_stamp_of_load(key, value, since));
    let written = kept.map(|(key, value)| {
        let field = entity.fields.iter().find(|field| field.name == key);
        let value =
            field.and_then(|field| names.reference(field, value)).unwrap_or_else(|| without_nulls(value));
        (key.to_owned(), value)
    });
    written.collect()
}

/// Whether a field is a time stamp that the load set.
fn is_stamp_of_load(key: &str, value: &Value, since: i64) -> bool {
    let Value::Number(number) = value else { return false };
    let seconds = number.as_str().split('.').next().unwrap_or_default();
    matches!(key, "created_at" | "updated_at") && seconds.parse::<i64>().is_ok_and(|seconds| seconds >= since)
}

/// The value without unset members.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Mapping(_) => {
            let kept = value.entries().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key.to_owned(), without_nulls(value))).collect::<Mapping>().into()
        }
        Value::Sequence(items) => items.iter().map(without_nulls).collect::<Vec<_>>().into(),
        scalar => scalar.clone(),
    }
}

/// Names of entities, by collection and id.
pub(crate) struct EntityNames<'a>(HashMap<(&'static str, &'a str), &'a str>);

impl<'a> EntityNames<'a> {
    /// The names of all entities that have one.
    pub(crate) fn of(entities: &'a Entities) -> Self {
        let name = |record: &'a EntityRecord| {
            let field = if record.collection() == "consumers" { "username" } else { "name" };
            let name = record.value.get(field).and_then(Value::as_str)?;
            (record.collection() != "plugins").then_some(((record.collection(), record.id()), name))
        };
        Self(entities.records.iter().filter_map(name).collect())
    }

    /// The name, else the id, of the entity that a field refers to; none if the field is not a reference.
    pub(crate) fn reference(&self, field: &Field, value: &Value) -> Option<Value> {
        let FieldKind::Foreign(collection) = field.kind else { return None };
        let id = value.get("id")?.as_str()?;
        Some(self.0.get(&(collection, id)).copied().unwrap_or(id).into())
    }
}
