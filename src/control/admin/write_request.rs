//! Write requests: Kong's checks in Kong's order, and the plan that results from them. (Kong: Admin API reference.)

use http::Method;

use super::{
    constraints::{check_references_exist, check_route_protocols, check_unique, resolve_references},
    entities::{EntityKey, EntityPath, REDACTED, entity_not_found},
    input::RequestInput,
    plan::{ConfigView, by},
    record_check::{check_record, merge_records},
    refusal::AdminRefusal,
    server_names::{self, SniNames},
};
use crate::{
    control::write::WritePlan,
    document::{Mapping, Value},
    entity::{CREATED_AT, EntityRecord, ID, UPDATED_AT, certificate, plugin, target},
    plugin::BundledPlugins,
    schema::{EntitySchema, Field},
    snapshot::SnapshotChecker,
};

/// A write request; it is decided anew on each attempt.
pub(super) struct WriteRequest {
    pub(super) path: EntityPath,
    pub(super) method: Method,
    pub(super) input: RequestInput,
    pub(super) plugins: BundledPlugins,
    pub(super) checker: SnapshotChecker,
    /// Why writes are not possible, if that is known before.
    pub(super) read_only: Option<ReadOnlyReason>,
}

/// Writes are not possible; the reason, unless writes are disabled by settings, where the answer is Kong's alone.
#[derive(Clone, Debug)]
pub(super) struct ReadOnlyReason(pub(super) Option<String>);

/// Decision on a write request.
pub(super) enum WriteDecision {
    /// A write.
    Plan(Box<WritePlan>),
    /// Nothing to do: the entity to delete does not exist.
    Done,
    /// A new parent for an entity, which takes two writes.
    Parent(Box<WritePlan>),
}

impl EntityPath {
    /// The schema of the entity that a write is about.
    pub(super) fn entity(&self) -> &'static EntitySchema {
        match self {
            Self::Collection(entity) | Self::Children(_, entity, _) | Self::Parent(_, _, entity) => entity,
            Self::Entity(key) | Self::Child(_, key, _) => key.entity,
        }
    }
}

impl WriteRequest {
    /// Decides on the request for this configuration.
    pub(super) fn decide(&self, current: &ConfigView<'_>) -> Result<WriteDecision, AdminRefusal> {
        let entities = current.entities;
        match &self.path {
            EntityPath::Collection(entity) => self.create(current, entity, None),
            EntityPath::Children(key, child, field) => {
                let parent = key.find(entities).ok_or_else(AdminRefusal::not_found)?;
                self.create(current, child, Some((field, parent)))
            }
            EntityPath::Entity(key) => {
                key.check()?;
                let found = key.find(entities);
                self.decide_entity(current, key, found, None)
            }
            EntityPath::Child(parent, key, field) => {
                let parent = parent.find(entities).ok_or_else(AdminRefusal::not_found)?;
                let found = key.find_child(entities, field, parent.id());
                // Kong does not create targets under their own address; clients that give ids rely on creating them.
                let may_create =
                    key.entity != &target::ENTITY || key.is_id() && self.input.has_field(target::TARGET.name);
                // A child of another parent does not belong to this one.
                let is_new = may_create && self.method == Method::PUT && !key.is_taken(entities);
                if found.is_none() && !is_new {
                    return Err(AdminRefusal::not_found());
                }
                self.decide_entity(current, key, found, Some((field, parent)))
            }
            EntityPath::Parent(key, field, parent) => {
                let child = key.find(entities).ok_or_else(AdminRefusal::not_found)?;
                let found = child.reference(field).and_then(|id| by(entities, parent, &ID, id));
                if found.is_none() && self.method == Method::PUT {
                    return match self.create(current, parent, None)? {
                        WriteDecision::Plan(plan) => Ok(WriteDecision::Parent(plan)),
                        other => Ok(other),
                    };
                }
                let found = found.ok_or_else(AdminRefusal::not_found)?;
                let key = EntityKey { entity: parent, text: found.id().to_owned() };
                self.decide_entity(current, &key, Some(found), None)
            }
        }
    }

