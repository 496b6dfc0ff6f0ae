//! Items of entities in a configuration file: fields that are set, without those that have their defaults.

use crate::{
    document::{Mapping, Value},
    entity::{CREATED_AT, ID, UPDATED_AT, ca_certificate, service},
    schema::{EntitySchema, Field, FieldKind},
    uri::{Scheme, with_brackets},
};

/// Whether a field is written to a file; ids, timestamps and derived fields are not.
pub(super) fn is_written(field: &Field) -> bool {
    let derived = [ID, UPDATED_AT, ca_certificate::CERT_DIGEST];
    let is_derived = derived.iter().any(|derived| derived.name == field.name);
    !is_derived
        && !field.name.starts_with('_')
        && !matches!(field.kind, FieldKind::Entities(..) | FieldKind::Unused)
}

/// The default value of a field.
pub(super) fn default(field: &Field) -> Value {
    let default = field.default.and_then(|json| serde_json::from_str(json).ok());
    default.unwrap_or_default()
}

/// The value without members that are null.
pub(super) fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Mapping(entries) => {
            let set_fields = entries.iter().filter(|(_, value)| !value.is_null());
            set_fields.map(|(key, value)| (key.to_owned(), without_nulls(value))).collect::<Mapping>().into()
        }
        Value::Sequence(items) => items.iter().map(without_nulls).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

/// The item of a changed record; it keeps the entities that were nested in it.
pub(super) fn rewritten(entity: &EntitySchema, written: &Value, wanted: &Mapping, old: &Mapping) -> Value {
    let mut item = Mapping::default();
    if written.get(ID.name).is_some() {
        item.insert(ID.name, wanted.get(ID.name).or(old.get(ID.name)).cloned().unwrap_or_default());
    }
    for field in entity.fields.iter().filter(|field| is_written(field) && field.name != CREATED_AT.name) {
        let value = wanted.get(field.name).cloned().unwrap_or_default();
        // An unchanged field keeps its notation: a name, a variable, a password instead of its hash.
        if let Some(written) =
            written.get(field.name).filter(|_| wanted.get(field.name) == old.get(field.name))
        {
            item.insert(field.name, written.clone());
            continue;
        }
        match field.kind {
            FieldKind::Foreign(..) if written.get(field.name).is_none() => (),
            FieldKind::Foreign(..) => {
                if let Some(id) = value.get(ID.name) {
                    item.insert(field.name, id.clone());
                }
            }
            _ if value != default(field) => drop(item.insert(field.name, without_nulls(&value))),
            _ => (),
        }
    }
    for (key, value) in written.entries() {
        let is_nested = entity.fields.iter().any(|field| {
            field.name == key && matches!(field.kind, FieldKind::Entities(..) | FieldKind::Unused)
        });
        if is_nested || key.starts_with('_') || key == CREATED_AT.name {
            item.insert(key, value.clone());
        }
    }
    item.into()
}

/// The URL for the fields of a Service.
pub(super) fn url(service: &Mapping) -> String {
    let text = |field: &Field| service.get(field.name).and_then(Value::as_str).unwrap_or_default();
    let (protocol, host) = (text(&service::PROTOCOL), text(&service::HOST));
    let host = with_brackets(host);
    let default_port = i64::from(Scheme::from_name(protocol).unwrap_or_default().default_port());
    let port = service.get(service::PORT.name).and_then(Value::as_i64).filter(|port| *port != default_port);
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{protocol}://{host}{port}{}", text(&service::PATH))
}
