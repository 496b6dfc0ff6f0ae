//! What a write means for the text: which of its nodes change, so that it declares what was asked for.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{
    collections,
    file_item::{default, is_written, rewritten, url, without_nulls},
    refusal::AdminRefusal,
};
use crate::{
    control::write::{WantedEntity, WritePlan},
    document::{Mapping, NodePath, PathStep, Value, edit::DocumentChange},
    entity::{Entities, EntityRecord},
    schema::{EntitySchema, Field, FieldKind, PluginSchemas},
};

/// What is current: what it declares, and the text that says so.
#[derive(Clone, Copy)]
pub(super) struct ConfigView<'a> {
    pub(super) entities: &'a Entities,
    pub(super) document: &'a Value,
    pub(super) plugins: &'a dyn PluginSchemas,
}

impl<'a> ConfigView<'a> {
    /// The entity with this id.
    pub(super) fn by_id(&self, collection: &str, id: &str) -> Option<&'a EntityRecord> {
        by(self.entities, collection, "id", id)
    }

    /// What the text says at a place.
    fn written(&self, at: &NodePath) -> Option<&'a Value> {
        at.steps().iter().try_fold(self.document, |value, step| match step {
            PathStep::Key(key) => value.get(key),
            PathStep::Index(n) => value.items().get(*n),
            PathStep::Inside => None,
        })
    }

    /// A new entity: `record` is complete, `given` is what was said of it, and `names` are the server names of a new
    /// certificate.
    pub(super) fn create(
        &self,
        entity: &'static EntitySchema,
        record: Mapping,
        given: &Mapping,
        names: &[Value],
    ) -> WritePlan {
        let (list, back) = self.place(entity, &record);
        let mut item = Mapping::default();
        if given.get("id").is_none_or(Value::is_null) && !has_lasting_id(entity, &record) {
            item.insert("id", Uuid::new_v4().to_string());
        }
        for (key, value) in given.iter().filter(|(key, value)| !value.is_null() && *key != "updated_at") {
            item.insert(key, without_nulls(value));
        }
        for key in collections::made_up(entity.collection) {
            if let Some(value) = record.get(key).filter(|it| !it.is_null()) {
                item.insert(*key, value.clone());
            }
        }
        for (field, collection) in collections::foreign(entity) {
            if item.remove(field).is_some() && back != Some(field) {
                let id = reference(&record, field);
                item.insert(field, self.name_of(collection, id));
            }
        }
        if !names.is_empty() {
            let one = |name: &Value| Value::from([("name", name.clone())].into_iter().collect::<Mapping>());
            item.insert("snis", names.iter().map(one).collect::<Vec<_>>());
        }
        let mut record = record;
        match item.get("id") {
            Some(id) => drop(record.insert("id", id.clone())),
            None => drop(record.remove("id")),
        }
        let at = list.index(self.written(&list).map(Value::items).unwrap_or_default().len());
        WritePlan {
            changes: vec![DocumentChange::Push(list, item.into())],
            wanted: Some(WantedEntity { collection: entity.collection, at, record: record.into() }),
            nested: names.len(),
            ..WritePlan::default()
        }
    }

    /// The list that a new entity goes into, and the field that need not be written there.
    fn place(&self, entity: &'static EntitySchema, record: &Mapping) -> (NodePath, Option<&'static str>) {
        let top = NodePath::root().key(entity.collection);
        let parents: Vec<(&'static str, &'static str)> = collections::foreign(entity)
            .filter(|(field, _)| record.get(field).is_some_and(|it| !it.is_null()))
            .collect();
        let &[(field, collection)] = parents.as_slice() else { return (top, None) };
        let Some(parent) = self.by_id(collection, reference(record, field)) else { return (top, None) };
        let nested = parent.entity.fields.iter().find(|it| match it.kind {
            FieldKind::Entities(child, back) => child().collection == entity.collection && back == field,
            _ => false,
        });
        let Some(nested) = nested else { return (top, None) };
        let list = parent.at.key(nested.name);
        // A file that has such entities at its top has the next one there, too.
        let has = |at: &NodePath| self.written(at).is_some_and(|it| !it.items().is_empty());
        if has(&top) && !has(&list) { (top, None) } else { (list, Some(field)) }
    }

    /// What a reference at the top of a file says: a name where there is one.
    fn name_of(&self, collection: &str, id: &str) -> Value {
        let parent = self.by_id(collection, id);
        let named = parent.zip(collections::name_field(collection));
        let name = named.and_then(|(parent, field)| parent.value.get(field)).and_then(Value::as_str);
        Value::from(name.unwrap_or(id))
    }

    /// Another record for an entity.
    pub(super) fn update(&self, current: &EntityRecord, wanted: Mapping, given: &Mapping) -> WritePlan {
        let entity = current.entity;
        let old = current.value.as_mapping().cloned().unwrap_or_default();
        let written = self.written(&current.at);
        let moves = collections::foreign(entity).find(|(field, _)| {
            let nested = written.is_some_and(|it| it.get(field).is_none_or(Value::is_null));
            nested && old.get(field) != wanted.get(field) && old.get(field).is_some_and(|it| !it.is_null())
        });
        let record = Value::from(wanted.clone());
        if moves.is_some() {
            return self.relocate(current, wanted);
        }
        let mut changes = Vec::new();
        let difference = RecordDifference { entity, old: &old, wanted: &wanted, given };
        self.differences(&difference, entity.fields, &current.at, written, &mut changes);
        if let Some(written) = written {
            shorthand(&difference, &current.at, written, &mut changes);
        }
        if changes.is_empty() {
            return WritePlan {
                wanted: Some(WantedEntity {
                    collection: entity.collection,
                    at: current.at.clone(),
                    record: current.value.clone(),
                }),
                ..WritePlan::default()
            };
        }
        let mut renamed = self.renamed(current, &wanted);
        if needs_id(entity, &wanted, &renamed) {
            renamed.push(DocumentChange::Set(current.at.key("id"), current.id().into()));
        }
        changes.extend(renamed.iter().cloned());
        let fallback = written.map(|written| {
            let item = rewritten(entity, written, &wanted, &old);
            [vec![DocumentChange::Set(current.at.clone(), item)], renamed].concat()
        });
        let wanted = Some(WantedEntity { collection: entity.collection, at: current.at.clone(), record });
        WritePlan { changes, fallback, wanted, ..WritePlan::default() }
    }

    fn differences(
        &self,
        all: &RecordDifference<'_>,
        fields: &'static [Field],
        at: &NodePath,
        written: Option<&Value>,
        changes: &mut Vec<DocumentChange>,
    ) {
        let unset = Value::Null;
        for field in fields.iter().filter(|it| is_written(it)) {
            let (old, wanted) =
                (all.old.get(field.name).unwrap_or(&unset), all.wanted.get(field.name).unwrap_or(&unset));
            if old == wanted {
                continue;
            }
            let at = at.key(field.name);
            let given = all.given.get(field.name).filter(|it| !it.is_null());
            let inner = match field.kind {
                FieldKind::Record(fields) => Some(fields),
                FieldKind::Config => all
                    .wanted
                    .get("name")
                    .filter(|name| all.old.get("name") == Some(*name))
                    .and_then(Value::as_str)
                    .and_then(|name| self.plugins.settings(name))
                    .map(|it| it.fields),
                _ => None,
            };
            if let (Some(fields), Some(old), Some(wanted)) = (inner, old.as_mapping(), wanted.as_mapping()) {
                let empty = Mapping::default();
                let given = given.and_then(Value::as_mapping).unwrap_or(&empty);
                let below = RecordDifference { entity: all.entity, old, wanted, given };
                self.differences(&below, fields, &at, written.and_then(|it| it.get(field.name)), changes);
                continue;
            }
            let is_there = written.is_some_and(|it| it.get(field.name).is_some());
            if let FieldKind::Foreign(collection) = field.kind {
                match wanted.get("id").and_then(Value::as_str) {
                    Some(id) => changes.push(DocumentChange::Set(at, self.name_of(collection, id))),
                    None if is_there => changes.push(DocumentChange::Remove(at)),
                    None => (),
                }
            } else if let Some(given) = given {
                changes.push(DocumentChange::Set(at, without_nulls(given)));
            } else if *wanted != default(field) {
                changes.push(DocumentChange::Set(at, without_nulls(wanted)));
            } else if is_there {
                changes.push(DocumentChange::Remove(at));
            }
        }
    }

    /// References by a name that changes.
    fn renamed(&self, current: &EntityRecord, wanted: &Mapping) -> Vec<DocumentChange> {
        let Some(field) = collections::name_field(current.collection()) else { return Vec::new() };
        let (old, new) = (current.value.get(field), wanted.get(field));
        let Some(old) = old.filter(|it| Some(*it) != new && !it.is_null()) else { return Vec::new() };
        let new = new.filter(|it| !it.is_null()).cloned().unwrap_or_else(|| current.id().into());
        let mut changes = Vec::new();
        for record in &self.entities.records {
            for (field, to) in collections::foreign(record.entity) {
                let at = record.at.key(field);
                if to == current.collection() && self.written(&at) == Some(old) {
                    changes.push(DocumentChange::Set(at, new.clone()));
                }
            }
        }
        changes
    }

    /// An entity that stood inside its parent, and has another one now.
    fn relocate(&self, current: &EntityRecord, wanted: Mapping) -> WritePlan {
        let entity = current.entity;
        let old = current.value.as_mapping().cloned().unwrap_or_default();
        let written = self.written(&current.at).cloned().unwrap_or_default();
        let mut item = rewritten(entity, &written, &wanted, &old).into_mapping().unwrap_or_default();
        let (list, back) = self.place(entity, &wanted);
        for (field, collection) in collections::foreign(entity) {
            item.remove(field);
            let id = reference(&wanted, field);
            if back != Some(field) && !id.is_empty() {
                item.insert(field, self.name_of(collection, id));
            }
        }
        let at = list.index(self.written(&list).map(Value::items).unwrap_or_default().len());
        let mut changes = self.renamed(current, &wanted);
        if needs_id(entity, &wanted, &changes) {
            item.insert("id", current.id());
        }
        changes.extend([DocumentChange::Push(list, item.into()), DocumentChange::Remove(current.at.clone())]);
        let wanted = Some(WantedEntity { collection: entity.collection, at, record: wanted.into() });
        WritePlan { changes, wanted, from: Some(current.at.clone()), ..WritePlan::default() }
    }

    /// An entity goes, and with it what is nothing without it.
    pub(super) fn delete(&self, current: &EntityRecord) -> Result<WritePlan, AdminRefusal> {
        // Who refers to an entity, by the collection and the id of that.
        let mut referring: HashMap<(&str, &str), Vec<(&EntityRecord, &'static str)>> = HashMap::new();
        for record in &self.entities.records {
            for (field, to) in collections::foreign(record.entity) {
                let id = record.value.get(field).and_then(|it| it.get("id")).and_then(Value::as_str);
                if let Some(id) = id {
                    referring.entry((to, id)).or_default().push((record, field));
                }
            }
        }
        let mut gone: Vec<&EntityRecord> = vec![current];
        let mut places: HashSet<&NodePath> = HashSet::from([&current.at]);
        let mut next = 0;
        while let Some(parent) = gone.get(next).copied() {
            next += 1;
            for (record, field) in referring.remove(&(parent.collection(), parent.id())).unwrap_or_default() {
                if places.contains(&record.at) {
                    continue;
                }
                if !collections::goes_with(record.entity, field) {
                    return Err(AdminRefusal::Referenced(record.collection(), parent.collection()));
                }
                places.insert(&record.at);
                gone.push(record);
            }
        }
        // The last ones first, so that the places of the others stay; what is inside another goes with it.
        let is_inside = |at: &NodePath| {
            let mut outer = at.parent();
            while !outer.steps().is_empty() && !places.contains(&outer) {
                outer = outer.parent();
            }
            !outer.steps().is_empty()
        };
        let mut outermost: Vec<&NodePath> =
            gone.iter().map(|it| &it.at).filter(|at| !is_inside(at)).collect();
        outermost.sort_by_cached_key(|at| std::cmp::Reverse(order(at)));
        let changes = outermost.into_iter().cloned().map(DocumentChange::Remove).collect();
        let gone = gone.iter().map(|it| (it.collection(), it.id().to_owned())).collect();
        Ok(WritePlan { changes, gone, ..WritePlan::default() })
    }
}

