//! Entities by their paths: lists, one by id or name, those below another, and the parent of one.
//! (Kong: Admin API reference.)

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::{
    AdminApi,
    collections::{self, EntityCollection},
    input::{self, RequestInput},
    pagination::ListQuery,
    plan::by,
    refusal::AdminRefusal,
    upload::{Room, Upload},
};
use crate::{
    body::Body,
    document::{Mapping, Value},
    entity::{Entities, EntityRecord},
    reply,
    schema::{EntitySchema, FieldKind},
};

/// What a path names.
#[derive(Clone, Debug)]
pub(super) enum EntityPath {
    /// All entities of a collection.
    All(&'static EntitySchema),
    /// A collection of which there are none.
    Nothing,
    /// An entity of which there is none.
    Nobody,
    /// One entity, by id or name.
    One(EntityKey),
    /// The entities that refer to one with this field.
    Below(EntityKey, &'static EntitySchema, &'static str),
    /// One of them.
    OneBelow(EntityKey, EntityKey, &'static str),
    /// The entity that a field of another refers to.
    Parent(EntityKey, &'static str, &'static EntitySchema),
}

/// Names one entity of a collection.
#[derive(Clone, Debug)]
pub(super) struct EntityKey {
    pub(super) entity: &'static EntitySchema,
    /// As it stands in the path, decoded.
    pub(super) text: String,
}

impl EntityKey {
    fn new(entity: &'static EntitySchema, segment: &str) -> Option<Self> {
        Some(Self { entity, text: percent_decode_str(segment).decode_utf8().ok()?.into_owned() })
    }

    /// Whether it is an id, and no name.
    pub(super) fn is_id(&self) -> bool {
        is_id(&self.text)
    }

    /// The entity, if there is one.
    pub(super) fn find<'a>(&self, entities: &'a Entities) -> Option<&'a EntityRecord> {
        let collection = self.entity.collection;
        if self.is_id() {
            return by(entities, collection, "id", &self.text);
        }
        if collection == "certificates" {
            let sni = by(entities, "snis", "name", &self.text)?;
            let id = sni.value.get("certificate").and_then(|it| it.get("id")).and_then(Value::as_str)?;
            return by(entities, collection, "id", id);
        }
        by(entities, collection, collections::name_field(collection)?, &self.text)
    }

    /// Whether somebody has it who is the only one to have it.
    pub(super) fn is_taken(&self, entities: &Entities) -> bool {
        let name = collections::name_field(self.entity.collection);
        let is_unique = collections::unique_fields(self.entity).any(|it| Some(it) == name);
        (self.is_id() || is_unique) && self.find(entities).is_some()
    }

    /// One of those whose field refers to this parent. Below a parent, names need not be unique elsewhere.
    pub(super) fn find_below<'a>(
        &self,
        entities: &'a Entities,
        field: &str,
        parent: &str,
    ) -> Option<&'a EntityRecord> {
        let name = if self.is_id() { "id" } else { collections::name_field(self.entity.collection)? };
        let mut all = entities.records.iter().filter(|it| it.collection() == self.entity.collection);
        all.find(|it| {
            it.value.get(name).and_then(Value::as_str) == Some(&self.text)
                && it.value.get(field).and_then(|it| it.get("id")).and_then(Value::as_str) == Some(parent)
        })
    }

    /// Whether it can be an id or a name at all.
    pub(super) fn check(&self) -> Result<(), AdminRefusal> {
        let Some(name) = collections::name_field(self.entity.collection).filter(|_| !self.is_id()) else {
            return Ok(());
        };
        let field = self.entity.fields.iter().find(|it| it.name == name);
        let rules = field.map(|it| it.rules).unwrap_or_default();
        let text = Value::from(self.text.as_str());
        match rules.iter().find_map(|rule| rule.check(&text).err()) {
            Some(message) => Err(AdminRefusal::InvalidName(message)),
            None => Ok(()),
        }
    }
}

