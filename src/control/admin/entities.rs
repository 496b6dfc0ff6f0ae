//! Entities by their paths: collections, one entity by id or name, children, and the parent of one. (Kong: Admin API
//! reference.)

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::{
    AdminApi, collections,
    input::{self, RequestInput},
    pagination::ListQuery,
    plan::by,
    query::Query,
    refusal::AdminRefusal,
    upload::{Upload, UploadPermit},
};
use crate::{
    body::Body,
    document::Value,
    entity::{Entities, EntityRecord, ID, certificate, consumer, sni, target},
    reply,
    schema::{EntitySchema, Field},
};

/// The target of an entity path.
#[derive(Clone, Debug)]
pub(super) enum EntityPath {
    /// All entities of a collection.
    Collection(&'static EntitySchema),
    /// One entity, by id or name.
    Entity(EntityKey),
    /// The entities that refer to one with this field.
    Children(EntityKey, &'static EntitySchema, &'static Field),
    /// One of these children.
    Child(EntityKey, EntityKey, &'static Field),
    /// The entity that a field of another refers to.
    Parent(EntityKey, &'static Field, &'static EntitySchema),
}

/// Id or name of one entity of a collection.
#[derive(Clone, Debug)]
pub(super) struct EntityKey {
    pub(super) entity: &'static EntitySchema,
    /// The decoded path segment.
    pub(super) text: String,
}

impl EntityKey {
    /// The key that a path segment stands for.
    pub(super) fn new(entity: &'static EntitySchema, segment: &str) -> Option<Self> {
        Some(Self { entity, text: percent_decode_str(segment).decode_utf8().ok()?.into_owned() })
    }

    /// Whether it is an id and not a name.
    pub(super) fn is_id(&self) -> bool {
        is_id(&self.text)
    }

    /// Finds the entity.
    pub(super) fn find<'a>(&self, entities: &'a Entities) -> Option<&'a EntityRecord> {
        if self.is_id() {
            return by(entities, self.entity, &ID, &self.text);
        }
        if self.entity == &certificate::ENTITY {
            let sni = by(entities, &sni::ENTITY, &sni::NAME, &self.text)?;
            return by(entities, self.entity, &ID, sni.reference(&sni::CERTIFICATE)?);
        }
        by(entities, self.entity, self.entity.name_field?, &self.text)
    }

    /// Whether an entity has this id, or this name if names are unique in the collection.
    pub(super) fn is_taken(&self, entities: &Entities) -> bool {
        let name = self.entity.name_field.map(|field| field.name);
        let is_unique = self.entity.unique_in_writes().any(|field| Some(field.name) == name);
        (self.is_id() || is_unique) && self.find(entities).is_some()
    }

    /// Finds the entity among the children of this parent. Names of children need not be unique across parents.
    pub(super) fn find_child<'a>(
        &self,
        entities: &'a Entities,
        field: &Field,
        parent: &str,
    ) -> Option<&'a EntityRecord> {
        let name = if self.is_id() { &ID } else { self.entity.name_field? };
        let mut all = entities.records.iter().filter(|record| record.entity == self.entity);
        all.find(|record| record.text(name) == Some(&self.text) && record.reference(field) == Some(parent))
    }

    /// Checks that the text can be an id or a name.
    pub(super) fn check(&self) -> Result<(), AdminRefusal> {
        let Some(field) = self.entity.name_field.filter(|_| !self.is_id()) else { return Ok(()) };
        let text = Value::from(self.text.as_str());
        match field.rules.iter().find_map(|rule| rule.check(&text).err()) {
            Some(message) => Err(AdminRefusal::InvalidName(message)),
            None => Ok(()),
        }
    }
}

