//! Consumers and their credentials, indexed for plugins.

use std::collections::HashSet;

use crate::{
    config::{CredentialBlock, CredentialKind},
    diag::Diagnostic,
    entity::{Consumer, JwtCredential, jwt_secret},
    plugin::{self, Consumers, JwtKey, KeyFault, PresentedCredential},
};

/// Indexes Consumers by their credentials, and the credentials that are left out; also returns diagnostics about credentials.
pub(super) fn index(consumers: &[Consumer], left_out: &[CredentialBlock]) -> (Consumers, Vec<Diagnostic>) {
    let mut index = Consumers::default();
    for CredentialBlock { kind, shown, message } in left_out {
        index.block(PresentedCredential::from(*kind), shown.as_deref(), message);
    }
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
            index.add_key(&consumer, &key.id.to_string(), &key.key, key.expires_at());
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

impl From<CredentialKind> for PresentedCredential {
    fn from(kind: CredentialKind) -> Self {
        match kind {
            CredentialKind::Key => Self::Key,
            CredentialKind::Username => Self::Username,
            CredentialKind::TokenKey => Self::TokenKey,
        }
    }
}

fn jwt_key(credential: &JwtCredential, diagnostics: &mut Vec<Diagnostic>) -> JwtKey {
    let JwtCredential { algorithm, secret, public_key, at, .. } = credential;
    JwtKey::new(algorithm, secret, public_key.as_deref()).unwrap_or_else(|error| {
        diagnostics.push(match error {
            KeyFault::PublicKey(message) => {
                Diagnostic::error(at.key(jwt_secret::RSA_PUBLIC_KEY.name), message)
            }
            KeyFault::Algorithm(message) => Diagnostic::warning(at.key(jwt_secret::ALGORITHM.name), message)
                .help("requests with its tokens will be answered with 401"),
        });
        JwtKey::reject_all(algorithm)
    })
}
