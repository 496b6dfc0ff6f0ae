//! Names get their meaning: checked records get their ids, references find what they name, and what exists twice
//! is refused.

use std::collections::{HashMap, HashSet};

use hashbrown::HashMap as SeededMap;
use uuid::Uuid;

use super::{
    collect::EntityCollector,
    previous_config::{EntityNode, PreviousConfig},
};

use crate::{
    diag::{Diagnostic, push_bounded},
    document::{Mapping, NodePath, SharedText, Value},
    entity::{Entities, entity_id, password_hash, says_the_same},
    schema::{CheckedItem, FieldKind, PluginSchemas},
};

/// What checked items become.
#[derive(Default)]
pub(super) struct ResolvedEntities {
    pub(super) entities: Entities,
    /// What each of its records was read from.
    pub(super) nodes: Vec<EntityNode>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Turns checked items into entities. `transform` says that passwords are passwords, not hashes yet.
pub(super) fn resolve(
    items: Vec<CheckedItem>,
    plugins: &dyn PluginSchemas,
    now: i64,
    transform: bool,
    past: &PreviousConfig<'_>,
) -> ResolvedEntities {
    let mut resolver = ReferenceResolver::new(items);
    resolver.identify();
    resolver.refer();
    if resolver.diagnostics.is_empty() {
        resolver.diagnostics = std::mem::take(&mut resolver.later);
    }
    if transform {
        resolver.hash_passwords();
    }
    if !resolver.diagnostics.is_empty() {
        return ResolvedEntities { diagnostics: resolver.diagnostics, ..ResolvedEntities::default() };
    }
    resolver.stamp(now, past);
    let node = |(n, it): (usize, &CheckedItem)| EntityNode {
        written: it.written.clone(),
        parent: it.parent,
        // A password becomes a hash, for a Consumer that it does not name.
        lasts: !it.noted && !resolver.counted.contains(&n) && it.entity.collection != "basicauth_credentials",
    };
    let nodes = resolver.items.iter().enumerate().map(node).collect();
    let (entities, diagnostics) = EntityCollector::new(resolver.items, past.entities, plugins).entities();
    ResolvedEntities { entities, nodes, diagnostics }
}

/// The references to nothing among items that may be wrong in other ways, too.
pub(super) fn dangling(items: Vec<CheckedItem>) -> Vec<Diagnostic> {
    let mut resolver = ReferenceResolver::new(items);
    resolver.identify();
    resolver.diagnostics.clear();
    resolver.refer();
    // Where a document fails before its references are looked up, Kong says less of them.
    let told = resolver.diagnostics.into_iter().map(|it| {
        let path = it.path.key("id");
        it.told(path, "missing primary key")
    });
    told.collect()
}

/// The ids that Kong derives for items, by where they stand.
pub(super) fn derived_ids(items: Vec<CheckedItem>) -> HashMap<NodePath, String> {
    let mut resolver = ReferenceResolver::new(items);
    resolver.identify();
    let derived = |n: &usize| resolver.is_given(*n) || resolver.kongs_key(*n).is_some();
    let all = (0..resolver.items.len()).filter(derived);
    all.map(|n| (resolver.items[n].path.clone(), resolver.ids[n].to_string())).collect()
}

struct ReferenceResolver {
    items: Vec<CheckedItem>,
    /// The id of each item.
    ids: Vec<SharedText>,
    /// Items whose ids depend on how many say the same before them.
    counted: HashSet<usize>,
    /// Items by collection, unique field and its value.
    unique: SeededMap<(&'static str, &'static str, SharedText), usize>,
    /// The key `id`, shared by all references.
    id_key: SharedText,
    /// Items by collection and id.
    found: SeededMap<(&'static str, SharedText), usize>,
    diagnostics: Vec<Diagnostic>,
    /// What is said if nothing else is wrong: Kong looks at these fields last.
    later: Vec<Diagnostic>,
}

impl ReferenceResolver {
    fn new(items: Vec<CheckedItem>) -> Self {
        let many = items.len();
        Self {
            items,
            ids: Vec::with_capacity(many),
            counted: HashSet::new(),
            unique: SeededMap::with_capacity(many),
            id_key: "id".into(),
            found: SeededMap::with_capacity(many),
            diagnostics: Vec::new(),
            later: Vec::new(),
        }
    }

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
                let at = self.items[n].path.clone();
                let refusal = self.refuse_second(at.clone(), at, [message.clone(), message], first);
                push_bounded(&mut self.diagnostics, refusal);
            }
            self.ids.push(id);
        }
    }

    /// Notes the values of unique fields, and refuses those that another item has.
    fn stands_twice(&mut self, n: usize) -> bool {
        let mut twice = false;
        let collection = self.items[n].entity.collection;
        for (n_field, field) in unique_fields(collection).iter().enumerate() {
            let value = self.items[n].record.get(field).and_then(Value::as_text);
            let Some(value) = value.cloned() else { continue };
            if let Some(first) = self.unique.insert((collection, field, value.clone()), n) {
                let message = |shown: &str| {
                    format!(
                        "uniqueness violation: '{collection}' entity with {field} set to {shown} already declared"
                    )
                };
                let told = message(&format!("'{value}'"));
                // A key is a secret, and messages reach logs; who sent the document knows it.
                let said = if *field == "key" { message("the same value") } else { told.clone() };
                let at = self.items[n].path.clone();
                // Kong keeps the place of the field that it finds entities by; for others it names the entity.
                if n_field == 0 {
                    let refusal = self.refuse_second(at.key(field), at, [said, told], first);
                    push_bounded(&mut self.diagnostics, refusal);
                    twice = true;
                } else {
                    let place = self.by_name(n, &self.items[n].written).unwrap_or_else(|| at.clone());
                    let refusal = self.refuse_second(at.key(field), place, [said, told], first);
                    push_bounded(&mut self.later, refusal);
                }
            }
        }
        twice
    }

    /// Where Kong puts a complaint about an item that it knows by its name: `collection.name`.
    fn by_name(&self, n: usize, record: &Value) -> Option<NodePath> {
        let collection = self.items[n].entity.collection;
        let field = unique_fields(collection).first().copied().unwrap_or("id");
        let name = [field, "id"].into_iter().find_map(|field| record.get(field)?.as_str())?;
        Some(NodePath::root().key(collection).key(name))
    }

    /// Complains of an item at `at`; machines are told the second message at `place`.
    fn refuse_second(
        &self,
        at: NodePath,
        place: NodePath,
        [said, told]: [String; 2],
        first: usize,
    ) -> Diagnostic {
        let help = format!("the first one is {}", self.items[first].path);
        let mut diagnostic = Diagnostic::error(at, said).help(help).told(place, told);
        if let Some(telling) = &mut diagnostic.telling {
            telling.first = Some(self.items[first].path.clone());
        }
        diagnostic
    }

    fn is_given(&self, n: usize) -> bool {
        self.items[n].record.get("id").and_then(Value::as_text).is_some()
    }

    /// The id of an item; one of before has it in its record.
    fn id(&mut self, n: usize, unnamed: &mut HashMap<String, usize>) -> SharedText {
        let CheckedItem { entity, record, parent, .. } = &self.items[n];
        if let Some(id) = record.get("id").and_then(Value::as_text) {
            return id.clone();
        }
        let collection = entity.collection;
        let key = self.kongs_key(n).unwrap_or_else(|| {
            // ours: Kong gives an entity without a name another id at each load. What it says, and how many say the
            // same before it, stays. A key is a secret, and ids are not.
            let mut record = record.as_mapping().cloned().unwrap_or_default();
            for secret in SECRETS {
                record.remove(secret);
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

    /// What Kong makes the id of an item from, if it does not make up another one each time.
    fn kongs_key(&self, n: usize) -> Option<String> {
        let CheckedItem { entity, record, parent, .. } = &self.items[n];
        // A reference fills its slot with what is written, a parent with its id: so do Kong's ids.
        let slot = |field| match (record.get(field).and_then(Value::as_str), parent) {
            (Some(written), _) => written.to_owned(),
            (None, Some(parent)) if parent.field == field => self.ids[parent.item].to_string(),
            (None, _) => String::new(),
        };
        let text = |field| record.get(field).and_then(Value::as_str).map(str::to_owned);
        let collection = entity.collection;
        Some(match collection {
            "plugins" => {
                let scope = format!("{}:{}:{}", slot("route"), slot("service"), slot("consumer"));
                format!("plugins:*:{}:{scope}", text("name")?)
            }
            "targets" => format!("targets:*:{}:{}", slot("upstream"), text("target")?),
            "acls" => format!("acls:*:{}:{}", slot("consumer"), text("group")?),
            "basicauth_credentials" | "hmacauth_credentials" => {
                format!("{collection}:*:{}", text("username")?)
            }
            "vaults" => format!("vaults:*:{}", text("prefix")?),
            "keys" => format!("keys:*:{}:{}", text("kid")?, slot("set")),
            "filter_chains" => format!("filter_chains:*:{}:{}", slot("route"), slot("service")),
            "consumers" => text("username")?,
            "keyauth_credentials" | "jwt_secrets" | "oauth2_credentials" | "sessions" | "acme_storage" => {
                return None;
            }
            _ => text("name")?,
        })
    }

    /// Passwords are kept as Kong keeps them: hashed with the id of their Consumer.
    fn hash_passwords(&mut self) {
        for item in self.items.iter_mut().filter(|it| it.entity.collection == "basicauth_credentials") {
            let consumer = item.record.get("consumer").and_then(|it| it.get("id")).and_then(Value::as_str);
            if let Some(password) = item.record.get("password").and_then(Value::as_str) {
                let hash = password_hash(password.as_bytes(), consumer.unwrap_or_default());
                let mut record = take(&mut item.record);
                record.insert("password", hash);
                item.record = record.into();
            }
        }
    }

    /// Puts `{id: ...}` where a reference is, and the id into each record. What was known before has both, and changes
    /// only if a name leads elsewhere.
    fn refer(&mut self) {
        for n in 0..self.items.len() {
            let record = std::mem::take(&mut self.items[n].record);
            let mut found: Vec<(&'static str, SharedText)> = Vec::new();
            for field in self.items[n].entity.fields {
                if let FieldKind::Foreign(collection) = field.kind
                    && let Some(id) = self.reference(n, &record, field.name, collection)
                    && record.get(field.name).and_then(|it| it.get("id")).and_then(Value::as_text)
                        != Some(&id)
                {
                    found.push((field.name, id));
                }
            }
            let is_known = self.items[n].before.is_some();
            if is_known && found.is_empty() {
                self.items[n].record = record;
                continue;
            }
            let mut record = record.into_mapping().unwrap_or_default();
            for (field, id) in found {
                let id = (self.id_key.clone(), Value::String(id));
                record.insert(field, Mapping::of_different_keys(vec![id]));
            }
            if is_known {
                self.items[n].before = None;
                if record.contains_key("updated_at") {
                    record.insert("updated_at", Value::Null);
                }
            }
            record.insert("id", Value::String(self.ids[n].clone()));
            if let Some(complete) = self.items[n].entity.complete {
                complete(&mut record);
            }
            self.items[n].record = record.into();
        }
    }

    /// When entities were made, where the text does not say, and changed, whatever it says: those that were there have
    /// been made when they were made, and those that say what they said were not changed.
    fn stamp(&mut self, now: i64, past: &PreviousConfig<'_>) {
        let now = Value::from(now);
        for item in self.items.iter_mut().filter(|it| it.before.is_none()) {
            let open = |stamp: &&str| {
                item.record.get(stamp).is_some_and(|it| it.is_null() || *stamp == "updated_at")
            };
            let open: Vec<&str> = ["created_at", "updated_at"].into_iter().filter(open).collect();
            let id = item.record.get("id").and_then(Value::as_str).unwrap_or_default();
            let old = past.by_id(item.entity.collection, id).map(|it| &it.value);
            let same = old.is_some_and(|old| says_the_same(old, &item.record));
            let mut record = take(&mut item.record);
            for stamp in open {
                let kept = old.filter(|_| same || stamp == "created_at").and_then(|it| it.get(stamp));
                record.insert(stamp, kept.filter(|it| !it.is_null()).unwrap_or(&now).clone());
            }
            let record = Value::from(record);
            item.record = old.filter(|old| **old == record).cloned().unwrap_or(record);
        }
    }

    fn reference(
        &mut self,
        n: usize,
        record: &Value,
        field: &'static str,
        collection: &'static str,
    ) -> Option<SharedText> {
        let CheckedItem { parent, path, written, before, .. } = &self.items[n];
        if let Some(parent) = parent.filter(|parent| parent.field == field) {
            return Some(self.ids[parent.item].clone());
        }
        // What was known before has an id in its record; the text may say a name.
        let name = match before {
            None => record.get(field)?.as_text()?,
            Some(_) => written.get(field).map(|it| it.get("id").unwrap_or(it))?.as_text()?,
        };
        let by = unique_fields(collection).first().copied().unwrap_or("name");
        let named = self.unique.get(&(collection, by, name.clone()));
        if let Some(item) = named.or_else(|| self.found.get(&(collection, name.clone()))) {
            return Some(self.ids[*item].clone());
        }
        let message = format!("invalid reference '{field}: {name}' (no such entry in '{collection}')");
        let mut diagnostic = Diagnostic::error(path.key(field), message);
        // To look for a near word costs a comparison with each name.
        if self.diagnostics.len() < GUESSES {
            // In the order of the file, so that the same file is told the same.
            let these = self.items.iter().filter(|item| item.entity.collection == collection);
            let known = these.filter_map(|item| item.record.get(by).and_then(Value::as_str));
            if let Some(near) = crate::schema::nearest(name, known) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
            }
        }
        if let Some(place) = self.by_name(n, &self.items[n].written) {
            diagnostic = diagnostic.listed(place);
        }
        push_bounded(&mut self.diagnostics, diagnostic);
        None
    }
}

/// Of this many references to nothing it is said what was probably meant.
const GUESSES: usize = 20;

/// The members of a record, to be changed and put back.
fn take(record: &mut Value) -> Mapping {
    std::mem::take(record).into_mapping().unwrap_or_default()
}

/// Fields that no id may be made from.
const SECRETS: [&str; 8] =
    ["key", "key_alt", "secret", "client_id", "client_secret", "access_token", "session_id", "value"];

/// The fields of a collection whose values are unique; references use the first one.
fn unique_fields(collection: &str) -> &'static [&'static str] {
    match collection {
        "plugins" => &["instance_name"],
        "consumers" => &["username", "custom_id"],
        "keyauth_credentials" | "jwt_secrets" | "acme_storage" | "parameters" => &["key"],
        "basicauth_credentials" | "hmacauth_credentials" => &["username"],
        "ca_certificates" => &["cert_digest"],
        "oauth2_credentials" => &["client_id"],
        "oauth2_tokens" => &["access_token"],
        "sessions" => &["session_id"],
        "vaults" => &["prefix"],
        "acls" | "targets" | "certificates" | "filter_chains" => &[],
        _ => &["name"],
    }
}