/// Parses a path; `None` if it is not one of entities.
pub(super) fn parse_path(segments: &[&str]) -> Option<EntityPath> {
    let entity = collections::top(segments.first()?)?;
    match *segments {
        [_] => Some(EntityPath::Collection(entity)),
        [_, key] => EntityKey::new(entity, key).map(EntityPath::Entity),
        [_, key, name] => {
            let key = EntityKey::new(entity, key)?;
            if let Some((child, field)) = collections::child(entity, name) {
                return Some(EntityPath::Children(key, child, field));
            }
            let (field, parent) = collections::parent(entity, name)?;
            Some(EntityPath::Parent(key, field, parent))
        }
        [_, key, name, below] => {
            let (child, field) = collections::child(entity, name)?;
            // `/targets/all` lists all targets; there is no target of that name.
            if child == &target::ENTITY && below == "all" {
                return Some(EntityPath::Children(EntityKey::new(entity, key)?, child, field));
            }
            Some(EntityPath::Child(EntityKey::new(entity, key)?, EntityKey::new(child, below)?, field))
        }
        _ => None,
    }
}

impl EntityPath {
    /// The allowed methods, in Kong's order.
    pub(super) fn methods(&self) -> &'static [Method] {
        const COLLECTION_METHODS: &[Method] = &[Method::GET, Method::HEAD, Method::OPTIONS, Method::POST];
        const ENTITY_METHODS: &[Method] =
            &[Method::DELETE, Method::GET, Method::HEAD, Method::OPTIONS, Method::PATCH, Method::PUT];
        const PARENT_METHODS: &[Method] =
            &[Method::GET, Method::HEAD, Method::OPTIONS, Method::PATCH, Method::PUT];
        match self {
            Self::Collection(_) | Self::Children(..) => COLLECTION_METHODS,
            Self::Entity(_) | Self::Child(..) => ENTITY_METHODS,
            Self::Parent(..) => PARENT_METHODS,
        }
    }
}

impl AdminApi {
    /// Answers a request for entities.
    pub(super) async fn entities(
        self: &Arc<Self>,
        path: EntityPath,
        request: Request<Body>,
    ) -> Response<Body> {
        let (head, body) = request.into_parts();
        let result = if matches!(head.method, Method::GET | Method::HEAD) {
            let snapshot = self.control.live().current();
            let read = move || {
                let query = head.uri.query().unwrap_or_default();
                Self::read(&path, &snapshot.entities, head.uri.path(), query)
            };
            self.run_read(move |_| read()).await.and_then(|result| result)
        } else {
            let dry_run = match Query::new(head.uri.query().unwrap_or_default()).dry_run() {
                Ok(dry_run) => dry_run,
                Err(refusal) => return refusal.answer(),
            };
            // The body of a DELETE is ignored.
            let input = match head.method {
                Method::DELETE => Ok((RequestInput::default(), None)),
                _ => self.read_input(head.headers, body).await,
            };
            match input {
                Ok((input, _permit)) => self.write(path, head.method, input, dry_run).await,
                Err(refusal) => Err(refusal),
            }
        };
        result.unwrap_or_else(AdminRefusal::answer)
    }

    /// Reads and parses the body of a request.
    pub(super) async fn read_input(
        self: &Arc<Self>,
        headers: HeaderMap,
        body: Body,
    ) -> Result<(RequestInput, Option<UploadPermit>), AdminRefusal> {
        let Upload { bytes, permit } = self.uploads.read(body, input::MAX_RECORD_BYTES).await?;
        let parsed =
            self.run_read(move |_| RequestInput::parse(&headers, &bytes)).await.and_then(|result| result);
        parsed.map(|input| (input, Some(permit)))
    }

