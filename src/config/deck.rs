//! What decK adds to Kong's format, so that its files just load: defaults, tags, shared settings of plugins, and what
//! only a control plane understands. (decK: "Configuration file".)

use crate::{
    diag::Diagnostic,
    document::{Mapping, Path, Value},
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
            diagnostics.push(Diagnostic::warning(Path::root().key(key), note).key());
        }
    }
    let info = top.remove("_info").unwrap_or_default();
    let configs = top.remove("_plugin_configs").unwrap_or_default();
    let reducer = Reducer {
        tags: info.get("select_tags").cloned().unwrap_or_default(),
        defaults: info.get("defaults").cloned().unwrap_or_default(),
        configs,
    };
    reducer.collections(&mut top, &Path::root(), diagnostics);
    top.into()
}

struct Reducer {
    tags: Value,
    defaults: Value,
    configs: Value,
}

impl Reducer {
    /// Changes every entity below a record.
    fn collections(&self, record: &mut Mapping, at: &Path, diagnostics: &mut Vec<Diagnostic>) {
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

    fn entity(&self, given: &Mapping, kind: &str, at: &Path, diagnostics: &mut Vec<Diagnostic>) -> Value {
        let mut record = given.clone();
        if kind == "plugin"
            && let Some(name) = record.remove("_config")
        {
            let name = name.as_str().unwrap_or_default();
            match self.configs.get(name) {
                Some(shared) => {
                    let own = record.get("config").cloned().unwrap_or_default();
                    record.insert("config", merged(shared, &own));
                }
                None => {
                    let message = format!("_plugin_config \"{name}\" not found");
                    diagnostics.push(Diagnostic::error(at.key("_config"), message));
                }
            }
        }
        if let Some(defaults) = self.defaults.get(kind) {
            record = merged(defaults, &record.into()).into_mapping().unwrap_or_default();
        }
        if !self.tags.items().is_empty() {
            let own = record.get("tags").map(Value::items).unwrap_or_default();
            let tags: Vec<Value> = own.iter().chain(self.tags.items()).cloned().collect();
            record.insert("tags", tags);
        }
        self.collections(&mut record, at, diagnostics);
        record.into()
    }
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
