//! Consumers and their credentials, indexed for plugins.

use std::collections::HashSet;

use crate::{
    diag::Diagnostic,
    document::Value,
    entity::{Consumer, JwtCredential},
    plugin::{self, Consumers, JwtKey, KeyFault},
};

/// Unix time at which a key expires: `ttl` seconds after its creation; without a `ttl`, or with 0, never.
fn expiry(record: &Value) -> Option<u64> {
    let seconds =
        |field| record.get(field).and_then(Value::as_i64).and_then(|seconds| u64::try_from(seconds).ok());
    let ttl = seconds("ttl").filter(|ttl| *ttl > 0)?;
    Some(seconds("created_at").unwrap_or_default().saturating_add(ttl))
}

/// Indexes Consumers by their credentials; also returns diagnostics about credentials.
pub(super) fn index(consumers: &[Consumer]) -> (Consumers, Vec<Diagnostic>) {
    let mut index = Consumers::default();
    let mut diagnostics = Vec::new();
    for entity in consumers {
        let mut known = HashSet::new();
        let groups = entity.groups.iter().filter(|group| known.insert(group.name.as_str()));
        let groups = groups.map(|group| group.name.clone()).collect();
        let consumer = index.add(plugin::ConsumerRecord {
            id: entity.id.to_string(),
            username: entity.username.clone(),
            custom_id: entity.custom_id.clone(),
            groups,
            record: entity.record.clone(),
            ..plugin::ConsumerRecord::default()
        });
        for key in &entity.keys {
            index.add_key(&consumer, &key.id.to_string(), &key.key, expiry(&key.record));
        }
        for credential in &entity.passwords {
            let id = credential.id.to_string();
            index.add_password(&consumer, &id, &credential.username, &credential.password);
        }
        for credential in &entity.jwts {
            let key = jwt_key(credential, &mut diagnostics);
            index.add_jwt(&consumer, &credential.id.to_string(), &credential.key, key);
        }
    }
    (index, diagnostics)
}

fn jwt_key(credential: &JwtCredential, diagnostics: &mut Vec<Diagnostic>) -> JwtKey {
    let JwtCredential { algorithm, secret, public_key, at, .. } = credential;
    JwtKey::new(algorithm, secret, public_key.as_deref()).unwrap_or_else(|error| {
        diagnostics.push(match error {
            KeyFault::PublicKey(message) => Diagnostic::error(at.key("rsa_public_key"), message),
            KeyFault::Algorithm(message) => Diagnostic::warning(at.key("algorithm"), message)
                .help("requests with its tokens will be answered with 401"),
        });
        JwtKey::reject_all(algorithm)
    })
}
