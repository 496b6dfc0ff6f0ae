//! Items of all collections, within bounds.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::resource::{ItemKeyKind, ItemShape};
use crate::document::{Number, Value};

/// The most items of all collections together.
pub(super) const MAX_ITEMS: usize = 10_000;

/// The most numbers that are tried for a new item.
const MAX_TRIED_NAMES: i64 = 10_001;

/// The most bytes of all items as JSON.
const MAX_BYTES: usize = 16 << 20;

/// The largest number of a new item, which every JSON parser represents exactly.
const MAX_NUMBER: i64 = (1 << 53) - 1;

/// Collections by path. A collection without writes is missing here: its items are the initial ones of its shape.
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
    /// An item has this name.
    Taken,
    /// No item has this name.
    Missing,
    /// The bounds are reached.
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

    /// Adds an item under its name, which must be free.
    pub(super) fn add(&mut self, path: &str, shape: &ItemShape, item: &Value) -> Result<(), StoreError> {
        let name = name_of(item, shape).ok_or(StoreError::Missing)?;
        if self.item(path, shape, &name).is_some() {
            return Err(StoreError::Taken);
        }
        self.reserve(path, shape, 1, size(item))?;
        let collection = self.collection(path, shape);
        if let Some(number) = item.get(&shape.key).and_then(Value::as_i64) {
            let counted = Some(number).filter(|number| *number < MAX_NUMBER);
            collection.next = collection.next.max(counted.map_or(0, |number| number + 1));
        }
        collection.items.insert(name, item.clone());
        Ok(())
    }

    /// Replaces the item with this name.
    pub(super) fn replace(
        &mut self,
        path: &str,
        shape: &ItemShape,
        name: &str,
        item: &Value,
    ) -> Result<(), StoreError> {
        let before = self.item(path, shape, name).ok_or(StoreError::Missing)?;
        self.reserve(path, shape, 0, size(item))?;
        self.bytes = self.bytes.saturating_sub(size(&before));
        self.collection(path, shape).items.insert(name.to_owned(), item.clone());
        Ok(())
    }

    /// Removes the item with this name.
    pub(super) fn remove(&mut self, path: &str, shape: &ItemShape, name: &str) -> Result<(), StoreError> {
        let before = self.item(path, shape, name).ok_or(StoreError::Missing)?;
        self.reserve(path, shape, 0, 0)?;
        self.collection(path, shape).items.shift_remove(name);
        self.items = self.items.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size(&before));
        Ok(())
    }

    /// A name that no item has.
    pub(super) fn unused_name(&self, path: &str, shape: &ItemShape) -> Value {
        match shape.kind {
            ItemKeyKind::Text => uuid::Uuid::new_v4().to_string().into(),
            ItemKeyKind::Integer => {
                let next = self
                    .collections
                    .get(path)
                    .map_or_else(|| next_number(shape), |collection| collection.next);
                let is_free = |number: &i64| self.item(path, shape, &number.to_string()).is_none();
                // After the largest number, gaps are filled: fewer items exist than numbers are tried.
                let tried = std::iter::once(next).chain(1..=MAX_TRIED_NAMES);
                let free = tried.filter(|number| *number <= MAX_NUMBER).find(is_free);
                Value::Number(Number::from(free.unwrap_or(next)))
            }
        }
    }

    /// Reserves room for a write. The first write to a collection also counts its initial items and one item more, so that
    /// the number of empty collections is bounded.
    fn reserve(
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
        if self.items + items > MAX_ITEMS || self.bytes + bytes > MAX_BYTES {
            return Err(StoreError::Full);
        }
        self.items += items;
        self.bytes += bytes;
        Ok(())
    }

    fn collection(&mut self, path: &str, shape: &ItemShape) -> &mut StoredCollection {
        self.collections.entry(path.to_owned()).or_insert_with(|| {
            let items =
                shape.seeds.iter().filter_map(|item| Some((name_of(item, shape)?, item.clone()))).collect();
            StoredCollection { items, next: next_number(shape) }
        })
    }
}

/// The number after the largest initial item, at most [`MAX_NUMBER`].
fn next_number(shape: &ItemShape) -> i64 {
    let numbers = shape.seeds.iter().filter_map(|item| item.get(&shape.key)?.as_i64());
    numbers.filter(|number| *number < MAX_NUMBER).max().unwrap_or_default().saturating_add(1).max(1)
}

/// The name of an item in paths.
fn name_of(item: &Value, shape: &ItemShape) -> Option<String> {
    item_name(item, &shape.key)
}

/// The name of an item in paths, given the property that identifies it.
pub(super) fn item_name(item: &Value, key: &str) -> Option<String> {
    match item.get(key)? {
        Value::String(text) => Some(text.to_string()),
        Value::Number(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

fn size(item: &Value) -> usize {
    item.to_json().len()
}
