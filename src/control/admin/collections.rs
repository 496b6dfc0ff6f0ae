//! Which entities there are, under which names the Admin API has them, and how they hang together: all of it read
//! off the rows of `entity::DOCUMENT`. (Kong: Admin API reference, the endpoints of each entity.)

use crate::{
    entity::DOCUMENT,
    schema::{EntitySchema, Field, FieldKind},
};

/// A kind of entity that the Admin API has.
#[derive(Clone, Copy, Debug)]
pub(super) enum EntityCollection {
    /// One that can be declared.
    Known(&'static EntitySchema),
    /// One that Kong has and this version does not use: its lists are empty.
    Unused,
}

/// Collections of the file that have no endpoint of their own.
const HIDDEN: &[&str] = &["targets", "workspaces", "parameters", "clustering_data_planes", "sessions"];

/// Names that are not those of the file: of the collection, below a Consumer, and in the file.
const NAMES: &[(&str, &str, &str)] = &[
    ("key-auths", "key-auth", "keyauth_credentials"),
    ("basic-auths", "basic-auth", "basicauth_credentials"),
    ("hmac-auths", "hmac-auth", "hmacauth_credentials"),
    ("jwts", "jwt", "jwt_secrets"),
    ("oauth2", "oauth2", "oauth2_credentials"),
    ("key-sets", "key-sets", "key_sets"),
    ("filter-chains", "filter-chains", "filter_chains"),
];

/// The name of a collection in a path, and below a Consumer.
pub(super) fn segment(collection: &'static str, below_consumer: bool) -> &'static str {
    let special = NAMES.iter().find(|(.., name)| *name == collection);
    special.map_or(collection, |(own, below, _)| if below_consumer { below } else { own })
}

/// All collections that can be declared.
pub(super) fn entities() -> impl Iterator<Item = &'static EntitySchema> {
    DOCUMENT.iter().filter_map(|field| match field.kind {
        FieldKind::Entities(entity, _) => Some(entity()),
        _ => None,
    })
}

/// The entity of a collection, by its name in the file.
pub(super) fn entity(collection: &str) -> Option<&'static EntitySchema> {
    entities().find(|it| it.collection == collection)
}

/// The collection at the top of the API with this name.
pub(super) fn top(name: &str) -> Option<EntityCollection> {
    let mut fields = DOCUMENT.iter().filter(|it| !it.name.starts_with('_') && !HIDDEN.contains(&it.name));
    let field = fields.find(|it| segment(it.name, false) == name)?;
    match field.kind {
        FieldKind::Entities(entity, _) => Some(EntityCollection::Known(entity())),
        FieldKind::Unused => Some(EntityCollection::Unused),
        _ => None,
    }
}

/// The children of this name below an entity of a collection, and their field that refers to it.
pub(super) fn child(parent: &EntitySchema, name: &str) -> Option<(&'static EntitySchema, &'static str)> {
    let below = parent.collection == "consumers";
    let refers = |it: &'static EntitySchema| {
        foreign(it).find(|(_, to)| *to == parent.collection).map(|(field, _)| (it, field))
    };
    entities().filter(|it| segment(it.collection, below) == name).find_map(refers)
}

/// The field of this name that leads from an entity to its parent, and the parent's collection.
pub(super) fn parent(child: &EntitySchema, name: &str) -> Option<(&'static str, &'static EntitySchema)> {
    // A certificate is not shown to those who ask for one of its names, as at Kong.
    if child.collection == "snis" {
        return None;
    }
    let (field, to) = foreign(child).find(|(field, _)| *field == name)?;
    Some((field, entity(to)?))
}

/// The fields of an entity that refer to others, and the collections of those.
pub(super) fn foreign(entity: &EntitySchema) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
    let fields: &'static [Field] = entity.fields;
    fields.iter().filter_map(|field| match field.kind {
        FieldKind::Foreign(to) => Some((field.name, to)),
        _ => None,
    })
}

/// The field by which an entity can be found besides its id; none if there is no such field.
pub(super) fn name_field(collection: &str) -> Option<&'static str> {
    Some(match collection {
        "plugins" => "instance_name",
        "consumers" | "basicauth_credentials" | "hmacauth_credentials" => "username",
        "keyauth_credentials" | "jwt_secrets" | "acme_storage" => "key",
        "oauth2_credentials" => "client_id",
        "oauth2_tokens" => "access_token",
        "acls" => "group",
        "vaults" => "prefix",
        "targets" => "target",
        "certificates" | "ca_certificates" => return None,
        _ => "name",
    })
}

/// Fields of an entity whose values, one by one, no other entity of the collection may have.
pub(super) fn unique_fields(entity: &EntitySchema) -> impl Iterator<Item = &'static str> + use<> {
    let names: &'static [&'static str] = match entity.collection {
        "plugins" => &["instance_name"],
        "consumers" => &["username", "custom_id"],
        "keyauth_credentials" | "jwt_secrets" | "acme_storage" => &["key"],
        "oauth2_credentials" => &["client_id"],
        "oauth2_tokens" => &["access_token", "refresh_token"],
        "basicauth_credentials" | "hmacauth_credentials" => &["username"],
        "acls" | "targets" | "certificates" => &[],
        "ca_certificates" => &["cert_digest"],
        "vaults" => &["prefix"],
        _ => &["name"],
    };
    let fields = entity.fields;
    names.iter().copied().filter(move |name| fields.iter().any(|field| field.name == *name))
}

/// Fields of an entity that are made up where nobody says them, anew at each load.
pub(super) fn made_up(collection: &str) -> &'static [&'static str] {
    match collection {
        "keyauth_credentials" => &["key"],
        "jwt_secrets" => &["key", "secret"],
        "hmacauth_credentials" => &["secret"],
        "oauth2_credentials" => &["client_id", "client_secret"],
        "oauth2_tokens" => &["access_token"],
        _ => &[],
    }
}

/// Fields of an entity whose values together no other entity of the collection may have, in Kong's order.
pub(super) fn unique_together(collection: &str) -> &'static [&'static str] {
    match collection {
        "plugins" => &["consumer", "name", "route", "service"],
        "targets" => &["target", "upstream"],
        "acls" => &["consumer", "group"],
        "keys" => &["kid", "set"],
        _ => &[],
    }
}

/// Whether an entity goes when the one that this field of it refers to goes; else that one has to stay.
pub(super) fn goes_with(child: &EntitySchema, field: &str) -> bool {
    let required = child.fields.iter().any(|it| it.name == field && it.required);
    required || matches!(child.collection, "plugins" | "filter_chains" | "keys")
}