/// Two records of an entity, and what was said to get from one to the other.
struct RecordDifference<'a> {
    entity: &'static EntitySchema,
    old: &'a Mapping,
    wanted: &'a Mapping,
    given: &'a Mapping,
}

/// The entity of a collection whose field says this.
pub(super) fn by<'a>(
    entities: &'a Entities,
    collection: &str,
    field: &str,
    text: &str,
) -> Option<&'a EntityRecord> {
    let says = |it: &&EntityRecord| it.value.get(field).and_then(Value::as_str) == Some(text);
    entities.records.iter().filter(|it| it.collection() == collection).find(says)
}

/// The id that a field of a record refers to; empty if to nothing.
fn reference<'a>(record: &'a Mapping, field: &str) -> &'a str {
    record.get(field).and_then(|it| it.get("id")).and_then(Value::as_str).unwrap_or_default()
}

/// Whether the id that a file gives an entity lasts as long as its name.
fn has_lasting_id(entity: &EntitySchema, record: &Mapping) -> bool {
    let field = match entity.collection {
        // What is written at the top of a file counts as it is written, and nothing else would tell two apart.
        "keyauth_credentials"
        | "jwt_secrets"
        | "oauth2_credentials"
        | "acme_storage"
        | "certificates"
        | "ca_certificates" => return false,
        "plugins" => "name",
        other => collections::name_field(other).unwrap_or("name"),
    };
    record.get(field).is_some_and(|it| !it.is_null())
}