    fn read(
        entity_path: &EntityPath,
        entities: &Entities,
        path: &str,
        query: &str,
    ) -> Result<Response<Body>, AdminRefusal> {
        let path = path.strip_suffix('/').unwrap_or(path);
        match entity_path {
            EntityPath::Collection(entity) => {
                let all = entities.records.iter().filter(|record| record.entity == *entity);
                let mut all: Vec<Value> = all.map(|record| visible_record(record, entities)).collect();
                if *entity == &consumer::ENTITY {
                    filter_by_custom_id(&mut all, query)?;
                }
                Ok(ListQuery::parse(query)?.answer_records(all, path, false))
            }
            EntityPath::Entity(key) => {
                key.check()?;
                Ok(answer_record(key.find(entities).ok_or_else(|| entity_not_found(key))?, entities))
            }
            EntityPath::Children(key, child, field) => {
                let parent = key.find(entities).ok_or_else(AdminRefusal::not_found)?;
                let refers =
                    |record: &&EntityRecord| record.entity == *child && refers_to(record, field, parent.id());
                let all = entities
                    .records
                    .iter()
                    .filter(refers)
                    .map(|record| visible_record(record, entities))
                    .collect();
                Ok(ListQuery::parse(query)?.answer_records(all, path, true))
            }
            EntityPath::Child(parent, key, field) => {
                let parent = parent.find(entities).ok_or_else(AdminRefusal::not_found)?;
                let found = key.find_child(entities, field, parent.id());
                Ok(answer_record(found.ok_or_else(AdminRefusal::not_found)?, entities))
            }
            EntityPath::Parent(key, field, parent) => {
                let child = key.find(entities).ok_or_else(AdminRefusal::not_found)?;
                let found = child.reference(field).and_then(|id| by(entities, parent, &ID, id));
                Ok(answer_record(found.ok_or_else(AdminRefusal::not_found)?, entities))
            }
        }
    }
}

fn answer_record(record: &EntityRecord, entities: &Entities) -> Response<Body> {
    reply::json(StatusCode::OK, visible_record(record, entities).to_json())
}

/// Whether a text is an id in Kong's notation.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 36 && Uuid::parse_str(text).is_ok()
}

/// The refusal for an entity that does not exist.
pub(super) fn entity_not_found(key: &EntityKey) -> AdminRefusal {
    if key.entity == &certificate::ENTITY && !key.is_id() {
        return AdminRefusal::Plain(StatusCode::NOT_FOUND, "SNI not found".to_owned());
    }
    AdminRefusal::not_found()
}

/// Whether a field of a record refers to this id.
pub(super) fn refers_to(record: &EntityRecord, field: &Field, id: &str) -> bool {
    record.reference(field) == Some(id)
}

/// Shown in place of a password.
pub(super) const REDACTED: &str = "[REDACTED]";

/// A record as clients see it.
pub(super) fn visible_record(record: &EntityRecord, entities: &Entities) -> Value {
    let is_certificate = record.entity == &certificate::ENTITY;
    let hashed: Vec<&Field> = record.entity.hashed_fields().collect();
    if hashed.is_empty() && !is_certificate {
        return record.value.clone();
    }
    let mut visible = record.value.as_mapping().cloned().unwrap_or_default();
    for field in hashed {
        // Kong shows the hash here, which is a secret, too.
        visible.insert(field.name, REDACTED);
    }
    if is_certificate {
        let refers = |sni: &&EntityRecord| {
            sni.entity == &sni::ENTITY && refers_to(sni, &sni::CERTIFICATE, record.id())
        };
        let names = entities.records.iter().filter(refers);
        let mut names: Vec<Value> = names.filter_map(|sni| sni.value.get(sni::NAME.name).cloned()).collect();
        names.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
        visible.insert(certificate::SNIS.name, names);
    }
    visible.into()
}

/// `GET /consumers?custom_id=...`: keeps only the Consumer with this custom id.
fn filter_by_custom_id(all: &mut Vec<Value>, query: &str) -> Result<(), AdminRefusal> {
    let Some((_, wanted)) =
        form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == consumer::CUSTOM_ID.name)
    else {
        return Ok(());
    };
    if wanted.is_empty() {
        let message = "custom_id must be an unempty string".to_owned();
        return Err(AdminRefusal::Plain(StatusCode::BAD_REQUEST, message));
    }
    all.retain(|record| record.get(consumer::CUSTOM_ID.name).and_then(Value::as_str) == Some(&*wanted));
    Ok(())
}
