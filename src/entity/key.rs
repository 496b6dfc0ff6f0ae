//! Keys, as JWK or PEM. (Kong: Key object.)

use super::{
    jwk, key_set,
    record::{is_set, text},
    shared_fields::{CREATED_AT, ID, TAGS, UPDATED_AT},
};
use crate::{
    document::Value,
    schema::{
        DerivedId, EntityFault, EntityLabel, EntitySchema, Field, FieldKind, FieldRule, OnDelete,
        is_vault_reference,
    },
    tls::{self, KeyPairFault},
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    name_field: Some(&NAME),
    unique_together: &[&KID, &SET],
    derived_id: DerivedId::Key(&[&KID, &SET]),
    stable_id_field: Some(&NAME),
    label: EntityLabel::FirstOf(&[&KID]),
    is_used: false,
    checks: &[require_one, require_any, check_jwk],
    ..EntitySchema::new("keys", FIELDS)
};

const PUBLIC_KEY: &str = "public_key";
const PRIVATE_KEY: &str = "private_key";

fields! {
    ID,
    SET = Field::new("set", FieldKind::Foreign(|| &key_set::ENTITY, OnDelete::Cascade))
        .describe("the name or id of its set"),
    NAME = Field::new("name", FieldKind::String).describe("a unique name").unique(),
    KID = Field::new("kid", FieldKind::String).describe("the id of the key").required(),
    JWK = Field::new("jwk", FieldKind::Secret).describe("the key as a JWK, a JSON text").referenceable(),
    // A record without a value has no keys, rather than two that are missing.
    PEM = Field::new("pem", FieldKind::Record(KEY_PAIR))
        .describe("the key as PEM")
        .default("null")
        .rules(&[FieldRule::Across(require_half), FieldRule::Holds(check_pair)]),
    TAGS,
    CREATED_AT,
    UPDATED_AT,
}

const KEY_PAIR: &[Field] = &[
    Field::new(PRIVATE_KEY, FieldKind::Secret).referenceable(),
    Field::new(PUBLIC_KEY, FieldKind::String).referenceable(),
];

/// The two members of `pem`.
fn key_pair(pem: &Value) -> (Option<&str>, Option<&str>) {
    let member = |name: &str| pem.get(name).and_then(Value::as_str);
    (member(PUBLIC_KEY), member(PRIVATE_KEY))
}

fn require_half(pem: &Value) -> Option<EntityFault> {
    let message = "at least one of these fields must be non-empty: 'private_key', 'public_key'";
    (key_pair(pem) == (None, None)).then(|| EntityFault::record(message))
}

/// Checks a pair, unless one half is in a vault.
fn check_pair(pem: &Value) -> Result<(), String> {
    let (public, private) = key_pair(pem);
    if public.is_some_and(is_vault_reference) || private.is_some_and(is_vault_reference) {
        return Ok(());
    }
    tls::check_key_pair(public, private).map_err(|fault| match fault {
        KeyPairFault::Public(_) => "could not load public key".to_owned(),
        KeyPairFault::Private(_) => "could not load private key".to_owned(),
        KeyPairFault::Mismatch => "public key does not match private key".to_owned(),
    })
}

fn require_one(record: &Value) -> Option<EntityFault> {
    let message = "only one or none of these fields must be set: 'jwk', 'pem'";
    (is_set(record, &JWK) && is_set(record, &PEM)).then(|| EntityFault::record(message))
}

fn require_any(record: &Value) -> Option<EntityFault> {
    let message = "at least one of these fields must be non-empty: 'jwk', 'pem'";
    (!is_set(record, &JWK) && !is_set(record, &PEM)).then(|| EntityFault::record(message))
}

/// Checks a JWK, unless it is in a vault, or the id of the key is wrong.
fn check_jwk(record: &Value) -> Option<EntityFault> {
    let (jwk, kid) = (text(record, &JWK)?, text(record, &KID)?);
    if jwk.is_empty() || kid.is_empty() || is_vault_reference(&jwk) {
        return None;
    }
    jwk::check_jwk(&jwk, &kid).err().map(EntityFault::record)
}
