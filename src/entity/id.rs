//! Derived ids of entities, and hashes of passwords. Both are Kong's, so that a file means the same here and there.

use uuid::{Uuid, uuid};

/// The root of Kong's name space for declarative configuration.
const ROOT: Uuid = uuid!("fd02801f-0957-4a15-a55a-c8d9606f30b5");

/// The id of the entity with this key in this collection (`services`, `routes`, ...): a UUID of version 5 in the name space
/// of the collection.
#[must_use]
pub fn entity_id(collection: &str, key: &str) -> Uuid {
    Uuid::new_v5(&Uuid::new_v5(&ROOT, collection.as_bytes()), key.as_bytes())
}

/// The hash that Kong stores for a password: SHA-1 of it and the id of its Consumer, in lower-case hexadecimal.
/// (Kong: Basic Authentication plugin.)
#[must_use]
pub fn password_hash(password: &[u8], consumer: &str) -> String {
    let mut hash = sha1_smol::Sha1::new();
    hash.update(password);
    hash.update(consumer.as_bytes());
    hash.digest().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_kongs() {
        for (collection, key, id) in [
            ("services", "a", "72734e2a-702d-5711-b9ef-697178108ad8"),
            ("routes", "r", "da7ba03a-f1be-52d4-8a7e-c8f32640689a"),
            ("consumers", "bob", "def4f7d3-9863-5ad2-8fa9-c949bf26f55e"),
            ("plugins", "plugins:*:cors:::", "48ee727e-8b90-5faa-bda1-a3c6bc3c9daa"),
            ("plugins", "plugins:*:cors:r::", "18b90e3b-2ae6-5243-a357-866f82b90e18"),
        ] {
            assert_eq!(entity_id(collection, key).to_string(), id, "{collection} {key}");
        }
    }
}
