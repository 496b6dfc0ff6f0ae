//! What a check of a document leads to, and what it may take from the one before.

use super::EntitySchema;
use crate::{
    diag::Diagnostic,
    document::{NodePath, Value},
};

/// What is known of the document before this one.
pub trait PreviousItems {
    /// The entity that was read from this very node, and those nested in it, which follow; none if it has to be
    /// looked at. Parents are counted from the first of them, and paths are those of before.
    fn items(&self, entity: &'static EntitySchema, written: &Value) -> Option<Vec<CheckedItem>>;
}

/// Nothing is known.
impl PreviousItems for () {
    fn items(&self, _: &'static EntitySchema, _: &Value) -> Option<Vec<CheckedItem>> {
        None
    }
}

/// One entity of the document, its nested entities taken out.
#[derive(Clone, Debug)]
pub struct CheckedItem {
    /// What it is.
    pub entity: &'static EntitySchema,
    /// Its complete record; references are still as written, if it was not known before.
    pub record: Value,
    /// The entity that it was nested in.
    pub parent: Option<ParentEntity>,
    /// Where it stands.
    pub path: NodePath,
    /// What is written there.
    pub written: Value,
    /// Its place among the entities of before, if it is one of them.
    pub before: Option<usize>,
    /// Whether something was said about it, or about what it is nested with.
    pub noted: bool,
}

/// The entity that another one was nested in.
#[derive(Clone, Copy, Debug)]
pub struct ParentEntity {
    /// The field of the nested entity that refers to it.
    pub field: &'static str,
    /// Its place in [`CheckedDocument::items`].
    pub item: usize,
}

/// A document after its check.
#[derive(Debug, Default)]
pub struct CheckedDocument {
    /// All entities; one that holds others stands before them.
    pub items: Vec<CheckedItem>,
    /// What is wrong. If there are errors, the items are not to be used.
    pub diagnostics: Vec<Diagnostic>,
}
