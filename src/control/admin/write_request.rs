//! What a write asks for: what Kong checks, in its order, and what comes of it. (Kong: Admin API reference.)

use http::{Method, StatusCode};

use super::{
    collections,
    constraints::{is_unique, references_exist, resolve, suits_route},
    entities::{EntityKey, EntityPath, nobody},
    input::RequestInput,
    plan::{ConfigView, by},
    record_check::{checked, merged},
    refusal::AdminRefusal,
    server_names::{self, SniNames},
};
use crate::{
    control::write::WritePlan,
    document::{Mapping, Value},
    entity::EntityRecord,
    plugin::BundledPlugins,
    schema::EntitySchema,
    snapshot::SnapshotChecker,
};

/// A write to be made: decided each time it is tried.
pub(super) struct WriteRequest {
    pub(super) resource: EntityPath,
    pub(super) method: Method,
    pub(super) input: RequestInput,
    pub(super) plugins: BundledPlugins,
    pub(super) checker: SnapshotChecker,
    /// Why no writes are made, if that is known before; Kong's refusal alone where they are forbidden.
    pub(super) read_only: Option<ReadOnlyReason>,
}

/// No writes are made; and why, if there is more to say than that.
#[derive(Clone, Debug)]
pub(super) struct ReadOnlyReason(pub(super) Option<String>);

/// What a wish comes to.
pub(super) enum WriteDecision {
    /// A write.
    Plan(Box<WritePlan>),
    /// Nothing is left to do.
    Done,
    /// A new parent for an entity: two writes.
    Parent(Box<WritePlan>),
}

impl EntityPath {
    /// The entity that a write is about.
    pub(super) fn entity(&self) -> &'static EntitySchema {
        match self {
            Self::All(entity) | Self::Below(_, entity, _) | Self::Parent(_, _, entity) => entity,
            Self::One(key) | Self::OneBelow(_, key, _) => key.entity,
            Self::Nothing | Self::Nobody => &NOBODY,
        }
    }
}

/// What a collection that is not used has.
static NOBODY: EntitySchema =
    EntitySchema { collection: "", fields: &[], prepare: None, complete: None, conditions: &[], checks: &[] };

