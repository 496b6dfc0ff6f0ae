//! Differences between two configurations, entity by entity and field by field.
//!
//! Two entities are paired if they have the same label, or else the same id. Defaults, the order of entities and sets,
//! comments, nesting and the notation of references make no difference; neither do ids and time stamps.

use std::collections::HashMap;

use crate::{
    document::Value,
    entity::{self, CREATED_AT, Entities, EntityRecord, ID, UPDATED_AT, plugin},
    export::EntityNames,
    schema::{EntityLabel, EntitySchema, Field, FieldKind, PluginSchemas},
};

/// An entity that is not the same on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityDifference {
    /// The collection that it belongs to.
    pub collection: &'static str,
    /// Its label, with that of its owner: `bob/admins`, `cors (route r)`.
    pub name: String,
    /// The change.
    pub change: EntityChange,
}

/// The change of an entity.
#[derive(Clone, Debug, PartialEq)]
pub enum EntityChange {
    /// It is only on the second side.
    Added,
    /// It is only on the first side.
    Removed,
    /// It is on both sides, with other values.
    Changed(Vec<FieldChange>),
}

/// A field with another value.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Its path in the entity: `config.max_age`.
    pub field: String,
    /// The value on the first side; null if there is none.
    pub before: Value,
    /// The value on the second side; null if there is none.
    pub after: Value,
    /// Whether the values must not be shown.
    pub secret: bool,
}

/// The differences, in the order of a document; of each collection, removed and changed entities before added ones.
#[must_use]
pub fn differences(
    before: &Entities,
    after: &Entities,
    plugins: &dyn PluginSchemas,
) -> Vec<EntityDifference> {
    let (first, second) = (ConfigSide::new(before), ConfigSide::new(after));
    entity::kinds().flat_map(|kind| differences_of(kind, &first, &second, plugins)).collect()
}

fn differences_of(
    kind: &'static EntitySchema,
    first: &ConfigSide<'_>,
    second: &ConfigSide<'_>,
    plugins: &dyn PluginSchemas,
) -> Vec<EntityDifference> {
    let collection = kind.collection;
    let (before, mut after) = (first.entities(kind), second.entities(kind));
    let mut partners: Vec<Option<NamedEntity<'_>>> = Vec::new();
    for entity in &before {
        let position = after.iter().position(|other| other.key == entity.key);
        partners.push(position.map(|position| after.remove(position)));
    }
    // An entity with another label may still have the same id.
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
                let sides = ConfigPair { first, second, plugins };
                let changed = sides.record(entity.record, other.record);
                if changed.is_empty() {
                    continue;
                }
                EntityChange::Changed(changed)
            }
        };
        all.push(EntityDifference { collection, name: entity.label, change });
    }
    all.extend(after.into_iter().map(|entity| EntityDifference {
        collection,
        name: entity.label,
        change: EntityChange::Added,
    }));
    all
}

/// One of the two configurations.
struct ConfigSide<'a> {
    entities: &'a Entities,
    names: EntityNames<'a>,
}

/// An entity with its label.
struct NamedEntity<'a> {
    record: &'a EntityRecord,
    /// Pairs it with an entity of the other side.
    key: String,
    /// Is shown to people.
    label: String,
}

impl<'a> ConfigSide<'a> {
    fn new(entities: &'a Entities) -> Self {
        Self { entities, names: EntityNames::of(entities) }
    }

    /// The entities of a kind; from the second one on, entities with equal labels are numbered.
    fn entities(&self, kind: &EntitySchema) -> Vec<NamedEntity<'a>> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let of_kind = self.entities.records.iter().filter(|record| record.entity == kind);
        let named = of_kind.map(|record| {
            let (mut key, mut label) = self.label(record);
            let n = seen.entry(key.clone()).or_default();
            *n += 1;
            if *n > 1 {
                key = format!("{key} #{n}");
                label = format!("{label} #{n}");
            }
            NamedEntity { record, key, label }
        });
        named.collect()
    }

    /// The key and the label of an entity. Only the key may contain a secret.
    fn label(&self, record: &EntityRecord) -> (String, String) {
        let text = |field: &Field| self.text(record, field);
        let id = || record.id().to_owned();
        let label = match record.entity.label {
            EntityLabel::FirstOf(fields) => fields.iter().find_map(|field| text(field)),
            EntityLabel::Nested(owner, field) => {
                text(field).map(|name| format!("{}/{name}", text(owner).unwrap_or_default()))
            }
            EntityLabel::Scoped(name, scope) => Some(self.scoped_label(record, name, scope)),
            EntityLabel::Secret(secret, owner) => {
                if let Some(owner) = text(owner) {
                    return (text(secret).unwrap_or_else(id), format!("of {owner}"));
                }
                None
            }
        };
        let label = label.unwrap_or_else(id);
        (label.clone(), label)
    }

    fn scoped_label(&self, record: &EntityRecord, name: &Field, scope: &[&Field]) -> String {
        let scope =
            scope.iter().filter_map(|field| Some(format!("{} {}", field.name, self.text(record, field)?)));
        let scope: Vec<String> = scope.collect();
        let name = self.text(record, name).unwrap_or_default();
        if scope.is_empty() { name } else { format!("{name} ({})", scope.join(", ")) }
    }

    /// The text of a field, or the name of the entity that it refers to.
    fn text(&self, record: &EntityRecord, field: &Field) -> Option<String> {
        self.value(field, &record.value).as_str().map(str::to_owned)
    }

    /// The value of a field, or the name of the entity that it refers to.
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
        let plugin = after.text(&plugin::NAME).unwrap_or_default();
        self.fields(before.entity.fields, "", plugin, [&before.value, &after.value], &mut changed);
        let is_ignored = |name: &str| [ID, CREATED_AT, UPDATED_AT].iter().any(|field| field.name == name);
        changed.retain(|change| !is_ignored(&change.field));
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
        let contains = |all: &[Value], some: &[Value]| {
            some.iter().all(|value| all.iter().any(|other| equal(value, other)))
        };
        return contains(first, second) && contains(second, first);
    }
    equal(before, after)
}

/// Whether two values are equal, whatever the notation of their numbers.
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
