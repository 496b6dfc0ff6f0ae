//! Collections of the Admin API: their names in paths, and how paths lead from one to another, as the schemas of the
//! entities define it. (Kong: Admin API reference, the endpoints of each entity.)

use crate::{
    entity,
    schema::{EntitySchema, Field},
};

/// The kind of entity of a collection, by its name in files.
pub(super) fn entity(collection: &str) -> Option<&'static EntitySchema> {
    entity::kinds().find(|kind| kind.collection == collection)
}

/// The kind of entity with this first segment of its paths.
pub(super) fn top(segment: &str) -> Option<&'static EntitySchema> {
    entity::kinds().find(|kind| kind.endpoint.top == Some(segment))
}

/// The kind of entity with this segment below an entity that it refers to, and the field that refers to that.
pub(super) fn child(parent: &EntitySchema, segment: &str) -> Option<(&'static EntitySchema, &'static Field)> {
    children(parent).find(|(child, _)| child.endpoint.nested == segment)
}

/// The kinds of entities that refer to this one, and the first field of each that does.
pub(super) fn children(
    parent: &EntitySchema,
) -> impl Iterator<Item = (&'static EntitySchema, &'static Field)> {
    entity::kinds().filter_map(move |kind| {
        let reference = kind.references().find(|(_, target)| *target == parent);
        reference.map(|(field, _)| (kind, field))
    })
}

/// The field with this name that leads from an entity to its parent, and the kind of the parent.
pub(super) fn parent(child: &EntitySchema, name: &str) -> Option<(&'static Field, &'static EntitySchema)> {
    let mut references = child.references().filter(|_| child.endpoint.has_parents);
    references.find(|(field, _)| field.name == name)
}
