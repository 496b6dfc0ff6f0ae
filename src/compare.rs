//! Differences between two configurations, by entity and field.
//!
//! Entities correspond if they have the same name, else if they have the same id. Defaults, the order of entities and sets,
//! comments, nesting, the form of references, ids and time stamps are ignored.

use std::collections::HashMap;

use crate::{
    document::Value,
    entity::{Entities, EntityRecord},
    export::{EntityNames, collections},
    schema::{Field, FieldKind, PluginSchemas},
};

/// An entity that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityDifference {
    /// The collection that it belongs to.
    pub collection: &'static str,
    /// Its name, with its owner: `bob/admins`, `cors (route r)`.
    pub name: String,
    /// The change.
    pub change: EntityChange,
}

/// The change of an entity.
#[derive(Clone, Debug, PartialEq)]
pub enum EntityChange {
    /// Only the second configuration has it.
    Added,
    /// Only the first configuration has it.
    Removed,
    /// Both have it, with different fields.
    Changed(Vec<FieldChange>),
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Its path in the entity: `config.max_age`.
    pub field: String,
    /// The first value; null if unset.
    pub before: Value,
    /// The second value; null if unset.
    pub after: Value,
    /// Whether the values are secret.
    pub secret: bool,
}

/// All differences, in the order of collections in a document: removed and changed entities, then added ones.
#[must_use]
pub fn differences(
    before: &Entities,
    after: &Entities,
    plugins: &dyn PluginSchemas,
) -> Vec<EntityDifference> {
    let (first, second) = (ConfigSide::new(before), ConfigSide::new(after));
    collections().flat_map(|entity| compare_collection(entity.collection, &first, &second, plugins)).collect()
}

fn compare_collection(
    collection: &'static str,
    first: &ConfigSide<'_>,
    second: &ConfigSide<'_>,
    plugins: &dyn PluginSchemas,
) -> Vec<EntityDifference> {
    let (before, mut after) = (first.entities(collection), second.entities(collection));
    let mut partners: Vec<Option<NamedEntity<'_>>> = Vec::new();
    for entity in &before {
        let position = after.iter().position(|other| other.key == entity.key);
        partners.push(position.map(|position| after.remove(position)));
    }
    // Entities with different names may have the same id.
    for (entity, partner) in before.iter().zip(&mut partners) {
        if partner.is_none() {
            let position = after.iter().position(|other| other.record.id() == entity.record.id());
            *partner = position.map(|position| after.remove(position));
        }
    }
    let mut all = Vec::new();
    for (entity, partner) in before.into_iter().zip(partners) {
        let change = match partner {
            None => EntityChange::Removed,
            Some(other) => {
                let pair = ConfigPair { first, second, plugins };
                let changed = pair.compare_records(entity.record, other.record);
                if changed.is_empty() {
                    continue;
                }
                EntityChange::Changed(changed)
            }
        };
        all.push(EntityDifference { collection, name: entity.shown, change });
    }
    all.extend(after.into_iter().map(|entity| EntityDifference {
        collection,
        name: entity.shown,
        change: EntityChange::Added,
    }));
    all
}

/// One of the two configurations.
struct ConfigSide<'a> {
    entities: &'a Entities,
    names: EntityNames<'a>,
}

/// An entity and its names.
struct NamedEntity<'a> {
    record: &'a EntityRecord,
    /// The key by which entities correspond; may be a secret.
    key: String,
    /// The name for output.
    shown: String,
}

impl<'a> ConfigSide<'a> {
    fn new(entities: &'a Entities) -> Self {
        Self { entities, names: EntityNames::of(entities) }
    }

    /// The entities of a collection; repeated names are numbered.
    fn entities(&self, collection: &str) -> Vec<NamedEntity<'a>> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let these = self.entities.records.iter().filter(|record| record.collection() == collection);
        let named = these.map(|record| {
            let (mut key, mut shown) = self.names_of(record);
            let n = seen.entry(key.clone()).or_default();
            *n += 1;
            if *n > 1 {
                key = format!("{key} #{n}");
                shown = format!("{shown} #{n}");
            }
            NamedEntity { record, key, shown }
        });
        named.collect()
    }

    /// The key of an entity, and its name for output, which contains no secret.
    fn names_of(&self, record: &EntityRecord) -> (String, String) {
        let text = |field: &str| self.text(record, field);
        let id = || record.id().to_owned();
        let name = match record.collection() {
            "plugins" => Some(self.plugin_name(record)),
            "consumers" => text("username").or_else(|| text("custom_id")),
            "targets" => {
                text("target").map(|target| format!("{}/{target}", text("upstream").unwrap_or_default()))
            }
            "acls" => text("group").map(|group| format!("{}/{group}", text("consumer").unwrap_or_default())),
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

    fn plugin_name(&self, record: &EntityRecord) -> String {
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

/// Two configurations to compare.
struct ConfigPair<'a> {
    first: &'a ConfigSide<'a>,
    second: &'a ConfigSide<'a>,
    plugins: &'a dyn PluginSchemas,
}

impl ConfigPair<'_> {
    fn compare_records(&self, before: &EntityRecord, after: &EntityRecord) -> Vec<FieldChange> {
        let mut changed = Vec::new();
        let name = after.value.get("name").and_then(Value::as_str).unwrap_or_default();
        self.compare_fields(before.entity.fields, "", name, [&before.value, &after.value], &mut changed);
        changed.retain(|change| !matches!(&*change.field, "id" | "created_at" | "updated_at"));
        changed
    }

    fn compare_fields(
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
                self.compare_fields(inner, &format!("{name}."), plugin, [before, after], changed);
            } else if !is_same(field.kind, &values) {
                let [before, after] = values;
                let secret = matches!(field.kind, FieldKind::Secret);
                changed.push(FieldChange { field: name, before, after, secret });
            }
        }
    }
}

/// Whether a field has equal values; the order of a set is ignored.
fn is_same(kind: FieldKind, [before, after]: &[Value; 2]) -> bool {
    if let (FieldKind::Set(_), Value::Sequence(first), Value::Sequence(second)) = (kind, before, after) {
        let within = |some: &[Value], all: &[Value]| {
            some.iter().all(|item| all.iter().any(|other| are_equal(item, other)))
        };
        return within(first, second) && within(second, first);
    }
    are_equal(before, after)
}

/// Whether two values are equal, with numbers compared by value.
fn are_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64().total_cmp(&other.as_f64()).is_eq(),
        (Value::Sequence(one), Value::Sequence(other)) => {
            one.len() == other.len() && one.iter().zip(other.iter()).all(|(one, other)| are_equal(one, other))
        }
        (Value::Mapping(_), Value::Mapping(_)) => {
            let covers = |one: &Value, other: &Value| {
                one.entries().all(|(key, value)| are_equal(value, other.get(key).unwrap_or(&Value::Null)))
            };
            covers(one, other) && covers(other, one)
        }
        _ => one == other,
    }
}
