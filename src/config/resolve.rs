//! Resolution of checked records: ids, references by name, and errors about names and ids that are not unique.

use std::collections::{HashMap, HashSet};

use hashbrown::HashMap as SeededMap;
use uuid::Uuid;

use super::{
    collect::EntityCollector,
    previous_config::{EntityNode, PreviousConfig},
};

use crate::{
    diag::{Diagnostic, MAX_DIAGNOSTICS, push_bounded},
    document::{Mapping, NodePath, SharedText, Value},
    entity::{
        CREATED_AT, Entities, ID, UPDATED_AT, basicauth_credential, entity_id, is_same_record,
        keyauth_credential, password_hash, reference,
    },
    schema::{CheckedItem, DerivedId, EntitySchema, Field, PluginSchemas},
};

/// The result of resolving checked items.
#[derive(Default)]
pub(super) struct ResolvedEntities {
    pub(super) entities: Entities,
    /// The nodes that the records were read from.
    pub(super) nodes: Vec<EntityNode>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Turns checked items into entities. `transform` means that passwords are plain texts and have to be hashed; `now` is the
/// Unix time in seconds.
pub(super) fn resolve(
    items: Vec<CheckedItem>,
    plugins: &dyn PluginSchemas,
    now: i64,
    transform: bool,
    previous: &PreviousConfig<'_>,
) -> ResolvedEntities {
    let mut resolver = ReferenceResolver::new(items);
    resolver.assign_ids();
    resolver.resolve_references();
    if resolver.diagnostics.is_empty() {
        resolver.diagnostics = std::mem::take(&mut resolver.late_diagnostics);
    }
    if transform {
        resolver.hash_passwords();
    }
    if !resolver.diagnostics.is_empty() {
        return ResolvedEntities { diagnostics: resolver.diagnostics, ..ResolvedEntities::default() };
    }
    resolver.set_times(now, previous);
    let node = |(n, item): (usize, &CheckedItem)| EntityNode {
        written: item.written.clone(),
        parent: item.parent,
        // The hash of a password depends on the Consumer, which the record need not name.
        is_reusable: !item.has_diagnostics
            && !resolver.counted.contains(&n)
            && item.entity.hashed_fields().next().is_none(),
    };
    let nodes = resolver.items.iter().enumerate().map(node).collect();
    let (entities, diagnostics) = EntityCollector::new(resolver.items, previous.entities, plugins).entities();
    ResolvedEntities { entities, nodes, diagnostics }
}

/// References to entities that do not exist, among items that may have other errors, too.
pub(super) fn dangling_references(items: Vec<CheckedItem>) -> Vec<Diagnostic> {
    let mut resolver = ReferenceResolver::new(items);
    resolver.assign_ids();
    resolver.diagnostics.clear();
    resolver.resolve_references();
    // If a document fails before its references are looked up, Kong has another message for them.
    let with_kongs_message = resolver.diagnostics.into_iter().map(|diagnostic| {
        let path = diagnostic.path.key(ID.name);
        diagnostic.with_kong_message(path, "missing primary key")
    });
    with_kongs_message.collect()
}

/// The ids of items that are given or derived as Kong does, by path.
pub(super) fn derived_ids(items: Vec<CheckedItem>) -> HashMap<NodePath, String> {
    let mut resolver = ReferenceResolver::new(items);
    resolver.assign_ids();
    let has_kongs_id = |n: &usize| resolver.has_given_id(*n) || resolver.kongs_key(*n).is_some();
    let all = (0..resolver.items.len()).filter(has_kongs_id);
    all.map(|n| (resolver.items[n].path.clone(), resolver.ids[n].to_string())).collect()
}

struct ReferenceResolver {
    items: Vec<CheckedItem>,
    /// The id of each item.
    ids: Vec<SharedText>,
    /// Items whose ids depend on how many equal ones stand before them.
    counted: HashSet<usize>,
    /// Items by collection, unique field and its value.
    unique: SeededMap<(&'static str, &'static str, SharedText), usize>,
    /// The key `id`, shared by all references.
    id_key: SharedText,
    /// Items by collection and id.
    by_id: SeededMap<(&'static str, SharedText), usize>,
    diagnostics: Vec<Diagnostic>,
    /// Diagnostics for a document without other errors: Kong checks these fields last.
    late_diagnostics: Vec<Diagnostic>,
}

impl ReferenceResolver {
    fn new(items: Vec<CheckedItem>) -> Self {
        let many = items.len();
        Self {
            items,
            ids: Vec::with_capacity(many),
            counted: HashSet::new(),
            unique: SeededMap::with_capacity(many),
            id_key: ID.name.into(),
            by_id: SeededMap::with_capacity(many),
            diagnostics: Vec::new(),
            late_diagnostics: Vec::new(),
        }
    }

