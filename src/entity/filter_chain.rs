//! Chains of WebAssembly filters. (Kong docs: "WebAssembly", filter chain, and "Proxy-Wasm filter configuration": the `config`
//! of a filter is a text, or any value where the filter has a schema.)

use super::{
    route, service,
    shared_fields::{CREATED_AT, ID, TAGS, UPDATED_AT},
    text_rules,
};
use crate::schema::{
    AdminEndpoint, DerivedId, EntityLabel, EntitySchema, Field, FieldKind, FieldRule, OnDelete, Uniqueness,
};

pub(crate) static ENTITY: EntitySchema = EntitySchema {
    endpoint: AdminEndpoint { top: Some("filter-chains"), nested: "filter-chains", has_parents: true },
    name_field: Some(&NAME),
    derived_id: DerivedId::Key(&[&ROUTE, &SERVICE]),
    stable_id_field: Some(&NAME),
    label: EntityLabel::FirstOf(&[&NAME]),
    is_used: false,
    ..EntitySchema::new("filter_chains", FIELDS)
};

fields! {
    ID,
    NAME = Field::new("name", FieldKind::String)
        .unique_where(Uniqueness::InWrites)
        .rules(&[FieldRule::Holds(text_rules::name)]),
    ENABLED = Field::new("enabled", FieldKind::Boolean).required().default("true"),
    ROUTE = Field::new("route", FieldKind::Foreign(|| &route::ENTITY, OnDelete::Cascade)),
    SERVICE = Field::new("service", FieldKind::Foreign(|| &service::ENTITY, OnDelete::Cascade)),
    FILTERS = Field::new(
        "filters",
        FieldKind::Array(&Field::item(FieldKind::Record(&[
            Field::new("name", FieldKind::String).required(),
            Field::new("enabled", FieldKind::Boolean).required().default("true"),
            Field::new("config", FieldKind::Any),
        ]))),
    )
    .required(),
    TAGS,
    CREATED_AT,
    UPDATED_AT,
}
