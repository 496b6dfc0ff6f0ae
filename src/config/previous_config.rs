//! The configuration before: what is written as it was needs no second look, and becomes what it became.
//!
//! Everything here is known by where it stands in memory: [`share`](crate::document::share) makes the nodes that did
//! not change those of before. What is kept alive by the configuration before cannot be at the place of anything new.

use std::{cell::OnceCell, ops::Range, sync::Arc};

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::{
    document::{KnownText, TextLayout, Value},
    entity::{Entities, EntityRecord},
    schema::{CheckedItem, EntitySchema, ParentEntity, PreviousItems},
};

/// What a configuration was read from.
#[derive(Clone, Debug, Default)]
pub struct ConfigOrigin {
    /// The hash of its text.
    pub hash: String,
    /// What its text says, with values from the environment in their place.
    pub document: Value,
    /// Whether that is what is written, and no value came from the environment.
    pub is_verbatim: bool,
    /// Whether no key stands twice, and no other document follows.
    pub is_plain: bool,
    /// The same in Kong's own format 3.0.
    pub(super) value: Value,
    /// Where its text says so, if that was noted.
    pub layout: Option<Arc<TextLayout>>,
    /// By place in [`Entities::records`].
    pub(super) nodes: Vec<EntityNode>,
}

impl ConfigOrigin {
    /// What is known of its text for whoever reads the next one, if that may be known from a part of it.
    #[must_use]
    pub fn known<'a>(&'a self, text: &'a str, layout: &'a TextLayout) -> Option<KnownText<'a>> {
        (self.is_verbatim && self.is_plain).then_some(KnownText { text, value: &self.document, layout })
    }
}

/// What an entity was read from.
#[derive(Clone, Debug)]
pub(super) struct EntityNode {
    pub(super) written: Value,
    pub(super) parent: Option<ParentEntity>,
    /// Whether it becomes the same entity wherever the same is written: nothing has to be said about it, and its id
    /// does not depend on what else there is.
    pub(super) lasts: bool,
}

/// A configuration, and what it was read from.
pub(super) struct PreviousConfig<'a> {
    pub(super) entities: &'a Entities,
    origin: &'a ConfigOrigin,
    /// Entities of the top level, and those nested in them, by where their nodes stand in memory.
    trees: FxHashMap<usize, Range<usize>>,
    by_id: OnceCell<FxHashMap<(&'static str, &'a str), &'a EntityRecord>>,
}

impl<'a> PreviousConfig<'a> {
    /// What the next configuration may take from this one.
    pub(super) fn new(entities: &'a Entities, origin: &'a ConfigOrigin) -> Self {
        let mut trees = FxHashMap::with_capacity_and_hasher(origin.nodes.len(), FxBuildHasher);
        let mut first = 0;
        for tree in origin.nodes.chunk_by(|_, next| next.parent.is_some()) {
            let range = first..first + tree.len();
            first = range.end;
            if let Some(address) = tree.first().and_then(|it| it.written.address())
                && tree.iter().all(|it| it.lasts)
            {
                trees.insert(address, range);
            }
        }
        Self { entities, origin, trees, by_id: OnceCell::new() }
    }

    /// The entity of before with this id.
    pub(super) fn by_id(&self, collection: &'static str, id: &str) -> Option<&'a EntityRecord> {
        let all = || self.entities.records.iter().map(|it| ((it.collection(), it.id()), it)).collect();
        self.by_id.get_or_init(all).get(&(collection, id)).copied()
    }
}

impl PreviousItems for PreviousConfig<'_> {
    fn items(&self, entity: &'static EntitySchema, written: &Value) -> Option<Vec<CheckedItem>> {
        let tree = self.trees.get(&written.address()?)?;
        let item = |place: usize| {
            let (record, node) = (self.entities.records.get(place)?, self.origin.nodes.get(place)?);
            Some(CheckedItem {
                entity: record.entity,
                record: record.value.clone(),
                parent: node.parent.map(|it| ParentEntity { item: it.item - tree.start, ..it }),
                path: record.at.clone(),
                written: node.written.clone(),
                before: Some(place),
                noted: false,
            })
        };
        let items: Vec<CheckedItem> = tree.clone().map_while(item).collect();
        let whole =
            items.len() == tree.len() && items.first().is_some_and(|it| std::ptr::eq(it.entity, entity));
        whole.then_some(items)
    }
}
