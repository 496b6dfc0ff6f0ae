//! Memberships of Consumers in groups. (Kong: ACL plugin, `acls`.)

use super::{
    consumer,
    record::text,
    shared_fields::{CREATED_AT, ID, TAGS},
};
use crate::{
    document::Value,
    schema::{DerivedId, EntityLabel, EntitySchema, Field, FieldKind, OnDelete},
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    name_field: Some(&GROUP),
    unique_together: &[&CONSUMER, &GROUP],
    derived_id: DerivedId::Key(&[&CONSUMER, &GROUP]),
    stable_id_field: Some(&GROUP),
    label: EntityLabel::Nested(&CONSUMER, &GROUP),
    ..EntitySchema::new("acls", FIELDS)
};

fields! {
    ID,
    GROUP = Field::new("group", FieldKind::String).describe("the name of the group").required(),
    CONSUMER = Field::new("consumer", FieldKind::Foreign(|| &consumer::ENTITY, OnDelete::Cascade))
        .describe("the username or id of the member")
        .required(),
    TAGS,
    CREATED_AT,
}

/// A group that a Consumer belongs to.
#[derive(Clone, Debug)]
pub struct ConsumerGroup {
    /// Its name.
    pub name: String,
    /// The complete record, as the Admin API shows it.
    pub record: Value,
}

impl ConsumerGroup {
    /// The value of a checked record.
    pub(super) fn new(record: &Value) -> Self {
        Self { name: text(record, &GROUP).unwrap_or_default(), record: record.clone() }
    }
}
