//! Checks of settings that several plugins share. Messages are Kong's.

use crate::{
    document::Value,
    schema::{EntityFault, Field, FieldKind, FieldRule},
};

/// Accepts status codes.
pub(super) const STATUS_CODE: FieldRule = FieldRule::Between(100.0, 599.0);

/// A list of strings.
pub(super) const STRINGS: FieldKind = FieldKind::Array(&Field::item(FieldKind::String));

/// Rejects settings in which all of these fields are absent, null or empty lists.
pub(super) fn at_least_one(config: &Value, fields: &[&str]) -> Option<EntityFault> {
    let is_given = |field: &&str| {
        config.get(field).is_some_and(|value| !value.is_null() && value.as_sequence() != Some(&[]))
    };
    if fields.iter().any(is_given) {
        return None;
    }
    let names: Vec<String> = fields.iter().map(|field| format!("'config.{field}'")).collect();
    Some(EntityFault::record(format!("at least one of these fields must be non-empty: {}", names.join(", "))))
}
