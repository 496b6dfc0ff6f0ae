//! Small values for schemas: each set of schemas is asked once, and built from the small values of its parts.
//!
//! What a place needs is made from what its parts need, so the parts come first: a set whose parts have no value yet
//! waits for them, and is asked again when one of them has one. That is a fixpoint: a set that never gets a value has
//! none of finite size, or none that is found without a long search. Nothing here recurses, and every set is asked no more
//! often than it has parts.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hasher},
};

use super::{
    SampleError, Sampler,
    effort::Effort,
    place::SamplePlace,
    search::{Generation, Nested},
};
use crate::{document::Value, openapi::DocumentNode};

/// Sets of schemas that are asked about for one sample.
const SETS: usize = 4_000;
/// Keys and items of a schema that were made up on the way are compared by what they say, this deep and this many.
const COMPARED: (u32, usize) = (5, 4);

/// The small values that are known for one sample.
pub(super) struct Smallest<'a> {
    sampler: &'a Sampler<'a>,
    effort: Effort<'a>,
    known: RefCell<HashMap<u64, Known>>,
}

#[derive(Default)]
struct Known {
    /// Held so that their addresses mean nothing else.
    schemas: Vec<DocumentNode>,
    value: Option<Value>,
    /// The sets that wait for this one.
    waiting: Vec<u64>,
    /// Whether it was asked until nothing changed any more.
    settled: bool,
}

impl<'a> Smallest<'a> {
    pub(super) fn new(sampler: &'a Sampler<'a>, effort: Effort<'a>) -> Self {
        Self { sampler, effort, known: RefCell::default() }
    }

    /// Steps taken so far.
    pub(super) const fn taken(&self) -> u64 {
        self.effort.taken()
    }

    /// The value of a set, if it is known already.
    pub(super) fn known(&self, schemas: &[DocumentNode]) -> Option<Value> {
        self.known.borrow().get(&key(schemas))?.value.clone()
    }

    /// A small value that fits all of the schemas.
    pub(super) fn of(&self, schemas: &[DocumentNode]) -> Option<Value> {
        let root = key(schemas);
        let mut queue = VecDeque::new();
        if let Some(known) = self.known.borrow().get(&root)
            && (known.settled || known.value.is_some())
        {
            return known.value.clone();
        }
        let mut asked = vec![root];
        self.note(root, schemas, None);
        queue.push_back(root);
        while let Some(next) = queue.pop_front() {
            let (schemas, done) = match self.known.borrow().get(&next) {
                Some(known) => (known.schemas.clone(), known.value.is_some()),
                None => continue,
            };
            if done {
                continue;
            }
            if self.effort.is_spent() {
                return None;
            }
            let mut generation = self.sampler.generation(&self.effort, Nested::Known(self), false);
            let start = SamplePlace::root(0);
            let found = generation.solve(&schemas, &start.index(0, 0));
            for part in std::mem::take(&mut generation.missing) {
                let part_key = key(&part);
                if self.note(part_key, &part, Some(next)) {
                    asked.push(part_key);
                    queue.push_back(part_key);
                }
            }
            if let Ok(value) = found {
                let mut known = self.known.borrow_mut();
                if let Some(known) = known.get_mut(&next) {
                    known.value = Some(value.clone());
                    queue.extend(std::mem::take(&mut known.waiting));
                }
                if next == root {
                    return Some(value);
                }
            }
        }
        let mut known = self.known.borrow_mut();
        for key in asked {
            if let Some(known) = known.get_mut(&key) {
                known.settled = true;
            }
        }
        None
    }

    /// Notes a set, and who waits for it; true if it has to be asked.
    fn note(&self, key: u64, schemas: &[DocumentNode], waiting: Option<u64>) -> bool {
        let mut all = self.known.borrow_mut();
        if all.len() >= SETS && !all.contains_key(&key) {
            return false;
        }
        let is_new = !all.contains_key(&key);
        let known = all.entry(key).or_default();
        if is_new {
            known.schemas = schemas.to_vec();
        }
        if let Some(waiting) = waiting.filter(|it| !known.waiting.contains(it)) {
            known.waiting.push(waiting);
        }
        is_new
    }
}

impl Generation<'_> {
    /// The small value of a part of a sample that is made in one place only.
    pub(super) fn part(&mut self, of: &Smallest<'_>, schemas: &[DocumentNode]) -> Result<Value, SampleError> {
        let value = if self.top { of.of(schemas) } else { of.known(schemas) };
        match value {
            Some(value) => {
                self.weigh(&value)?;
                Ok(value)
            }
            None => {
                self.missing.push(schemas.to_vec());
                Err(SampleError::Cut)
            }
        }
    }
}

/// What tells sets apart: the schemas of a document by where they stand in memory, those made up by what they say.
fn key(schemas: &[DocumentNode]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for schema in schemas {
        hasher.write_u32(schema.file);
        write(&schema.value, COMPARED.0, &mut hasher);
    }
    hasher.finish()
}

fn write(value: &Value, depth: u32, hasher: &mut DefaultHasher) {
    let few = |count: usize| depth > 0 && count <= COMPARED.1;
    match value {
        Value::Mapping(mapping) if few(mapping.len()) => {
            hasher.write_u8(1);
            hasher.write_usize(mapping.len());
            for (key, value) in mapping.iter() {
                hasher.write(key.as_bytes());
                hasher.write_u8(0xff);
                write(value, depth - 1, hasher);
            }
        }
        Value::Sequence(items) if few(items.len()) => {
            hasher.write_u8(2);
            hasher.write_usize(items.len());
            items.iter().for_each(|item| write(item, depth - 1, hasher));
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
        Value::Bool(it) => hasher.write_u8(6 + u8::from(*it)),
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
