//! Stored values of the plugin `acme`. No public page of their fields was found: they are not verified.

use super::shared_fields::{CREATED_AT, ID};
use crate::schema::{EntitySchema, Field, FieldKind};

pub(crate) static ENTITY: EntitySchema =
    EntitySchema { name_field: Some(&KEY), is_used: false, ..EntitySchema::new("acme_storage", FIELDS) };

fields! {
    ID,
    KEY = Field::new("key", FieldKind::String).required().unique().left_out_of_id(),
    VALUE = Field::new("value", FieldKind::Secret).required().left_out_of_id(),
    CREATED_AT,
}
