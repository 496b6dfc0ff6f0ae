//! The previous configuration, from which the next one takes over entities whose text did not change.
//!
//! Equal nodes are recognised by their addresses in memory: [`share`](crate::document::share) makes the nodes that did not
//! change those of the previous document. The previous configuration keeps them alive, so that nothing new can have their
//! addresses.

use std::{cell::OnceCell, ops::Range, sync::Arc};

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::{
    document::{KnownText, TextLayout, Value},
    entity::{Entities, EntityRecord},
    schema::{CheckedItem, EntitySchema, ParentEntity, PreviousItems},
};

/// The document that a configuration was read from.
#[derive(Clone, Debug, Default)]
pub struct ConfigOrigin {
    /// The hash of its text.
    pub hash: String,
    /// The document, with values from the environment in place of expressions.
    pub document: Value,
    /// Whether the document is as written, without values from the environment.
    pub is_verbatim: bool,
    /// Whether no key is duplicated, and no other document follows.
    pub is_plain: bool,
    /// The same in Kong's own format 3.0.
    pub(super) value: Value,
    /// The positions of the nodes in its text, if they were recorded.
    pub layout: Option<Arc<TextLayout>>,
    /// The nodes of entities, by position in [`Entities::records`].
    pub(super) nodes: Vec<EntityNode>,
}

impl ConfigOrigin {
    /// What a reader of the next text can use of this one, if parts of the text can be read alone.
    #[must_use]
    pub fn known_text<'a>(&'a self, text: &'a str, layout: &'a TextLayout) -> Option<KnownText<'a>> {
        (self.is_verbatim && self.is_plain).then_some(KnownText { text, value: &self.document, layout })
    }
}

/// The node that an entity was read from.
#[derive(Clone, Debug)]
pub(super) struct EntityNode {
    pub(super) written: Value,
    pub(super) parent: Option<ParentEntity>,
    /// Whether an equal node always becomes the same entity: there are no diagnostics about it, and its id does not depend on
    /// other entities.
    pub(super) is_reusable: bool,
}

/// A configuration with the document that it was read from.
pub(super) struct PreviousConfig<'a> {
    pub(super) entities: &'a Entities,
    origin: &'a ConfigOrigin,
    /// Entities of the top level with those nested in them, as ranges of records, by the addresses of their nodes.
    trees: FxHashMap<usize, Range<usize>>,
    by_id: OnceCell<FxHashMap<(&'static str, &'a str), &'a EntityRecord>>,
}

impl<'a> PreviousConfig<'a> {
    /// Prepares a configuration for the next one to take entities from.
    pub(super) fn new(entities: &'a Entities, origin: &'a ConfigOrigin) -> Self {
        let mut trees = FxHashMap::with_capacity_and_hasher(origin.nodes.len(), FxBuildHasher);
        let mut first = 0;
        for tree in origin.nodes.chunk_by(|_, next| next.parent.is_some()) {
            let range = first..first + tree.len();
            first = range.end;
            if let Some(address) = tree.first().and_then(|node| node.written.address())
                && tree.iter().all(|node| node.is_reusable)
            {
                trees.insert(address, range);
            }
        }
        Self { entities, origin, trees, by_id: OnceCell::new() }
    }

    /// The entity with this id.
    pub(super) fn by_id(&self, collection: &'static str, id: &str) -> Option<&'a EntityRecord> {
        let all = || {
            let records = self.entities.records.iter();
            records.map(|record| ((record.collection(), record.id()), record)).collect()
        };
        self.by_id.get_or_init(all).get(&(collection, id)).copied()
    }
}

impl PreviousItems for PreviousConfig<'_> {
    fn items(&self, entity: &'static EntitySchema, written: &Value) -> Option<Vec<CheckedItem>> {
        let tree = self.trees.get(&written.address()?)?;
        let item = |position: usize| {
            let (record, node) = (self.entities.records.get(position)?, self.origin.nodes.get(position)?);
            Some(CheckedItem {
                entity: record.entity,
                record: record.value.clone(),
                parent: node.parent.map(|parent| ParentEntity { item: parent.item - tree.start, ..parent }),
                path: record.at.clone(),
                written: node.written.clone(),
                previous: Some(position),
                has_diagnostics: false,
            })
        };
        let items: Vec<CheckedItem> = tree.clone().map_while(item).collect();
        let is_of_kind = items.first().is_some_and(|item| item.entity == entity);
        (items.len() == tree.len() && is_of_kind).then_some(items)
    }
}
