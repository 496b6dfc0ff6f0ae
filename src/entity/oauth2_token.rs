//! Tokens of the plugin `oauth2`. No public page of their fields was found: they are not verified.

use super::{
    oauth2_credential, service,
    shared_fields::{CREATED_AT, ID},
};
use crate::schema::{EntitySchema, Field, FieldKind, FieldRule, OnDelete, Uniqueness};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    name_field: Some(&ACCESS_TOKEN),
    stable_id_field: Some(&ACCESS_TOKEN),
    is_used: false,
    ..EntitySchema::new("oauth2_tokens", FIELDS)
};

fields! {
    ID,
    CREDENTIAL = Field::new("credential", FieldKind::Foreign(|| &oauth2_credential::ENTITY, OnDelete::Cascade))
        .required(),
    SERVICE = Field::new("service", FieldKind::Foreign(|| &service::ENTITY, OnDelete::Restrict)),
    TOKEN_TYPE = Field::new("token_type", FieldKind::String)
        .required()
        .default("\"bearer\"")
        .rules(&[FieldRule::OneOf(&["bearer"])]),
    EXPIRES_IN = Field::new("expires_in", FieldKind::Integer).required(),
    ACCESS_TOKEN = Field::new("access_token", FieldKind::Secret).unique().generated(),
    REFRESH_TOKEN = Field::new("refresh_token", FieldKind::Secret).unique_where(Uniqueness::InWrites),
    AUTHENTICATED_USERID = Field::new("authenticated_userid", FieldKind::String),
    SCOPE = Field::new("scope", FieldKind::String),
    CREATED_AT,
}
