//! Constraints between a record and all others: references exist, unique fields are unique. (Kong: Admin API, foreign
//! keys and unique fields.)

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

/// Replaces references by name by references by id. A plain text is not a reference here.
pub(super) fn resolve_references(
    current: &ConfigView<'_>,
    entity: &'static EntitySchema,
    given: &mut Mapping,
) -> Result<(), AdminRefusal> {
    for (field, collection) in collections::foreign(entity) {
        let missing = || AdminRefusal::field(field, single_field("id", "missing primary key"));
        let Some(value) = given.get(field).cloned().filter(|value| !value.is_null()) else { continue };
        let Some(reference) = value.as_mapping().filter(|reference| !reference.is_empty()) else {
            return Err(missing());
        };
        if let Some(id) = reference.get("id").cloned() {
            let fault = match &id {
                Value::Null => return Err(missing()),
                Value::String(id) if is_id(id) => None,
                Value::String(_) => Some("expected a valid UUID"),
                _ => Some("expected a string"),
            };
            if let Some(fault) = fault {
                return Err(AdminRefusal::field(field, single_field("id", fault)));
            }
            // Other fields of the parent are ignored.
            given.insert(field, [("id", id)].into_iter().collect::<Mapping>());
            continue;
        }
        let Some(parent) = collections::entity(collection) else { continue };
        let unique: Vec<&str> = collections::unique_fields(parent).collect();
        let Some((key, text)) = reference.iter().find(|(key, _)| unique.contains(key)) else {
            let key = reference.keys().next().unwrap_or_default();
            return Err(AdminRefusal::field(field, single_field(key, "unknown field")));
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

fn single_field(key: &str, text: &str) -> Mapping {
    [(key, Value::from(text))].into_iter().collect()
}

/// Checks that all referenced entities exist.
pub(super) fn check_references_exist(
    current: &ConfigView<'_>,
    entity: &'static EntitySchema,
    record: &Mapping,
) -> Result<(), AdminRefusal> {
    for (field, collection) in collections::foreign(entity) {
        let Some(id) = record.get(field).and_then(|reference| reference.get("id")).and_then(Value::as_str)
        else {
            continue;
        };
        if current.by_id(collection, id).is_none() {
            return Err(AdminRefusal::Foreign { field: field.to_owned(), collection, id: id.to_owned() });
        }
    }
    Ok(())
}

/// Checks that no other entity has the values of unique fields. `own` is the id of the entity that is changed.
pub(super) fn check_unique(
    entities: &Entities,
    entity: &EntitySchema,
    record: &Mapping,
    own: Option<&str>,
) -> Result<(), AdminRefusal> {
    let others = || {
        entities
            .records
            .iter()
            .filter(|other| other.collection() == entity.collection && Some(other.id()) != own)
    };
    if let Some(id) = record.get("id").and_then(Value::as_str).filter(|_| own.is_none())
        && others().any(|other| other.id().eq_ignore_ascii_case(id))
    {
        return Err(AdminRefusal::PrimaryKey(id.to_owned()));
    }
    let unique_together = collections::unique_together(entity.collection);
    let known: Vec<&str> = unique_together
        .iter()
        .copied()
        .filter(|name| entity.fields.iter().any(|field| field.name == *name))
        .collect();
    let has_same = |other: &EntityRecord, field: &str| {
        other.value.get(field).unwrap_or(&Value::Null) == record.get(field).unwrap_or(&Value::Null)
    };
    if !known.is_empty() && others().any(|other| known.iter().all(|field| has_same(other, field))) {
        let values = known.iter().map(|field| (*field, record.get(field).cloned().unwrap_or_default()));
        return Err(AdminRefusal::Unique(values.collect()));
    }
    for field in collections::unique_fields(entity) {
        let Some(value) = record.get(field).filter(|value| !value.is_null()) else { continue };
        if others().any(|other| other.value.get(field) == Some(value)) {
            return Err(AdminRefusal::Unique([(field, value.clone())].into_iter().collect()));
        }
    }
    Ok(())
}

/// Checks that a plugin shares a protocol with its Route, or with a Route of its Service. (Kong checks this in the
/// Admin API and not in files.)
pub(super) fn check_route_protocols(
    entities: &Entities,
    entity: &EntitySchema,
    record: &Mapping,
) -> Result<(), AdminRefusal> {
    if entity.collection != "plugins" {
        return Ok(());
    }
    let own = record.get("protocols").map(Value::items).unwrap_or_default();
    let shares_protocol = |route: &EntityRecord| {
        let all = route.value.get("protocols").map(Value::items).unwrap_or_default();
        all.iter().any(|protocol| own.contains(protocol))
    };
    let id =
        |field: &str| record.get(field).and_then(|reference| reference.get("id")).and_then(Value::as_str);
    if let Some(route) = id("route").and_then(|id| by(entities, "routes", "id", id)) {
        if !shares_protocol(route) {
            return Err(AdminRefusal::field("protocols", "must match the associated route's protocols"));
        }
    } else if let Some(service) = id("service") {
        let mut routes = entities.records.iter().filter(|record| record.collection() == "routes");
        let mut of_service = routes.by_ref().filter(|route| refers_to(route, "service", service)).peekable();
        if of_service.peek().is_some() && !of_service.any(shares_protocol) {
            let message = "must match the protocols of at least one route pointing to this Plugin's service";
            return Err(AdminRefusal::field("protocols", message));
        }
    }
    Ok(())
}
