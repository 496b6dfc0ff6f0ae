//! What must hold between a record and all others: who it refers to is there, nobody else has what only one may
//! have. (Kong: Admin API, foreign keys and unique fields.)

use super::{
    collections,
    entities::{is_id, refers_to},
    plan::{ConfigView, by},
    refusal::AdminRefusal,
};
use crate::{
    document::{Mapping, Value},
    entity::{Entities, EntityRecord},
    schema::EntitySchema,
};

/// References by name become references by id; a text is none here.
pub(super) fn resolve(
    current: &ConfigView<'_>,
    entity: &'static EntitySchema,
    given: &mut Mapping,
) -> Result<(), AdminRefusal> {
    for (field, collection) in collections::foreign(entity) {
        let missing = || AdminRefusal::field(field, one("id", "missing primary key"));
        let Some(value) = given.get(field).cloned().filter(|it| !it.is_null()) else { continue };
        let Some(reference) = value.as_mapping().filter(|it| !it.is_empty()) else { return Err(missing()) };
        if let Some(id) = reference.get("id").cloned() {
            let fault = match &id {
                Value::Null => return Err(missing()),
                Value::String(id) if is_id(id) => None,
                Value::String(_) => Some("expected a valid UUID"),
                _ => Some("expected a string"),
            };
            if let Some(fault) = fault {
                return Err(AdminRefusal::field(field, one("id", fault)));
            }
            // What else is said of the parent is its own affair.
            given.insert(field, [("id", id)].into_iter().collect::<Mapping>());
            continue;
        }
        let Some(parent) = collections::entity(collection) else { continue };
        let unique: Vec<&str> = collections::unique_fields(parent).collect();
        let Some((key, text)) = reference.iter().find(|(key, _)| unique.contains(key)) else {
            let key = reference.keys().next().unwrap_or_default();
            return Err(AdminRefusal::field(field, one(key, "unknown field")));
        };
        let found = by(current.entities, collection, key, text.as_str().unwrap_or_default());
        let Some(found) = found else {
            let by = [(key, text.clone())].into_iter().collect();
            return Err(AdminRefusal::Unresolved { field: field.to_owned(), collection, by });
        };
        given.insert(field, [("id", Value::from(found.id()))].into_iter().collect::<Mapping>());
    }
    Ok(())
}

fn one(key: &str, text: &str) -> Mapping {
    [(key, Value::from(text))].into_iter().collect()
}

/// Whether everything that is referred to is there.
pub(super) fn references_exist(
    current: &ConfigView<'_>,
    entity: &'static EntitySchema,
    record: &Mapping,
) -> Result<(), AdminRefusal> {
    for (field, collection) in collections::foreign(entity) {
        let Some(id) = record.get(field).and_then(|it| it.get("id")).and_then(Value::as_str) else {
            continue;
        };
        if current.by_id(collection, id).is_none() {
            return Err(AdminRefusal::Foreign { field: field.to_owned(), collection, id: id.to_owned() });
        }
    }
    Ok(())
}

/// Whether nobody else has what only one may have.
pub(super) fn is_unique(
    entities: &Entities,
    entity: &EntitySchema,
    record: &Mapping,
    own: Option<&str>,
) -> Result<(), AdminRefusal> {
    let others =
        || entities.records.iter().filter(|it| it.collection() == entity.collection && Some(it.id()) != own);
    if let Some(id) = record.get("id").and_then(Value::as_str).filter(|_| own.is_none())
        && others().any(|it| it.id().eq_ignore_ascii_case(id))
    {
        return Err(AdminRefusal::PrimaryKey(id.to_owned()));
    }
    let together = collections::unique_together(entity.collection);
    let known: Vec<&str> =
        together.iter().copied().filter(|it| entity.fields.iter().any(|field| field.name == *it)).collect();
    let has = |other: &EntityRecord, field: &str| {
        other.value.get(field).unwrap_or(&Value::Null) == record.get(field).unwrap_or(&Value::Null)
    };
    if !known.is_empty() && others().any(|it| known.iter().all(|field| has(it, field))) {
        let values = known.iter().map(|it| (*it, record.get(it).cloned().unwrap_or_default()));
        return Err(AdminRefusal::Unique(values.collect()));
    }
    for field in collections::unique_fields(entity) {
        let Some(value) = record.get(field).filter(|it| !it.is_null()) else { continue };
        if others().any(|it| it.value.get(field) == Some(value)) {
            return Err(AdminRefusal::Unique([(field, value.clone())].into_iter().collect()));
        }
    }
    Ok(())
}

/// A plugin sees requests of its Route, or of a Route of its Service. (Kong checks this here, and not in files.)
pub(super) fn suits_route(
    entities: &Entities,
    entity: &EntitySchema,
    record: &Mapping,
) -> Result<(), AdminRefusal> {
    if entity.collection != "plugins" {
        return Ok(());
    }
    let own = record.get("protocols").map(Value::items).unwrap_or_default();
    let shares = |route: &EntityRecord| {
        let all = route.value.get("protocols").map(Value::items).unwrap_or_default();
        all.iter().any(|it| own.contains(it))
    };
    let id = |field: &str| record.get(field).and_then(|it| it.get("id")).and_then(Value::as_str);
    if let Some(route) = id("route").and_then(|id| by(entities, "routes", "id", id)) {
        if !shares(route) {
            return Err(AdminRefusal::field("protocols", "must match the associated route's protocols"));
        }
    } else if let Some(service) = id("service") {
        let mut routes = entities.records.iter().filter(|it| it.collection() == "routes");
        let mut of_service = routes.by_ref().filter(|it| refers_to(it, "service", service)).peekable();
        if of_service.peek().is_some() && !of_service.any(shares) {
            let message = "must match the protocols of at least one route pointing to this Plugin's service";
            return Err(AdminRefusal::field("protocols", message));
        }
    }
    Ok(())
}
