//! Conversion of decK's files to Kong's format: defaults, tags and shared settings of plugins are applied, and parts for a
//! control plane are left out. (decK: "Configuration file".)

use std::cell::Cell;

use crate::{
    diag::Diagnostic,
    document::{Mapping, NodePath, Value, distinct},
    entity::{self, TAGS, consumer, plugin},
    schema::EntitySchema,
};

/// Parts of a file that decK has and no data plane of Kong; they are left out with a warning.
const UNUSED: &[&str] = &[
    "_workspace",
    "_konnect",
    "consumer_groups",
    "partials",
    "custom_entities",
    "service_packages",
    "rbac_roles",
    "licenses",
    "cloned_plugins",
    "custom_plugins",
    "event_hooks",
];

/// The document in Kong's own format, with defaults, tags and shared settings in its entities.
pub(super) fn to_kongs_format(document: Value, diagnostics: &mut Vec<Diagnostic>) -> Value {
    let Some(top) = document.as_mapping() else { return document };
    let is_of_deck = |key: &str| key == "_info" || key == "_plugin_configs" || UNUSED.contains(&key);
    if !top.keys().any(is_of_deck) && !has_groups(top) {
        return document;
    }
    let mut top = top.clone();
    remove_groups(&mut top, diagnostics);
    for key in UNUSED {
        if top.remove(key).is_some() {
            let note = "decK's own; it is not used here";
            diagnostics.push(Diagnostic::warning(NodePath::root().key(key), note).key());
        }
    }
    let info = top.remove("_info").unwrap_or_default();
    let configs = top.remove("_plugin_configs").unwrap_or_default();
    let converter = DeckConverter {
        tags: info.get("select_tags").cloned().unwrap_or_default(),
        defaults: info.get("defaults").cloned().unwrap_or_default(),
        configs,
        added: Cell::new(0),
    };
    converter.convert_entities(&mut top, &NodePath::root(), diagnostics);
    top.into()
}

/// Whether a Consumer names its groups, which are parts for a control plane, too.
fn has_groups(top: &Mapping) -> bool {
    let consumers = top.get(consumer::ENTITY.collection).map(Value::items).unwrap_or_default();
    consumers.iter().any(|consumer| consumer.get(GROUPS).is_some())
}

/// Leaves out the groups of Consumers, with a warning about the first ones.
fn remove_groups(top: &mut Mapping, diagnostics: &mut Vec<Diagnostic>) {
    let list = NodePath::root().key(consumer::ENTITY.collection);
    let Some(Value::Sequence(items)) = top.get(consumer::ENTITY.collection) else { return };
    let mut first = None;
    let without_groups = |(n, item): (usize, &Value)| match item.as_mapping() {
        Some(given) if given.contains_key(GROUPS) => {
            first = first.or(Some(n));
            let mut consumer = given.clone();
            consumer.remove(GROUPS);
            Value::from(consumer)
        }
        _ => item.clone(),
    };
    let items: Vec<Value> = items.iter().enumerate().map(without_groups).collect();
    if let Some(n) = first {
        top.insert(consumer::ENTITY.collection, items);
        let note = "groups of consumers are decK's own; they are not used here";
        diagnostics.push(Diagnostic::warning(list.index(n).key(GROUPS), note).key());
    }
}

const GROUPS: &str = "groups";

/// How many values of defaults, tags and shared settings all entities together may get: a few bytes of a file are multiplied
/// by the number of its entities.
const MOST_ADDED: usize = 4_000_000;

struct DeckConverter {
    tags: Value,
    defaults: Value,
    configs: Value,
    /// How many values were added to entities so far.
    added: Cell<usize>,
}

impl DeckConverter {
    /// Counts values that are added to an entity; false, and an error once, if there are too many.
    fn can_add(&self, value: &Value, at: &NodePath, diagnostics: &mut Vec<Diagnostic>) -> bool {
        let added = self.added.get();
        if added > MOST_ADDED {
            return false;
        }
        self.added.set(added + size(value, MOST_ADDED - added));
        if self.added.get() > MOST_ADDED {
            let message =
                format!("defaults, tags and shared settings add more than {MOST_ADDED} values to entities");
            diagnostics.push(Diagnostic::error(at.clone(), message));
            return false;
        }
        true
    }

    /// Converts every entity below a record.
    fn convert_entities(&self, record: &mut Mapping, at: &NodePath, diagnostics: &mut Vec<Diagnostic>) {
        for kind in entity::kinds().filter(|kind| kind.has_deck_defaults) {
            let Some(Value::Sequence(items)) = record.get(kind.collection) else { continue };
            let at = at.key(kind.collection);
            let convert = |(n, item): (usize, &Value)| match item.as_mapping() {
                Some(entity) => self.entity(entity, kind, &at.index(n), diagnostics),
                None => item.clone(),
            };
            let items: Vec<Value> = items.iter().enumerate().map(convert).collect();
            record.insert(kind.collection, items);
        }
    }

    fn entity(
        &self,
        given: &Mapping,
        kind: &EntitySchema,
        at: &NodePath,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Value {
        let mut record = given.clone();
        if kind == &plugin::ENTITY
            && let Some(name) = record.remove("_config")
        {
            let name = name.as_str().unwrap_or_default();
            match self.configs.get(name) {
                Some(shared) if self.can_add(shared, at, diagnostics) => {
                    let own = record.get(plugin::CONFIG.name).cloned().unwrap_or_default();
                    record.insert(plugin::CONFIG.name, merged(shared, &own));
                }
                Some(_) => {}
                None => {
                    let message = format!("_plugin_config \"{name}\" not found");
                    diagnostics.push(Diagnostic::error(at.key("_config"), message));
                }
            }
        }
        if let Some(defaults) = self.defaults.get(kind.singular())
            && self.can_add(defaults, at, diagnostics)
        {
            record = merged(defaults, &record.into()).into_mapping().unwrap_or_default();
        }
        if !self.tags.items().is_empty() && self.can_add(&self.tags, at, diagnostics) {
            let own = record.get(TAGS.name).map(Value::items).unwrap_or_default();
            let tags: Vec<Value> = own.iter().chain(self.tags.items()).cloned().collect();
            record.insert(TAGS.name, distinct(tags));
        }
        self.convert_entities(&mut record, at, diagnostics);
        record.into()
    }
}

/// How many values a value contains, including itself. The count stops soon after `most`.
fn size(value: &Value, most: usize) -> usize {
    let mut total = 1;
    let mut count = |value: &Value| {
        if total <= most {
            total += size(value, most - total);
        }
    };
    match value {
        Value::Sequence(items) => items.iter().for_each(&mut count),
        Value::Mapping(members) => members.iter().for_each(|(_, value)| count(value)),
        _ => (),
    }
    total
}

/// One value laid over another: where both have a value, the upper one counts, at every depth.
fn merged(below: &Value, above: &Value) -> Value {
    match (below, above) {
        (Value::Mapping(below), Value::Mapping(above)) => {
            let mut all = Mapping::clone(below);
            for (key, value) in above.iter() {
                let value = below.get(key).map_or_else(|| value.clone(), |lower| merged(lower, value));
                all.insert(key, value);
            }
            all.into()
        }
        (below, Value::Null) => below.clone(),
        (_, above) => above.clone(),
    }
}
