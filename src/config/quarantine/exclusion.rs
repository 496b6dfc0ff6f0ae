//! Exclusion of entities from checked items: those with errors, and what depends on them.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{
    EntityFaults, Quarantine, QuarantineContext, QuarantinedEntity, RouteFence,
    credential_block::credential_blocks,
    effects::{
        ALL_BLOCKED, CONSUMER_BLOCKED, DISABLED, LAST_GOOD, ONLY_LOGS, SCOPE_BLOCKED, left_out_effect,
    },
    written::{entity_name, is_disabled, may_hide_entities, nested_routes, reference_text, text, top_steps},
};
use crate::{
    config::resolve::derived_ids,
    diag::Diagnostic,
    document::{Mapping, NodePath, Value},
    entity::{ID, Route, acl, plugin, reference, route, service, upstream},
    schema::{CheckedItem, EntitySchema, ParentEntity},
};

/// The name of a plugin that has none.
const UNNAMED: &str = "(unnamed)";

/// The plugin that reads the groups of Consumers.
const ACL_PLUGIN: &str = "acl";

/// Items without those that have errors.
pub(super) struct Exclusion {
    pub(super) items: Vec<CheckedItem>,
    pub(super) quarantine: Quarantine,
    /// Items that stand in for plugins, by path: only their scope is real.
    pub(super) blocked: HashMap<NodePath, String>,
}

/// What becomes of an item.
enum Fate {
    Keep,
    /// It is replaced by this one.
    Replace(CheckedItem),
    Drop,
}

impl Exclusion {
    /// # Errors
    /// An entity has errors with every substitute.
    pub(super) fn new(
        items: &[CheckedItem],
        faults: &HashMap<NodePath, EntityFaults>,
        context: &QuarantineContext<'_>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut excluder = Excluder {
            items,
            faults,
            context,
            ids: HashMap::new(),
            fates: items.iter().map(|_| Fate::Keep).collect(),
            causes: vec![None; items.len()],
            dropped_names: HashSet::new(),
            quarantine: Quarantine::default(),
            blocked: HashMap::new(),
        };
        if !faults.is_empty() {
            excluder.ids = derived_ids(items.iter().map(with_written_names).collect());
            for n in 0..items.len() {
                excluder.judge(n)?;
            }
            while excluder.drop_dependents() {}
            excluder.add_fences();
            excluder.block_credentials();
        }
        Ok(excluder.finish())
    }
}

/// The item with its record as written if the check has made none.
fn with_written_names(item: &CheckedItem) -> CheckedItem {
    let is_unchecked = item.record.as_mapping().is_some_and(Mapping::is_empty);
    let record = if is_unchecked { item.written.clone() } else { item.record.clone() };
    CheckedItem { record, ..item.clone() }
}

struct Excluder<'a, 'c> {
    items: &'a [CheckedItem],
    faults: &'a HashMap<NodePath, EntityFaults>,
    context: &'a QuarantineContext<'c>,
    /// Ids by path.
    ids: HashMap<NodePath, String>,
    fates: Vec<Fate>,
    /// The entity with errors because of which an item is dropped.
    causes: Vec<Option<usize>>,
    /// Collections, and names or ids, of what is dropped.
    dropped_names: HashSet<(&'static str, String)>,
    quarantine: Quarantine,
    blocked: HashMap<NodePath, String>,
}

impl Excluder<'_, '_> {
    /// Decides what becomes of an item with errors.
    fn judge(&mut self, n: usize) -> Result<(), Vec<Diagnostic>> {
        let item = &self.items[n];
        let Some(faults) = self.faults.get(&item.path) else { return Ok(()) };
        let Some(first) = faults.errors.first() else { return Ok(()) };
        let last_good = self.last_good(n);
        let substitutes = usize::from(last_good.is_some());
        let effect = if let Some(last_good) = last_good.filter(|_| faults.strikes == 1) {
            self.fates[n] = Fate::Replace(last_good);
            LAST_GOOD
        } else if item.entity == &plugin::ENTITY || item.entity == &acl::ENTITY {
            self.block(n, faults.strikes - substitutes)
        } else {
            self.drop_item(n, n);
            left_out_effect(item.entity)
        };
        // A plugin has two more substitutes: one with its scope, and one for all requests.
        if faults.strikes > substitutes + 2 {
            return Err(faults.errors.clone());
        }
        self.quarantine.entities.push(QuarantinedEntity {
            entity: item.entity,
            name: entity_name(item),
            at: item.path.clone(),
            error: first.clone(),
            effect,
        });
        Ok(())
    }

