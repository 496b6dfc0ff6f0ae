//! Check of one record against the schema of its entity, with Kong's messages for each field.

use super::refusal::AdminRefusal;
use crate::{
    config::with_kongs_messages,
    diag::{self, Diagnostic},
    document::{Mapping, NodePath, PathStep, Value},
    entity::{
        DOCUMENT, EntityRecord, ID,
        document::{COMMENT, FORMAT_VERSION, IGNORE},
        plugin as plugin_entity, route,
    },
    plugin,
    schema::{EntitySchema, FieldKind, PluginSchemas, check},
    snapshot::SnapshotChecker,
};

/// Checks a given record, and returns it complete with defaults, with references as `{id: ...}`.
pub(super) fn check_record(
    entity: &'static EntitySchema,
    given: &Mapping,
    plugins: &dyn PluginSchemas,
    checker: SnapshotChecker,
) -> Result<Mapping, AdminRefusal> {
    let mut fields = Mapping::default();
    let mut record = given.clone();
    for field in
        entity.fields.iter().filter(|field| matches!(field.kind, FieldKind::Entities(..) | FieldKind::Unused))
    {
        // Entities that a file may nest are entities of their own in the Admin API.
        if record.remove(field.name).is_some_and(|value| !value.is_null()) {
            insert_message(&mut fields, &[PathStep::Key(field.name.into())], "unknown field");
        }
    }
    for field in [COMMENT, IGNORE] {
        if record.remove(field.name).is_some() {
            insert_message(&mut fields, &[PathStep::Key(field.name.into())], "unknown field");
        }
    }
    for field in entity.fields.iter().filter(|field| field.required && field.default.is_some()) {
        // An explicit null does not get the default.
        if record.get(field.name).is_some_and(Value::is_null) {
            insert_message(&mut fields, &[PathStep::Key(field.name.into())], "required field missing");
        }
    }
    let per_consumer = record
        .get(plugin_entity::NAME.name)
        .and_then(Value::as_str)
        .and_then(plugin::find)
        .map(|def| def.per_consumer);
    if entity == &plugin_entity::ENTITY
        && per_consumer == Some(false)
        && record.get(plugin_entity::CONSUMER.name).is_some_and(|consumer| !consumer.is_null())
    {
        insert_message(
            &mut fields,
            &[PathStep::Key(plugin_entity::CONSUMER.name.into())],
            "value must be null",
        );
    }
    let document: Mapping = [
        (FORMAT_VERSION.name, Value::from("3.0")),
        (entity.collection, Value::from(vec![Value::from(record)])),
    ]
    .into_iter()
    .collect();
    let result = check(DOCUMENT, &document.into(), plugins);
    let at = NodePath::root().key(entity.collection).index(0);
    insert_diagnostics(&mut fields, &with_kongs_messages(result.diagnostics), &at);
    if !fields.is_empty() {
        return Err(AdminRefusal::Schema(fields));
    }
    let mut record =
        result.items.into_iter().next().and_then(|item| item.record.into_mapping()).unwrap_or_default();
    for (field, _) in entity.references() {
        if let Some(id @ Value::String(_)) = record.get(field.name).cloned() {
            record.insert(field.name, [(ID.name, id)].into_iter().collect::<Mapping>());
        }
    }
    if let Some(complete) = entity.complete {
        complete(&mut record);
    }
    let entity_record = EntityRecord { entity, value: record.clone().into(), at };
    insert_diagnostics(&mut fields, &checker.check(&entity_record), &entity_record.at);
    if fields.is_empty() { Ok(record) } else { Err(AdminRefusal::Schema(fields)) }
}

/// Inserts the messages of diagnostics about the record at `at`.
pub(super) fn insert_diagnostics(fields: &mut Mapping, diagnostics: &[Diagnostic], at: &NodePath) {
    let messages = diag::fields(diagnostics);
    let own_messages = at.find(&messages);
    match own_messages {
        Some(Value::String(message)) => {
            fields.insert(diag::ENTITY, vec![Value::String(message.clone())]);
        }
        Some(own_messages) => {
            for (key, value) in own_messages.entries() {
                fields.insert(key, value.clone());
            }
        }
        None => (),
    }
}

/// Inserts a message at the end of some steps; valid items of a list are null.
fn insert_message(fields: &mut Mapping, steps: &[PathStep], message: &str) {
    let value = with_message(Some(&Value::from(fields.clone())), steps, message);
    *fields = value.into_mapping().unwrap_or_default();
}

fn with_message(old: Option<&Value>, steps: &[PathStep], message: &str) -> Value {
    let Some((step, rest)) = steps.split_first() else {
        // The first message about a value is the one that is reported.
        return old.filter(|value| value.as_str().is_some()).cloned().unwrap_or_else(|| message.into());
    };
    match step {
        PathStep::Key(key) => {
            let mut mapping = old.and_then(Value::as_mapping).cloned().unwrap_or_default();
            let inner = with_message(mapping.get(key), rest, message);
            mapping.insert(key.clone(), inner);
            mapping.into()
        }
        PathStep::Index(n) => {
            let mut items = old.map(Value::items).unwrap_or_default().to_vec();
            while items.len() <= *n {
                items.push(Value::Null);
            }
            items[*n] = with_message(Some(&items[*n]), rest, message);
            items.into()
        }
        PathStep::Inside => message.into(),
    }
}

/// Merges given fields into a record; nested records are merged field by field.
pub(super) fn merge_records(old: &Mapping, given: &Mapping) -> Mapping {
    let mut merged = old.clone();
    for (key, value) in given.iter() {
        let inner = match (old.get(key).and_then(Value::as_mapping), value.as_mapping()) {
            (Some(old), Some(given)) if !is_reference(given) && key != route::HEADERS.name => {
                merge_nested(old, given)
            }
            _ => value.clone(),
        };
        merged.insert(key, inner);
    }
    merged
}

fn merge_nested(old: &Mapping, given: &Mapping) -> Value {
    merge_records(old, given).into()
}

fn is_reference(value: &Mapping) -> bool {
    value.len() == 1 && value.get(ID.name).is_some()
}
