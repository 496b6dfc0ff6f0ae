//! Credentials of the plugin `hmac-auth`. (Kong: the schema of the HMAC Authentication plugin.)

use super::{
    consumer,
    shared_fields::{CREATED_AT, ID, TAGS},
};
use crate::schema::{AdminEndpoint, DerivedId, EntityLabel, EntitySchema, Field, FieldKind, OnDelete};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    endpoint: AdminEndpoint { top: Some("hmac-auths"), nested: "hmac-auth", has_parents: true },
    name_field: Some(&USERNAME),
    derived_id: DerivedId::Key(&[&USERNAME]),
    stable_id_field: Some(&USERNAME),
    label: EntityLabel::FirstOf(&[&USERNAME]),
    is_used: false,
    ..EntitySchema::new("hmacauth_credentials", FIELDS)
};

fields! {
    ID,
    CONSUMER = Field::new("consumer", FieldKind::Foreign(|| &consumer::ENTITY, OnDelete::Cascade))
        .describe("username or id of the owner")
        .required(),
    USERNAME = Field::new("username", FieldKind::String).describe("the user name").required().unique(),
    SECRET = Field::new("secret", FieldKind::Secret).describe("the secret").generated(),
    TAGS,
    CREATED_AT,
}
