//! Credentials of Consumers beyond keys and passwords, some of them for plugins that may come: what they may say.
//! (Kong: the schemas of the JWT, HMAC and OAuth 2.0 plugins.)

use uuid::Uuid;

use super::names;
use crate::{
    document::{Mapping, Value},
    schema::{EntitySchema, Field, FieldCondition, FieldKind, FieldRule},
};

const CONSUMER: Field = Field::new("consumer", FieldKind::Foreign("consumers")).required();

const ALGORITHMS: &[&str] = &[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384",
    "PS512", "EdDSA",
];

/// What a secret of `jwt` may say.
pub(super) const JWT: EntitySchema = EntitySchema {
    collection: "jwt_secrets",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        CONSUMER,
        Field::new("key", FieldKind::String),
        Field::new("secret", FieldKind::Secret),
        Field::new("rsa_public_key", FieldKind::String),
        Field::new("algorithm", FieldKind::String)
            .default("\"HS256\"")
            .rules(&[FieldRule::OneOf(ALGORITHMS)]),
        names::TAGS,
        Field::new("created_at", FieldKind::Integer),
    ],
    prepare: Some(|given| Ok(make_up(given, &["key", "secret"]))),
    complete: None,
    conditions: &[FieldCondition::when(
        "algorithm",
        &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"],
    )
    .needs("rsa_public_key")],
    checks: &[],
};

/// What a credential of `hmac-auth` may say.
pub(super) const HMAC: EntitySchema = EntitySchema {
    collection: "hmacauth_credentials",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        CONSUMER,
        Field::new("username", FieldKind::String).required(),
        Field::new("secret", FieldKind::Secret),
        names::TAGS,
        Field::new("created_at", FieldKind::Integer),
    ],
    prepare: Some(|given| Ok(make_up(given, &["secret"]))),
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What an application of `oauth2` may say. `name`, `client_id`, `client_secret`, `redirect_uris` and `tags` are those of
/// public documentation (Pulumi registry, `kong.ConsumerOauth2`); for `client_type` and `hash_secret` no page was found, nor
/// for what makes a redirect URI a wrong one.
pub(super) const OAUTH2: EntitySchema = EntitySchema {
    collection: "oauth2_credentials",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        CONSUMER,
        Field::new("name", FieldKind::String).required(),
        Field::new("client_id", FieldKind::String),
        Field::new("client_secret", FieldKind::Secret),
        Field::new("hash_secret", FieldKind::Boolean).required().default("false"),
        Field::new("redirect_uris", FieldKind::Array(&Field::item(FieldKind::String))),
        Field::new("client_type", FieldKind::String)
            .required()
            .default("\"confidential\"")
            .rules(&[FieldRule::OneOf(&["confidential", "public"])]),
        names::TAGS,
        Field::new("created_at", FieldKind::Integer),
        Field::new("oauth2_tokens", FieldKind::Entities(|| &OAUTH2_TOKEN, "credential")),
    ],
    prepare: Some(|given| Ok(make_up(given, &["client_id", "client_secret"]))),
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What a token of `oauth2` may say. No public page of its fields was found: they are not verified.
pub(super) const OAUTH2_TOKEN: EntitySchema = EntitySchema {
    collection: "oauth2_tokens",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        Field::new("credential", FieldKind::Foreign("oauth2_credentials")).required(),
        Field::new("service", FieldKind::Foreign("services")),
        Field::new("token_type", FieldKind::String)
            .required()
            .default("\"bearer\"")
            .rules(&[FieldRule::OneOf(&["bearer"])]),
        Field::new("expires_in", FieldKind::Integer).required(),
        Field::new("access_token", FieldKind::Secret),
        Field::new("refresh_token", FieldKind::Secret),
        Field::new("authenticated_userid", FieldKind::String),
        Field::new("scope", FieldKind::String),
        Field::new("created_at", FieldKind::Integer),
    ],
    prepare: Some(|given| Ok(make_up(given, &["access_token"]))),
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What `acme` may keep. No public page of its fields was found: they are not verified.
pub(super) const ACME_STORAGE: EntitySchema = EntitySchema {
    collection: "acme_storage",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        Field::new("key", FieldKind::String).required(),
        Field::new("value", FieldKind::Secret).required(),
        Field::new("created_at", FieldKind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What `session` may keep. No public page of its fields was found: they are not verified.
pub(super) const SESSION: EntitySchema = EntitySchema {
    collection: "sessions",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        Field::new("session_id", FieldKind::Secret).required(),
        Field::new("expires", FieldKind::Integer),
        Field::new("data", FieldKind::Secret),
        Field::new("created_at", FieldKind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// Secrets that are left out are made up: 32 characters that nobody can guess, anew at each load, as Kong's.
pub(super) fn make_up(given: &Mapping, fields: &[&'static str]) -> Mapping {
    let mut record = given.clone();
    for field in fields {
        if record.get(field).is_none_or(Value::is_null) {
            record.insert(*field, Uuid::new_v4().simple().to_string());
        }
    }
    record
}