impl WriteRequest {
    /// What is to be written, as things are.
    pub(super) fn decide(&self, current: &ConfigView<'_>) -> Result<WriteDecision, AdminRefusal> {
        let entities = current.entities;
        match &self.resource {
            EntityPath::Nothing | EntityPath::Nobody => Err(AdminRefusal::Plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "this version does not use these entities".to_owned(),
            )),
            EntityPath::All(entity) => self.create(current, entity, None),
            EntityPath::Below(key, child, field) => {
                let parent = key.find(entities).ok_or_else(AdminRefusal::not_found)?;
                self.create(current, child, Some((field, parent)))
            }
            EntityPath::One(key) => {
                key.check()?;
                let found = key.find(entities);
                self.one(current, key, found, None)
            }
            EntityPath::OneBelow(parent, key, field) => {
                let parent = parent.find(entities).ok_or_else(AdminRefusal::not_found)?;
                let found = key.find_below(entities, field, parent.id());
                // Kong has no target made under its own address; clients that give ids rely on those.
                let whole = key.entity.collection != "targets" || key.is_id() && self.input.names("target");
                // One that belongs to another parent is not this one's.
                let is_new = whole && self.method == Method::PUT && !key.is_taken(entities);
                if found.is_none() && !is_new {
                    return Err(AdminRefusal::not_found());
                }
                self.one(current, key, found, Some((field, parent)))
            }
            EntityPath::Parent(key, field, parent) => {
                let child = key.find(entities).ok_or_else(AdminRefusal::not_found)?;
                let id = child.value.get(field).and_then(|it| it.get("id")).and_then(Value::as_str);
                let found = id.and_then(|id| by(entities, parent.collection, "id", id));
                if found.is_none() && self.method == Method::PUT {
                    return match self.create(current, parent, None)? {
                        WriteDecision::Plan(plan) => Ok(WriteDecision::Parent(plan)),
                        other => Ok(other),
                    };
                }
                let found = found.ok_or_else(AdminRefusal::not_found)?;
                let key = EntityKey { entity: parent, text: found.id().to_owned() };
                self.one(current, &key, Some(found), None)
            }
        }
    }

    /// A change of one entity, or its end.
    fn one(
        &self,
        current: &ConfigView<'_>,
        key: &EntityKey,
        found: Option<&EntityRecord>,
        parent: Option<(&'static str, &EntityRecord)>,
    ) -> Result<WriteDecision, AdminRefusal> {
        let entity = key.entity;
        match self.method {
            Method::DELETE => {
                let Some(found) = found else {
                    // By a server name the certificate is looked up first.
                    let by_name = entity.collection == "certificates" && !key.is_id();
                    return if by_name { Err(nobody(key)) } else { Ok(WriteDecision::Done) };
                };
                self.may("remove", key)?;
                Ok(WriteDecision::Plan(Box::new(current.delete(found)?)))
            }
            Method::PATCH => {
                let found = found.ok_or_else(|| absent(key))?;
                self.patch(current, key, found)
            }
            _ => match found {
                Some(found) => self.replace(current, key, found, parent),
                None => {
                    let mut given = self.given(entity, None);
                    name(&mut given, key);
                    self.create_from(current, entity, given, parent, Some(key))
                }
            },
        }
    }

    /// Whether writes are made, asked when nothing else is wrong, as Kong does.
    fn may(&self, verb: &str, key: &EntityKey) -> Result<(), AdminRefusal> {
        self.may_with(verb, Some(key))
    }

    fn may_with(&self, verb: &str, key: Option<&EntityKey>) -> Result<(), AdminRefusal> {
        let Some(ReadOnlyReason(why)) = self.read_only.clone() else { return Ok(()) };
        Err(AdminRefusal::Unsupported { message: self.unsupported(verb, key), why })
    }

    pub(super) fn unsupported(&self, verb: &str, key: Option<&EntityKey>) -> String {
        let collection = self.resource.entity().collection;
        let named = key.filter(|key| !key.is_id() && !matches!(self.resource, EntityPath::OneBelow(..)));
        let by = named.and_then(|key| collections::name_field(key.entity.collection));
        let by = by.map(|field| format!(" by '{field}'")).unwrap_or_default();
        format!("cannot {verb} '{collection}' entities{by} when not using a database")
    }

    fn given(&self, entity: &'static EntitySchema, plugin: Option<&str>) -> Mapping {
        let mut given = self.input.record(entity, &self.plugins, plugin);
        // What is shown in place of a password is no password.
        if given.get("password").and_then(Value::as_str) == Some("[REDACTED]") {
            given.remove("password");
        }
        given
    }

    fn create(
        &self,
        current: &ConfigView<'_>,
        entity: &'static EntitySchema,
        parent: Option<(&'static str, &EntityRecord)>,
    ) -> Result<WriteDecision, AdminRefusal> {
        self.create_from(current, entity, self.given(entity, None), parent, None)
    }

    fn create_from(
        &self,
        current: &ConfigView<'_>,
        entity: &'static EntitySchema,
        mut given: Mapping,
        parent: Option<(&'static str, &EntityRecord)>,
        key: Option<&EntityKey>,
    ) -> Result<WriteDecision, AdminRefusal> {
        given.remove("updated_at");
        if let Some((field, parent)) = parent {
            given.insert(field, [("id", Value::from(parent.id()))].into_iter().collect::<Mapping>());
        }
        let names = server_names::taken_from(entity, &mut given);
        resolve(current, entity, &mut given)?;
        let (mut names, record) =
            server_names::beside(names, checked(entity, &given, &self.plugins, self.checker))?;
        self.may_with(if key.is_some() { "create or update" } else { "create" }, key)?;
        if let Some(key) = key {
            server_names::with_own(&mut names, key);
        }
        references_exist(current, entity, &record)?;
        is_unique(current.entities, entity, &record, None)?;
        suits_route(current.entities, entity, &record)?;
        server_names::are_free(current.entities, &names, None)?;
        let names = names.unwrap_or_default();
        Ok(WriteDecision::Plan(Box::new(current.create(entity, record, &given, &names))))
    }

    fn patch(
        &self,
        current: &ConfigView<'_>,
        key: &EntityKey,
        found: &EntityRecord,
    ) -> Result<WriteDecision, AdminRefusal> {
        let entity = key.entity;
        let plugin = found.value.get("name").and_then(Value::as_str);
        let mut given = self.given(entity, plugin);
        for unwritable in ["id", "updated_at"] {
            given.remove(unwritable);
        }
        let names = server_names::taken_from(entity, &mut given);
        resolve(current, entity, &mut given)?;
        let old = found.value.as_mapping().cloned().unwrap_or_default();
        let merged = merged(&old, &given);
        let change = EntityEdit { whole: &merged, given: &given, names, verb: "update" };
        self.change(current, key, found, change)
    }

    fn replace(
        &self,
        current: &ConfigView<'_>,
        key: &EntityKey,
        found: &EntityRecord,
        parent: Option<(&'static str, &EntityRecord)>,
    ) -> Result<WriteDecision, AdminRefusal> {
        let entity = key.entity;
        let mut given = self.given(entity, None);
        given.remove("updated_at");
        name(&mut given, key);
        let mut names = server_names::taken_from(entity, &mut given);
        if let Ok(names @ Some(_)) = &mut names {
            server_names::with_own(names, key);
        }
        given.insert("id", found.id());
        if let Some((field, parent)) = parent {
            given.insert(field, [("id", Value::from(parent.id()))].into_iter().collect::<Mapping>());
        }
        // A target is who it is; only its weight and tags change.
        if entity.collection == "targets" && given.get("target").is_none() {
            given.insert("target", found.value.get("target").cloned().unwrap_or_default());
        }
        resolve(current, entity, &mut given)?;
        let change = EntityEdit { whole: &given, given: &given, names, verb: "create or update" };
        self.change(current, key, found, change)
    }

    fn change(
        &self,
        current: &ConfigView<'_>,
        key: &EntityKey,
        found: &EntityRecord,
        change: EntityEdit<'_>,
    ) -> Result<WriteDecision, AdminRefusal> {
        let entity = key.entity;
        let EntityEdit { whole, given, names, verb } = change;
        let (names, mut record) =
            server_names::beside(names, checked(entity, whole, &self.plugins, self.checker))?;
        record.insert("id", found.id());
        let created_at = found.value.get("created_at").cloned();
        if let Some(at) = created_at.filter(|_| record.get("created_at").is_some_and(Value::is_null)) {
            record.insert("created_at", at);
        }
        if let Some(at) = found.value.get("updated_at").cloned() {
            record.insert("updated_at", at);
        }
        self.may(verb, key)?;
        references_exist(current, entity, &record)?;
        is_unique(current.entities, entity, &record, Some(found.id()))?;
        suits_route(current.entities, entity, &record)?;
        server_names::are_free(current.entities, &names, Some(found))?;
        let mut given = given.clone();
        given.remove("id");
        let mut plan = current.update(found, record, &given);
        current.rename(found, &names, &mut plan);
        Ok(WriteDecision::Plan(Box::new(plan)))
    }
}

/// What an entity shall say.
struct EntityEdit<'a> {
    /// All of it.
    whole: &'a Mapping,
    /// What was said of it now.
    given: &'a Mapping,
    /// The server names of a certificate, or what is wrong with them.
    names: Result<SniNames, Value>,
    /// What Kong calls it.
    verb: &'static str,
}

/// The id or name in the path wins over the one in the body.
fn name(given: &mut Mapping, key: &EntityKey) {
    if key.is_id() {
        given.insert("id", key.text.as_str());
    } else if let Some(field) = collections::name_field(key.entity.collection) {
        given.insert(field, key.text.as_str());
        given.remove("id");
    }
}

fn absent(key: &EntityKey) -> AdminRefusal {
    match collections::name_field(key.entity.collection) {
        _ if key.entity.collection == "plugins" => AdminRefusal::not_found(),
        _ if key.is_id() => AdminRefusal::Absent { field: "id", value: key.text.clone() },
        Some(field) => AdminRefusal::Absent { field, value: key.text.clone() },
        None => nobody(key),
    }
}
