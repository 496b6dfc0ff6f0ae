//! Checked document: the items that a check found, and those taken over from the previous document.

use super::EntitySchema;
use crate::{
    diag::Diagnostic,
    document::{NodePath, Value},
};

/// The entities of the previous document, for a check that takes over those that did not change.
pub trait PreviousItems {
    /// The entity that was read from this very node, followed by those nested in it; `None` if it must be checked. Parents
    /// are counted from the first of them, and paths are those of the previous document.
    fn items(&self, entity: &'static EntitySchema, written: &Value) -> Option<Vec<CheckedItem>>;
}

/// No previous document.
impl PreviousItems for () {
    fn items(&self, _: &'static EntitySchema, _: &Value) -> Option<Vec<CheckedItem>> {
        None
    }
}

/// One entity of the document, without those nested in it.
#[derive(Clone, Debug)]
pub struct CheckedItem {
    /// Its kind.
    pub entity: &'static EntitySchema,
    /// Its complete record. References are as written, or `{id: ...}` if the item is taken over.
    pub record: Value,
    /// The entity that it was nested in.
    pub parent: Option<ParentEntity>,
    /// Its path in the document.
    pub path: NodePath,
    /// Its node in the document.
    pub written: Value,
    /// Its position among the entities of the previous document, if it is taken over.
    pub previous: Option<usize>,
    /// Whether there are diagnostics about it, or about an entity that it is nested with.
    pub has_diagnostics: bool,
}

/// The entity that another one was nested in.
#[derive(Clone, Copy, Debug)]
pub struct ParentEntity {
    /// The field of the nested entity that refers to it.
    pub field: &'static str,
    /// Its position in [`CheckedDocument::items`].
    pub item: usize,
}

/// A document after its check.
#[derive(Debug, Default)]
pub struct CheckedDocument {
    /// All entities; an entity stands before those that were nested in it.
    pub items: Vec<CheckedItem>,
    /// What is wrong. If there are errors, the items must not be used.
    pub diagnostics: Vec<Diagnostic>,
}
