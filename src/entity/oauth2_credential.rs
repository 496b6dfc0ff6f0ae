//! Applications of the plugin `oauth2`. `name`, `client_id`, `client_secret`, `redirect_uris` and `tags` are those of public
//! documentation (Pulumi registry, `kong.ConsumerOauth2`); no page was found for `client_type` and `hash_secret`, nor for
//! what makes a redirect URI invalid.

use super::{
    consumer, oauth2_token,
    shared_fields::{CREATED_AT, ID, TAGS},
};
use crate::schema::{AdminEndpoint, EntityLabel, EntitySchema, Field, FieldKind, FieldRule, OnDelete};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    endpoint: AdminEndpoint { top: Some("oauth2"), nested: "oauth2", has_parents: true },
    name_field: Some(&CLIENT_ID),
    label: EntityLabel::FirstOf(&[&NAME]),
    is_used: false,
    ..EntitySchema::new("oauth2_credentials", FIELDS)
};

fields! {
    ID,
    CONSUMER = Field::new("consumer", FieldKind::Foreign(|| &consumer::ENTITY, OnDelete::Cascade)).required(),
    NAME = Field::new("name", FieldKind::String).required(),
    CLIENT_ID = Field::new("client_id", FieldKind::String).unique().generated(),
    CLIENT_SECRET = Field::new("client_secret", FieldKind::Secret).generated(),
    HASH_SECRET = Field::new("hash_secret", FieldKind::Boolean).required().default("false"),
    REDIRECT_URIS = Field::new("redirect_uris", FieldKind::Array(&Field::item(FieldKind::String))),
    CLIENT_TYPE = Field::new("client_type", FieldKind::String)
        .required()
        .default("\"confidential\"")
        .rules(&[FieldRule::OneOf(&["confidential", "public"])]),
    TAGS,
    CREATED_AT,
    OAUTH2_TOKENS = Field::new(
        "oauth2_tokens",
        FieldKind::Entities(|| &oauth2_token::ENTITY, oauth2_token::CREDENTIAL.name),
    ),
}
