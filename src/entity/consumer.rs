//! A Consumer: someone who uses the APIs, with credentials and groups. (Kong: Consumer object.)

use std::fmt;

use uuid::Uuid;

use super::{credentials, id, names, plugin, text};
use crate::{
    document::{NodePath, Value},
    schema::{EntityFault, EntitySchema, Field, FieldKind, FieldRule},
};

/// What a Consumer may say.
pub(super) const ENTITY: EntitySchema = EntitySchema {
    collection: "consumers",
    fields: FIELDS,
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[some_name],
};

const FIELDS: &[Field] = &[
    Field::new("id", FieldKind::Uuid),
    Field::new("username", FieldKind::String),
    Field::new("custom_id", FieldKind::String),
    names::TAGS,
    Field::new("created_at", FieldKind::Integer),
    Field::new("updated_at", FieldKind::Integer),
    Field::new("plugins", FieldKind::Entities(|| &plugin::ENTITY, "consumer")),
    Field::new("keyauth_credentials", FieldKind::Entities(|| &KEY, "consumer")),
    Field::new("basicauth_credentials", FieldKind::Entities(|| &PASSWORD, "consumer")),
    Field::new("acls", FieldKind::Entities(|| &GROUP, "consumer")),
    Field::new("jwt_secrets", FieldKind::Entities(|| &credentials::JWT, "consumer")),
    Field::new("hmacauth_credentials", FieldKind::Entities(|| &credentials::HMAC, "consumer")),
    Field::new("oauth2_credentials", FieldKind::Entities(|| &credentials::OAUTH2, "consumer")),
];

/// What a credential of `key-auth` may say.
pub(super) const KEY: EntitySchema = EntitySchema {
    collection: "keyauth_credentials",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        Field::new("key", FieldKind::Secret).required(),
        Field::new("consumer", FieldKind::Foreign("consumers")).required(),
        Field::new("ttl", FieldKind::Integer).rules(&[FieldRule::Between(0.0, 100_000_000.0)]),
        names::TAGS,
        Field::new("created_at", FieldKind::Integer),
    ],
    prepare: Some(|given| Ok(credentials::make_up(given, &["key"]))),
    // A life time is for databases; Kong shows none without one.
    complete: Some(|record| {
        if record.get("ttl").is_some_and(Value::is_null) {
            record.remove("ttl");
        }
    }),
    conditions: &[],
    checks: &[],
};

/// What a credential of `basic-auth` may say.
pub(super) const PASSWORD: EntitySchema = EntitySchema {
    collection: "basicauth_credentials",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        Field::new("username", FieldKind::String).required(),
        Field::new("password", FieldKind::Secret).required(),
        Field::new("consumer", FieldKind::Foreign("consumers")).required(),
        names::TAGS,
        Field::new("created_at", FieldKind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// What the membership of a Consumer in a group may say.
pub(super) const GROUP: EntitySchema = EntitySchema {
    collection: "acls",
    fields: &[
        Field::new("id", FieldKind::Uuid),
        Field::new("group", FieldKind::String).required(),
        Field::new("consumer", FieldKind::Foreign("consumers")).required(),
        names::TAGS,
        Field::new("created_at", FieldKind::Integer),
    ],
    prepare: None,
    complete: None,
    conditions: &[],
    checks: &[],
};

/// A Consumer with all that tells it apart.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its id, given or derived from its username.
    pub id: Uuid,
    /// Its name here.
    pub username: Option<String>,
    /// Its name elsewhere.
    pub custom_id: Option<String>,
    /// Its keys, in file order.
    pub keys: Vec<KeyCredential>,
    /// Its user names and passwords, in file order.
    pub passwords: Vec<PasswordCredential>,
    /// Its keys for tokens, in file order.
    pub jwts: Vec<JwtCredential>,
    /// Its groups, in file order.
    pub groups: Vec<ConsumerGroup>,
    /// The complete record, as the Admin API shows it.
    pub record: Value,
}

/// A key for `key-auth`.
#[derive(Clone)]
pub struct KeyCredential {
    /// Its id.
    pub id: Uuid,
    /// The key itself.
    pub key: String,
    /// The complete record, the key with it.
    pub record: Value,
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
    /// The complete record, the hash with it.
    pub record: Value,
}

/// A key for `jwt`.
#[derive(Clone)]
pub struct JwtCredential {
    /// Its id.
    pub id: Uuid,
    /// The name under which tokens say that it has signed them.
    pub key: String,
    /// The algorithm of its signatures, such as `RS256`.
    pub algorithm: String,
    /// What signs with `HS256`, `HS384` and `HS512`.
    pub secret: String,
    /// What verifies the signatures of other algorithms, PEM.
    pub public_key: Option<String>,
    /// Where it stands in the file.
    pub at: NodePath,
}

/// A group that a Consumer belongs to.
#[derive(Clone, Debug)]
pub struct ConsumerGroup {
    /// Its name.
    pub name: String,
    /// The complete record, as the Admin API shows it.
    pub record: Value,
}

impl Consumer {
    /// The value of a checked record, without credentials and groups yet.
    #[must_use]
    pub fn new(record: &Value) -> Self {
        Self {
            id: id(record),
            username: text(record, "username"),
            custom_id: text(record, "custom_id"),
            keys: Vec::new(),
            passwords: Vec::new(),
            jwts: Vec::new(),
            groups: Vec::new(),
            record: record.clone(),
        }
    }

    /// Gives it a key.
    pub fn add_key(&mut self, record: &Value) {
        let key = text(record, "key").unwrap_or_default();
        self.keys.push(KeyCredential { id: id(record), key, record: record.clone() });
    }

    /// Gives it a user name and a password.
    pub fn add_password(&mut self, record: &Value) {
        self.passwords.push(PasswordCredential {
            id: id(record),
            username: text(record, "username").unwrap_or_default(),
            password: text(record, "password").unwrap_or_default(),
            record: record.clone(),
        });
    }

    /// Gives it a key for tokens, which stands at `at`.
    pub fn add_jwt(&mut self, record: &Value, at: &NodePath) {
        self.jwts.push(JwtCredential {
            id: id(record),
            key: text(record, "key").unwrap_or_default(),
            algorithm: text(record, "algorithm").unwrap_or_default(),
            secret: text(record, "secret").unwrap_or_default(),
            public_key: text(record, "rsa_public_key"),
            at: at.clone(),
        });
    }

    /// Takes it into a group.
    pub fn add_group(&mut self, record: &Value) {
        let name = text(record, "group").unwrap_or_default();
        self.groups.push(ConsumerGroup { name, record: record.clone() });
    }
}

impl fmt::Debug for KeyCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCredential").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for PasswordCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordCredential").field("username", &self.username).finish_non_exhaustive()
    }
}

impl fmt::Debug for JwtCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtCredential").field("key", &self.key).finish_non_exhaustive()
    }
}

fn some_name(record: &Value) -> Option<EntityFault> {
    let given = |field| record.get(field).is_some_and(|it| !it.is_null());
    if given("username") || given("custom_id") {
        return None;
    }
    Some(EntityFault::record("at least one of these fields must be non-empty: 'custom_id', 'username'"))
}
