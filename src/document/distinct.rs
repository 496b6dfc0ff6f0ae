//! Removal of duplicate values from a list in near-linear time; the first of equal items stays.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
};

use super::Value;

/// Lists of up to this many items are compared pairwise.
const COMPARED: usize = 16;

/// Removes items that equal an earlier one.
#[must_use]
pub fn distinct(items: Vec<Value>) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::with_capacity(items.len());
    if items.len() <= COMPARED {
        for item in items {
            if !kept.contains(&item) {
                kept.push(item);
            }
        }
        return kept;
    }
    // Seeded at random, since the author of a document could otherwise choose items with equal hashes.
    let state = RandomState::new();
    let mut places: HashMap<u64, Vec<usize>> = HashMap::with_capacity(items.len());
    for item in items {
        let places = places.entry(hash_value(&item, &state)).or_default();
        if !places.iter().any(|place| kept[*place] == item) {
            places.push(kept.len());
            kept.push(item);
        }
    }
    kept
}

/// A hash that is the same for equal values: it does not depend on the order of keys.
fn hash_value(value: &Value, state: &RandomState) -> u64 {
    match value {
        Value::Null => 0,
        Value::Bool(truth) => state.hash_one(truth),
        Value::Number(number) => state.hash_one(number.as_str()),
        Value::String(text) => state.hash_one(text),
        Value::Sequence(items) => {
            let mut hasher = state.build_hasher();
            for item in items.iter() {
                hasher.write_u64(hash_value(item, state));
            }
            hasher.finish()
        }
        Value::Mapping(members) => members.iter().fold(1, |sum: u64, (key, value)| {
            let mut hasher = state.build_hasher();
            key.hash(&mut hasher);
            hasher.write_u64(hash_value(value, state));
            sum.wrapping_add(hasher.finish())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_items_stays() {
        let json = |text: &str| -> Vec<Value> { serde_json::from_str(text).unwrap() };
        for (items, expected) in [
            (r#"["a", "b", "a"]"#, r#"["a", "b"]"#),
            (r#"[1, "1", true, null, 1]"#, r#"[1, "1", true, null]"#),
            (r#"[{"a": 1, "b": [2]}, {"b": [2], "a": 1}, {"a": 1}]"#, r#"[{"a": 1, "b": [2]}, {"a": 1}]"#),
        ] {
            let (items, expected) = (json(items), json(expected));
            assert_eq!(distinct(items.clone()), expected);
            // The same items in a list that is long enough for hashing.
            let others = (0..100).map(|n| Value::from(format!("other {n}")));
            let all = others.clone().chain(items.clone()).chain(items).chain(others.clone()).collect();
            assert_eq!(distinct(all), others.chain(expected).collect::<Vec<_>>());
        }
    }
}