    /// Gives every item its id, and refuses names and ids that another item has.
    fn assign_ids(&mut self) {
        let mut unnamed: HashMap<String, usize> = HashMap::new();
        for n in 0..self.items.len() {
            let id = self.id(n, &mut unnamed);
            let collection = self.items[n].entity.collection;
            if !self.has_duplicate_name(n)
                && let Some(first) = self.by_id.insert((collection, id.clone()), n)
            {
                let message = format!(
                    "uniqueness violation: '{collection}' entity with primary key set to '{id}' already declared"
                );
                let at = self.items[n].path.clone();
                let error = self.duplicate(at.clone(), at, [message.clone(), message], first);
                push_bounded(&mut self.diagnostics, error, MAX_DIAGNOSTICS);
            }
            self.ids.push(id);
        }
    }

    /// Registers the values of unique fields, and refuses those that another item has. True if the item has the name of
    /// another one.
    fn has_duplicate_name(&mut self, n: usize) -> bool {
        let mut is_duplicate = false;
        let entity = self.items[n].entity;
        let collection = entity.collection;
        for (n_field, field) in entity.unique_in_files().enumerate() {
            let value = self.items[n].record.get(field.name).and_then(Value::as_text);
            let Some(value) = value.cloned() else { continue };
            if let Some(first) = self.unique.insert((collection, field.name, value.clone()), n) {
                let message = |shown: &str| {
                    let name = field.name;
                    format!(
                        "uniqueness violation: '{collection}' entity with {name} set to {shown} already declared"
                    )
                };
                let to_machines = message(&format!("'{value}'"));
                // A key is a secret, and messages reach logs; the sender of the document already has it.
                let is_key = field.name == keyauth_credential::KEY.name;
                let to_people = if is_key { message("the same value") } else { to_machines.clone() };
                let messages = [to_people, to_machines];
                let at = self.items[n].path.clone();
                // Kong reports the path of the field by which it finds entities; for other fields it names the entity.
                if n_field == 0 {
                    let error = self.duplicate(at.key(field.name), at, messages, first);
                    push_bounded(&mut self.diagnostics, error, MAX_DIAGNOSTICS);
                    is_duplicate = true;
                } else {
                    let named = self.path_by_name(n, &self.items[n].written).unwrap_or_else(|| at.clone());
                    let error = self.duplicate(at.key(field.name), named, messages, first);
                    push_bounded(&mut self.late_diagnostics, error, MAX_DIAGNOSTICS);
                }
            }
        }
        is_duplicate
    }

    /// Where Kong reports an error about an item that it finds by name: `collection.name`.
    fn path_by_name(&self, n: usize, record: &Value) -> Option<NodePath> {
        let entity = self.items[n].entity;
        let name = name_in_file(entity).into_iter().chain([&ID]);
        let name = name.into_iter().find_map(|field| record.get(field.name)?.as_str())?;
        Some(NodePath::root().key(entity.collection).key(name))
    }

    /// An error about an item at `at`; machines get the second message at `kongs_path`.
    fn duplicate(
        &self,
        at: NodePath,
        kongs_path: NodePath,
        [to_people, to_machines]: [String; 2],
        first: usize,
    ) -> Diagnostic {
        let help = format!("the first one is {}", self.items[first].path);
        let mut diagnostic =
            Diagnostic::error(at, to_people).help(help).with_kong_message(kongs_path, to_machines);
        if let Some(kong_message) = &mut diagnostic.kong_message {
            kong_message.first = Some(self.items[first].path.clone());
        }
        diagnostic
    }

