//! Equality of values as JSON Schema defines it, and hashes that equal values share.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher},
};

use serde_json::Value as Json;

use super::instance::Instance;
use crate::{
    budget::{Budget, Exhausted},
    openapi::decimal::Decimal,
};

/// Hasher with random keys, so that a client cannot choose values whose hashes collide.
pub(super) type RandomHasher = hashbrown::DefaultHashBuilder;
/// Hashes of arrays and objects by their addresses.
pub(super) type HashCache = HashMap<usize, u64>;

/// Bytes that are charged for an entry of [`HashCache`].
const ENTRY_BYTES: usize = 48;

/// The hash of a value. Numbers count by their numeric value; the order of members does not count.
pub(super) fn hash(
    value: &Json,
    hasher_keys: &RandomHasher,
    cache: &mut HashCache,
    budget: &Budget,
) -> Result<u64, Exhausted> {
    budget.spend(1)?;
    let address = Instance::Json(value).address();
    Ok(match value {
        Json::Null => hasher_keys.hash_one(0_u8),
        Json::Bool(flag) => hasher_keys.hash_one((1_u8, flag)),
        Json::Number(number) => {
            budget.spend(number.as_str().len() as u64 / 16)?;
            hasher_keys.hash_one((2_u8, Decimal::parse(number.as_str())))
        }
        Json::String(text) => hash_text(text, hasher_keys, budget)?,
        Json::Array(items) => {
            if let Some(hash) = cache.get(&address) {
                return Ok(*hash);
            }
            let _level = budget.descend()?;
            let mut hasher = hasher_keys.build_hasher();
            4_u8.hash(&mut hasher);
            for item in items {
                hasher.write_u64(hash(item, hasher_keys, cache, budget)?);
            }
            cache_hash(cache, address, hasher.finish(), budget)?
        }
        Json::Object(members) => {
            if let Some(hash) = cache.get(&address) {
                return Ok(*hash);
            }
            let _level = budget.descend()?;
            let mut sum = 0_u64;
            for (name, member) in members {
                let name = hash_text(name, hasher_keys, budget)?;
                sum =
                    sum.wrapping_add(hasher_keys.hash_one((name, hash(member, hasher_keys, cache, budget)?)));
            }
            cache_hash(cache, address, hasher_keys.hash_one((5_u8, members.len(), sum)), budget)?
        }
    })
}

/// The hash of a text.
pub(super) fn hash_text(text: &str, hasher_keys: &RandomHasher, budget: &Budget) -> Result<u64, Exhausted> {
    budget.spend(text.len() as u64 / 32)?;
    Ok(hasher_keys.hash_one((3_u8, text)))
}

fn cache_hash(cache: &mut HashCache, address: usize, hash: u64, budget: &Budget) -> Result<u64, Exhausted> {
    budget.allocate(ENTRY_BYTES)?;
    cache.insert(address, hash);
    Ok(hash)
}

/// Whether two values are equal.
pub(super) fn equal(left: &Json, right: &Json, budget: &Budget) -> Result<bool, Exhausted> {
    budget.spend(1)?;
    Ok(match (left, right) {
        (Json::Number(left), Json::Number(right)) => {
            let (left, right) = (left.as_str(), right.as_str());
            budget.spend(left.len().max(right.len()) as u64 / 16)?;
            left == right || Decimal::parse(left) == Decimal::parse(right)
        }
        (Json::String(left), Json::String(right)) => {
            budget.spend(left.len().min(right.len()) as u64 / 32)?;
            left == right
        }
        (Json::Array(left), Json::Array(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            let _level = budget.descend()?;
            for (left, right) in left.iter().zip(right) {
                if !equal(left, right, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Json::Object(left), Json::Object(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            let _level = budget.descend()?;
            for (name, left) in left {
                let Some(right) = right.get(name) else { return Ok(false) };
                if !equal(left, right, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Json::Null, Json::Null) => true,
        (Json::Bool(left), Json::Bool(right)) => left == right,
        _ => false,
    })
}
