//! Fields that entities of every kind have.

use super::text_rules;
use crate::schema::{Field, FieldKind, FieldRule};

/// The id; derived from other fields where a file gives none.
pub(crate) const ID: Field =
    Field::new("id", FieldKind::Uuid).describe("a UUID; derived from the name if it is missing");

/// The labels of an entity.
pub(crate) const TAGS: Field = Field::new(
    "tags",
    FieldKind::Set(&Field::item(FieldKind::String).required().rules(&[FieldRule::Holds(text_rules::tag)])),
)
.describe("labels for searches in the Admin API");

/// Unix time in seconds.
pub(crate) const CREATED_AT: Field =
    Field::new("created_at", FieldKind::Integer).describe("Unix time in seconds");

/// Unix time in seconds.
pub(crate) const UPDATED_AT: Field =
    Field::new("updated_at", FieldKind::Integer).describe("Unix time in seconds");
