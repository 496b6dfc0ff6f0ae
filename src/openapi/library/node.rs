//! Node of a document with the file that contains it, which is the base of its references.

use crate::document::Value;

/// Node in one of the files of a [`super::DocumentLibrary`]. A clone shares the value.
#[derive(Clone, Debug)]
pub struct DocumentNode {
    /// The value of the node.
    pub value: Value,
    /// The index of its file; 0 is the document itself.
    pub file: u32,
}

impl DocumentNode {
    /// The value of `key`, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Self> {
        self.value.get(key).map(|value| self.with_value(value))
    }

    /// The string under `key`, if this is a mapping that has one.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.value.get(key)?.as_str()
    }

    /// The boolean under `key`, if this is a mapping that has one.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.value.get(key)?.as_bool()
    }

    /// The items; empty if this is not a sequence.
    pub fn items(&self) -> impl ExactSizeIterator<Item = Self> {
        self.value.items().iter().map(|value| self.with_value(value))
    }

    /// The keys and values; empty if this is not a mapping.
    pub fn entries(&self) -> impl Iterator<Item = (&str, Self)> {
        self.value.entries().map(|(key, value)| (key, self.with_value(value)))
    }

    /// A node of the same file with another value.
    pub(in crate::openapi) fn with_value(&self, value: &Value) -> Self {
        Self { value: value.clone(), file: self.file }
    }
}
