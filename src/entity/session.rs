//! Stored sessions of the plugin `session`. No public page of their fields was found: they are not verified.

use super::shared_fields::{CREATED_AT, ID};
use crate::schema::{AdminEndpoint, EntitySchema, Field, FieldKind, Uniqueness};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    endpoint: AdminEndpoint { top: None, nested: "sessions", has_parents: false },
    is_used: false,
    ..EntitySchema::new("sessions", FIELDS)
};

fields! {
    ID,
    SESSION_ID = Field::new("session_id", FieldKind::Secret)
        .required()
        .unique_where(Uniqueness::InFiles)
        .left_out_of_id(),
    EXPIRES = Field::new("expires", FieldKind::Integer),
    DATA = Field::new("data", FieldKind::Secret),
    CREATED_AT,
}
