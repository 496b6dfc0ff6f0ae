//! Consumers and their credentials, indexed; the identity of a request.

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::HeaderValue;

use super::JwtKey;
use crate::{constant_time::equals_secret, document::Value};

/// All Consumers of a configuration, indexed; made once at load.
#[derive(Default)]
pub struct Consumers {
    all: Vec<Arc<ConsumerRecord>>,
    /// By id, and by username.
    names: HashMap<String, usize>,
    /// Keys, and when they expire, in Unix time.
    keys: HashMap<String, (RequestIdentity, Option<u64>)>,
    passwords: HashMap<String, (Vec<u8>, RequestIdentity)>,
    jwts: HashMap<String, (JwtKey, RequestIdentity)>,
    /// Credentials in quarantine, if there are any.
    blocked: Option<Box<BlockedCredentials>>,
}

/// What a request shows of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PresentedCredential {
    /// The key of `key-auth`.
    Key,
    /// The user name of `basic-auth`.
    Username,
    /// The key of `jwt` that a token names.
    TokenKey,
}

/// Credentials in quarantine, with messages for clients.
#[derive(Default)]
struct BlockedCredentials {
    known: HashMap<(PresentedCredential, String), String>,
    /// Of kinds of which one cannot be read.
    unknown: HashMap<PresentedCredential, String>,
}

/// A Consumer. (Kong: Consumer object.)
#[derive(Clone, Debug, Default)]
pub struct ConsumerRecord {
    /// Its index in [`Consumers`].
    pub index: usize,
    /// Its id.
    pub id: String,
    /// Its user name.
    pub username: Option<String>,
    /// Its id in another system.
    pub custom_id: Option<String>,
    /// The groups it belongs to.
    pub groups: Vec<String>,
    /// The headers that identify it to the upstream.
    pub headers: ConsumerHeaders,
    /// The Consumer as the Admin API shows it.
    pub record: Value,
}

/// Header values of a Consumer; `None` if it lacks the property, or if the property cannot be a header value.
#[derive(Clone, Debug, Default)]
pub struct ConsumerHeaders {
    /// Its id.
    pub id: Option<HeaderValue>,
    /// Its user name.
    pub username: Option<HeaderValue>,
    /// Its id in another system.
    pub custom_id: Option<HeaderValue>,
    /// Its groups, with commas between them.
    pub groups: Option<HeaderValue>,
}

/// The authenticated identity of a request.
#[derive(Clone, Debug)]
pub struct RequestIdentity {
    /// The Consumer.
    pub consumer: Arc<ConsumerRecord>,
    /// The credential; `None` for the Consumer of requests without credentials (`anonymous`).
    pub credential: Option<Arc<Credential>>,
}

/// A credential that a request was authenticated with.
#[derive(Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its id.
    pub id: String,
    /// Its value in `X-Credential-Identifier`: an id or a user name.
    pub identifier: HeaderValue,
}

impl ConsumerRecord {
    /// A readable name: the username, else the custom id, else the id.
    #[must_use]
    pub fn label(&self) -> &str {
        self.username.as_deref().or(self.custom_id.as_deref()).unwrap_or(&self.id)
    }
}

