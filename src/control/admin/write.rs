//! Writes of entities: what Kong checks, in its order, and what comes of it. (Kong: Admin API reference.)

use std::{cell::Cell, sync::Arc};

use http::{Method, Response, StatusCode};

use super::{
    Admin,
    checked::{checked, complain, merged},
    collections,
    entities::{Key, Resource, shown},
    input::Input,
    plan::{Current, by},
    refusal::Refusal,
    rules::{is_unique, references_exist, resolve, server_names, suits_route},
};
use crate::{
    body::Body,
    control::write::{Plan, WriteError, Written},
    document::{Mapping, Path, Value},
    entity::Record,
    plugin::Bundled,
    reply,
    schema::Entity,
};

/// A write to be made: decided each time it is tried.
struct Wish {
    resource: Resource,
    method: Method,
    input: Input,
    plugins: Bundled,
    /// Whether writes are made at all.
    allowed: bool,
}

/// What a wish comes to.
enum Verdict {
    /// A write.
    Plan(Box<Plan>),
    /// Nothing is left to do.
    Done,
    /// A new parent for an entity: two writes.
    Parent(Box<Plan>),
}

impl Admin {
    /// Makes a write, and answers with what came of it.
    pub(super) async fn write(
        self: &Arc<Self>,
        resource: Resource,
        method: Method,
        input: Input,
    ) -> Result<Response<Body>, Refusal> {
        let admin = self.clone();
        // Compiling takes the time it takes; the workers go on meanwhile.
        let task = tokio::task::spawn_blocking(move || admin.make(resource, method, input));
        task.await.unwrap_or_else(|_| {
            let message = "An unexpected error occurred".to_owned();
            Err(Refusal::Plain(StatusCode::INTERNAL_SERVER_ERROR, message))
        })
    }

    fn make(&self, resource: Resource, method: Method, input: Input) -> Result<Response<Body>, Refusal> {
        let created = method == Method::POST;
        let wish =
            Wish { resource, method, input, plugins: self.plugins(), allowed: self.settings.admin_writes };
        let decided = Cell::new(false);
        let result = self.control.write(|entities, document| {
            let current = Current { entities, document, plugins: &wish.plugins };
            match wish.decide(&current)? {
                Verdict::Plan(plan) => Ok(*plan),
                Verdict::Parent(plan) => {
                    decided.set(true);
                    Ok(*plan)
                }
                Verdict::Done => Ok(Plan::default()),
            }
        });
        let written = result.map_err(|error| wish.refusal(error))?;
        if decided.get() {
            self.link(&wish, &written)?;
        }
        let Written { snapshot, record } = written;
        tracing::info!("the Admin API made a write: {} {}", wish.method, wish.resource.entity().collection);
        let Some(record) = record else { return Ok(reply::empty(StatusCode::NO_CONTENT)) };
        let entity = wish.resource.entity();
        let record = Record { entity, value: record, at: Path::root() };
        let status = if created { StatusCode::CREATED } else { StatusCode::OK };
        Ok(reply::json(status, shown(&record, &snapshot.entities).to_json()))
    }

    /// Makes the entity that was written the parent of the one in the path.
    fn link(&self, wish: &Wish, written: &Written) -> Result<(), Refusal> {
        let Resource::Parent(child, field, _) = &wish.resource else { return Ok(()) };
        let id = written.record.as_ref().and_then(|it| it.get("id")).cloned().unwrap_or_default();
        let reference: Mapping = [("id", id)].into_iter().collect();
        let given: Mapping = [(*field, Value::from(reference))].into_iter().collect();
        let link = Wish {
            resource: Resource::One(child.clone()),
            method: Method::PATCH,
            input: Input::Json(given),
            plugins: self.plugins(),
            allowed: true,
        };
        let result = self.control.write(|entities, document| {
            let current = Current { entities, document, plugins: &link.plugins };
            match link.decide(&current)? {
                Verdict::Plan(plan) | Verdict::Parent(plan) => Ok(*plan),
                Verdict::Done => Ok(Plan::default()),
            }
        });
        result.map(drop).map_err(|error| link.refusal(error))
    }
}

impl Resource {
    /// The entity that a write is about.
    fn entity(&self) -> &'static Entity {
        match self {
            Self::All(entity) | Self::Below(_, entity, _) | Self::Parent(_, _, entity) => entity,
            Self::One(key) | Self::OneBelow(_, key, _) => key.entity,
            Self::Nothing | Self::Nobody => &NOBODY,
        }
    }
}

