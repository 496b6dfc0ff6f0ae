//! Who may come: Consumers, found by what they show, and who a request comes from.

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
}

/// Someone who uses the APIs.
#[derive(Clone, Debug, Default)]
pub struct ConsumerRecord {
    /// Its place among all.
    pub index: usize,
    /// Its id.
    pub id: String,
    /// Its name here.
    pub username: Option<String>,
    /// Its name elsewhere.
    pub custom_id: Option<String>,
    /// The groups it belongs to.
    pub groups: Vec<String>,
    /// What the upstream is told of it.
    pub headers: ConsumerHeaders,
    /// The Consumer as the Admin API shows it.
    pub record: Value,
}

/// A Consumer in headers; none for what it does not have, or what no header can say.
#[derive(Clone, Debug, Default)]
pub struct ConsumerHeaders {
    /// Its id.
    pub id: Option<HeaderValue>,
    /// Its name here.
    pub username: Option<HeaderValue>,
    /// Its name elsewhere.
    pub custom_id: Option<HeaderValue>,
    /// Its groups, with commas between them.
    pub groups: Option<HeaderValue>,
}

/// Who a request comes from.
#[derive(Clone, Debug)]
pub struct RequestIdentity {
    /// The Consumer.
    pub consumer: Arc<ConsumerRecord>,
    /// What it showed; none if it stands for those who showed nothing.
    pub credential: Option<Arc<Credential>>,
}

/// What a Consumer showed.
#[derive(Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its id.
    pub id: String,
    /// What the upstream is told of it: an id or a user name.
    pub identifier: HeaderValue,
}

impl ConsumerRecord {
    /// What it is called: its username, or else its own id, or else ours.
    #[must_use]
    pub fn label(&self) -> &str {
        self.username.as_deref().or(self.custom_id.as_deref()).unwrap_or(&self.id)
    }
}

impl Consumers {
    /// Takes one in; its place is the number of those before it.
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
        // An id says more than a name that looks like it.
        if let Some(username) = &consumer.username {
            self.names.entry(username.clone()).or_insert(index);
        }
        self.all.push(consumer.clone());
        consumer
    }

    /// Gives a Consumer a key.
    /// Until `expires`, in Unix time, if it does. (Kong: Key Authentication plugin, `ttl`.)
    pub fn add_key(&mut self, consumer: &Arc<ConsumerRecord>, id: &str, key: &str, expires: Option<u64>) {
        let identity = RequestIdentity::new(consumer, id, id);
        self.keys.insert(key.to_owned(), (identity, expires));
    }

    /// Gives a Consumer a user name and the hash of a password: SHA-1 of the password and the Consumer's id.
    pub fn add_password(&mut self, consumer: &Arc<ConsumerRecord>, id: &str, username: &str, hash: &str) {
        let identity = RequestIdentity::new(consumer, id, username);
        self.passwords.insert(username.to_owned(), (hash.as_bytes().to_vec(), identity));
    }

    /// Gives a Consumer a key that signs tokens, known by the name `key`.
    pub fn add_jwt(&mut self, consumer: &Arc<ConsumerRecord>, id: &str, key: &str, verifier: JwtKey) {
        let identity = RequestIdentity::new(consumer, id, key);
        self.jwts.insert(key.to_owned(), (verifier, identity));
    }

    /// The Consumer with this id or username.
    #[must_use]
    pub fn find_by_name(&self, name: &str) -> Option<&Arc<ConsumerRecord>> {
        self.all.get(*self.names.get(name)?)
    }

    /// Whose key this is, unless its time is over.
    #[must_use]
    pub fn find_by_key(&self, key: &str) -> Option<&RequestIdentity> {
        let (identity, expires) = self.keys.get(key)?;
        let is_over = |expires: u64| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            // A clock before 1970 tells nothing, so that no key is good.
            now.map_or(true, |now| now.as_secs() >= expires)
        };
        (!expires.is_some_and(is_over)).then_some(identity)
    }

    /// Whose tokens name this key, and what verifies them.
    #[must_use]
    pub fn find_by_jwt_key(&self, key: &str) -> Option<(&JwtKey, &RequestIdentity)> {
        self.jwts.get(key).map(|(verifier, identity)| (verifier, identity))
    }

    /// Whose user name and password these are. How long it takes says nothing of how much of the password is right.
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
    fn a_key_is_good_until_its_time_is_over() {
        for (key, expected) in [("secret", true), ("over", false), ("later", true)] {
            assert_eq!(consumers().find_by_key(key).is_some(), expected, "{key}");
        }
    }

    #[test]
    fn only_the_whole_secret_opens() {
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
    fn nothing_prints_a_secret() {
        assert_eq!(format!("{:?}", consumers()), "Consumers { all: 2, .. }");
    }
}
