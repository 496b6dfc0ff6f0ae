//! CHANGED: what is different between two configurations, entity by entity and field by field.
//!
//! Entities are the same if they are called the same, or else have the same id. Defaults, the order of entities and
//! sets, comments, nesting and how a reference is written make no difference; neither do ids and time stamps.

use std::collections::HashMap;

use crate::{
    document::Value,
    entity::{Entities, EntityRecord},
    export::{EntityNames, collections},
    schema::{Field, FieldKind, PluginSchemas},
};

/// One entity that is not the same on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityDifference {
    /// The collection that it belongs to.
    pub collection: &'static str,
    /// What it is called, its owner before it: `bob/admins`, `cors (route r)`.
    pub name: String,
    /// What became of it.
    pub change: EntityChange,
}

/// What became of an entity.
#[derive(Clone, Debug, PartialEq)]
pub enum EntityChange {
    /// It is only on the second side.
    Added,
    /// It is only on the first side.
    Removed,
    /// It is on both, and says something else.
    Changed(Vec<FieldChange>),
}

/// A field that says something else.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Its place in the entity: `config.max_age`.
    pub field: String,
    /// What it said; null if nothing.
    pub before: Value,
    /// What it says; null if nothing.
    pub after: Value,
    /// Whether nobody may see the values.
    pub secret: bool,
}

/// What is different, in the order of a document: what is gone or changed first, then what is new.
#[must_use]
pub fn differences(
    before: &Entities,
    after: &Entities,
    plugins: &dyn PluginSchemas,
) -> Vec<EntityDifference> {
    let (first, second) = (ConfigSide::new(before), ConfigSide::new(after));
    collections().flat_map(|entity| collection(entity.collection, &first, &second, plugins)).collect()
}

fn collection(
    collection: &'static str,
    first: &ConfigSide<'_>,
    second: &ConfigSide<'_>,
    plugins: &dyn PluginSchemas,
) -> Vec<EntityDifference> {
    let (before, mut after) = (first.entities(collection), second.entities(collection));
    let mut partners: Vec<Option<NamedEntity<'_>>> = Vec::new();
    for one in &before {
        let place = after.iter().position(|it| it.key == one.key);
        partners.push(place.map(|place| after.remove(place)));
    }
    // What is called otherwise may still be the same.
    for (one, partner) in before.iter().zip(&mut partners) {
        if partner.is_none() {
            let place = after.iter().position(|it| it.record.id() == one.record.id());
            *partner = place.map(|place| after.remove(place));
        }
    }
    let mut all = Vec::new();
    for (one, partner) in before.into_iter().zip(partners) {
        let change = match partner {
            None => EntityChange::Removed,
            Some(other) => {
                let sides = ConfigPair { first, second, plugins };
                let changed = sides.record(one.record, other.record);
                if changed.is_empty() {
                    continue;
                }
                EntityChange::Changed(changed)
            }
        };
        all.push(EntityDifference { collection, name: one.shown, change });
    }
    all.extend(after.into_iter().map(|it| EntityDifference {
        collection,
        name: it.shown,
        change: EntityChange::Added,
    }));
    all
}

/// One of the two configurations.
struct ConfigSide<'a> {
    entities: &'a Entities,
    names: EntityNames<'a>,
}

/// An entity and what it is called.
struct NamedEntity<'a> {
    record: &'a EntityRecord,
    /// By which it is found on the other side.
    key: String,
    /// What people are shown.
    shown: String,
}

impl<'a> ConfigSide<'a> {
    fn new(entities: &'a Entities) -> Self {
        Self { entities, names: EntityNames::of(entities) }
    }

