//! What decK adds to Kong's format, so that its files just load: defaults, tags, shared settings of plugins, and what
//! only a control plane understands. (decK: "Configuration file".)

use std::cell::Cell;

use crate::{
    diag::Diagnostic,
    document::{Mapping, NodePath, Value, distinct},
};

/// What decK knows and no data plane of Kong: read over, with a note.
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

/// The collections that defaults and tags are for, each with the name that `_info.defaults` has for its entities.
const COLLECTIONS: &[(&str, &str)] = &[
    ("services", "service"),
    ("routes", "route"),
    ("upstreams", "upstream"),
    ("targets", "target"),
    ("plugins", "plugin"),
    ("consumers", "consumer"),
    ("certificates", "certificate"),
    ("snis", "sni"),
    ("ca_certificates", "ca_certificate"),
    ("vaults", "vault"),
];

/// The document in Kong's own format: defaults, tags and shared settings where they belong, the rest left out.
pub(super) fn reduce(document: Value, diagnostics: &mut Vec<Diagnostic>) -> Value {
    let Some(top) = document.as_mapping() else { return document };
    let known = |key: &str| key == "_info" || key == "_plugin_configs" || UNUSED.contains(&key);
    if !top.keys().any(known) {
        return document;
    }
    let mut top = top.clone();
    for key in UNUSED {
        if top.remove(key).is_some() {
            let note = "decK's own; it is not used here";
            diagnostics.push(Diagnostic::warning(NodePath::root().key(key), note).key());
        }
    }
    let info = top.remove("_info").unwrap_or_default();
    let configs = top.remove("_plugin_configs").unwrap_or_default();
    let reducer = Reducer {
        tags: info.get("select_tags").cloned().unwrap_or_default(),
        defaults: info.get("defaults").cloned().unwrap_or_default(),
        configs,
        added: Cell::new(0),
    };
    reducer.collections(&mut top, &NodePath::root(), diagnostics);
    top.into()
}

/// All entities together get at most so many values of defaults, tags and shared settings: a file has few bytes for what
/// each of its entities is given.
const MOST_ADDED: usize = 4_000_000;

struct Reducer {
    tags: Value,
    defaults: Value,
    configs: Value,
    /// How many values were given to entities so far.
    added: Cell<usize>,
}

impl Reducer {
    /// Counts values that an entity is given; false, and an error once, if there are too many.
    fn may_add(&self, value: &Value, at: &NodePath, diagnostics: &mut Vec<Diagnostic>) -> bool {
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

    /// Changes every entity below a record.
    fn collections(&self, record: &mut Mapping, at: &NodePath, diagnostics: &mut Vec<Diagnostic>) {
        for (collection, kind) in COLLECTIONS {
            let Some(Value::Sequence(items)) = record.get(collection) else { continue };
            let at = at.key(collection);
            let change = |(n, item): (usize, &Value)| match item.as_mapping() {
                Some(entity) => self.entity(entity, kind, &at.index(n), diagnostics),
                None => item.clone(),
            };
            let items: Vec<Value> = items.iter().enumerate().map(change).collect();
            record.insert(*collection, items);
        }
    }

    fn entity(&self, given: &Mapping, kind: &str, at: &NodePath, diagnostics: &mut Vec<Diagnostic>) -> Value {
        let mut record = given.clone();
        if kind == "plugin"
            && let Some(name) = record.remove("_config")
        {
            let name = name.as_str().unwrap_or_default();
            match self.configs.get(name) {
                Some(shared) if self.may_add(shared, at, diagnostics) => {
                    let own = record.get("config").cloned().unwrap_or_default();
                    record.insert("config", merged(shared, &own));
                }
                Some(_) => {}
                None => {
                    let message = format!("_plugin_config \"{name}\" not found");
                    diagnostics.push(Diagnostic::error(at.key("_config"), message));
                }
            }
        }
        if let Some(defaults) = self.defaults.get(kind)
            && self.may_add(defaults, at, diagnostics)
        {
            record = merged(defaults, &record.into()).into_mapping().unwrap_or_default();
        }
        if !self.tags.items().is_empty() && self.may_add(&self.tags, at, diagnostics) {
            let own = record.get("tags").map(Value::items).unwrap_or_default();
            let tags: Vec<Value> = own.iter().chain(self.tags.items()).cloned().collect();
            record.insert("tags", distinct(tags));
        }
        self.collections(&mut record, at, diagnostics);
        record.into()
    }
}

/// How many values a value holds, itself among them; more than `most` are not counted to their end.
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

/// One record over another: what it says counts, at every depth.
fn merged(below: &Value, above: &Value) -> Value {
    match (below, above) {
        (Value::Mapping(below), Value::Mapping(above)) => {
            let mut all = Mapping::clone(below);
            for (key, value) in above.iter() {
                let value = below.get(key).map_or_else(|| value.clone(), |under| merged(under, value));
                all.insert(key, value);
            }
            all.into()
        }
        (below, Value::Null) => below.clone(),
        (_, above) => above.clone(),
    }
}
