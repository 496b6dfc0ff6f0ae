//! Consumers: the users of APIs, with their credentials and groups. (Kong: Consumer object.)

use uuid::Uuid;

use super::{
    acl::{self, ConsumerGroup},
    basicauth_credential::{self, PasswordCredential},
    hmacauth_credential,
    jwt_secret::{self, JwtCredential},
    keyauth_credential::{self, KeyCredential},
    oauth2_credential, plugin,
    record::{id, is_set, text},
    shared_fields::{CREATED_AT, ID, TAGS, UPDATED_AT},
};
use crate::{
    document::{NodePath, Value},
    schema::{DerivedId, EntityFault, EntityLabel, EntitySchema, Field, FieldKind},
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    name_field: Some(&USERNAME),
    derived_id: DerivedId::Name(&USERNAME),
    stable_id_field: Some(&USERNAME),
    label: EntityLabel::FirstOf(&[&USERNAME, &CUSTOM_ID]),
    log_rank: 8,
    has_deck_defaults: true,
    checks: &[require_name],
    ..EntitySchema::new("consumers", FIELDS)
};

fields! {
    ID,
    USERNAME = Field::new("username", FieldKind::String).unique()
        .describe("a unique name"),
    CUSTOM_ID = Field::new("custom_id", FieldKind::String).unique()
        .describe("its unique name in another system"),
    TAGS,
    CREATED_AT,
    UPDATED_AT,
    PLUGINS = Field::new("plugins", FieldKind::Entities(|| &plugin::ENTITY, plugin::CONSUMER.name)),
    KEYAUTH_CREDENTIALS = Field::new(
        "keyauth_credentials",
        FieldKind::Entities(|| &keyauth_credential::ENTITY, keyauth_credential::CONSUMER.name),
    ),
    BASICAUTH_CREDENTIALS = Field::new(
        "basicauth_credentials",
        FieldKind::Entities(|| &basicauth_credential::ENTITY, basicauth_credential::CONSUMER.name),
    ),
    ACLS = Field::new("acls", FieldKind::Entities(|| &acl::ENTITY, acl::CONSUMER.name)),
    JWT_SECRETS = Field::new(
        "jwt_secrets",
        FieldKind::Entities(|| &jwt_secret::ENTITY, jwt_secret::CONSUMER.name),
    ),
    HMACAUTH_CREDENTIALS = Field::new(
        "hmacauth_credentials",
        FieldKind::Entities(|| &hmacauth_credential::ENTITY, hmacauth_credential::CONSUMER.name),
    ),
    OAUTH2_CREDENTIALS = Field::new(
        "oauth2_credentials",
        FieldKind::Entities(|| &oauth2_credential::ENTITY, oauth2_credential::CONSUMER.name),
    ),
}

/// A user of APIs, with credentials and groups.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its id, given or derived from its username.
    pub id: Uuid,
    /// Its name.
    pub username: Option<String>,
    /// Its name in another system.
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

impl Consumer {
    /// The value of a checked record, without credentials and groups yet.
    #[must_use]
    pub fn new(record: &Value) -> Self {
        Self {
            id: id(record),
            username: text(record, &USERNAME),
            custom_id: text(record, &CUSTOM_ID),
            keys: Vec::new(),
            passwords: Vec::new(),
            jwts: Vec::new(),
            groups: Vec::new(),
            record: record.clone(),
        }
    }

    /// Adds a key.
    pub fn add_key(&mut self, record: &Value) {
        self.keys.push(KeyCredential::new(record));
    }

    /// Adds a user name and a password.
    pub fn add_password(&mut self, record: &Value) {
        self.passwords.push(PasswordCredential::new(record));
    }

    /// Adds a key for tokens; `at` is its path in the file.
    pub fn add_jwt(&mut self, record: &Value, at: &NodePath) {
        self.jwts.push(JwtCredential::new(record, at));
    }

    /// Adds a group.
    pub fn add_group(&mut self, record: &Value) {
        self.groups.push(ConsumerGroup::new(record));
    }
}

fn require_name(record: &Value) -> Option<EntityFault> {
    if is_set(record, &USERNAME) || is_set(record, &CUSTOM_ID) {
        return None;
    }
    Some(EntityFault::record("at least one of these fields must be non-empty: 'custom_id', 'username'"))
}
