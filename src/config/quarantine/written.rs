//! Items as they are written: names, references and nested routes of entities that the check has refused.

use crate::{
    document::{Mapping, NodePath, Value},
    entity::{ID, basicauth_credential, jwt_secret, keyauth_credential, plugin, route, service},
    schema::{self, CheckedItem, Field, FieldKind},
};

/// The entry of the top level around an item.
pub(super) fn top_steps(item: &CheckedItem) -> NodePath {
    item.path.steps().iter().take(2).cloned().collect()
}

/// The text of a field.
pub(super) fn text<'a>(record: &'a Value, field: &Field) -> Option<&'a str> {
    record.get(field.name)?.as_str()
}

/// The name or id in a reference: a text, or a record with the id or the name.
pub(super) fn reference_text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get(ID.name)?.as_str()).or_else(|| value.get("name")?.as_str())
}

/// The routes that are written below a Service, with their paths; also those in what may be a misspelt list of routes.
pub(super) fn nested_routes(item: &CheckedItem) -> impl Iterator<Item = (NodePath, &Value)> {
    let lists = item.written.entries().filter(|(key, list)| {
        item.entity == &service::ENTITY && (*key == route::ENTITY.collection || may_be_routes(key, list))
    });
    lists.flat_map(|(key, list)| {
        let at = item.path.key(key);
        list.items().iter().enumerate().map(move |(n, route)| (at.index(n), route))
    })
}

/// Whether a key that no Service has may be a misspelt list of routes: by its name, or, if that is like no other, by the
/// fields of what is in it.
fn may_be_routes(key: &str, list: &Value) -> bool {
    let fields = service::ENTITY.fields;
    if key.starts_with('_') || fields.iter().any(|field| field.name == key) {
        return false;
    }
    let criteria = [&route::PATHS, &route::HOSTS, &route::METHODS, &route::HEADERS, &route::SNIS];
    let is_route = |value: &Value| criteria.iter().any(|field| value.get(field.name).is_some());
    match schema::nearest(key, fields.iter().map(|field| field.name)) {
        Some(near) => near == route::ENTITY.collection,
        None => list.items().iter().any(is_route),
    }
}

/// Whether an item is a Service that is not enabled.
pub(super) fn is_disabled(item: &CheckedItem) -> bool {
    item.entity == &service::ENTITY
        && item.written.get(service::ENABLED.name).and_then(Value::as_bool) == Some(false)
}

/// The name of an entity, or its path.
pub(super) fn entity_name(item: &CheckedItem) -> String {
    let is_plugin = item.entity == &plugin::ENTITY;
    let is_secret = item.entity == &keyauth_credential::ENTITY
        || item.entity == &jwt_secret::ENTITY
        || item.entity == &basicauth_credential::ENTITY;
    let name = if is_plugin { Some(&plugin::NAME) } else { item.entity.name_field };
    let name = name.filter(|_| !is_secret).and_then(|field| text(&item.written, field));
    name.map_or_else(|| item.path.to_string(), str::to_owned)
}

/// Whether entities may be nested in an item, or refer to others, that the check has not seen: it stopped at once, or there is
/// an unknown key that may be a misspelt list of entities or a misspelt reference.
pub(super) fn may_hide_entities(item: &CheckedItem) -> bool {
    let fields = item.entity.fields;
    let holds_entities = |field: &Field| matches!(field.kind, FieldKind::Entities(..));
    let is_unchecked = item.record.as_mapping().is_some_and(Mapping::is_empty);
    let is_shorthand = |key: &str| item.entity.shorthand.is_some_and(|shorthand| shorthand.name == key);
    let is_known =
        |key: &str| key.starts_with('_') || is_shorthand(key) || fields.iter().any(|field| field.name == key);
    let may_be_entities = |key: &str| {
        let near = schema::nearest(key, fields.iter().map(|field| field.name));
        near.and_then(|name| item.entity.field(name))
            .is_none_or(|field| holds_entities(field) || field.target().is_some())
    };
    (is_unchecked && fields.iter().any(holds_entities))
        || item.written.entries().any(|(key, _)| !is_known(key) && may_be_entities(key))
}