/// Whether those that refer to an entity by its name do so by its id from now on, so that it has to be there.
fn needs_id(entity: &EntitySchema, wanted: &Mapping, renamed: &[DocumentChange]) -> bool {
    let name = collections::name_field(entity.collection).and_then(|field| wanted.get(field));
    !renamed.is_empty() && name.is_none_or(Value::is_null)
}

/// The order of nodes in a document, lists by their numbers.
fn order(at: &NodePath) -> Vec<(String, usize)> {
    let step = |step: &PathStep| match step {
        PathStep::Key(key) => (key.to_string(), 0),
        PathStep::Index(n) => (String::new(), *n),
        PathStep::Inside => (String::new(), 0),
    };
    at.steps().iter().map(step).collect()
}

/// A `url` in the text goes on to be one: it wins over the fields that it stands for.
fn shorthand(all: &RecordDifference<'_>, at: &NodePath, written: &Value, changes: &mut Vec<DocumentChange>) {
    const PARTS: [&str; 4] = ["protocol", "host", "port", "path"];
    if all.entity.prepare.is_none() || written.get("url").is_none_or(Value::is_null) {
        return;
    }
    let is_part = |change: &DocumentChange| PARTS.iter().any(|part| *change.path() == at.key(part));
    let touched = changes.iter().any(is_part);
    changes.retain(|change| !is_part(change));
    if let Some(url) = all.given.get("url").filter(|it| !it.is_null()) {
        changes.push(DocumentChange::Set(at.key("url"), url.clone()));
    } else if touched {
        changes.push(DocumentChange::Set(at.key("url"), url(all.wanted).into()));
    }
}
