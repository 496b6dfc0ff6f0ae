//! Credentials that are left out: requests that carry them are refused, and do not count as unauthenticated.

use super::written::text;
use crate::{
    document::Value,
    entity::{basicauth_credential, consumer, jwt_secret, keyauth_credential},
    schema::{CheckedItem, EntitySchema, Field, FieldKind, nearest},
};

/// The kinds of credentials, by what a request shows of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// The key of `key-auth`.
    Key,
    /// The user name of `basic-auth`.
    Username,
    /// The key of `jwt`, which tokens name.
    TokenKey,
}

/// A credential that is left out.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialBlock {
    /// Its kind.
    pub kind: CredentialKind,
    /// What requests show; `None` if it cannot be read, so that each unknown credential may be this one.
    pub shown: Option<String>,
    /// Message for clients.
    pub message: String,
}

impl std::fmt::Debug for CredentialBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialBlock").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The kinds with the entity of each, and the field that requests show.
const KINDS: [(CredentialKind, &EntitySchema, &Field); 3] = [
    (CredentialKind::Key, &keyauth_credential::ENTITY, &keyauth_credential::KEY),
    (CredentialKind::Username, &basicauth_credential::ENTITY, &basicauth_credential::USERNAME),
    (CredentialKind::TokenKey, &jwt_secret::ENTITY, &jwt_secret::KEY),
];

/// The credentials of an item that is left out: itself, or what is written below a Consumer.
pub(super) fn credential_blocks(item: &CheckedItem, message: &str) -> Vec<CredentialBlock> {
    let block = |kind, shown: Option<&str>| CredentialBlock {
        kind,
        shown: shown.map(str::to_owned),
        message: message.to_owned(),
    };
    if let Some((kind, _, field)) = KINDS.into_iter().find(|(_, entity, _)| *entity == item.entity) {
        return vec![block(kind, text(&item.written, field))];
    }
    if item.entity != &consumer::ENTITY {
        return Vec::new();
    }
    let mut blocks = Vec::new();
    for (kind, entity, field) in KINDS {
        let nested = item.written.get(entity.collection).map(Value::items).unwrap_or_default();
        blocks.extend(nested.iter().map(|credential| block(kind, text(credential, field))));
    }
    // A misspelt list may be one of any kind.
    if item.written.entries().any(|(key, _)| may_be_credentials(key)) {
        blocks.extend(KINDS.into_iter().map(|(kind, ..)| block(kind, None)));
    }
    blocks
}

/// Whether a key that no Consumer has may be a misspelt list of entities.
fn may_be_credentials(key: &str) -> bool {
    let fields = consumer::ENTITY.fields;
    let is_known = key.starts_with('_') || fields.iter().any(|field| field.name == key);
    let near = nearest(key, fields.iter().map(|field| field.name));
    let is_list = |field: &Field| matches!(field.kind, FieldKind::Entities(..));
    !is_known && near.and_then(|name| consumer::ENTITY.field(name)).is_none_or(is_list)
}
