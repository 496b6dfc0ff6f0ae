//! A node of a document together with the file that it stands in, which its references start from.

use crate::document::Value;

/// A node of one of the files of a [`super::DocumentLibrary`]; a clone costs a counter.
#[derive(Clone, Debug)]
pub struct DocumentNode {
    /// What the node says.
    pub value: Value,
    /// The file that it stands in; 0 is the document itself.
    pub file: u32,
}

impl DocumentNode {
    /// The value of `key`, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Self> {
        self.value.get(key).map(|value| self.with_value(value))
    }

    /// The text of `key`, if this is a mapping that has one there.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.value.get(key)?.as_str()
    }

    /// The truth value of `key`, if this is a mapping that has one there.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.value.get(key)?.as_bool()
    }

    /// The items, or none if this is no sequence.
    pub fn items(&self) -> impl ExactSizeIterator<Item = Self> {
        self.value.items().iter().map(|value| self.with_value(value))
    }

    /// The keys and values, or none if this is no mapping.
    pub fn entries(&self) -> impl Iterator<Item = (&str, Self)> {
        self.value.entries().map(|(key, value)| (key, self.with_value(value)))
    }

    /// Another node of the same file.
    pub(in crate::openapi) fn with_value(&self, value: &Value) -> Self {
        Self { value: value.clone(), file: self.file }
    }
}
