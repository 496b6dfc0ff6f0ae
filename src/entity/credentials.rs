//! Credentials of Consumers beyond keys and passwords, some of them for plugins that may come: what they may say.
//! (Kong: the schemas of the JWT, HMAC and OAuth 2.0 plugins.)

use uuid::Uuid;

use super::names;
use crate::{
    document::{Mapping, Value},
    schema::{Condition, Entity, Field, Kind, Rule},
};

const CONSUMER: Field = Field::new("consumer", Kind::Foreign("consumers")).required();

const ALGORITHMS: &[&str] = &[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384",
    "PS512", "EdDSA",
];

/// What a secret of `jwt` may say.
pub(super) const JWT: Entity = Entity {
    collection: "jwt_secrets",
    fields: &[
        Field::new("id", Kind::Uuid),
        CONSUMER,
        Field::new("key", Kind::String),
        Field::new("secret", Kind::Secret),
        Field::new("rsa_public_key", Kind::String),
        Field::new("algorithm", Kind::String).default("\"HS256\"").rules(&[Rule::OneOf(ALGORITHMS)]),
        names::TAGS,
        Field::new("created_at", Kind::Integer),
    ],
    prepare: Some(|given| Ok(make_up(given, &["key", "secret"]))),
    complete: None,
    conditions: &[Condition::when(
        "algorithm",
        &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"],
    )
    .needs("rsa_public_key")],
    checks: &[],
};

/// What a credential of `hmac-auth` may say.
pub(super) const HMAC: Entity = Entity {
    collection: "hmacauth_credentials",
    fields: &[
        Field::new("id", Kind::Uuid),
        CONSUMER,
        Field::new("username", Kind::String).required(),
        Field::new("secret", Kind::Secret),
        names::TAGS,
        Field::new("created_at", Kind::Integer),
    ],
    prepare: Some(|given| Ok(make_up(given, &["secret"]))),
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What an application of `oauth2` may say. `name`, `client_id`, `client_secret`, `redirect_uris` and `tags` are those of
/// public documentation (Pulumi registry, `kong.ConsumerOauth2`); for `client_type` and `hash_secret` no page was found, nor
/// for what makes a redirect URI a wrong one.
pub(super) const OAUTH2: Entity = Entity {
    collection: "oauth2_credentials",
    fields: &[
        Field::new("id", Kind::Uuid),
        CONSUMER,
        Field::new("name", Kind::String).required(),
        Field::new("client_id", Kind::String),
        Field::new("client_secret", Kind::Secret),
        Field::new("hash_secret", Kind::Boolean).required().default("false"),
        Field::new("redirect_uris", Kind::Array(&Field::item(Kind::String))),
        Field::new("client_type", Kind::String)
            .required()
            .default("\"confidential\"")
            .rules(&[Rule::OneOf(&["confidential", "public"])]),
        names::TAGS,
        Field::new("created_at", Kind::Integer),
        Field::new("oauth2_tokens", Kind::Entities(|| &OAUTH2_TOKEN, "credential")),
    ],
    prepare: Some(|given| Ok(make_up(given, &["client_id", "client_secret"]))),
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What a token of `oauth2` may say. No public page of its fields was found: they are not verified.
pub(super) const OAUTH2_TOKEN: Entity = Entity {
    collection: "oauth2_tokens",
    fields: &[
        Field::new("id", Kind::Uuid),
        Field::new("credential", Kind::Foreign("oauth2_credentials")).required(),
        Field::new("service", Kind::Foreign("services")),
        Field::new("token_type", Kind::String)
            .required()
            .default("\"bearer\"")
            .rules(&[Rule::OneOf(&["bearer"])]),
        Field::new("expires_in", Kind::Integer).required(),
        Field::new("access_token", Kind::Secret),
        Field::new("refresh_token", Kind::Secret),
        Field::new("authenticated_userid", Kind::String),
        Field::new("scope", Kind::String),
        Field::new("created_at", Kind::Integer),
    ],
    prepare: Some(|given| Ok(make_up(given, &["access_token"]))),
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What `acme` may keep. No public page of its fields was found: they are not verified.
pub(super) const ACME_STORAGE: Entity = Entity {
    collection: "acme_storage",
    fields: &[
        Field::new("id", Kind::Uuid),
        Field::new("key", Kind::String).required(),
        Field::new("value", Kind::Secret).required(),
        Field::new("created_at", Kind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What `session` may keep. No public page of its fields was found: they are not verified.
pub(super) const SESSION: Entity = Entity {
    collection: "sessions",
    fields: &[
        Field::new("id", Kind::Uuid),
        Field::new("session_id", Kind::Secret).required(),
        Field::new("expires", Kind::Integer),
        Field::new("data", Kind::Secret),
        Field::new("created_at", Kind::Integer),
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
