//! Plan of a write: the nodes of the text that change, so that it declares the requested entities.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{
    file_item::{default, is_written, rewritten, url, without_nulls},
    refusal::AdminRefusal,
};
use crate::{
    control::write::{WantedEntity, WritePlan},
    document::{Mapping, NodePath, PathStep, Value, edit::DocumentChange},
    entity::{Entities, EntityRecord, ID, UPDATED_AT, certificate, plugin, sni},
    schema::{EntitySchema, Field, FieldKind, PluginSchemas, Shorthand},
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
    pub(super) fn by_id(&self, kind: &EntitySchema, id: &str) -> Option<&'a EntityRecord> {
        by(self.entities, kind, &ID, id)
    }

    /// What the text says at a place.
    fn written(&self, at: &NodePath) -> Option<&'a Value> {
        at.find(self.document)
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
        if given.get(ID.name).is_none_or(Value::is_null) && !has_stable_id(entity, &record) {
            item.insert(ID.name, Uuid::new_v4().to_string());
        }
        let is_written = |key: &str, value: &Value| !value.is_null() && key != UPDATED_AT.name;
        for (key, value) in given.iter().filter(|(key, value)| is_written(key, value)) {
            item.insert(key, without_nulls(value));
        }
        for field in entity.fields.iter().filter(|field| field.is_generated) {
            if let Some(value) = record.get(field.name).filter(|value| !value.is_null()) {
                item.insert(field.name, value.clone());
            }
        }
        for (field, target) in entity.references() {
            if item.remove(field.name).is_some() && back.is_none_or(|back| back.name != field.name) {
                let id = reference(&record, field);
                item.insert(field.name, self.name_of(target, id));
            }
        }
        if !names.is_empty() {
            let sni =
                |name: &Value| Value::from([(sni::NAME.name, name.clone())].into_iter().collect::<Mapping>());
            item.insert(certificate::SNIS.name, names.iter().map(sni).collect::<Vec<_>>());
        }
        let mut record = record;
        match item.get(ID.name) {
            Some(id) => drop(record.insert(ID.name, id.clone())),
            None => drop(record.remove(ID.name)),
        }
        let at = list.index(self.written(&list).map(Value::items).unwrap_or_default().len());
        WritePlan {
            changes: vec![DocumentChange::Push(list, item.into())],
            wanted: Some(WantedEntity { entity, at, record: record.into() }),
            nested: names.len(),
            ..WritePlan::default()
        }
    }

    /// The list that a new entity goes into, and the field that need not be written there.
    fn place(&self, entity: &'static EntitySchema, record: &Mapping) -> (NodePath, Option<&'static Field>) {
        let top = NodePath::root().key(entity.collection);
        let parents: Vec<(&'static Field, &'static EntitySchema)> = entity
            .references()
            .filter(|(field, _)| record.get(field.name).is_some_and(|value| !value.is_null()))
            .collect();
        let &[(field, target)] = parents.as_slice() else { return (top, None) };
        let Some(parent) = self.by_id(target, reference(record, field)) else { return (top, None) };
        let nested = parent.entity.fields.iter().find(|nested| match nested.kind {
            FieldKind::Entities(child, back) => child() == entity && back == field.name,
            _ => false,
        });
        let Some(nested) = nested else { return (top, None) };
        let list = parent.at.key(nested.name);
        // A file that has such entities at its top has the next one there, too.
        let has = |at: &NodePath| self.written(at).is_some_and(|items| !items.items().is_empty());
        if has(&top) && !has(&list) { (top, None) } else { (list, Some(field)) }
    }

    /// What a reference at the top of a file says: a name where there is one.
    fn name_of(&self, kind: &EntitySchema, id: &str) -> Value {
        let named = self.by_id(kind, id).zip(kind.name_field);
        let name = named.and_then(|(record, field)| record.text(field));
        Value::from(name.unwrap_or(id))
    }

    /// Another record for an entity.
    pub(super) fn update(&self, current: &EntityRecord, wanted: Mapping, given: &Mapping) -> WritePlan {
        let entity = current.entity;
        let old = current.value.as_mapping().cloned().unwrap_or_default();
        let written = self.written(&current.at);
        let moves = entity.references().find(|(field, _)| {
            let is_nested = written.is_some_and(|item| item.get(field.name).is_none_or(Value::is_null));
            let (old, wanted) = (old.get(field.name), wanted.get(field.name));
            is_nested && old != wanted && old.is_some_and(|value| !value.is_null())
        });
        let record = Value::from(wanted.clone());
        if moves.is_some() {
            return self.relocate(current, wanted);
        }
        let mut changes = Vec::new();
        let difference = RecordDifference { entity, old: &old, wanted: &wanted, given };
        self.differences(&difference, entity.fields, &current.at, written, &mut changes);
        if let (Some(shorthand), Some(written)) = (entity.shorthand, written) {
            keep_shorthand(shorthand, &difference, &current.at, written, &mut changes);
        }
        if changes.is_empty() {
            return WritePlan {
                wanted: Some(WantedEntity { entity, at: current.at.clone(), record: current.value.clone() }),
                ..WritePlan::default()
            };
        }
        let mut renamed = self.renamed(current, &wanted);
        if needs_id(entity, &wanted, &renamed) {
            renamed.push(DocumentChange::Set(current.at.key(ID.name), current.id().into()));
        }
        changes.extend(renamed.iter().cloned());
        let fallback = written.map(|written| {
            let item = rewritten(entity, written, &wanted, &old);
            [vec![DocumentChange::Set(current.at.clone(), item)], renamed].concat()
        });
        let wanted = Some(WantedEntity { entity, at: current.at.clone(), record });
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
        for field in fields.iter().filter(|field| is_written(field)) {
            let (old, wanted) =
                (all.old.get(field.name).unwrap_or(&unset), all.wanted.get(field.name).unwrap_or(&unset));
            if old == wanted {
                continue;
            }
            let at = at.key(field.name);
            let given = all.given.get(field.name).filter(|given| !given.is_null());
            let inner = match field.kind {
                FieldKind::Record(fields) => Some(fields),
                FieldKind::Config => all
                    .wanted
                    .get(plugin::NAME.name)
                    .filter(|name| all.old.get(plugin::NAME.name) == Some(*name))
                    .and_then(Value::as_str)
                    .and_then(|name| self.plugins.settings(name))
                    .map(|settings| settings.fields),
                _ => None,
            };
            if let (Some(fields), Some(old), Some(wanted)) = (inner, old.as_mapping(), wanted.as_mapping()) {
                let empty = Mapping::default();
                let given = given.and_then(Value::as_mapping).unwrap_or(&empty);
                let below = RecordDifference { entity: all.entity, old, wanted, given };
                self.differences(
                    &below,
                    fields,
                    &at,
                    written.and_then(|record| record.get(field.name)),
                    changes,
                );
                continue;
            }
            let is_there = written.is_some_and(|record| record.get(field.name).is_some());
            if let Some(target) = field.target() {
                match wanted.get(ID.name).and_then(Value::as_str) {
                    Some(id) => changes.push(DocumentChange::Set(at, self.name_of(target, id))),
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
        let Some(field) = current.entity.name_field else { return Vec::new() };
        let (old, new) = (current.value.get(field.name), wanted.get(field.name));
        let Some(old) = old.filter(|old| Some(*old) != new && !old.is_null()) else { return Vec::new() };
        let new = new.filter(|new| !new.is_null()).cloned().unwrap_or_else(|| current.id().into());
        let mut changes = Vec::new();
        for record in &self.entities.records {
            for (field, target) in record.entity.references() {
                let at = record.at.key(field.name);
                if target == current.entity && self.written(&at) == Some(old) {
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
        for (field, target) in entity.references() {
            item.remove(field.name);
            let id = reference(&wanted, field);
            if back.is_none_or(|back| back.name != field.name) && !id.is_empty() {
                item.insert(field.name, self.name_of(target, id));
            }
        }
        let at = list.index(self.written(&list).map(Value::items).unwrap_or_default().len());
        let mut changes = self.renamed(current, &wanted);
        if needs_id(entity, &wanted, &changes) {
            item.insert(ID.name, current.id());
        }
        changes.extend([DocumentChange::Push(list, item.into()), DocumentChange::Remove(current.at.clone())]);
        let wanted = Some(WantedEntity { entity, at, record: wanted.into() });
        WritePlan { changes, wanted, from: Some(current.at.clone()), ..WritePlan::default() }
    }

    /// An entity goes, and with it what is nothing without it.
    pub(super) fn delete(&self, current: &EntityRecord) -> Result<WritePlan, AdminRefusal> {
        // Who refers to an entity, by the collection and the id of that.
        let mut referring: HashMap<(&str, &str), Vec<(&EntityRecord, &'static Field)>> = HashMap::new();
        for record in &self.entities.records {
            for (field, target) in record.entity.references() {
                if let Some(id) = record.reference(field) {
                    referring.entry((target.collection, id)).or_default().push((record, field));
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
                if !field.cascades() {
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
            gone.iter().map(|record| &record.at).filter(|at| !is_inside(at)).collect();
        outermost.sort_by_cached_key(|at| std::cmp::Reverse(order(at)));
        let changes = outermost.into_iter().cloned().map(DocumentChange::Remove).collect();
        let gone = gone.iter().map(|record| (record.collection(), record.id().to_owned())).collect();
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

/// The entity of a kind with this text in a field.
pub(super) fn by<'a>(
    entities: &'a Entities,
    kind: &EntitySchema,
    field: &Field,
    text: &str,
) -> Option<&'a EntityRecord> {
    entities.records.iter().find(|record| record.entity == kind && record.text(field) == Some(text))
}

/// The id that a field of a record refers to; empty if there is none.
fn reference<'a>(record: &'a Mapping, field: &Field) -> &'a str {
    let reference = record.get(field.name).and_then(|value| value.get(ID.name));
    reference.and_then(Value::as_str).unwrap_or_default()
}

/// Whether the id that is derived for an entity stays the same from load to load.
fn has_stable_id(entity: &EntitySchema, record: &Mapping) -> bool {
    entity.stable_id_field.is_some_and(|field| record.get(field.name).is_some_and(|value| !value.is_null()))
}

/// Whether those that refer to an entity by its name do so by its id from now on, so that it has to be there.
fn needs_id(entity: &EntitySchema, wanted: &Mapping, renamed: &[DocumentChange]) -> bool {
    let name = entity.name_field.and_then(|field| wanted.get(field.name));
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

/// Keeps a shorthand in the text: it overrides the fields that it stands for.
fn keep_shorthand(
    shorthand: &Shorthand,
    all: &RecordDifference<'_>,
    at: &NodePath,
    written: &Value,
    changes: &mut Vec<DocumentChange>,
) {
    if written.get(shorthand.name).is_none_or(Value::is_null) {
        return;
    }
    let is_part =
        |change: &DocumentChange| shorthand.fields.iter().any(|field| *change.path() == at.key(field.name));
    let is_touched = changes.iter().any(is_part);
    changes.retain(|change| !is_part(change));
    let at = at.key(shorthand.name);
    if let Some(given) = all.given.get(shorthand.name).filter(|given| !given.is_null()) {
        changes.push(DocumentChange::Set(at, given.clone()));
    } else if is_touched {
        changes.push(DocumentChange::Set(at, url(all.wanted).into()));
    }
}