impl Consumers {
    /// Adds a Consumer. Its index is the number of Consumers added before.
    pub fn add(&mut self, consumer: ConsumerRecord) -> Arc<ConsumerRecord> {
        let index = self.all.len();
        let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).ok();
        let headers = ConsumerHeaders {
            id: value(&consumer.id),
            username: consumer.username.as_deref().and_then(value),
            custom_id: consumer.custom_id.as_deref().and_then(value),
            groups: value(&consumer.groups.join(", ")).filter(|groups| !groups.is_empty()),
        };
        let consumer = Arc::new(ConsumerRecord { index, headers, ..consumer });
        self.names.insert(consumer.id.clone(), index);
        // An id takes precedence over a username with the same text.
        if let Some(username) = &consumer.username {
            self.names.entry(username.clone()).or_insert(index);
        }
        self.all.push(consumer.clone());
        consumer
    }

    /// Adds a key of a Consumer, valid before `expires`, in Unix time in seconds. (Kong: Key Authentication plugin, `ttl`.)
    pub fn add_key(&mut self, consumer: &Arc<ConsumerRecord>, id: &str, key: &str, expires: Option<u64>) {
        let identity = RequestIdentity::new(consumer, id, id);
        self.keys.insert(key.to_owned(), (identity, expires));
    }

    /// Adds a user name of a Consumer and the hash of its password: SHA-1 of the password and the Consumer's id.
    pub fn add_password(&mut self, consumer: &Arc<ConsumerRecord>, id: &str, username: &str, hash: &str) {
        let identity = RequestIdentity::new(consumer, id, username);
        self.passwords.insert(username.to_owned(), (hash.as_bytes().to_vec(), identity));
    }

    /// Adds a key of a Consumer that verifies tokens; `key` is its name in tokens.
    pub fn add_jwt(&mut self, consumer: &Arc<ConsumerRecord>, id: &str, key: &str, verifier: JwtKey) {
        let identity = RequestIdentity::new(consumer, id, key);
        self.jwts.insert(key.to_owned(), (verifier, identity));
    }

    /// Refuses requests that show this credential; without one, those that show an unknown credential of the kind and would
    /// count as anonymous.
    pub fn block(&mut self, kind: PresentedCredential, shown: Option<&str>, message: &str) {
        let blocked = self.blocked.get_or_insert_default();
        match shown {
            Some(shown) => drop(blocked.known.insert((kind, shown.to_owned()), message.to_owned())),
            None => drop(blocked.unknown.entry(kind).or_insert_with(|| message.to_owned())),
        }
    }

    /// The message for a request that shows this credential, if that is in quarantine.
    #[must_use]
    pub fn quarantine_message(&self, kind: PresentedCredential, shown: &str) -> Option<&str> {
        let blocked = self.blocked.as_ref()?;
        blocked.known.get(&(kind, shown.to_owned())).map(String::as_str)
    }

    /// The message for a request that shows an unknown credential, if that may be one in quarantine.
    #[must_use]
    pub fn unknown_message(&self, kind: PresentedCredential) -> Option<&str> {
        self.blocked.as_ref()?.unknown.get(&kind).map(String::as_str)
    }

    /// The Consumer with this id or username.
    #[must_use]
    pub fn find_by_name(&self, name: &str) -> Option<&Arc<ConsumerRecord>> {
        self.all.get(*self.names.get(name)?)
    }

    /// The identity of a key that has not expired.
    #[must_use]
    pub fn find_by_key(&self, key: &str) -> Option<&RequestIdentity> {
        let (identity, expires) = self.keys.get(key)?;
        let is_expired = |expires: u64| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            // With a clock before 1970 no expiry can be checked, so that keys with one are rejected.
            now.map_or(true, |now| now.as_secs() >= expires)
        };
        (!expires.is_some_and(is_expired)).then_some(identity)
    }

    /// The key with this name, and the identity that its tokens have.
    #[must_use]
    pub fn find_by_jwt_key(&self, key: &str) -> Option<(&JwtKey, &RequestIdentity)> {
        self.jwts.get(key).map(|(verifier, identity)| (verifier, identity))
    }

    /// The identity of a user name and password. Hashes are compared in constant time.
    #[must_use]
    pub fn find_by_password(&self, username: &str, password: &[u8]) -> Option<&RequestIdentity> {
        let (expected, identity) = self.passwords.get(username)?;
        let given = hash(password, &identity.consumer.id);
        equals_secret(expected, given.as_bytes()).then_some(identity)
    }
}

/// SHA-1 of a password and the id of its Consumer, in lower-case hexadecimal.
pub(super) fn hash(password: &[u8], consumer: &str) -> String {
    let mut hash = sha1_smol::Sha1::new();
    hash.update(password);
    hash.update(consumer.as_bytes());
    hash.digest().to_string()
}

impl RequestIdentity {
    fn new(consumer: &Arc<ConsumerRecord>, id: &str, identifier: &str) -> Self {
        let identifier =
            HeaderValue::from_bytes(identifier.as_bytes()).unwrap_or_else(|_| HeaderValue::from_static(""));
        let credential = Credential { id: id.to_owned(), identifier };
        Self { consumer: consumer.clone(), credential: Some(Arc::new(credential)) }
    }
}

impl fmt::Debug for Consumers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumers").field("all", &self.all.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumers() -> Consumers {
        let mut consumers = Consumers::default();
        let named = |id: &str, username: &str| ConsumerRecord {
            id: id.to_owned(),
            username: Some(username.to_owned()),
            ..ConsumerRecord::default()
        };
        let alice = consumers.add(named("1", "alice"));
        let bob = consumers.add(named("2", "1"));
        consumers.add_key(&alice, "k1", "secret", None);
        consumers.add_key(&alice, "k3", "over", Some(1_000_000_000));
        consumers.add_key(&alice, "k4", "later", Some(4_000_000_000));
        consumers.add_password(&bob, "p1", "bob", &hash(b"open sesame", "2"));
        consumers
    }

    #[test]
    fn an_id_comes_before_a_name() {
        let index = |name: &str| consumers().find_by_name(name).map(|consumer| consumer.index);
        for (name, expected) in [("1", Some(0)), ("2", Some(1)), ("alice", Some(0)), ("x", None)] {
            assert_eq!(index(name), expected, "{name}");
        }
    }

    #[test]
    fn a_key_is_valid_until_it_expires() {
        for (key, expected) in [("secret", true), ("over", false), ("later", true)] {
            assert_eq!(consumers().find_by_key(key).is_some(), expected, "{key}");
        }
    }

    #[test]
    fn only_the_whole_secret_authenticates() {
        let consumers = consumers();
        assert_eq!(consumers.find_by_key("secret").map(|identity| identity.consumer.index), Some(0));
        assert!(consumers.find_by_key("secre").is_none());
        for (username, password, opens) in [
            ("bob", "open sesame", true),
            ("bob", "open sesam", false),
            ("bob", "open sesame!", false),
            ("bob", "open sesame\0", false),
            ("bob", "", false),
            ("Bob", "open sesame", false),
        ] {
            let found = consumers.find_by_password(username, password.as_bytes());
            assert_eq!(found.is_some(), opens, "{username} {password:?}");
        }
    }

    #[test]
    fn debug_output_has_no_secrets() {
        assert_eq!(format!("{:?}", consumers()), "Consumers { all: 2, .. }");
    }
}
