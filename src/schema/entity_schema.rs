//! Kinds of entities: the collection, the fields, and how files and the Admin API treat entities of the kind.

use std::fmt;

use super::{EntityFault, Field, FieldCondition, FieldKind, Uniqueness};
use crate::document::{Mapping, Value};

/// Function that rewrites a record before its fields are checked.
pub(super) type PrepareRecord = fn(&Mapping) -> Result<Mapping, EntityFault>;

/// A kind of entity. There is one value of each kind in the program, so that two are equal if they are the same value.
pub struct EntitySchema {
    /// Its collection, such as `services`: the key in a file, and what messages call it.
    pub collection: &'static str,
    /// Its fields, in the order of the Admin API.
    pub fields: &'static [Field],
    /// Where the Admin API has its entities.
    pub endpoint: AdminEndpoint,
    /// The field that names an entity in paths of the Admin API and in references, beside the id.
    pub name_field: Option<&'static Field>,
    /// The fields whose values together no two entities may share, in Kong's order.
    pub unique_together: &'static [&'static Field],
    /// What the id of an entity is derived from if its record gives none.
    pub derived_id: DerivedId,
    /// The field whose value keeps the derived id the same from load to load. A write through the Admin API stores an id if
    /// there is no such field, or no value in it.
    pub stable_id_field: Option<&'static Field>,
    /// What an entity is called where two configurations are compared.
    pub label: EntityLabel,
    /// The place of the kind in the log line of a reload; kinds of equal places are ordered by their collections.
    pub log_rank: u8,
    /// Whether this version uses the entities; others are checked and shown only.
    pub is_used: bool,
    /// Whether decK's `_info.defaults` and `_info.select_tags` apply.
    pub has_deck_defaults: bool,
    /// A field that stands for several others.
    pub shorthand: Option<&'static Shorthand>,
    /// Rewrites a record before its fields are checked: shorthands, and defaults that depend on other fields.
    pub prepare: Option<PrepareRecord>,
    /// Adapts a complete record into which the fields that a change gives, the second argument, were merged.
    pub adapt_change: Option<fn(&mut Mapping, &Mapping)>,
    /// Fills in what follows from the fields, once they are checked and the id is known.
    pub complete: Option<fn(&mut Mapping)>,
    /// Requirements on fields that depend on the value of another one.
    pub conditions: &'static [FieldCondition],
    /// Other rules across fields; they see complete records.
    pub checks: &'static [fn(&Value) -> Option<EntityFault>],
}

/// Where the Admin API has the entities of a kind. (Kong: Admin API reference, the endpoints of each entity.)
#[derive(Clone, Copy, Debug)]
pub struct AdminEndpoint {
    /// The first segment of paths; `None` if there are no such paths.
    pub top: Option<&'static str>,
    /// The segment below an entity that they refer to.
    pub nested: &'static str,
    /// Whether the entity that one refers to can be asked for below that one.
    pub has_parents: bool,
}

/// What Kong derives the id of an entity from. (Kong: declarative configuration.)
#[derive(Clone, Copy, Debug)]
pub enum DerivedId {
    /// Nothing: Kong gives another id at each load.
    None,
    /// The value of this field.
    Name(&'static Field),
    /// The collection, and the values of these fields as they are written.
    Key(&'static [&'static Field]),
}

/// What an entity is called where two configurations are compared.
#[derive(Clone, Copy, Debug)]
pub enum EntityLabel {
    /// The first of these fields that has a value.
    FirstOf(&'static [&'static Field]),
    /// The name of the entity that the first field refers to, and the value of the second: `bob/admins`.
    Nested(&'static Field, &'static Field),
    /// The value of the first field, and what the others refer to: `cors (route r)`.
    Scoped(&'static Field, &'static [&'static Field]),
    /// The owner that the second field refers to: `of bob`. The first field, a secret, only identifies the entity.
    Secret(&'static Field, &'static Field),
}

/// A field that stands for several others; [`EntitySchema::prepare`] puts those in its place.
#[derive(Debug)]
pub struct Shorthand {
    /// Its key.
    pub name: &'static str,
    /// The fields that it stands for.
    pub fields: &'static [&'static Field],
    /// The required field among these that a record with the shorthand need not have.
    pub instead_of: &'static Field,
}

impl EntitySchema {
    /// A kind of entity that the Admin API has under the name of its collection, and that has nothing else special.
    #[must_use]
    pub const fn new(collection: &'static str, fields: &'static [Field]) -> Self {
        Self {
            collection,
            fields,
            endpoint: AdminEndpoint { top: Some(collection), nested: collection, has_parents: true },
            name_field: None,
            unique_together: &[],
            derived_id: DerivedId::None,
            stable_id_field: None,
            label: EntityLabel::FirstOf(&[]),
            log_rank: u8::MAX,
            is_used: true,
            has_deck_defaults: false,
            shorthand: None,
            prepare: None,
            adapt_change: None,
            complete: None,
            conditions: &[],
            checks: &[],
        }
    }

    /// The kind in the singular, as Kong and decK form it: `service`.
    #[must_use]
    pub fn singular(&self) -> &'static str {
        self.collection.strip_suffix('s').unwrap_or(self.collection)
    }

    /// The field with this key.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The fields that refer to other entities, and the kinds of these.
    pub fn references(&self) -> impl Iterator<Item = (&'static Field, &'static EntitySchema)> + use<> {
        self.fields.iter().filter_map(|field| Some((field, field.target()?)))
    }

    /// The fields whose values no two entities of a file may share. References name an entity by the first one.
    pub fn unique_in_files(&self) -> impl Iterator<Item = &'static Field> + use<> {
        let is_unique =
            |field: &&Field| matches!(field.uniqueness, Uniqueness::Everywhere | Uniqueness::InFiles);
        self.fields.iter().filter(is_unique)
    }

    /// The fields whose values no two entities may share after a write through the Admin API.
    pub fn unique_in_writes(&self) -> impl Iterator<Item = &'static Field> + use<> {
        let is_unique =
            |field: &&Field| matches!(field.uniqueness, Uniqueness::Everywhere | Uniqueness::InWrites);
        self.fields.iter().filter(is_unique)
    }

    /// The fields of which a hash is stored.
    pub fn hashed_fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.fields.iter().filter(|field| field.is_hashed)
    }

    /// Whether the entities configure plugins.
    #[must_use]
    pub fn configures_plugins(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.kind, FieldKind::Config))
    }
}

impl PartialEq for EntitySchema {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl fmt::Debug for EntitySchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.collection)
    }
}
