//! Parameters. No public page of their fields was found: they are not verified.

use super::shared_fields::CREATED_AT;
use crate::schema::{AdminEndpoint, EntitySchema, Field, FieldKind, Uniqueness};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    endpoint: AdminEndpoint { top: None, nested: "parameters", has_parents: false },
    is_used: false,
    ..EntitySchema::new("parameters", FIELDS)
};

fields! {
    KEY = Field::new("key", FieldKind::String)
        .required()
        .unique_where(Uniqueness::InFiles)
        .left_out_of_id(),
    VALUE = Field::new("value", FieldKind::String).required().left_out_of_id(),
    CREATED_AT,
}
