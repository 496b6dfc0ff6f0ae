//! Equality of values as JSON Schema has it, and hashes that equal values share.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher},
};

use serde_json::Value as Json;

use super::{number::Decimal, value::Value};
use crate::budget::{Budget, Exhausted};

/// The keys of hashes are random, so that no client can choose values that share one.
pub(super) type Keys = hashbrown::DefaultHashBuilder;
/// Hashes of lists and objects by address.
pub(super) type Known = HashMap<usize, u64>;

/// What an entry of [`Known`] takes, in bytes.
const ENTRY: usize = 48;

/// The hash of a value: numbers by what they say, objects whatever the order of their members.
pub(super) fn hash(value: &Json, keys: &Keys, known: &mut Known, budget: &Budget) -> Result<u64, Exhausted> {
    budget.spend(1)?;
    let address = Value::Json(value).address();
    Ok(match value {
        Json::Null => keys.hash_one(0_u8),
        Json::Bool(flag) => keys.hash_one((1_u8, flag)),
        Json::Number(number) => {
            budget.spend(number.as_str().len() as u64 / 16)?;
            keys.hash_one((2_u8, Decimal::parse(number.as_str())))
        }
        Json::String(text) => hash_text(text, keys, budget)?,
        Json::Array(items) => {
            if let Some(known) = known.get(&address) {
                return Ok(*known);
            }
            let _level = budget.descend()?;
            let mut hasher = keys.build_hasher();
            4_u8.hash(&mut hasher);
            for item in items {
                hasher.write_u64(hash(item, keys, known, budget)?);
            }
            keep(known, address, hasher.finish(), budget)?
        }
        Json::Object(members) => {
            if let Some(known) = known.get(&address) {
                return Ok(*known);
            }
            let _level = budget.descend()?;
            let mut sum = 0_u64;
            for (name, member) in members {
                let name = hash_text(name, keys, budget)?;
                sum = sum.wrapping_add(keys.hash_one((name, hash(member, keys, known, budget)?)));
            }
            keep(known, address, keys.hash_one((5_u8, members.len(), sum)), budget)?
        }
    })
}

/// The hash of a text.
pub(super) fn hash_text(text: &str, keys: &Keys, budget: &Budget) -> Result<u64, Exhausted> {
    budget.spend(text.len() as u64 / 32)?;
    Ok(keys.hash_one((3_u8, text)))
}

fn keep(known: &mut Known, address: usize, hash: u64, budget: &Budget) -> Result<u64, Exhausted> {
    budget.allocate(ENTRY)?;
    known.insert(address, hash);
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
