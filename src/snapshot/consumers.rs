//! Consumers, compiled: what they show is looked up by what it says, and keys are read.

use std::collections::HashSet;

use crate::{
    diag::Diagnostic,
    document::Value,
    entity::{Consumer, JwtCredential},
    plugin::{self, Consumers, JwtKey, KeyFault},
};

/// When a key expires, in Unix time: `ttl` seconds after it was made; without a `ttl`, or with 0, never.
fn expires(record: &Value) -> Option<u64> {
    let seconds = |field| record.get(field).and_then(Value::as_i64).and_then(|it| u64::try_from(it).ok());
    let ttl = seconds("ttl").filter(|ttl| *ttl > 0)?;
    Some(seconds("created_at").unwrap_or_default().saturating_add(ttl))
}

/// Consumers as plugins look them up, and what is wrong with their credentials.
pub(super) fn index(consumers: &[Consumer]) -> (Consumers, Vec<Diagnostic>) {
    let mut index = Consumers::default();
    let mut wrong = Vec::new();
    for it in consumers {
        let mut seen = HashSet::new();
        let groups = it.groups.iter().filter(|group| seen.insert(group.name.as_str()));
        let groups = groups.map(|group| group.name.clone()).collect();
        let consumer = index.add(plugin::ConsumerRecord {
            id: it.id.to_string(),
            username: it.username.clone(),
            custom_id: it.custom_id.clone(),
            groups,
            record: it.record.clone(),
            ..plugin::ConsumerRecord::default()
        });
        for key in &it.keys {
            index.add_key(&consumer, &key.id.to_string(), &key.key, expires(&key.record));
        }
        for credential in &it.passwords {
            let id = credential.id.to_string();
            index.add_password(&consumer, &id, &credential.username, &credential.password);
        }
        for credential in &it.jwts {
            let key = jwt_key(credential, &mut wrong);
            index.add_jwt(&consumer, &credential.id.to_string(), &credential.key, key);
        }
    }
    (index, wrong)
}

fn jwt_key(credential: &JwtCredential, wrong: &mut Vec<Diagnostic>) -> JwtKey {
    let JwtCredential { algorithm, secret, public_key, at, .. } = credential;
    JwtKey::new(algorithm, secret, public_key.as_deref()).unwrap_or_else(|fault| {
        wrong.push(match fault {
            KeyFault::PublicKey(message) => Diagnostic::error(at.key("rsa_public_key"), message),
            KeyFault::Algorithm(message) => Diagnostic::warning(at.key("algorithm"), message)
                .help("requests with its tokens will be answered with 401"),
        });
        JwtKey::none(algorithm)
    })
}
