//! Credentials of the plugin `jwt`. (Kong: the schema of the JWT plugin.)

use std::fmt;

use uuid::Uuid;

use super::{
    consumer,
    record::{id, text},
    shared_fields::{CREATED_AT, ID, TAGS},
};
use crate::{
    document::{NodePath, Value},
    schema::{
        AdminEndpoint, EntityLabel, EntitySchema, Field, FieldCondition, FieldKind, FieldRule, OnDelete,
    },
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    endpoint: AdminEndpoint { top: Some("jwts"), nested: "jwt", has_parents: true },
    name_field: Some(&KEY),
    label: EntityLabel::Secret(&KEY, &CONSUMER),
    conditions: &[FieldCondition::when(
        &ALGORITHM,
        &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"],
    )
    .needs(&RSA_PUBLIC_KEY)],
    ..EntitySchema::new("jwt_secrets", FIELDS)
};

const ALGORITHMS: &[&str] = &[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384",
    "PS512", "EdDSA",
];

fields! {
    ID,
    CONSUMER = Field::new("consumer", FieldKind::Foreign(|| &consumer::ENTITY, OnDelete::Cascade))
        .describe("username or id of the owner")
        .required(),
    KEY = Field::new("key", FieldKind::String)
        .describe("the value of the claim that names it")
        .unique().generated(),
    SECRET = Field::new("secret", FieldKind::Secret).describe("the secret of HMAC").generated(),
    RSA_PUBLIC_KEY = Field::new("rsa_public_key", FieldKind::String).describe("the public key, PEM"),
    ALGORITHM = Field::new("algorithm", FieldKind::String)
        .describe("the algorithm of its tokens")
        .default("\"HS256\"")
        .rules(&[FieldRule::OneOf(ALGORITHMS)]),
    TAGS,
    CREATED_AT,
}

/// A key for `jwt`.
#[derive(Clone)]
pub struct JwtCredential {
    /// Its id.
    pub id: Uuid,
    /// The key that a token names as its issuer.
    pub key: String,
    /// The algorithm of its signatures, such as `RS256`.
    pub algorithm: String,
    /// The secret of `HS256`, `HS384` and `HS512`.
    pub secret: String,
    /// The public key of all other algorithms, PEM.
    pub public_key: Option<String>,
    /// Its path in the file.
    pub at: NodePath,
}

impl JwtCredential {
    /// The value of a checked record.
    pub(super) fn new(record: &Value, at: &NodePath) -> Self {
        Self {
            id: id(record),
            key: text(record, &KEY).unwrap_or_default(),
            algorithm: text(record, &ALGORITHM).unwrap_or_default(),
            secret: text(record, &SECRET).unwrap_or_default(),
            public_key: text(record, &RSA_PUBLIC_KEY),
            at: at.clone(),
        }
    }
}

impl fmt::Debug for JwtCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtCredential").field("key", &self.key).finish_non_exhaustive()
    }
}