    /// Replaces a plugin by a stand-in with the same scope; at the second strike, for all requests.
    fn block(&mut self, n: usize, strikes: usize) -> &'static str {
        let item = &self.items[n];
        let is_acl = item.entity == &acl::ENTITY;
        let name = if is_acl { ACL_PLUGIN } else { text(&item.written, &plugin::NAME).unwrap_or(UNNAMED) };
        let is_disabled =
            item.written.get(plugin::ENABLED.name).and_then(Value::as_bool) == Some(false) && !is_acl;
        if is_disabled || (!is_acl && self.context.plugins.only_logs(name)) {
            self.drop_item(n, n);
            return if is_disabled { DISABLED } else { ONLY_LOGS };
        }
        let has_scope = strikes <= 1;
        let mut record = Mapping::default();
        record.insert(
            ID.name,
            Uuid::new_v5(&Uuid::NAMESPACE_URL, item.path.to_string().as_bytes()).to_string(),
        );
        record.insert(plugin::NAME.name, name);
        record.insert(plugin::ENABLED.name, true);
        if has_scope {
            for (field, _) in plugin::ENTITY.references() {
                let written = item.written.get(field.name).filter(|value| !value.is_null());
                if let Some(value) = written {
                    // A reference that cannot be read leads nowhere, so that the next stand-in is for all requests.
                    let target = reference_text(value).unwrap_or("(unreadable)");
                    record.insert(field.name, target);
                }
            }
        }
        let parent = item.parent.filter(|_| has_scope);
        self.blocked.insert(item.path.clone(), name.to_owned());
        self.fates[n] = Fate::Replace(CheckedItem {
            entity: &plugin::ENTITY,
            record: record.into(),
            parent,
            previous: None,
            has_diagnostics: true,
            ..item.clone()
        });
        match (has_scope, is_acl) {
            (true, true) => CONSUMER_BLOCKED,
            (true, false) => SCOPE_BLOCKED,
            (false, _) => ALL_BLOCKED,
        }
    }

    /// The item with the record that the entity has in the previous configuration, if it had one that can take its place.
    fn last_good(&self, n: usize) -> Option<CheckedItem> {
        let item = &self.items[n];
        // The stored hash of a password would be hashed again. What is nested in the entity, such as its guards, must be known.
        if item.entity.hashed_fields().next().is_some() || may_hide_entities(item) {
            return None;
        }
        let last = self.context.previous.by_id(item.entity.collection, self.ids.get(&item.path)?)?;
        let mut record = last.value.as_mapping()?.clone();
        let is_plugin = item.entity == &plugin::ENTITY;
        if is_plugin {
            let is_enabled = last.value.get(plugin::ENABLED.name).and_then(Value::as_bool) == Some(true);
            if !is_enabled || last.text(&plugin::NAME) != text(&item.written, &plugin::NAME) {
                return None;
            }
        }
        for (field, _) in item.entity.references() {
            let is_parent = item.parent.is_some_and(|parent| parent.field == field.name);
            // A plugin guards what the text now says that it guards.
            let target = if is_parent {
                None
            } else if is_plugin {
                item.written
                    .get(field.name)
                    .filter(|value| !value.is_null())
                    .map(|value| reference_text(value).unwrap_or("(unreadable)"))
            } else {
                reference(&last.value, field)
            };
            record.insert(field.name, target.map_or(Value::Null, Value::from));
        }
        Some(CheckedItem { record: record.into(), previous: None, has_diagnostics: true, ..item.clone() })
    }

    fn drop_item(&mut self, n: usize, cause: usize) {
        self.fates[n] = Fate::Drop;
        self.causes[n] = Some(cause);
        let item = &self.items[n];
        self.drop_names(item.entity, &item.written, self.ids.get(&item.path).cloned());
        // Entities nested in one that could not be checked are no items.
        for (_, nested) in nested_routes(item) {
            self.drop_names(&route::ENTITY, nested, None);
        }
    }

    fn drop_names(&mut self, entity: &'static EntitySchema, written: &Value, id: Option<String>) {
        let fields = entity.unique_in_files().chain([&ID]);
        let names = fields.filter_map(|field| written.get(field.name)?.as_str().map(str::to_owned));
        self.dropped_names.extend(names.chain(id).map(|name| (entity.collection, name)));
    }

    /// Drops what depends on what is dropped; true if there was something.
    fn drop_dependents(&mut self) -> bool {
        let mut has_dropped = false;
        for n in 0..self.items.len() {
            if matches!(self.fates[n], Fate::Drop) {
                continue;
            }
            let cause = self.dropped_parent(n).or_else(|| self.dropped_target(n));
            if let Some(cause) = cause {
                self.blocked.remove(&self.items[n].path);
                self.drop_item(n, cause);
                has_dropped = true;
            }
        }
        has_dropped
    }

    fn dropped_parent(&self, n: usize) -> Option<usize> {
        self.causes[self.current(n).parent?.item]
    }

    /// The item as it stands now.
    fn current(&self, n: usize) -> &CheckedItem {
        match &self.fates[n] {
            Fate::Replace(item) => item,
            Fate::Keep | Fate::Drop => &self.items[n],
        }
    }

