//! Keys, as JWK or PEM. (Kong: Key object.)

use super::{
    key_set,
    record::is_set,
    shared_fields::{CREATED_AT, ID, TAGS, UPDATED_AT},
};
use crate::{
    document::Value,
    schema::{DerivedId, EntityFault, EntityLabel, EntitySchema, Field, FieldKind, FieldRule, OnDelete},
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    name_field: Some(&NAME),
    unique_together: &[&KID, &SET],
    derived_id: DerivedId::Key(&[&KID, &SET]),
    stable_id_field: Some(&NAME),
    label: EntityLabel::FirstOf(&[&KID]),
    is_used: false,
    checks: &[require_key],
    ..EntitySchema::new("keys", FIELDS)
};

/// The member of `pem` that is no secret.
pub(crate) const PUBLIC_KEY: &str = "public_key";

fields! {
    ID,
    SET = Field::new("set", FieldKind::Foreign(|| &key_set::ENTITY, OnDelete::Cascade)),
    NAME = Field::new("name", FieldKind::String).unique(),
    KID = Field::new("kid", FieldKind::String).required(),
    JWK = Field::new("jwk", FieldKind::Secret),
    PEM = Field::new("pem", FieldKind::Map(&Field::item(FieldKind::Secret)))
        .rules(&[FieldRule::Holds(key_pair)]),
    TAGS,
    CREATED_AT,
    UPDATED_AT,
}

/// A record of a private and a public key.
fn key_pair(value: &Value) -> Result<(), String> {
    let is_known = |key: &str| key == "private_key" || key == PUBLIC_KEY;
    if value.entries().all(|(key, _)| is_known(key)) { Ok(()) } else { Err("unknown field".to_owned()) }
}

fn require_key(record: &Value) -> Option<EntityFault> {
    let message = match (is_set(record, &JWK), is_set(record, &PEM)) {
        (false, false) => "at least one of these fields must be non-empty: 'jwk', 'pem'",
        (true, true) => "only one or none of these fields must be set: 'jwk', 'pem'",
        _ => return None,
    };
    Some(EntityFault::record(message))
}
