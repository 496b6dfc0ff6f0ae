//! Credentials of the plugin `key-auth`. (Kong: Key Authentication plugin.)

use std::fmt;

use uuid::Uuid;

use super::{
    consumer,
    record::{id, text},
    shared_fields::{CREATED_AT, ID, TAGS},
};
use crate::{
    document::Value,
    schema::{AdminEndpoint, EntityLabel, EntitySchema, Field, FieldKind, FieldRule, OnDelete},
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    endpoint: AdminEndpoint { top: Some("key-auths"), nested: "key-auth", has_parents: true },
    name_field: Some(&KEY),
    label: EntityLabel::Secret(&KEY, &CONSUMER),
    // A lifetime ends in databases only; Kong shows none without one.
    complete: Some(|record| {
        if record.get(TTL.name).is_some_and(Value::is_null) {
            record.remove(TTL.name);
        }
    }),
    ..EntitySchema::new("keyauth_credentials", FIELDS)
};

fields! {
    ID,
    KEY = Field::new("key", FieldKind::Secret)
        .describe("the key; random if there is none")
        .required().unique().generated(),
    CONSUMER = Field::new("consumer", FieldKind::Foreign(|| &consumer::ENTITY, OnDelete::Cascade))
        .describe("username or id of the owner")
        .required(),
    TTL = Field::new("ttl", FieldKind::Integer)
        .describe("seconds until the key expires; 0 for never")
        .rules(&[FieldRule::Between(0.0, 100_000_000.0)]),
    TAGS,
    CREATED_AT,
}

/// A key for `key-auth`.
#[derive(Clone)]
pub struct KeyCredential {
    /// Its id.
    pub id: Uuid,
    /// The key itself.
    pub key: String,
    /// The complete record, with the key.
    pub record: Value,
}

impl KeyCredential {
    /// The value of a checked record.
    pub(super) fn new(record: &Value) -> Self {
        Self { id: id(record), key: text(record, &KEY).unwrap_or_default(), record: record.clone() }
    }

    /// When the key expires, in Unix time: `ttl` seconds after its creation; never without a `ttl`, or with 0.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        let seconds = |field: &Field| {
            let value = self.record.get(field.name).and_then(Value::as_i64);
            value.and_then(|seconds| u64::try_from(seconds).ok())
        };
        let ttl = seconds(&TTL).filter(|ttl| *ttl > 0)?;
        Some(seconds(&CREATED_AT).unwrap_or_default().saturating_add(ttl))
    }
}

impl fmt::Debug for KeyCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCredential").field("id", &self.id).finish_non_exhaustive()
    }
}