    fn has_given_id(&self, n: usize) -> bool {
        self.items[n].record.get(ID.name).and_then(Value::as_text).is_some()
    }

    /// The id of an item; the record of an item that is taken over contains it.
    fn id(&mut self, n: usize, unnamed: &mut HashMap<String, usize>) -> SharedText {
        let CheckedItem { entity, record, parent, .. } = &self.items[n];
        if let Some(id) = record.get(ID.name).and_then(Value::as_text) {
            return id.clone();
        }
        let collection = entity.collection;
        let key = self.kongs_key(n).unwrap_or_else(|| {
            // Not Kong's: there an entity without a name has another id at each load. Here the id depends on the fields,
            // and on the number of equal entities before it.
            let mut record = record.as_mapping().cloned().unwrap_or_default();
            for field in entity.fields.iter().filter(|field| field.is_left_out_of_id) {
                record.remove(field.name);
            }
            let parent = parent.map_or("", |parent| &self.ids[parent.item]);
            let text = format!("{parent} {}", Value::from(record).to_json());
            let before = unnamed.entry(text.clone()).or_default();
            *before += 1;
            self.counted.insert(n);
            format!("{text}#{before}")
        });
        let mut buffer = Uuid::encode_buffer();
        (&*entity_id(collection, &key).hyphenated().encode_lower(&mut buffer)).into()
    }

    /// The key from which Kong derives the id of an item; `None` if Kong generates one at each load.
    fn kongs_key(&self, n: usize) -> Option<String> {
        let CheckedItem { entity, record, parent, .. } = &self.items[n];
        let text = |field: &Field| record.get(field.name).and_then(Value::as_str).map(str::to_owned);
        // A reference counts as it is written, and the entity around this one by its id: so do Kong's keys.
        let part = |field: &Field| match (text(field), parent) {
            (Some(written), _) => Some(written),
            (None, Some(parent)) if parent.field == field.name => Some(self.ids[parent.item].to_string()),
            (None, _) => field.target().map(|_| String::new()),
        };
        match entity.derived_id {
            DerivedId::None => None,
            DerivedId::Name(field) => text(field),
            DerivedId::Key(fields) => {
                let parts: Option<Vec<String>> = fields.iter().map(|field| part(field)).collect();
                Some(format!("{}:*:{}", entity.collection, parts?.join(":")))
            }
        }
    }

    /// Replaces passwords by the hashes that Kong stores, which depend on the ids of their Consumers.
    fn hash_passwords(&mut self) {
        for item in &mut self.items {
            for field in item.entity.hashed_fields() {
                let consumer = reference(&item.record, &basicauth_credential::CONSUMER).unwrap_or_default();
                if let Some(password) = item.record.get(field.name).and_then(Value::as_str) {
                    let hash = password_hash(password.as_bytes(), consumer);
                    let mut record = take_mapping(&mut item.record);
                    record.insert(field.name, hash);
                    item.record = record.into();
                }
            }
        }
    }

