//! Mapping that keeps the order of the text.

use std::{collections::HashMap, fmt};

use super::{SharedText, Value};

/// Keys and values in the order of the text; each key once.
#[derive(Clone, Default)]
pub struct Mapping {
    entries: Vec<(SharedText, Value)>,
    /// Positions by key, for mappings that are too large for a linear search.
    #[expect(clippy::box_collection, reason = "few mappings have any, and the box keeps all others small")]
    positions: Option<Box<HashMap<SharedText, u32>>>,
}

/// Up to this many keys a linear search is as fast as a hash table.
const LINEAR_SEARCH: usize = 32;

impl Mapping {
    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.position(key).map(|n| &self.entries[n].1)
    }

    /// The value of `key`, which is looked for at this position first.
    pub(super) fn get_near(&self, position: usize, key: &str) -> Option<&Value> {
        match self.entries.get(position) {
            Some((here, value)) if **here == *key => Some(value),
            _ => self.get(key),
        }
    }

    /// Whether there is such a key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys and values in the order of the text, as a slice.
    pub(super) fn entries(&self) -> &[(SharedText, Value)] {
        &self.entries
    }

    /// Keys and values in the order of the text.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Value)> + ExactSizeIterator {
        self.entries.iter().map(|(key, value)| (&**key, value))
    }

    /// The keys in the order of the text.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// Sets the value of `key`; a new key goes to the end. Returns the old value.
    pub fn insert(&mut self, key: impl Into<SharedText>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        if let Some(n) = self.position(&key) {
            return Some(std::mem::replace(&mut self.entries[n].1, value));
        }
        if let Some(positions) = &mut self.positions {
            positions.insert(key.clone(), index(self.entries.len()));
        }
        self.entries.push((key, value));
        self.index();
        None
    }

    /// Creates a mapping of entries whose keys are known to differ; they are not compared.
    #[must_use]
    pub fn from_distinct_keys(entries: Vec<(SharedText, Value)>) -> Self {
        let mut mapping = Self { entries, positions: None };
        mapping.index();
        mapping.shrink();
        mapping
    }

    /// Builds the table of positions once there are many keys.
    fn index(&mut self) {
        if self.positions.is_none() && self.entries.len() > LINEAR_SEARCH {
            let numbered = self.entries.iter().enumerate();
            let positions = numbered.map(|(n, (key, _))| (key.clone(), index(n))).collect();
            self.positions = Some(Box::new(positions));
        }
    }

    /// Removes `key` and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.position(key)?;
        let (_, value) = self.entries.remove(at);
        if self.positions.take().is_some() {
            self.index();
        }
        Some(value)
    }

    /// Frees unused capacity, once the mapping is complete.
    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        if let Some(positions) = &mut self.positions {
            positions.shrink_to_fit();
        }
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.positions {
            Some(positions) => positions.get(key).map(|n| *n as usize),
            None => self.entries.iter().position(|(name, _)| &**name == key),
        }
    }
}

/// A position as `u32`: more than four thousand million keys do not fit into memory.
fn index(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl PartialEq for Mapping {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Into<SharedText>> FromIterator<(K, Value)> for Mapping {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Self {
        let mut mapping = Self::default();
        for (key, value) in entries {
            mapping.insert(key, value);
        }
        mapping.shrink();
        mapping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_keeps_order_at_every_size() {
        for size in [0, 1, 31, 32, 33, 34, 100] {
            let keys: Vec<String> = (0..size).map(|n| format!("k{}", (n * 7919) % 1000)).collect();
            let mut mapping: Mapping =
                keys.iter().map(|key| (key.as_str(), Value::from(key.as_str()))).collect();
            assert_eq!(mapping.keys().collect::<Vec<_>>(), keys);
            assert!(keys.iter().all(|key| mapping.get(key) == Some(&Value::from(key.as_str()))));
            assert_eq!(mapping.get("absent"), None);
            if let Some(first) = keys.first() {
                assert!(mapping.insert(first.as_str(), Value::Null).is_some());
                assert_eq!(mapping.len(), size);
                assert_eq!(mapping.remove(first), Some(Value::Null));
                assert_eq!(mapping.keys().collect::<Vec<_>>(), keys[1..]);
            }
        }
    }
}
