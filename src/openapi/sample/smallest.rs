//! Small values of schemas, each built from the small values of its parts.
//!
//! A set of schemas whose parts have no value yet waits for them, and is solved again when one of them gets a value. The
//! result is a fixed point: a set that never gets a value has none of finite size, or none that is found without a long
//! search. There is no recursion, and a set is solved no more often than it has parts.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hasher},
};

use super::{
    SampleError, Sampler,
    effort::Effort,
    place::SamplePlace,
    search::{Generation, NestedSource},
};
use crate::{document::Value, openapi::DocumentNode};

/// Maximum number of sets of schemas for one sample.
const MAX_SETS: usize = 4_000;
/// Depth and number of members up to which schemas that the sampler made are compared by their contents.
const MAX_COMPARED: (u32, usize) = (5, 4);

/// The small values that have been found for one sample.
pub(super) struct Smallest<'a> {
    sampler: &'a Sampler<'a>,
    effort: Effort<'a>,
    known: RefCell<HashMap<u64, SmallestEntry>>,
}

#[derive(Default)]
struct SmallestEntry {
    /// Kept alive, because their addresses are part of the key.
    schemas: Vec<DocumentNode>,
    value: Option<Value>,
    /// The keys of the sets that wait for this one.
    dependents: Vec<u64>,
    /// Whether no later result can give it a value.
    is_final: bool,
}

impl<'a> Smallest<'a> {
    pub(super) fn new(sampler: &'a Sampler<'a>, effort: Effort<'a>) -> Self {
        Self { sampler, effort, known: RefCell::default() }
    }

    /// The number of steps so far.
    pub(super) const fn steps_taken(&self) -> u64 {
        self.effort.steps_taken()
    }

    /// The value of a set, if it has been found.
    pub(super) fn known_value(&self, schemas: &[DocumentNode]) -> Option<Value> {
        self.known.borrow().get(&set_key(schemas))?.value.clone()
    }

    /// Finds a small value that is valid by all of the schemas.
    pub(super) fn find(&self, schemas: &[DocumentNode]) -> Option<Value> {
        let root = set_key(schemas);
        let mut queue = VecDeque::new();
        if let Some(known) = self.known.borrow().get(&root)
            && (known.is_final || known.value.is_some())
        {
            return known.value.clone();
        }
        let mut visited = vec![root];
        self.add_set(root, schemas, None);
        queue.push_back(root);
        while let Some(next) = queue.pop_front() {
            let (schemas, has_value) = match self.known.borrow().get(&next) {
                Some(known) => (known.schemas.clone(), known.value.is_some()),
                None => continue,
            };
            if has_value {
                continue;
            }
            if self.effort.is_spent() {
                return None;
            }
            let mut generation = self.sampler.new_generation(&self.effort, NestedSource::Known(self), false);
            let start = SamplePlace::root(0);
            let found = generation.solve(&schemas, &start.index(0, 0));
            for part in std::mem::take(&mut generation.missing) {
                let part_key = set_key(&part);
                if self.add_set(part_key, &part, Some(next)) {
                    visited.push(part_key);
                    queue.push_back(part_key);
                }
            }
            if let Ok(value) = found {
                let mut known = self.known.borrow_mut();
                if let Some(known) = known.get_mut(&next) {
                    known.value = Some(value.clone());
                    queue.extend(std::mem::take(&mut known.dependents));
                }
                if next == root {
                    return Some(value);
                }
            }
        }
        let mut known = self.known.borrow_mut();
        for key in visited {
            if let Some(known) = known.get_mut(&key) {
                known.is_final = true;
            }
        }
        None
    }

    /// Adds a set, and the set that waits for it; true if it has to be solved.
    fn add_set(&self, key: u64, schemas: &[DocumentNode], dependents: Option<u64>) -> bool {
        let mut all = self.known.borrow_mut();
        if all.len() >= MAX_SETS && !all.contains_key(&key) {
            return false;
        }
        let is_new = !all.contains_key(&key);
        let known = all.entry(key).or_default();
        if is_new {
            known.schemas = schemas.to_vec();
        }
        if let Some(dependents) = dependents.filter(|key| !known.dependents.contains(key)) {
            known.dependents.push(dependents);
        }
        is_new
    }
}

impl Generation<'_> {
    /// The small value of a part, where only the root of a sample is searched for.
    pub(super) fn part(
        &mut self,
        smallest: &Smallest<'_>,
        schemas: &[DocumentNode],
    ) -> Result<Value, SampleError> {
        let value = if self.top { smallest.find(schemas) } else { smallest.known_value(schemas) };
        match value {
            Some(value) => {
                self.charge_nested(&value)?;
                Ok(value)
            }
            None => {
                self.missing.push(schemas.to_vec());
                Err(SampleError::TooLarge)
            }
        }
    }
}

/// The key of a set: schemas of a document count by their addresses, schemas that the sampler made by their contents.
fn set_key(schemas: &[DocumentNode]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for schema in schemas {
        hasher.write_u32(schema.file);
        hash_value(&schema.value, MAX_COMPARED.0, &mut hasher);
    }
    hasher.finish()
}

fn hash_value(value: &Value, depth: u32, hasher: &mut DefaultHasher) {
    let is_small = |count: usize| depth > 0 && count <= MAX_COMPARED.1;
    match value {
        Value::Mapping(mapping) if is_small(mapping.len()) => {
            hasher.write_u8(1);
            hasher.write_usize(mapping.len());
            for (key, value) in mapping.iter() {
                hasher.write(key.as_bytes());
                hasher.write_u8(0xff);
                hash_value(value, depth - 1, hasher);
            }
        }
        Value::Sequence(items) if is_small(items.len()) => {
            hasher.write_u8(2);
            hasher.write_usize(items.len());
            items.iter().for_each(|item| hash_value(item, depth - 1, hasher));
        }
        Value::Mapping(mapping) => {
            hasher.write_u8(3);
            hasher.write_usize(std::sync::Arc::as_ptr(mapping).addr());
        }
        Value::Sequence(items) => {
            hasher.write_u8(4);
            hasher.write_usize(items.as_ptr().addr());
        }
        Value::Null => hasher.write_u8(5),
        Value::Bool(flag) => hasher.write_u8(6 + u8::from(*flag)),
        Value::Number(number) => {
            hasher.write_u8(8);
            hasher.write(number.as_str().as_bytes());
        }
        Value::String(text) => {
            hasher.write_u8(9);
            hasher.write(text.as_bytes());
            hasher.write_u8(0xff);
        }
    }
}
