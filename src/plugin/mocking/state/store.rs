//! The items, and how many there may be.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::resource::{ItemKeyKind, ItemShape};
use crate::document::{Number, Value};

/// The most items, of all collections together.
pub(super) const MOST_ITEMS: usize = 10_000;

/// Numbers that are tried for a new item.
const MOST_NAMES: i64 = 10_001;

/// The most bytes that they have as JSON.
const MOST_BYTES: usize = 16 << 20;

/// The largest number that is counted up to: the largest that every client can read.
const LARGEST: i64 = (1 << 53) - 1;

/// Collections by their path. One that nothing has been written to is not here: its items are the shape's seeds.
#[derive(Debug, Default)]
pub(super) struct ItemStore {
    collections: HashMap<String, StoredCollection>,
    items: usize,
    bytes: usize,
}

#[derive(Debug)]
struct StoredCollection {
    items: IndexMap<String, Value>,
    next: i64,
}

/// Why an item was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreError {
    /// There is one with this name.
    Taken,
    /// There is none with this name.
    Missing,
    /// There is no more room.
    Full,
}

impl ItemStore {
    /// The items of a collection, in their order.
    pub(super) fn list(&self, path: &str, shape: &ItemShape) -> Vec<Value> {
        match self.collections.get(path) {
            Some(collection) => collection.items.values().cloned().collect(),
            None => shape.seeds.clone(),
        }
    }

    /// One item.
    pub(super) fn item(&self, path: &str, shape: &ItemShape, name: &str) -> Option<Value> {
        match self.collections.get(path) {
            Some(collection) => collection.items.get(name).cloned(),
            None => shape.seed(name).cloned(),
        }
    }

    /// Adds an item under the name that it has; none has the same name.
    pub(super) fn add(&mut self, path: &str, shape: &ItemShape, item: &Value) -> Result<(), StoreError> {
        let name = name_of(item, shape).ok_or(StoreError::Missing)?;
        if self.item(path, shape, &name).is_some() {
            return Err(StoreError::Taken);
        }
        self.make_room(path, shape, 1, size(item))?;
        let collection = self.collection(path, shape);
        if let Some(number) = item.get(&shape.key).and_then(Value::as_i64) {
            let counted = Some(number).filter(|it| *it < LARGEST);
            collection.next = collection.next.max(counted.map_or(0, |it| it + 1));
        }
        collection.items.insert(name, item.clone());
        Ok(())
    }

    /// Writes an item over the one with this name.
    pub(super) fn replace(
        &mut self,
        path: &str,
        shape: &ItemShape,
        name: &str,
        item: &Value,
    ) -> Result<(), StoreError> {
        let before = self.item(path, shape, name).ok_or(StoreError::Missing)?;
        self.make_room(path, shape, 0, size(item))?;
        self.bytes = self.bytes.saturating_sub(size(&before));
        self.collection(path, shape).items.insert(name.to_owned(), item.clone());
        Ok(())
    }

    /// Removes the item with this name.
    pub(super) fn remove(&mut self, path: &str, shape: &ItemShape, name: &str) -> Result<(), StoreError> {
        let before = self.item(path, shape, name).ok_or(StoreError::Missing)?;
        self.make_room(path, shape, 0, 0)?;
        self.collection(path, shape).items.shift_remove(name);
        self.items = self.items.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size(&before));
        Ok(())
    }

    /// A name that no item has.
    pub(super) fn fresh_name(&self, path: &str, shape: &ItemShape) -> Value {
        match shape.kind {
            ItemKeyKind::Text => uuid::Uuid::new_v4().to_string().into(),
            ItemKeyKind::Integer => {
                let next = self.collections.get(path).map_or_else(|| next(shape), |it| it.next);
                let is_free = |number: &i64| self.item(path, shape, &number.to_string()).is_none();
                // Past the largest number the gaps are filled: there are fewer items than numbers tried here.
                let tried = std::iter::once(next).chain(1..=MOST_NAMES);
                let free = tried.filter(|number| *number <= LARGEST).find(is_free);
                Value::Number(Number::from(free.unwrap_or(next)))
            }
        }
    }

    /// Counts what is about to be written, if there is room; a collection that is written to for the first time
    /// counts with its seeds and as one item more, so that there cannot be many empty ones.
    fn make_room(
        &mut self,
        path: &str,
        shape: &ItemShape,
        mut items: usize,
        mut bytes: usize,
    ) -> Result<(), StoreError> {
        if !self.collections.contains_key(path) {
            items += 1 + shape.seeds.len();
            bytes += path.len() + shape.seeds.iter().map(size).sum::<usize>();
        }
        if self.items + items > MOST_ITEMS || self.bytes + bytes > MOST_BYTES {
            return Err(StoreError::Full);
        }
        self.items += items;
        self.bytes += bytes;
        Ok(())
    }

    fn collection(&mut self, path: &str, shape: &ItemShape) -> &mut StoredCollection {
        self.collections.entry(path.to_owned()).or_insert_with(|| {
            let items = shape.seeds.iter().filter_map(|it| Some((name_of(it, shape)?, it.clone()))).collect();
            StoredCollection { items, next: next(shape) }
        })
    }
}

/// The number after the largest of the seeds, up to the largest that is counted.
fn next(shape: &ItemShape) -> i64 {
    let numbers = shape.seeds.iter().filter_map(|it| it.get(&shape.key)?.as_i64());
    numbers.filter(|it| *it < LARGEST).max().unwrap_or_default().saturating_add(1).max(1)
}

/// What an item is called in paths.
fn name_of(item: &Value, shape: &ItemShape) -> Option<String> {
    name(item, &shape.key)
}

/// The same, by the property that names it.
pub(super) fn name(item: &Value, key: &str) -> Option<String> {
    match item.get(key)? {
        Value::String(text) => Some(text.to_string()),
        Value::Number(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

fn size(item: &Value) -> usize {
    item.to_json().len()
}
