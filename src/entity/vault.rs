//! Vaults, keys and what else stands in a file besides traffic: what they may say.
//! (Kong: Vault, Key, Key set, Filter chain, Workspace and Parameter objects.)

use super::names;
use crate::{
    document::Value,
    schema::{EntityFault, EntitySchema, Field, FieldKind, FieldRule},
};

/// What a Vault may say.
pub(super) const ENTITY: EntitySchema = EntitySchema {
    collection: "vaults",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        Field::new("prefix", FieldKind::String).required().rules(&[FieldRule::Holds(prefix)]),
        Field::new("name", FieldKind::String).required().rules(&[FieldRule::Holds(installed)]),
        Field::new("description", FieldKind::String),
        Field::new(
            "config",
            FieldKind::Record(&[
                Field::new("prefix", FieldKind::String).rules(&[FieldRule::Holds(variable_prefix)])
            ]),
        ),
        names::TAGS,
        Field::new("created_at", FieldKind::Integer),
        Field::new("updated_at", FieldKind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What a set of keys may say.
pub(super) const KEY_SET: EntitySchema = EntitySchema {
    collection: "key_sets",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        Field::new("name", FieldKind::String),
        names::TAGS,
        Field::new("created_at", FieldKind::Integer),
        Field::new("updated_at", FieldKind::Integer),
        Field::new("keys", FieldKind::Entities(|| &KEY, "set")),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What a key may say.
pub(super) const KEY: EntitySchema = EntitySchema {
    collection: "keys",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        Field::new("set", FieldKind::Foreign("key_sets")),
        Field::new("name", FieldKind::String),
        Field::new("kid", FieldKind::String).required(),
        Field::new("jwk", FieldKind::Secret),
        Field::new("pem", FieldKind::Map(&Field::item(FieldKind::Secret))).rules(&[FieldRule::Holds(pair)]),
        names::TAGS,
        Field::new("created_at", FieldKind::Integer),
        Field::new("updated_at", FieldKind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[some_key],
};

/// What a chain of filters may say. (Kong docs: "WebAssembly", filter chain, and "Proxy-Wasm filter configuration": a
/// filter's `config` is a text, or anything where the filter has a schema.)
pub(super) const FILTER_CHAIN: EntitySchema = EntitySchema {
    collection: "filter_chains",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        Field::new("name", FieldKind::String).rules(&[FieldRule::Holds(names::name)]),
        Field::new("enabled", FieldKind::Boolean).required().default("true"),
        Field::new("route", FieldKind::Foreign("routes")),
        Field::new("service", FieldKind::Foreign("services")),
        Field::new(
            "filters",
            FieldKind::Array(&Field::item(FieldKind::Record(&[
                Field::new("name", FieldKind::String).required(),
                Field::new("enabled", FieldKind::Boolean).required().default("true"),
                Field::new("config", FieldKind::Any),
            ]))),
        )
        .required(),
        names::TAGS,
        Field::new("created_at", FieldKind::Integer),
        Field::new("updated_at", FieldKind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What a workspace may say. No public page of its fields was found: they are not verified.
pub(super) const WORKSPACE: EntitySchema = EntitySchema {
    collection: "workspaces",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        Field::new("name", FieldKind::String).required(),
        Field::new("comment", FieldKind::Text),
        Field::new("config", FieldKind::Any),
        Field::new("meta", FieldKind::Any),
        Field::new("created_at", FieldKind::Integer),
        Field::new("updated_at", FieldKind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What a parameter may say. No public page of its fields was found: they are not verified.
pub(super) const PARAMETER: EntitySchema = EntitySchema {
    collection: "parameters",
    fields: &[
        Field::new("key", FieldKind::String).required(),
        Field::new("value", FieldKind::String).required(),
        Field::new("created_at", FieldKind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

fn prefix(value: &Value) -> Result<(), String> {
    let prefix = value.as_str().unwrap_or_default();
    if prefix == "env" {
        return Err("must not be one of: env".to_owned());
    }
    let valid = prefix.len() >= 2
        && prefix.starts_with(|c: char| c.is_ascii_lowercase())
        && !prefix.ends_with('-')
        && prefix.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-');
    if valid { Ok(()) } else { Err(format!("invalid value: {prefix}")) }
}

fn installed(value: &Value) -> Result<(), String> {
    match value.as_str().unwrap_or_default() {
        "env" => Ok(()),
        other => Err(format!("vault '{other}' is not installed")),
    }
}

fn variable_prefix(value: &Value) -> Result<(), String> {
    let prefix = value.as_str().unwrap_or_default();
    let valid = !prefix.starts_with(|c: char| c.is_ascii_digit())
        && prefix.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_' || it == b'-');
    if valid { Ok(()) } else { Err(format!("invalid value: {prefix}")) }
}

/// `pem` is a record of two texts.
fn pair(value: &Value) -> Result<(), String> {
    let known = |key: &str| matches!(key, "private_key" | "public_key");
    if value.entries().all(|(key, _)| known(key)) { Ok(()) } else { Err("unknown field".to_owned()) }
}

fn some_key(record: &Value) -> Option<EntityFault> {
    let given = |field| record.get(field).is_some_and(|it| !it.is_null());
    let message = match (given("jwk"), given("pem")) {
        (false, false) => "at least one of these fields must be non-empty: 'jwk', 'pem'",
        (true, true) => "only one or none of these fields must be set: 'jwk', 'pem'",
        _ => return None,
    };
    Some(EntityFault::record(message))
}