/// What a path names, if it is one of entities.
pub(super) fn resource(segments: &[&str]) -> Option<EntityPath> {
    let first = collections::top(segments.first()?)?;
    let EntityCollection::Known(entity) = first else {
        return match segments.len() {
            1 => Some(EntityPath::Nothing),
            2 => Some(EntityPath::Nobody),
            _ => None,
        };
    };
    match *segments {
        [_] => Some(EntityPath::All(entity)),
        [_, key] => EntityKey::new(entity, key).map(EntityPath::One),
        [_, key, name] => {
            let key = EntityKey::new(entity, key)?;
            if let Some((child, field)) = collections::child(entity, name) {
                return Some(EntityPath::Below(key, child, field));
            }
            let (field, parent) = collections::parent(entity, name)?;
            Some(EntityPath::Parent(key, field, parent))
        }
        [_, key, name, below] => {
            let (child, field) = collections::child(entity, name)?;
            // All targets there are, and no target of that name.
            if (child.collection, below) == ("targets", "all") {
                return Some(EntityPath::Below(EntityKey::new(entity, key)?, child, field));
            }
            Some(EntityPath::OneBelow(EntityKey::new(entity, key)?, EntityKey::new(child, below)?, field))
        }
        _ => None,
    }
}

impl EntityPath {
    /// The methods that it knows, in Kong's order.
    pub(super) fn methods(&self) -> &'static [Method] {
        const LIST: &[Method] = &[Method::GET, Method::HEAD, Method::OPTIONS, Method::POST];
        const ONE: &[Method] =
            &[Method::DELETE, Method::GET, Method::HEAD, Method::OPTIONS, Method::PATCH, Method::PUT];
        const PARENT: &[Method] = &[Method::GET, Method::HEAD, Method::OPTIONS, Method::PATCH, Method::PUT];
        match self {
            Self::All(_) | Self::Nothing | Self::Below(..) => LIST,
            Self::One(_) | Self::Nobody | Self::OneBelow(..) => ONE,
            Self::Parent(..) => PARENT,
        }
    }
}

impl AdminApi {
    /// Answers a request for entities.
    pub(super) async fn entities(
        self: &Arc<Self>,
        resource: EntityPath,
        request: Request<Body>,
    ) -> Response<Body> {
        let (head, body) = request.into_parts();
        let result = if matches!(head.method, Method::GET | Method::HEAD) {
            let snapshot = self.control.live().current();
            let read = move || {
                let query = head.uri.query().unwrap_or_default();
                Self::read(&resource, &snapshot.entities, head.uri.path(), query)
            };
            self.beside(move |_| read()).await.and_then(|it| it)
        } else {
            // What goes has nothing to say.
            let input = match head.method {
                Method::DELETE => Ok((RequestInput::default(), None)),
                _ => self.input(head.headers, body).await,
            };
            match input {
                Ok((input, _room)) => self.write(resource, head.method, input).await,
                Err(refusal) => Err(refusal),
            }
        };
        result.unwrap_or_else(AdminRefusal::answer)
    }

    /// Reads the body of a request.
    pub(super) async fn input(
        self: &Arc<Self>,
        headers: HeaderMap,
        body: Body,
    ) -> Result<(RequestInput, Option<Room>), AdminRefusal> {
        let Upload { bytes, room } = self.uploads.read(body, input::MOST_BYTES).await?;
        let parsed = self.beside(move |_| RequestInput::parse(&headers, &bytes)).await.and_then(|it| it);
        parsed.map(|input| (input, Some(room)))
    }

