//! Names get their meaning: checked records get their ids, references find what they name, and what exists twice
//! is refused.

use std::collections::HashMap;

use super::collect::Collector;
use crate::{
    diag::Diagnostic,
    document::{Mapping, Path, Value},
    entity::{Entities, entity_id},
    schema::{Item, Kind},
};

/// Turns checked items into entities.
pub(super) fn resolve(items: Vec<Item>, now: i64) -> (Entities, Vec<Diagnostic>) {
    let mut resolver = Resolver {
        items,
        now,
        ids: Vec::new(),
        unique: HashMap::new(),
        found: HashMap::new(),
        diagnostics: Vec::new(),
    };
    resolver.identify();
    resolver.refer();
    if !resolver.diagnostics.is_empty() {
        return (Entities::default(), resolver.diagnostics);
    }
    Collector::new(resolver.items).entities()
}

struct Resolver {
    items: Vec<Item>,
    now: i64,
    /// The id of each item.
    ids: Vec<String>,
    /// Items by collection, unique field and its value.
    unique: HashMap<(&'static str, &'static str, String), usize>,
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
            if !self.stands_twice(n)
                && let Some(first) = self.found.insert((self.items[n].entity.collection, id.clone()), n)
            {
                let collection = self.items[n].entity.collection;
                let message = format!(
                    "uniqueness violation: '{collection}' entity with primary key set to '{id}' already declared"
                );
                self.refuse_second(self.items[n].path.clone(), message, first);
            }
            self.ids.push(id);
        }
    }

    /// Notes the values of unique fields, and refuses those that another item has.
    fn stands_twice(&mut self, n: usize) -> bool {
        let mut twice = false;
        let collection = self.items[n].entity.collection;
        for field in unique_fields(collection) {
            let value = self.items[n].record.get(field).and_then(Value::as_str);
            let Some(value) = value.map(str::to_owned) else { continue };
            // A key is a secret, and messages reach logs.
            let shown = if *field == "key" { "the same value".to_owned() } else { format!("'{value}'") };
            if let Some(first) = self.unique.insert((collection, field, value), n) {
                let message = format!(
                    "uniqueness violation: '{collection}' entity with {field} set to {shown} already declared"
                );
                self.refuse_second(self.items[n].path.key(field), message, first);
                twice = true;
            }
        }
        twice
    }

    fn refuse_second(&mut self, at: Path, message: String, first: usize) {
        let help = format!("the first one is {}", self.items[first].path);
        self.diagnostics.push(Diagnostic::error(at, message).help(help));
    }

    fn id(&self, n: usize, unnamed: &mut HashMap<String, usize>) -> String {
        let Item { entity, record, parent, .. } = &self.items[n];
        if let Some(id) = record.get("id").and_then(Value::as_str) {
            return id.to_owned();
        }
        // A reference fills its slot with what is written, a parent with its id: so do Kong's ids.
        let slot = |field| match (record.get(field).and_then(Value::as_str), parent) {
            (Some(written), _) => written.to_owned(),
            (None, Some(parent)) if parent.field == field => self.ids[parent.item].clone(),
            (None, _) => String::new(),
        };
        let text = |field| record.get(field).and_then(Value::as_str);
        let collection = entity.collection;
        let named = match collection {
            "plugins" => text("name").map(|name| {
                format!("plugins:*:{name}:{}:{}:{}", slot("route"), slot("service"), slot("consumer"))
            }),
            "targets" => text("target").map(|target| format!("targets:*:{}:{target}", slot("upstream"))),
            "acls" => text("group").map(|group| format!("acls:*:{}:{group}", slot("consumer"))),
            "basicauth_credentials" => text("username").map(|it| format!("basicauth_credentials:*:{it}")),
            "consumers" => text("username").map(str::to_owned),
            _ => text("name").map(str::to_owned),
        };
        let key = named.unwrap_or_else(|| {
            // ours: Kong gives an entity without a name another id at each load. What it says, and how many say the
            // same before it, stays. A key is a secret, and ids are not.
            let mut record = record.clone();
            for secret in ["key", "key_alt"] {
                record.remove(secret);
            }
            let parent = parent.map_or("", |parent| &self.ids[parent.item]);
            let text = format!("{parent} {}", Value::from(record).to_json());
            let before = unnamed.entry(text.clone()).or_default();
            *before += 1;
            format!("{text}#{before}")
        });
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
                let known = self.items[n].entity.fields.iter().any(|field| field.name == stamp);
                if known && record.get(stamp).is_none_or(Value::is_null) {
                    record.insert(stamp, self.now);
                }
            }
            if let Some(complete) = self.items[n].entity.complete {
                complete(&mut record);
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
        let by = unique_fields(collection).first().copied().unwrap_or("name");
        let named = self.unique.get(&(collection, by, name.to_owned()));
        if let Some(item) = named.or_else(|| self.found.get(&(collection, name.to_owned()))) {
            return Some(self.ids[*item].clone());
        }
        let message = format!("invalid reference '{field}: {name}' (no such entry in '{collection}')");
        let these = self.unique.keys().filter(|(it, field, _)| *it == collection && *field == by);
        let known: Vec<&str> = these.map(|(.., name)| name.as_str()).collect();
        let mut diagnostic = Diagnostic::error(path.key(field), message);
        if let Some(near) = crate::schema::nearest(name, known) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        }
        self.diagnostics.push(diagnostic);
        None
    }
}

/// The fields of a collection whose values are unique; references use the first one.
fn unique_fields(collection: &str) -> &'static [&'static str] {
    match collection {
        "plugins" => &["instance_name"],
        "consumers" => &["username", "custom_id"],
        "keyauth_credentials" => &["key"],
        "basicauth_credentials" => &["username"],
        "acls" => &[],
        _ => &["name"],
    }
}
