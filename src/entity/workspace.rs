//! Workspaces. No public page of their fields was found: they are not verified.

use super::shared_fields::{CREATED_AT, ID, UPDATED_AT};
use crate::schema::{AdminEndpoint, DerivedId, EntityLabel, EntitySchema, Field, FieldKind};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    endpoint: AdminEndpoint { top: None, nested: "workspaces", has_parents: false },
    name_field: Some(&NAME),
    derived_id: DerivedId::Name(&NAME),
    stable_id_field: Some(&NAME),
    label: EntityLabel::FirstOf(&[&NAME]),
    is_used: false,
    ..EntitySchema::new("workspaces", FIELDS)
};

fields! {
    ID,
    NAME = Field::new("name", FieldKind::String).required().unique(),
    COMMENT = Field::new("comment", FieldKind::Text),
    CONFIG = Field::new("config", FieldKind::Any),
    META = Field::new("meta", FieldKind::Any),
    CREATED_AT,
    UPDATED_AT,
}
