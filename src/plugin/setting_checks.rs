//! Rules that the settings of several plugins share. Messages are Kong's.

use crate::{
    document::Value,
    schema::{EntityFault, Field, FieldKind, FieldRule},
};

/// The name of a header.
pub(super) fn header_name(value: &Value) -> Result<(), String> {
    let name = value.as_str().unwrap_or_default();
    if is_header_name(name) {
        return Ok(());
    }
    Err(format!("bad header name '{name}', allowed characters are A-Z, a-z, 0-9, '_', and '-'"))
}

/// Whether Kong takes this for the name of a header.
pub(super) fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
}

/// A number above zero.
pub(super) fn above_zero(value: &Value) -> Result<(), String> {
    if value.as_f64().is_some_and(|it| it > 0.0) {
        Ok(())
    } else {
        Err("value must be greater than 0".to_owned())
    }
}

/// A status code.
pub(super) const STATUS: FieldRule = FieldRule::Between(100.0, 599.0);

/// A list of texts.
pub(super) const TEXTS: FieldKind = FieldKind::Array(&Field::item(FieldKind::String));

/// Fields of a log that Lua makes.
pub(super) const LUA_FIELDS: Field =
    Field::new("custom_fields_by_lua", FieldKind::Map(&Field::item(FieldKind::String)));

/// Complains of fields that Lua is to make: nothing here speaks it.
pub(super) fn no_lua_fields(config: &Value) -> Option<EntityFault> {
    config.get(LUA_FIELDS.name)?.entries().next()?;
    let message = "Lua is not part of mynah, so nothing can make these fields";
    let help = "leave it out; what an entry tells is in docs/plugins.md";
    Some(EntityFault::field(LUA_FIELDS.name, message).help(help))
}

/// Complains unless one of these fields is there.
pub(super) fn at_least_one(config: &Value, fields: &[&str]) -> Option<EntityFault> {
    let given =
        |field: &&str| config.get(field).is_some_and(|it| !it.is_null() && it.as_sequence() != Some(&[]));
    if fields.iter().any(given) {
        return None;
    }
    let names: Vec<String> = fields.iter().map(|field| format!("'config.{field}'")).collect();
    Some(EntityFault::record(format!("at least one of these fields must be non-empty: {}", names.join(", "))))
}

/// The text of a checked field.
pub(super) fn text(config: &Value, field: &str) -> Option<String> {
    config.get(field).and_then(Value::as_str).map(str::to_owned)
}

/// The texts of a checked list; none if it is absent.
pub(super) fn texts<'a>(config: &'a Value, field: &str) -> impl Iterator<Item = (usize, &'a str)> {
    let items = config.get(field).map(Value::items).unwrap_or_default();
    items.iter().enumerate().filter_map(|(n, item)| Some((n, item.as_str()?)))
}

/// The truth of a checked field.
pub(super) fn truth(config: &Value, field: &str) -> bool {
    config.get(field).and_then(Value::as_bool).unwrap_or_default()
}

/// The whole number of a checked field.
pub(super) fn whole(config: &Value, field: &str) -> Option<i64> {
    config.get(field).and_then(Value::as_i64)
}