    /// Puts `{id: ...}` in place of references, and its id into each record. Items that are taken over already contain both,
    /// and change only if a name now stands for another entity.
    fn resolve_references(&mut self) {
        for n in 0..self.items.len() {
            let record = std::mem::take(&mut self.items[n].record);
            let mut found: Vec<(&'static str, SharedText)> = Vec::new();
            for (field, target) in self.items[n].entity.references() {
                if let Some(id) = self.reference(n, &record, field, target)
                    && record.get(field.name).and_then(|value| value.get(ID.name)).and_then(Value::as_text)
                        != Some(&id)
                {
                    found.push((field.name, id));
                }
            }
            let is_taken_over = self.items[n].previous.is_some();
            if is_taken_over && found.is_empty() {
                self.items[n].record = record;
                continue;
            }
            let mut record = record.into_mapping().unwrap_or_default();
            for (field, id) in found {
                let id = (self.id_key.clone(), Value::String(id));
                record.insert(field, Mapping::from_distinct_keys(vec![id]));
            }
            if is_taken_over {
                self.items[n].previous = None;
                if record.contains_key(UPDATED_AT.name) {
                    record.insert(UPDATED_AT.name, Value::Null);
                }
            }
            record.insert(ID.name, Value::String(self.ids[n].clone()));
            if let Some(complete) = self.items[n].entity.complete {
                complete(&mut record);
            }
            self.items[n].record = record.into();
        }
    }

    /// Sets the time of creation where the text gives none, and the time of change in any case. An entity of the previous
    /// configuration keeps the former, and also the latter if it did not change.
    fn set_times(&mut self, now: i64, previous: &PreviousConfig<'_>) {
        let now = Value::from(now);
        for item in self.items.iter_mut().filter(|item| item.previous.is_none()) {
            let is_open = |field: &Field| {
                item.record
                    .get(field.name)
                    .is_some_and(|time| time.is_null() || field.name == UPDATED_AT.name)
            };
            let open: Vec<Field> = [CREATED_AT, UPDATED_AT].into_iter().filter(is_open).collect();
            let id = item.record.get(ID.name).and_then(Value::as_str).unwrap_or_default();
            let old = previous.by_id(item.entity.collection, id).map(|record| &record.value);
            let is_same = old.is_some_and(|old| is_same_record(old, &item.record));
            let mut record = take_mapping(&mut item.record);
            for field in open {
                let keeps = is_same || field.name == CREATED_AT.name;
                let kept = old.filter(|_| keeps).and_then(|old| old.get(field.name));
                record.insert(field.name, kept.filter(|time| !time.is_null()).unwrap_or(&now).clone());
            }
            let record = Value::from(record);
            item.record = old.filter(|old| **old == record).cloned().unwrap_or(record);
        }
    }

    /// The id of the entity that a field of an item refers to; an error if there is no such entity.
    fn reference(
        &mut self,
        n: usize,
        record: &Value,
        field: &Field,
        target: &'static EntitySchema,
    ) -> Option<SharedText> {
        let CheckedItem { parent, path, written, previous, .. } = &self.items[n];
        if let Some(parent) = parent.filter(|parent| parent.field == field.name) {
            return Some(self.ids[parent.item].clone());
        }
        // The record of an item that is taken over contains an id where the text may have a name.
        let name = match previous {
            None => record.get(field.name)?.as_text()?,
            Some(_) => written.get(field.name).map(|value| value.get(ID.name).unwrap_or(value))?.as_text()?,
        };
        let collection = target.collection;
        let name_field = name_in_file(target);
        let named =
            name_field.and_then(|name_field| self.unique.get(&(collection, name_field.name, name.clone())));
        if let Some(item) = named.or_else(|| self.by_id.get(&(collection, name.clone()))) {
            return Some(self.ids[*item].clone());
        }
        let field = field.name;
        let message = format!("invalid reference '{field}: {name}' (no such entry in '{collection}')");
        let mut diagnostic = Diagnostic::error(path.key(field), message);
        // The search for a similar name compares with each name.
        if let Some(name_field) = name_field
            && self.diagnostics.len() < MOST_GUESSES
        {
            // In file order, so that equal files get equal hints.
            let targets = self.items.iter().filter(|item| item.entity == target);
            let names = targets.filter_map(|item| item.record.get(name_field.name).and_then(Value::as_str));
            if let Some(near) = crate::schema::nearest(name, names) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
            }
        }
        if let Some(path) = self.path_by_name(n, &self.items[n].written) {
            diagnostic = diagnostic.in_list_at(path);
        }
        push_bounded(&mut self.diagnostics, diagnostic, MAX_DIAGNOSTICS);
        None
    }
}

/// How many references to missing entities get a hint at a similar name.
const MOST_GUESSES: usize = 20;

/// The field by which a file can refer to an entity.
fn name_in_file(entity: &EntitySchema) -> Option<&'static Field> {
    entity.unique_in_files().next()
}

/// The members of a record, to be changed and put back.
fn take_mapping(record: &mut Value) -> Mapping {
    std::mem::take(record).into_mapping().unwrap_or_default()
}