/// What a collection that is not used has.
static NOBODY: Entity =
    Entity { collection: "", fields: &[], prepare: None, complete: None, conditions: &[], checks: &[] };

impl Wish {
    fn decide(&self, current: &Current<'_>) -> Result<Verdict, Refusal> {
        let entities = current.entities;
        match &self.resource {
            Resource::Nothing | Resource::Nobody => Err(Refusal::Plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "this version does not use these entities".to_owned(),
            )),
            Resource::All(entity) => self.create(current, entity, None),
            Resource::Below(key, child, field) => {
                let parent = key.find(entities).ok_or_else(Refusal::not_found)?;
                self.create(current, child, Some((field, parent)))
            }
            Resource::One(key) => {
                key.check()?;
                let found = key.find(entities);
                self.one(current, key, found, None)
            }
            Resource::OneBelow(parent, key, field) => {
                let parent = parent.find(entities).ok_or_else(Refusal::not_found)?;
                let found = key.find_below(entities, field, parent.id());
                // Kong has no target made under its own address; clients that give ids rely on those.
                let whole = key.entity.collection != "targets" || key.is_id() && self.input.names("target");
                if found.is_none() && !(whole && self.method == Method::PUT) {
                    return Err(Refusal::not_found());
                }
                self.one(current, key, found, Some((field, parent)))
            }
            Resource::Parent(key, field, parent) => {
                let child = key.find(entities).ok_or_else(Refusal::not_found)?;
                let id = child.value.get(field).and_then(|it| it.get("id")).and_then(Value::as_str);
                let found = id.and_then(|id| by(entities, parent.collection, "id", id));
                if found.is_none() && self.method == Method::PUT {
                    return match self.create(current, parent, None)? {
                        Verdict::Plan(plan) => Ok(Verdict::Parent(plan)),
                        other => Ok(other),
                    };
                }
                let found = found.ok_or_else(Refusal::not_found)?;
                let key = Key { entity: parent, text: found.id().to_owned() };
                self.one(current, &key, Some(found), None)
            }
        }
    }

    /// A change of one entity, or its end.
    fn one(
        &self,
        current: &Current<'_>,
        key: &Key,
        found: Option<&Record>,
        parent: Option<(&'static str, &Record)>,
    ) -> Result<Verdict, Refusal> {
        let entity = key.entity;
        match self.method {
            Method::DELETE => {
                let Some(found) = found else { return Ok(Verdict::Done) };
                self.may("remove", key)?;
                Ok(Verdict::Plan(Box::new(current.delete(found)?)))
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
    fn may(&self, verb: &str, key: &Key) -> Result<(), Refusal> {
        if self.allowed {
            return Ok(());
        }
        Err(Refusal::Unsupported { message: self.unsupported(verb, Some(key)), why: None })
    }

    fn unsupported(&self, verb: &str, key: Option<&Key>) -> String {
        let collection = self.resource.entity().collection;
        let named = key.filter(|key| !key.is_id() && !matches!(self.resource, Resource::OneBelow(..)));
        let by = named.and_then(|key| collections::name_field(key.entity.collection));
        let by = by.map(|field| format!(" by '{field}'")).unwrap_or_default();
        format!("cannot {verb} '{collection}' entities{by} when not using a database")
    }

    fn given(&self, entity: &'static Entity, plugin: Option<&str>) -> Mapping {
        let mut given = self.input.record(entity, &self.plugins, plugin);
        // What is shown in place of a password is no password.
        if given.get("password").and_then(Value::as_str) == Some("[REDACTED]") {
            given.remove("password");
        }
        given
    }

    fn create(
        &self,
        current: &Current<'_>,
        entity: &'static Entity,
        parent: Option<(&'static str, &Record)>,
    ) -> Result<Verdict, Refusal> {
        self.create_from(current, entity, self.given(entity, None), parent, None)
    }

    fn create_from(
        &self,
        current: &Current<'_>,
        entity: &'static Entity,
        mut given: Mapping,
        parent: Option<(&'static str, &Record)>,
        key: Option<&Key>,
    ) -> Result<Verdict, Refusal> {
        given.remove("updated_at");
        if let Some((field, parent)) = parent {
            given.insert(field, [("id", Value::from(parent.id()))].into_iter().collect::<Mapping>());
        }
        let names = server_names(current.entities, entity, &mut given, None)?;
        resolve(current, entity, &mut given)?;
        let record = checked(entity, &given, &self.plugins)?;
        if !self.allowed {
            let verb = if key.is_some() { "create or update" } else { "create" };
            let message = self.unsupported(verb, key);
            return Err(Refusal::Unsupported { message, why: None });
        }
        references_exist(current, entity, &record)?;
        is_unique(current.entities, entity, &record, None)?;
        suits_route(current.entities, entity, &record)?;
        Ok(Verdict::Plan(Box::new(current.create(entity, record, &given, &names))))
    }

    fn patch(&self, current: &Current<'_>, key: &Key, found: &Record) -> Result<Verdict, Refusal> {
        let entity = key.entity;
        let plugin = found.value.get("name").and_then(Value::as_str);
        let mut given = self.given(entity, plugin);
        for unwritable in ["id", "updated_at"] {
            given.remove(unwritable);
        }
        server_names(current.entities, entity, &mut given, Some(found))?;
        resolve(current, entity, &mut given)?;
        let old = found.value.as_mapping().cloned().unwrap_or_default();
        let merged = merged(&old, &given);
        self.change(current, key, found, &merged, &given, "update")
    }

    fn replace(
        &self,
        current: &Current<'_>,
        key: &Key,
        found: &Record,
        parent: Option<(&'static str, &Record)>,
    ) -> Result<Verdict, Refusal> {
        let entity = key.entity;
        let mut given = self.given(entity, None);
        given.remove("updated_at");
        name(&mut given, key);
        server_names(current.entities, entity, &mut given, Some(found))?;
        given.insert("id", found.id());
        if let Some((field, parent)) = parent {
            given.insert(field, [("id", Value::from(parent.id()))].into_iter().collect::<Mapping>());
        }
        // A target is who it is; only its weight and tags change.
        if entity.collection == "targets" && given.get("target").is_none() {
            given.insert("target", found.value.get("target").cloned().unwrap_or_default());
        }
        resolve(current, entity, &mut given)?;
        self.change(current, key, found, &given.clone(), &given, "create or update")
    }

    fn change(
        &self,
        current: &Current<'_>,
        key: &Key,
        found: &Record,
        whole: &Mapping,
        given: &Mapping,
        verb: &str,
    ) -> Result<Verdict, Refusal> {
        let entity = key.entity;
        let mut record = checked(entity, whole, &self.plugins)?;
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
        let mut given = given.clone();
        given.remove("id");
        Ok(Verdict::Plan(Box::new(current.update(found, record, &given))))
    }

    /// What a write that was not made is answered with.
    fn refusal(&self, error: WriteError<Refusal>) -> Refusal {
        let verb = match self.method {
            Method::POST => "create",
            Method::PATCH => "update",
            Method::DELETE => "remove",
            _ => "create or update",
        };
        match error {
            WriteError::Refused(refusal) => refusal,
            WriteError::ReadOnly(why) => {
                let key = match &self.resource {
                    Resource::One(key) => Some(key),
                    _ => None,
                };
                Refusal::Unsupported { message: self.unsupported(verb, key), why: Some(why) }
            }
            WriteError::Conflict(why) => Refusal::Plain(StatusCode::CONFLICT, why),
            WriteError::Invalid(report, at) => {
                let at = at.unwrap_or_default();
                let (here, elsewhere): (Vec<_>, Vec<_>) = report
                    .diagnostics()
                    .iter()
                    .filter(|it| it.is_error())
                    .cloned()
                    .partition(|it| !at.steps().is_empty() && it.path.steps().starts_with(at.steps()));
                let mut fields = Mapping::default();
                complain(&mut fields, &here, &at);
                if let Some(other) = elsewhere.first().filter(|_| fields.is_empty()) {
                    let text = format!("{}: {}", other.path, other.message);
                    fields.insert("@entity", vec![Value::from(text)]);
                }
                Refusal::Schema(fields)
            }
        }
    }
}

/// The id or name in the path wins over the one in the body.
fn name(given: &mut Mapping, key: &Key) {
    if key.is_id() {
        given.insert("id", key.text.as_str());
    } else if let Some(field) = collections::name_field(key.entity.collection) {
        given.insert(field, key.text.as_str());
        given.remove("id");
    }
}

fn absent(key: &Key) -> Refusal {
    match collections::name_field(key.entity.collection) {
        _ if key.entity.collection == "plugins" => Refusal::not_found(),
        _ if key.is_id() => Refusal::Absent { field: "id", value: key.text.clone() },
        Some(field) => Refusal::Absent { field, value: key.text.clone() },
        None => Refusal::not_found(),
    }
}