    fn read(
        resource: &EntityPath,
        entities: &Entities,
        path: &str,
        query: &str,
    ) -> Result<Response<Body>, AdminRefusal> {
        let path = path.strip_suffix('/').unwrap_or(path);
        match resource {
            EntityPath::Nobody => Err(AdminRefusal::not_found()),
            EntityPath::Nothing => Ok(ListQuery::read(query)?.page(Vec::new(), path, false)),
            EntityPath::All(entity) => {
                let all = entities.records.iter().filter(|it| it.collection() == entity.collection);
                let mut all: Vec<Value> = all.map(|it| shown(it, entities)).collect();
                if entity.collection == "consumers" {
                    by_custom_id(&mut all, query)?;
                }
                Ok(ListQuery::read(query)?.page(all, path, false))
            }
            EntityPath::One(key) => {
                key.check()?;
                Ok(one(key.find(entities).ok_or_else(|| nobody(key))?, entities))
            }
            EntityPath::Below(key, child, field) => {
                let parent = key.find(entities).ok_or_else(AdminRefusal::not_found)?;
                let refers = |it: &&EntityRecord| {
                    it.collection() == child.collection && refers_to(it, field, parent.id())
                };
                let all = entities.records.iter().filter(refers).map(|it| shown(it, entities)).collect();
                Ok(ListQuery::read(query)?.page(all, path, true))
            }
            EntityPath::OneBelow(parent, key, field) => {
                let parent = parent.find(entities).ok_or_else(AdminRefusal::not_found)?;
                let found = key.find_below(entities, field, parent.id());
                Ok(one(found.ok_or_else(AdminRefusal::not_found)?, entities))
            }
            EntityPath::Parent(key, field, parent) => {
                let child = key.find(entities).ok_or_else(AdminRefusal::not_found)?;
                let id = child.value.get(field).and_then(|it| it.get("id")).and_then(Value::as_str);
                let found = id.and_then(|id| by(entities, parent.collection, "id", id));
                Ok(one(found.ok_or_else(AdminRefusal::not_found)?, entities))
            }
        }
    }
}

fn one(record: &EntityRecord, entities: &Entities) -> Response<Body> {
    reply::json(StatusCode::OK, shown(record, entities).to_json())
}

/// Whether a text is an id, as Kong writes them.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 36 && Uuid::parse_str(text).is_ok()
}

/// What is said of one that is not there.
pub(super) fn nobody(key: &EntityKey) -> AdminRefusal {
    if key.entity.collection == "certificates" && !key.is_id() {
        return AdminRefusal::Plain(StatusCode::NOT_FOUND, "SNI not found".to_owned());
    }
    AdminRefusal::not_found()
}

/// Whether a field of a record refers to this id.
pub(super) fn refers_to(record: &EntityRecord, field: &str, id: &str) -> bool {
    record.value.get(field).and_then(|it| it.get("id")).and_then(Value::as_str) == Some(id)
}

/// A record as it is answered with.
pub(super) fn shown(record: &EntityRecord, entities: &Entities) -> Value {
    let unused = |key: &str| {
        record.entity.fields.iter().any(|it| it.name == key && matches!(it.kind, FieldKind::Unused))
    };
    let has_unused = record.entity.fields.iter().any(|it| matches!(it.kind, FieldKind::Unused));
    let mut shown: Mapping = match record.collection() {
        "basicauth_credentials" | "certificates" => record.value.as_mapping().cloned().unwrap_or_default(),
        _ if has_unused => {
            let used = record.value.entries().filter(|(key, _)| !unused(key));
            used.map(|(key, value)| (key.to_owned(), value.clone())).collect()
        }
        _ => return record.value.clone(),
    };
    match record.collection() {
        // Kong shows a hash here, which is a secret too.
        "basicauth_credentials" => drop(shown.insert("password", "[REDACTED]")),
        "certificates" => {
            let refers =
                |it: &&EntityRecord| it.collection() == "snis" && refers_to(it, "certificate", record.id());
            let names = entities.records.iter().filter(refers);
            let mut names: Vec<Value> = names.filter_map(|it| it.value.get("name").cloned()).collect();
            names.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
            shown.insert("snis", names);
        }
        _ => (),
    }
    shown.into()
}

/// `GET /consumers?custom_id=...`: the one who has it.
fn by_custom_id(all: &mut Vec<Value>, query: &str) -> Result<(), AdminRefusal> {
    let Some((_, wanted)) = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "custom_id")
    else {
        return Ok(());
    };
    if wanted.is_empty() {
        let message = "custom_id must be an unempty string".to_owned();
        return Err(AdminRefusal::Plain(StatusCode::BAD_REQUEST, message));
    }
    all.retain(|it| it.get("custom_id").and_then(Value::as_str) == Some(&*wanted));
    Ok(())
}
