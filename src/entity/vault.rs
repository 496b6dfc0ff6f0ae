//! Vaults, keys and what else stands in a file besides traffic: what they may say.
//! (Kong: Vault, Key, Key set, Filter chain, Workspace and Parameter objects.)

use super::names;
use crate::{
    document::Value,
    schema::{Complaint, Entity, Field, Kind, Rule},
};

/// What a Vault may say.
pub(super) const ENTITY: Entity = Entity {
    collection: "vaults",
    fields: &[
        Field::new("id", Kind::Uuid),
        Field::new("prefix", Kind::String).required().rules(&[Rule::Holds(prefix)]),
        Field::new("name", Kind::String).required().rules(&[Rule::Holds(installed)]),
        Field::new("description", Kind::String),
        Field::new(
            "config",
            Kind::Record(&[Field::new("prefix", Kind::String).rules(&[Rule::Holds(variable_prefix)])]),
        ),
        names::TAGS,
        Field::new("created_at", Kind::Integer),
        Field::new("updated_at", Kind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What a set of keys may say.
pub(super) const KEY_SET: Entity = Entity {
    collection: "key_sets",
    fields: &[
        Field::new("id", Kind::Uuid),
        Field::new("name", Kind::String),
        names::TAGS,
        Field::new("created_at", Kind::Integer),
        Field::new("updated_at", Kind::Integer),
        Field::new("keys", Kind::Entities(|| &KEY, "set")),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What a key may say.
pub(super) const KEY: Entity = Entity {
    collection: "keys",
    fields: &[
        Field::new("id", Kind::Uuid),
        Field::new("set", Kind::Foreign("key_sets")),
        Field::new("name", Kind::String),
        Field::new("kid", Kind::String).required(),
        Field::new("jwk", Kind::Secret),
        Field::new("pem", Kind::Map(&Field::item(Kind::Secret))).rules(&[Rule::Holds(pair)]),
        names::TAGS,
        Field::new("created_at", Kind::Integer),
        Field::new("updated_at", Kind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[some_key],
};

/// What a chain of filters may say. (Kong docs: "WebAssembly", filter chain, and "Proxy-Wasm filter configuration": a
/// filter's `config` is a text, or anything where the filter has a schema.)
pub(super) const FILTER_CHAIN: Entity = Entity {
    collection: "filter_chains",
    fields: &[
        Field::new("id", Kind::Uuid),
        Field::new("name", Kind::String).rules(&[Rule::Holds(names::name)]),
        Field::new("enabled", Kind::Boolean).required().default("true"),
        Field::new("route", Kind::Foreign("routes")),
        Field::new("service", Kind::Foreign("services")),
        Field::new(
            "filters",
            Kind::Array(&Field::item(Kind::Record(&[
                Field::new("name", Kind::String).required(),
                Field::new("enabled", Kind::Boolean).required().default("true"),
                Field::new("config", Kind::Any),
            ]))),
        )
        .required(),
        names::TAGS,
        Field::new("created_at", Kind::Integer),
        Field::new("updated_at", Kind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What a workspace may say. No public page of its fields was found: they are not verified.
pub(super) const WORKSPACE: Entity = Entity {
    collection: "workspaces",
    fields: &[
        Field::new("id", Kind::Uuid),
        Field::new("name", Kind::String).required(),
        Field::new("comment", Kind::Text),
        Field::new("config", Kind::Any),
        Field::new("meta", Kind::Any),
        Field::new("created_at", Kind::Integer),
        Field::new("updated_at", Kind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What a parameter may say. No public page of its fields was found: they are not verified.
pub(super) const PARAMETER: Entity = Entity {
    collection: "parameters",
    fields: &[
        Field::new("key", Kind::String).required(),
        Field::new("value", Kind::String).required(),
        Field::new("created_at", Kind::Integer),
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

fn some_key(record: &Value) -> Option<Complaint> {
    let given = |field| record.get(field).is_some_and(|it| !it.is_null());
    let message = match (given("jwk"), given("pem")) {
        (false, false) => "at least one of these fields must be non-empty: 'jwk', 'pem'",
        (true, true) => "only one or none of these fields must be set: 'jwk', 'pem'",
        _ => return None,
    };
    Some(Complaint::record(message))
}