    /// Creates, changes or deletes one entity.
    fn decide_entity(
        &self,
        current: &ConfigView<'_>,
        key: &EntityKey,
        found: Option<&EntityRecord>,
        parent: Option<(&'static Field, &EntityRecord)>,
    ) -> Result<WriteDecision, AdminRefusal> {
        let entity = key.entity;
        match self.method {
            Method::DELETE => {
                let Some(found) = found else {
                    // By a server name, the certificate is looked up first.
                    let by_name = entity == &certificate::ENTITY && !key.is_id();
                    return if by_name { Err(entity_not_found(key)) } else { Ok(WriteDecision::Done) };
                };
                self.check_writable("remove", Some(key))?;
                Ok(WriteDecision::Plan(Box::new(current.delete(found)?)))
            }
            Method::PATCH => {
                let found = found.ok_or_else(|| key_not_found(key))?;
                self.patch(current, key, found)
            }
            _ => match found {
                Some(found) => self.replace(current, key, found, parent),
                None => {
                    let mut given = self.given_record(entity, None);
                    set_key_fields(&mut given, key);
                    self.create_from(current, entity, given, parent, Some(key))
                }
            },
        }
    }

    /// Checks that writes are possible. As in Kong, this comes after all other checks.
    fn check_writable(&self, verb: &str, key: Option<&EntityKey>) -> Result<(), AdminRefusal> {
        let Some(ReadOnlyReason(why)) = self.read_only.clone() else { return Ok(()) };
        Err(AdminRefusal::WritesUnsupported { message: self.unsupported_message(verb, key), why })
    }

    pub(super) fn unsupported_message(&self, verb: &str, key: Option<&EntityKey>) -> String {
        let collection = self.path.entity().collection;
        let named = key.filter(|key| !key.is_id() && !matches!(self.path, EntityPath::Child(..)));
        let by = named.and_then(|key| key.entity.name_field);
        let by = by.map(|field| format!(" by '{}'", field.name)).unwrap_or_default();
        format!("cannot {verb} '{collection}' entities{by} when not using a database")
    }

    fn given_record(&self, entity: &'static EntitySchema, plugin: Option<&str>) -> Mapping {
        let mut given = self.input.to_record(entity, &self.plugins, plugin);
        // The placeholder for a password is not a password.
        for field in entity.hashed_fields() {
            if given.get(field.name).and_then(Value::as_str) == Some(REDACTED) {
                given.remove(field.name);
            }
        }
        given
    }

    fn create(
        &self,
        current: &ConfigView<'_>,
        entity: &'static EntitySchema,
        parent: Option<(&'static Field, &EntityRecord)>,
    ) -> Result<WriteDecision, AdminRefusal> {
        self.create_from(current, entity, self.given_record(entity, None), parent, None)
    }

    fn create_from(
        &self,
        current: &ConfigView<'_>,
        entity: &'static EntitySchema,
        mut given: Mapping,
        parent: Option<(&'static Field, &EntityRecord)>,
        key: Option<&EntityKey>,
    ) -> Result<WriteDecision, AdminRefusal> {
        given.remove(UPDATED_AT.name);
        if let Some((field, parent)) = parent {
            given.insert(field.name, [(ID.name, Value::from(parent.id()))].into_iter().collect::<Mapping>());
        }
        let names = server_names::take_names(entity, &mut given);
        resolve_references(current, entity, &mut given)?;
        let (mut names, record) =
            server_names::combine(names, check_record(entity, &given, &self.plugins, self.checker))?;
        self.check_writable(if key.is_some() { "create or update" } else { "create" }, key)?;
        if let Some(key) = key {
            server_names::add_name_of_path(&mut names, key);
        }
        check_references_exist(current, entity, &record)?;
        check_unique(current.entities, entity, &record, None)?;
        check_route_protocols(current.entities, entity, &record)?;
        server_names::check_names_free(current.entities, &names, None)?;
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
        let plugin = found.text(&plugin::NAME);
        let mut given = self.given_record(entity, plugin);
        for unwritable in [ID, UPDATED_AT] {
            given.remove(unwritable.name);
        }
        let names = server_names::take_names(entity, &mut given);
        resolve_references(current, entity, &mut given)?;
        let old = found.value.as_mapping().cloned().unwrap_or_default();
        let mut merged = merge_records(&old, &given);
        if let Some(adapt) = entity.adapt_change {
            adapt(&mut merged, &given);
        }
        let edit = EntityEdit { record: &merged, given: &given, names, verb: "update" };
        self.edit(current, key, found, edit)
    }

    fn replace(
        &self,
        current: &ConfigView<'_>,
        key: &EntityKey,
        found: &EntityRecord,
        parent: Option<(&'static Field, &EntityRecord)>,
    ) -> Result<WriteDecision, AdminRefusal> {
        let entity = key.entity;
        let mut given = self.given_record(entity, None);
        given.remove(UPDATED_AT.name);
        set_key_fields(&mut given, key);
        let mut names = server_names::take_names(entity, &mut given);
        if let Ok(names @ Some(_)) = &mut names {
            server_names::add_name_of_path(names, key);
        }
        given.insert(ID.name, found.id());
        if let Some((field, parent)) = parent {
            given.insert(field.name, [(ID.name, Value::from(parent.id()))].into_iter().collect::<Mapping>());
        }
        // The address of a target does not change; only its weight and tags do.
        if entity == &target::ENTITY && given.get(target::TARGET.name).is_none() {
            let address = found.value.get(target::TARGET.name).cloned().unwrap_or_default();
            given.insert(target::TARGET.name, address);
        }
        resolve_references(current, entity, &mut given)?;
        let edit = EntityEdit { record: &given, given: &given, names, verb: "create or update" };
        self.edit(current, key, found, edit)
    }

    fn edit(
        &self,
        current: &ConfigView<'_>,
        key: &EntityKey,
        found: &EntityRecord,
        edit: EntityEdit<'_>,
    ) -> Result<WriteDecision, AdminRefusal> {
        let entity = key.entity;
        let EntityEdit { record: new_record, given, names, verb } = edit;
        let (names, mut record) =
            server_names::combine(names, check_record(entity, new_record, &self.plugins, self.checker))?;
        record.insert(ID.name, found.id());
        let created_at = found.value.get(CREATED_AT.name).cloned();
        if let Some(at) = created_at.filter(|_| record.get(CREATED_AT.name).is_some_and(Value::is_null)) {
            record.insert(CREATED_AT.name, at);
        }
        if let Some(at) = found.value.get(UPDATED_AT.name).cloned() {
            record.insert(UPDATED_AT.name, at);
        }
        self.check_writable(verb, Some(key))?;
        check_references_exist(current, entity, &record)?;
        check_unique(current.entities, entity, &record, Some(found.id()))?;
        check_route_protocols(current.entities, entity, &record)?;
        server_names::check_names_free(current.entities, &names, Some(found))?;
        let mut given = given.clone();
        given.remove(ID.name);
        let mut plan = current.update(found, record, &given);
        current.replace_names(found, &names, &mut plan);
        Ok(WriteDecision::Plan(Box::new(plan)))
    }
}

/// A change of an entity.
struct EntityEdit<'a> {
    /// The complete new record, before defaults.
    record: &'a Mapping,
    /// The fields that the request gives.
    given: &'a Mapping,
    /// The server names of a certificate, or the messages for invalid ones.
    names: Result<SniNames, Value>,
    /// Kong's verb for the change.
    verb: &'static str,
}

/// The id or name in the path takes precedence over that in the body.
fn set_key_fields(given: &mut Mapping, key: &EntityKey) {
    if key.is_id() {
        given.insert(ID.name, key.text.as_str());
    } else if let Some(field) = key.entity.name_field {
        given.insert(field.name, key.text.as_str());
        given.remove(ID.name);
    }
}

fn key_not_found(key: &EntityKey) -> AdminRefusal {
    match key.entity.name_field {
        _ if key.entity == &plugin::ENTITY => AdminRefusal::not_found(),
        _ if key.is_id() => AdminRefusal::EntityNotFound { field: ID.name, value: key.text.clone() },
        Some(field) => AdminRefusal::EntityNotFound { field: field.name, value: key.text.clone() },
        None => entity_not_found(key),
    }
}