    /// The cause why an entity is dropped to which an item refers, if no other one has its name.
    fn dropped_target(&self, n: usize) -> Option<usize> {
        let item = self.current(n);
        let is_replaced = matches!(self.fates[n], Fate::Replace(_));
        let record = if is_replaced { &item.record } else { &item.written };
        let mut names: Vec<(&'static EntitySchema, &str)> = item
            .entity
            .references()
            .filter_map(|(field, target)| Some((target, reference_text(record.get(field.name)?)?)))
            .collect();
        // A Service uses an Upstream by its host.
        if item.entity == &service::ENTITY
            && let Some(host) = text(&item.record, &service::HOST)
        {
            names.push((&upstream::ENTITY, host));
        }
        names.into_iter().find_map(|(target, name)| self.dropped_cause(target, name))
    }

    fn dropped_cause(&self, entity: &'static EntitySchema, name: &str) -> Option<usize> {
        if !self.dropped_names.contains(&(entity.collection, name.to_owned())) {
            return None;
        }
        let has_name = |n: &usize| {
            let item = &self.items[*n];
            let fields = item.entity.unique_in_files().chain([&ID]);
            item.entity == entity
                && (fields.into_iter().any(|field| text(&item.written, field) == Some(name))
                    || self.ids.get(&item.path).is_some_and(|id| id == name))
        };
        let mut named = (0..self.items.len()).filter(has_name).peekable();
        if named.peek().is_none() {
            // A route of a Service that could not be checked.
            let is_holder = |n: &usize| {
                nested_routes(&self.items[*n]).any(|(_, nested)| {
                    text(nested, &route::NAME) == Some(name) || text(nested, &ID) == Some(name)
                })
            };
            return (0..self.items.len()).find(is_holder).and_then(|n| self.causes[n]);
        }
        let named: Vec<usize> = named.collect();
        // Another entity of the name that is kept is the target.
        named.iter().all(|n| matches!(self.fates[*n], Fate::Drop)).then(|| self.causes[named[0]]).flatten()
    }

    /// Refuses the requests of routes that are dropped, and of last good versions whose criteria have changed.
    fn add_fences(&mut self) {
        let checked: HashSet<&NodePath> = self.items.iter().map(|item| &item.path).collect();
        let mut fences = Vec::new();
        for (n, item) in self.items.iter().enumerate() {
            if item.entity == &service::ENTITY && matches!(self.fates[n], Fate::Drop) && !is_disabled(item) {
                let hidden = nested_routes(item).filter(|(at, _)| !checked.contains(at));
                fences.extend(hidden.map(|(at, nested)| self.fence(n, nested, &at)));
            }
            if item.entity != &route::ENTITY {
                continue;
            }
            match &self.fates[n] {
                Fate::Keep => {}
                Fate::Drop => {
                    let cause = self.causes[n].unwrap_or(n);
                    if !is_disabled(&self.items[cause]) {
                        fences.push(self.fence(n, &item.written, &item.path));
                    }
                }
                Fate::Replace(last_good) => {
                    let fence = self.fence(n, &item.written, &item.path);
                    let last = Route::new(&last_good.record, None, &item.path);
                    if !fence.equals(&last) {
                        fences.extend(fence.below_equals().around(&last));
                    }
                }
            }
        }
        self.quarantine.fences = fences;
    }

    /// Refuses the requests of credentials that are dropped.
    fn block_credentials(&mut self) {
        let dropped = (0..self.items.len()).filter(|n| matches!(self.fates[*n], Fate::Drop));
        let blocks = dropped.flat_map(|n| credential_blocks(&self.items[n], &self.message(n)));
        self.quarantine.credentials = blocks.collect();
    }

    /// Message for clients whose requests an item concerns that is dropped or replaced.
    fn message(&self, n: usize) -> String {
        let cause = &self.items[self.causes[n].unwrap_or(n)];
        format!("the {} '{}' is quarantined", cause.entity.singular(), entity_name(cause))
    }

    fn fence(&self, n: usize, written: &Value, at: &NodePath) -> RouteFence {
        let message = self.message(n);
        let errors = self.faults.get(at).map(|faults| &*faults.errors).unwrap_or_default();
        RouteFence::new(written, at, errors, self.context.plugins, message)
    }

    fn finish(self) -> Exclusion {
        let tops: HashSet<_> = self
            .items
            .iter()
            .zip(&self.fates)
            .filter(|(_, fate)| !matches!(fate, Fate::Keep))
            .map(|(item, _)| top_steps(item))
            .collect();
        let mut positions = Vec::with_capacity(self.items.len());
        let mut items = Vec::with_capacity(self.items.len());
        for (item, fate) in self.items.iter().zip(self.fates) {
            positions.push(items.len());
            let mut item = match fate {
                Fate::Keep => item.clone(),
                Fate::Replace(other) => other,
                Fate::Drop => continue,
            };
            item.parent = item.parent.map(|parent| ParentEntity { item: positions[parent.item], ..parent });
            // The next load must look at the whole entry again.
            item.has_diagnostics |= tops.contains(&top_steps(&item));
            items.push(item);
        }
        Exclusion { items, quarantine: self.quarantine, blocked: self.blocked }
    }
}
