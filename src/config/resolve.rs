//! Names get their meaning: checked records get their ids, references find what they name, and what exists twice
//! is refused.

use std::collections::HashMap;

use crate::{
    diag::Diagnostic,
    document::{Mapping, Path, Value},
    entity::{Entities, Plugin, Route, RouteIndex, Scope, Service, ServiceIndex, entity_id},
    schema::{Item, Kind},
};

/// Turns checked items into entities.
pub(super) fn resolve(items: Vec<Item>, now: i64) -> (Entities, Vec<Diagnostic>) {
    let mut resolver = Resolver {
        items,
        now,
        ids: Vec::new(),
        names: HashMap::new(),
        found: HashMap::new(),
        diagnostics: Vec::new(),
    };
    resolver.identify();
    resolver.refer();
    let entities = if resolver.diagnostics.is_empty() { resolver.entities() } else { Entities::default() };
    (entities, resolver.diagnostics)
}

struct Resolver {
    items: Vec<Item>,
    now: i64,
    /// The id of each item.
    ids: Vec<String>,
    /// Items by collection and name.
    names: HashMap<(&'static str, String), usize>,
    /// Items by collection and id.
    found: HashMap<(&'static str, String), usize>,
    diagnostics: Vec<Diagnostic>,
}

impl Resolver {
    /// Gives every item its id, and refuses names and ids that stand twice.
    fn identify(&mut self) {
        let mut unnamed: HashMap<String, usize> = HashMap::new();
        for n in 0..self.items.len() {
            let id = self.id(n, &mut unnamed);
            let Item { entity, record, path, .. } = &self.items[n];
            let collection = entity.collection;
            let unique = if collection == "plugins" { "instance_name" } else { "name" };
            if let Some(name) = record.get(unique).and_then(Value::as_str)
                && let Some(first) = self.names.insert((collection, name.to_owned()), n)
            {
                let message = format!(
                    "uniqueness violation: '{collection}' entity with {unique} set to '{name}' already declared"
                );
                let first = &self.items[first].path;
                let help = format!("the first one is {first}");
                self.diagnostics.push(Diagnostic::error(path.key(unique), message).help(help));
            } else if let Some(first) = self.found.insert((collection, id.clone()), n) {
                let message = format!(
                    "uniqueness violation: '{collection}' entity with primary key set to '{id}' already declared"
                );
                let help = format!("the first one is {}", self.items[first].path);
                self.diagnostics.push(Diagnostic::error(path.clone(), message).help(help));
            }
            self.ids.push(id);
        }
    }

    fn id(&self, n: usize, unnamed: &mut HashMap<String, usize>) -> String {
        let Item { entity, record, parent, .. } = &self.items[n];
        if let Some(id) = record.get("id").and_then(Value::as_str) {
            return id.to_owned();
        }
        let collection = entity.collection;
        let name = record.get("name").and_then(Value::as_str);
        let key = if collection == "plugins" {
            // A parent fills its slot with its id, a reference with what is written: so do Kong's ids.
            let slot = |field| match parent {
                Some(parent) if parent.field == field => self.ids[parent.item].clone(),
                _ => record.get(field).and_then(Value::as_str).unwrap_or_default().to_owned(),
            };
            format!(
                "plugins:*:{}:{}:{}:{}",
                name.unwrap_or_default(),
                slot("route"),
                slot("service"),
                slot("consumer")
            )
        } else if let Some(name) = name {
            name.to_owned()
        } else {
            // ours: Kong gives an entity without a name another id at each load. What it says, and how many say the
            // same before it, stays.
            let parent = parent.map_or("", |parent| &self.ids[parent.item]);
            let text = format!("{parent} {}", Value::from(record.clone()).to_json());
            let before = unnamed.entry(text.clone()).or_default();
            *before += 1;
            format!("{text}#{before}")
        };
        entity_id(collection, &key).to_string()
    }

    /// Puts `{id: ...}` where a reference is, and the id and time stamps into each record.
    fn refer(&mut self) {
        for n in 0..self.items.len() {
            let mut record = std::mem::take(&mut self.items[n].record);
            for field in self.items[n].entity.fields {
                if let Kind::Foreign(collection) = field.kind
                    && let Some(id) = self.reference(n, &record, field.name, collection)
                {
                    let reference: Mapping = [("id", Value::from(id))].into_iter().collect();
                    record.insert(field.name, reference);
                }
            }
            record.insert("id", self.ids[n].as_str());
            for stamp in ["created_at", "updated_at"] {
                if record.get(stamp).is_none_or(Value::is_null) {
                    record.insert(stamp, self.now);
                }
            }
            self.items[n].record = record;
        }
    }

    fn reference(
        &mut self,
        n: usize,
        record: &Mapping,
        field: &'static str,
        collection: &'static str,
    ) -> Option<String> {
        let Item { parent, path, .. } = &self.items[n];
        if let Some(parent) = parent.filter(|parent| parent.field == field) {
            return Some(self.ids[parent.item].clone());
        }
        let name = record.get(field)?.as_str()?;
        let key = (collection, name.to_owned());
        if let Some(item) = self.names.get(&key).or_else(|| self.found.get(&key)) {
            return Some(self.ids[*item].clone());
        }
        let message = format!("invalid reference '{field}: {name}' (no such entry in '{collection}')");
        let known: Vec<&str> =
            self.names.keys().filter(|(it, _)| *it == collection).map(|(_, name)| name.as_str()).collect();
        let mut diagnostic = Diagnostic::error(path.key(field), message);
        if let Some(near) = crate::schema::nearest(name, known) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        }
        self.diagnostics.push(diagnostic);
        None
    }

    fn entities(&mut self) -> Entities {
        let mut entities = Entities::default();
        let mut places: HashMap<String, usize> = HashMap::new();
        let [services, routes, plugins] =
            ["services", "routes", "plugins"].map(|collection| take(&mut self.items, collection));
        for (record, path) in services {
            places.insert(key("services", &record), entities.services.len());
            entities.services.push(Service::new(&record, &path));
        }
        for (record, path) in routes {
            places.insert(key("routes", &record), entities.routes.len());
            let service = target("services", &record, "service", &places).map(ServiceIndex);
            entities.routes.push(Route::new(&record, service, &path));
        }
        for (record, path) in plugins {
            let scope = Scope {
                route: target("routes", &record, "route", &places).map(RouteIndex),
                service: target("services", &record, "service", &places).map(ServiceIndex),
            };
            entities.plugins.push(Plugin::new(&record, scope, &path));
        }
        entities
    }
}

/// The records of a collection, in file order.
fn take(items: &mut [Item], collection: &str) -> Vec<(Value, Path)> {
    let these = items.iter_mut().filter(|item| item.entity.collection == collection);
    these.map(|item| (std::mem::take(&mut item.record).into(), std::mem::take(&mut item.path))).collect()
}

fn key(collection: &str, record: &Value) -> String {
    format!("{collection} {}", record.get("id").and_then(Value::as_str).unwrap_or_default())
}

/// The place of the entity that a field refers to.
fn target(collection: &str, record: &Value, field: &str, places: &HashMap<String, usize>) -> Option<usize> {
    let reference = record.get(field)?;
    places.get(&key(collection, reference)).copied()
}
