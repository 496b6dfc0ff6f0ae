//! Credentials of the plugin `basic-auth`. (Kong: Basic Authentication plugin.)

use std::fmt;

use uuid::Uuid;

use super::{
    consumer,
    record::{id, text},
    shared_fields::{CREATED_AT, ID, TAGS},
};
use crate::{
    document::Value,
    schema::{AdminEndpoint, DerivedId, EntityLabel, EntitySchema, Field, FieldKind, OnDelete},
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    endpoint: AdminEndpoint { top: Some("basic-auths"), nested: "basic-auth", has_parents: true },
    name_field: Some(&USERNAME),
    derived_id: DerivedId::Key(&[&USERNAME]),
    stable_id_field: Some(&USERNAME),
    label: EntityLabel::FirstOf(&[&USERNAME]),
    ..EntitySchema::new("basicauth_credentials", FIELDS)
};

fields! {
    ID,
    USERNAME = Field::new("username", FieldKind::String).describe("the user name").required().unique(),
    PASSWORD = Field::new("password", FieldKind::Secret).describe("the password").required().hashed(),
    CONSUMER = Field::new("consumer", FieldKind::Foreign(|| &consumer::ENTITY, OnDelete::Cascade))
        .describe("username or id of the owner")
        .required(),
    TAGS,
    CREATED_AT,
}

/// A user name with its password for `basic-auth`.
#[derive(Clone)]
pub struct PasswordCredential {
    /// Its id.
    pub id: Uuid,
    /// The user name.
    pub username: String,
    /// The hash of the password; see [`password_hash`](super::password_hash).
    pub password: String,
    /// The complete record, with the hash.
    pub record: Value,
}

impl PasswordCredential {
    /// The value of a checked record.
    pub(super) fn new(record: &Value) -> Self {
        Self {
            id: id(record),
            username: text(record, &USERNAME).unwrap_or_default(),
            password: text(record, &PASSWORD).unwrap_or_default(),
            record: record.clone(),
        }
    }
}

impl fmt::Debug for PasswordCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordCredential").field("username", &self.username).finish_non_exhaustive()
    }
}
