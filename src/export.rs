//! OUT: everything that a configuration declares as one document that can be loaded again.
//!
//! Entities stand flat, in file order, with their ids and all defaults; they refer to each other by name where they
//! have one, else by id. What is unset is left out.

use std::collections::HashMap;

use crate::{
    document::{Mapping, Value},
    entity::{DOCUMENT, Entities},
    schema::{EntitySchema, Field, FieldKind},
};

/// The complete document. Time stamps from `since` on (Unix time in seconds) are those of its loading, not of its
/// author, and left out.
#[must_use]
pub fn export(entities: &Entities, since: i64) -> Value {
    let names = EntityNames::of(entities);
    // Passwords are exported as they are kept.
    let start = [("_format_version", Value::from("3.0")), ("_transform", Value::from(false))];
    let mut document: Mapping = start.into_iter().collect();
    for collection in collections() {
        let these = entities.records.iter().filter(|it| it.collection() == collection.collection);
        let records: Vec<Value> =
            these.map(|it| record(&it.value, it.entity, &names, since).into()).collect();
        if !records.is_empty() {
            document.insert(collection.collection, records);
        }
    }
    document.into()
}

/// The kinds of entities that a document can declare, in its order.
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
        let value = field.and_then(|field| names.reference(field, value)).unwrap_or_else(|| set(value));
        (key.to_owned(), value)
    });
    written.collect()
}

fn is_stamp_of_load(key: &str, value: &Value, since: i64) -> bool {
    let Value::Number(number) = value else { return false };
    let seconds = number.as_str().split('.').next().unwrap_or_default();
    matches!(key, "created_at" | "updated_at") && seconds.parse::<i64>().is_ok_and(|it| it >= since)
}

/// The same without what is unset.
fn set(value: &Value) -> Value {
    match value {
        Value::Mapping(_) => {
            let kept = value.entries().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key.to_owned(), set(value))).collect::<Mapping>().into()
        }
        Value::Sequence(items) => items.iter().map(set).collect::<Vec<_>>().into(),
        scalar => scalar.clone(),
    }
}

/// What entities are called, by collection and id.
pub(crate) struct EntityNames<'a>(HashMap<(&'static str, &'a str), &'a str>);

impl<'a> EntityNames<'a> {
    /// The names of all entities that have one.
    pub(crate) fn of(entities: &'a Entities) -> Self {
        let name = |it: &'a crate::entity::EntityRecord| {
            let field = if it.collection() == "consumers" { "username" } else { "name" };
            let name = it.value.get(field).and_then(Value::as_str)?;
            (it.collection() != "plugins").then_some(((it.collection(), it.id()), name))
        };
        Self(entities.records.iter().filter_map(name).collect())
    }

    /// A reference by name, else by id, if the field is one that refers.
    pub(crate) fn reference(&self, field: &Field, value: &Value) -> Option<Value> {
        let FieldKind::Foreign(collection) = field.kind else { return None };
        let id = value.get("id")?.as_str()?;
        Some(self.0.get(&(collection, id)).copied().unwrap_or(id).into())
    }
}
