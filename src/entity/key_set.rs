//! Sets of keys. (Kong: Key set object.)

use super::{
    key,
    shared_fields::{CREATED_AT, ID, TAGS, UPDATED_AT},
};
use crate::schema::{AdminEndpoint, DerivedId, EntityLabel, EntitySchema, Field, FieldKind};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    endpoint: AdminEndpoint { top: Some("key-sets"), nested: "key-sets", has_parents: true },
    name_field: Some(&NAME),
    derived_id: DerivedId::Name(&NAME),
    stable_id_field: Some(&NAME),
    label: EntityLabel::FirstOf(&[&NAME]),
    is_used: false,
    ..EntitySchema::new("key_sets", FIELDS)
};

fields! {
    ID,
    NAME = Field::new("name", FieldKind::String).describe("a unique name").unique(),
    TAGS,
    CREATED_AT,
    UPDATED_AT,
    KEYS = Field::new("keys", FieldKind::Entities(|| &key::ENTITY, key::SET.name)),
}
