//! One record against the rows of its entity, with Kong's complaints where they belong.

use super::{collections, refusal::AdminRefusal};
use crate::{
    config::in_kongs_words,
    diag::{self, Diagnostic},
    document::{Mapping, NodePath, PathStep, Value},
    entity::{DOCUMENT, EntityRecord},
    plugin,
    schema::{EntitySchema, FieldKind, PluginSchemas, check},
    snapshot::SnapshotChecker,
};

/// The complete record of what was given, references as `{id: ...}`.
pub(super) fn checked(
    entity: &'static EntitySchema,
    given: &Mapping,
    plugins: &dyn PluginSchemas,
    checker: SnapshotChecker,
) -> Result<Mapping, AdminRefusal> {
    let mut fields = Mapping::default();
    let mut record = given.clone();
    for field in
        entity.fields.iter().filter(|it| matches!(it.kind, FieldKind::Entities(..) | FieldKind::Unused))
    {
        // What a file nests is an entity of its own here.
        if record.remove(field.name).is_some_and(|it| !it.is_null()) {
            note(&mut fields, &[PathStep::Key(field.name.into())], "unknown field");
        }
    }
    for name in ["_comment", "_ignore"] {
        if record.remove(name).is_some() {
            note(&mut fields, &[PathStep::Key(name.into())], "unknown field");
        }
    }
    for field in entity.fields.iter().filter(|it| it.required && it.default.is_some()) {
        // What is unset on purpose has no default.
        if record.get(field.name).is_some_and(Value::is_null) {
            note(&mut fields, &[PathStep::Key(field.name.into())], "required field missing");
        }
    }
    let per_consumer =
        record.get("name").and_then(Value::as_str).and_then(plugin::find).map(|it| it.per_consumer);
    if entity.collection == "plugins"
        && per_consumer == Some(false)
        && record.get("consumer").is_some_and(|it| !it.is_null())
    {
        note(&mut fields, &[PathStep::Key("consumer".into())], "value must be null");
    }
    let document: Mapping = [
        ("_format_version", Value::from("3.0")),
        (entity.collection, Value::from(vec![Value::from(record)])),
    ]
    .into_iter()
    .collect();
    let done = check(DOCUMENT, &document.into(), plugins);
    let at = NodePath::root().key(entity.collection).index(0);
    complain(&mut fields, &in_kongs_words(done.diagnostics), &at);
    if !fields.is_empty() {
        return Err(AdminRefusal::Schema(fields));
    }
    let mut record =
        done.items.into_iter().next().and_then(|it| it.record.into_mapping()).unwrap_or_default();
    for (field, _) in collections::foreign(entity) {
        if let Some(id @ Value::String(_)) = record.get(field).cloned() {
            record.insert(field, [("id", id)].into_iter().collect::<Mapping>());
        }
    }
    if let Some(complete) = entity.complete {
        complete(&mut record);
    }
    let whole = EntityRecord { entity, value: record.clone().into(), at };
    complain(&mut fields, &checker.check(&whole), &whole.at);
    if fields.is_empty() { Ok(record) } else { Err(AdminRefusal::Schema(fields)) }
}

/// Notes what diagnostics say about the record at `at`.
pub(super) fn complain(fields: &mut Mapping, diagnostics: &[Diagnostic], at: &NodePath) {
    let told = diag::fields(diagnostics);
    let here = at.steps().iter().try_fold(&told, |value, step| match step {
        PathStep::Key(key) => value.get(key),
        PathStep::Index(n) => value.items().get(*n),
        PathStep::Inside => None,
    });
    match here {
        Some(Value::String(message)) => {
            fields.insert(diag::ENTITY, vec![Value::String(message.clone())]);
        }
        Some(here) => {
            for (key, value) in here.entries() {
                fields.insert(key, value.clone());
            }
        }
        None => (),
    }
}

/// Puts a message at the end of some steps; lists have nothing where nothing is wrong.
fn note(fields: &mut Mapping, steps: &[PathStep], message: &str) {
    let value = with(Some(&Value::from(fields.clone())), steps, message);
    *fields = value.into_mapping().unwrap_or_default();
}

fn with(old: Option<&Value>, steps: &[PathStep], message: &str) -> Value {
    let Some((step, rest)) = steps.split_first() else {
        // The first complaint about a value is the one that counts.
        return old.filter(|it| it.as_str().is_some()).cloned().unwrap_or_else(|| message.into());
    };
    match step {
        PathStep::Key(key) => {
            let mut mapping = old.and_then(Value::as_mapping).cloned().unwrap_or_default();
            let inner = with(mapping.get(key), rest, message);
            mapping.insert(key.clone(), inner);
            mapping.into()
        }
        PathStep::Index(n) => {
            let mut items = old.map(Value::items).unwrap_or_default().to_vec();
            while items.len() <= *n {
                items.push(Value::Null);
            }
            items[*n] = with(Some(&items[*n]), rest, message);
            items.into()
        }
        PathStep::Inside => message.into(),
    }
}

/// A record with some of its fields said anew; records inside it field by field.
pub(super) fn merged(old: &Mapping, given: &Mapping) -> Mapping {
    let mut merged = old.clone();
    for (key, value) in given.iter() {
        let inner = match (old.get(key).and_then(Value::as_mapping), value.as_mapping()) {
            (Some(old), Some(given)) if !is_reference(given) && key != "headers" => merged_below(old, given),
            _ => value.clone(),
        };
        merged.insert(key, inner);
    }
    merged
}

fn merged_below(old: &Mapping, given: &Mapping) -> Value {
    merged(old, given).into()
}

fn is_reference(value: &Mapping) -> bool {
    value.len() == 1 && value.get("id").is_some()
}
