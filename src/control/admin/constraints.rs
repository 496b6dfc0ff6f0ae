//! Constraints between a record and all others: references exist, unique fields are unique. (Kong: Admin API, foreign
//! keys and unique fields.)

use super::{
    entities::{is_id, refers_to},
    plan::{ConfigView, by},
    refusal::AdminRefusal,
};
use crate::{
    document::{Mapping, Value},
    entity::{Entities, EntityRecord, ID, plugin, route},
    schema::{EntitySchema, Field},
};

/// Replaces references by name by references by id. A plain text is not a reference here.
pub(super) fn resolve_references(
    current: &ConfigView<'_>,
    entity: &'static EntitySchema,
    given: &mut Mapping,
) -> Result<(), AdminRefusal> {
    for (field, target) in entity.references() {
        let (field, collection) = (field.name, target.collection);
        let missing = || AdminRefusal::field(field, single_field(ID.name, "missing primary key"));
        let Some(value) = given.get(field).cloned().filter(|value| !value.is_null()) else { continue };
        let Some(reference) = value.as_mapping().filter(|reference| !reference.is_empty()) else {
            return Err(missing());
        };
        if let Some(id) = reference.get(ID.name).cloned() {
            let fault = match &id {
                Value::Null => return Err(missing()),
                Value::String(id) if is_id(id) => None,
                Value::String(_) => Some("expected a valid UUID"),
                _ => Some("expected a string"),
            };
            if let Some(fault) = fault {
                return Err(AdminRefusal::field(field, single_field(ID.name, fault)));
            }
            // Other fields of the parent are ignored.
            given.insert(field, [(ID.name, id)].into_iter().collect::<Mapping>());
            continue;
        }
        let unique = |key: &str| target.unique_in_writes().find(|field| field.name == key);
        let named = reference.iter().find_map(|(key, text)| Some((unique(key)?, text)));
        let Some((key, text)) = named else {
            let key = reference.keys().next().unwrap_or_default();
            return Err(AdminRefusal::field(field, single_field(key, "unknown field")));
        };
        let found = by(current.entities, target, key, text.as_str().unwrap_or_default());
        let Some(found) = found else {
            let by = [(key.name, text.clone())].into_iter().collect();
            return Err(AdminRefusal::Unresolved { field: field.to_owned(), collection, by });
        };
        given.insert(field, [(ID.name, Value::from(found.id()))].into_iter().collect::<Mapping>());
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
    for (field, target) in entity.references() {
        let (field, collection) = (field.name, target.collection);
        let Some(id) = record.get(field).and_then(|reference| reference.get(ID.name)).and_then(Value::as_str)
        else {
            continue;
        };
        if current.by_id(target, id).is_none() {
            return Err(AdminRefusal::Foreign { field: field.to_owned(), collection, id: id.to_owned() });
        }
    }
    Ok(())
}

/// Checks that no other entity has the values of unique fields. `own` is the id of the entity that is changed.
pub(super) fn check_unique(
    entities: &Entities,
    entity: &'static EntitySchema,
    record: &Mapping,
    own: Option<&str>,
) -> Result<(), AdminRefusal> {
    let others = || entities.records.iter().filter(|other| other.entity == entity && Some(other.id()) != own);
    if let Some(id) = record.get(ID.name).and_then(Value::as_str).filter(|_| own.is_none())
        && others().any(|other| other.id().eq_ignore_ascii_case(id))
    {
        return Err(AdminRefusal::PrimaryKey(id.to_owned()));
    }
    let unique_together = entity.unique_together;
    let has_same = |other: &EntityRecord, field: &Field| {
        other.value.get(field.name).unwrap_or(&Value::Null) == record.get(field.name).unwrap_or(&Value::Null)
    };
    let has_all_same = |other: &EntityRecord| unique_together.iter().all(|field| has_same(other, field));
    if !unique_together.is_empty() && others().any(has_all_same) {
        let value = |field: &Field| record.get(field.name).cloned().unwrap_or_default();
        let values = unique_together.iter().map(|field| (field.name, value(field)));
        return Err(AdminRefusal::Unique(values.collect()));
    }
    for field in entity.unique_in_writes() {
        let Some(value) = record.get(field.name).filter(|value| !value.is_null()) else { continue };
        if others().any(|other| other.value.get(field.name) == Some(value)) {
            return Err(AdminRefusal::Unique([(field.name, value.clone())].into_iter().collect()));
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
    if entity != &plugin::ENTITY {
        return Ok(());
    }
    let own = record.get(plugin::PROTOCOLS.name).map(Value::items).unwrap_or_default();
    let shares_protocol = |route: &EntityRecord| {
        let all = route.value.get(route::PROTOCOLS.name).map(Value::items).unwrap_or_default();
        all.iter().any(|protocol| own.contains(protocol))
    };
    let id =
        |field: &Field| record.get(field.name).and_then(|value| value.get(ID.name)).and_then(Value::as_str);
    let refused = |message: &str| AdminRefusal::field(plugin::PROTOCOLS.name, message);
    if let Some(route) = id(&plugin::ROUTE).and_then(|id| by(entities, &route::ENTITY, &ID, id)) {
        if !shares_protocol(route) {
            return Err(refused("must match the associated route's protocols"));
        }
    } else if let Some(service) = id(&plugin::SERVICE) {
        let mut routes = entities.records.iter().filter(|record| record.entity == &route::ENTITY);
        let mut of_service =
            routes.by_ref().filter(|route| refers_to(route, &route::SERVICE, service)).peekable();
        if of_service.peek().is_some() && !of_service.any(shares_protocol) {
            let message = "must match the protocols of at least one route pointing to this Plugin's service";
            return Err(refused(message));
        }
    }
    Ok(())
}
