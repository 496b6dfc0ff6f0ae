//! Vaults: prefixes under which values refer to environment variables. (Kong: Vault object.)

use super::shared_fields::{CREATED_AT, ID, TAGS, UPDATED_AT};
use crate::{
    document::Value,
    schema::{DerivedId, EntityLabel, EntitySchema, Field, FieldKind, FieldRule},
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    name_field: Some(&PREFIX),
    derived_id: DerivedId::Key(&[&PREFIX]),
    stable_id_field: Some(&PREFIX),
    label: EntityLabel::FirstOf(&[&PREFIX]),
    has_deck_defaults: true,
    ..EntitySchema::new("vaults", FIELDS)
};

/// The setting of `config`: the beginning of the names of environment variables.
pub(crate) const VARIABLE_PREFIX: Field = Field::new("prefix", FieldKind::String)
    .describe("what names of environment variables begin with")
    .rules(&[FieldRule::Holds(variable_prefix)]);

fields! {
    ID,
    PREFIX = Field::new("prefix", FieldKind::String)
        .describe("the name of the vault in references")
        .required()
        .unique()
        .rules(&[FieldRule::Holds(vault_prefix)]),
    NAME = Field::new("name", FieldKind::String)
        .describe("the kind of vault")
        .required().rules(&[FieldRule::Holds(installed_vault)]),
    DESCRIPTION = Field::new("description", FieldKind::String).describe("what it is for"),
    CONFIG = Field::new("config", FieldKind::Record(&[VARIABLE_PREFIX]))
        .describe("the settings of the vault"),
    TAGS,
    CREATED_AT,
    UPDATED_AT,
}

/// A prefix: lower-case letters, digits and `-`; `env` is the vault that is always there.
fn vault_prefix(value: &Value) -> Result<(), String> {
    let prefix = value.as_str().unwrap_or_default();
    if prefix == "env" {
        return Err("must not be one of: env".to_owned());
    }
    let valid = prefix.len() >= 2
        && prefix.starts_with(|c: char| c.is_ascii_lowercase())
        && !prefix.ends_with('-')
        && prefix.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if valid { Ok(()) } else { Err(format!("invalid value: {prefix}")) }
}

/// The name of a vault that mynah has.
fn installed_vault(value: &Value) -> Result<(), String> {
    match value.as_str().unwrap_or_default() {
        "env" => Ok(()),
        other => Err(format!("vault '{other}' is not installed")),
    }
}

/// The beginning of names of environment variables.
fn variable_prefix(value: &Value) -> Result<(), String> {
    let prefix = value.as_str().unwrap_or_default();
    let valid = !prefix.starts_with(|c: char| c.is_ascii_digit())
        && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if valid { Ok(()) } else { Err(format!("invalid value: {prefix}")) }
}