    /// The entities of a collection; of those that are called the same, the later ones are numbered.
    fn entities(&self, collection: &str) -> Vec<NamedEntity<'a>> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let these = self.entities.records.iter().filter(|it| it.collection() == collection);
        let called = these.map(|record| {
            let (mut key, mut shown) = self.called(record);
            let n = seen.entry(key.clone()).or_default();
            *n += 1;
            if *n > 1 {
                key = format!("{key} #{n}");
                shown = format!("{shown} #{n}");
            }
            NamedEntity { record, key, shown }
        });
        called.collect()
    }

    /// By what an entity is found, and what it is called; a secret only finds it.
    fn called(&self, record: &EntityRecord) -> (String, String) {
        let text = |field: &str| self.text(record, field);
        let id = || record.id().to_owned();
        let name = match record.collection() {
            "plugins" => Some(self.plugin(record)),
            "consumers" => text("username").or_else(|| text("custom_id")),
            "targets" => text("target").map(|it| format!("{}/{it}", text("upstream").unwrap_or_default())),
            "acls" => text("group").map(|it| format!("{}/{it}", text("consumer").unwrap_or_default())),
            "vaults" => text("prefix"),
            "keys" => text("kid"),
            _ => text("name").or_else(|| text("username")),
        };
        match (name, text("key"), text("consumer")) {
            (Some(name), ..) => (name.clone(), name),
            (None, Some(key), Some(consumer)) => (key, format!("of {consumer}")),
            (None, _, Some(consumer)) => (id(), format!("of {consumer}")),
            _ => (id(), id()),
        }
    }

    fn plugin(&self, record: &EntityRecord) -> String {
        let scope = ["route", "service", "consumer"];
        let scope = scope.iter().filter_map(|field| Some(format!("{field} {}", self.text(record, field)?)));
        let scope: Vec<String> = scope.collect();
        let name = self.text(record, "name").unwrap_or_default();
        if scope.is_empty() { name } else { format!("{name} ({})", scope.join(", ")) }
    }

    /// The text of a field, or the name of what it refers to.
    fn text(&self, record: &EntityRecord, name: &str) -> Option<String> {
        let field = record.entity.fields.iter().find(|field| field.name == name)?;
        self.value(field, &record.value).as_str().map(str::to_owned)
    }

    /// The value of a field, or the name of what it refers to.
    fn value(&self, field: &Field, record: &Value) -> Value {
        let value = record.get(field.name).unwrap_or(&Value::Null);
        self.names.reference(field, value).unwrap_or_else(|| value.clone())
    }
}

/// Both configurations, field by field.
struct ConfigPair<'a> {
    first: &'a ConfigSide<'a>,
    second: &'a ConfigSide<'a>,
    plugins: &'a dyn PluginSchemas,
}

impl ConfigPair<'_> {
    fn record(&self, before: &EntityRecord, after: &EntityRecord) -> Vec<FieldChange> {
        let mut changed = Vec::new();
        let name = after.value.get("name").and_then(Value::as_str).unwrap_or_default();
        self.fields(before.entity.fields, "", name, [&before.value, &after.value], &mut changed);
        changed.retain(|it| !matches!(&*it.field, "id" | "created_at" | "updated_at"));
        changed
    }

    fn fields(
        &self,
        fields: &'static [Field],
        above: &str,
        plugin: &str,
        [before, after]: [&Value; 2],
        changed: &mut Vec<FieldChange>,
    ) {
        for field in fields {
            let name = format!("{above}{}", field.name);
            let values = [self.first.value(field, before), self.second.value(field, after)];
            let inner = match field.kind {
                FieldKind::Record(fields) => Some(fields),
                FieldKind::Config => self.plugins.settings(plugin).map(|settings| settings.fields),
                _ => None,
            };
            if let Some(inner) = inner {
                let [before, after] = &values;
                self.fields(inner, &format!("{name}."), plugin, [before, after], changed);
            } else if !is_same(field.kind, &values) {
                let [before, after] = values;
                let secret = matches!(field.kind, FieldKind::Secret);
                changed.push(FieldChange { field: name, before, after, secret });
            }
        }
    }
}

fn is_same(kind: FieldKind, [before, after]: &[Value; 2]) -> bool {
    if let (FieldKind::Set(_), Value::Sequence(first), Value::Sequence(second)) = (kind, before, after) {
        let within =
            |some: &[Value], all: &[Value]| some.iter().all(|it| all.iter().any(|it2| equal(it, it2)));
        return within(first, second) && within(second, first);
    }
    equal(before, after)
}

/// Whether two values say the same, however their numbers are written.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64().total_cmp(&other.as_f64()).is_eq(),
        (Value::Sequence(one), Value::Sequence(other)) => {
            one.len() == other.len() && one.iter().zip(other.iter()).all(|(one, other)| equal(one, other))
        }
        (Value::Mapping(_), Value::Mapping(_)) => {
            let covers = |one: &Value, other: &Value| {
                one.entries().all(|(key, value)| equal(value, other.get(key).unwrap_or(&Value::Null)))
            };
            covers(one, other) && covers(other, one)
        }
        _ => one == other,
    }
}
