//! Schemas of records, one row per field, as in Kong's own schemas.
//!
//! Rows are data; [`check()`] reads them. The same rows check a file, fill in its defaults, and describe themselves on the
//! Admin API and to editors.

mod check;
mod checked_document;
mod condition;
mod entity_fault;
mod entity_schema;
mod field;
mod field_rule;
mod header_name;
mod messages;
mod nearest;
mod plugin_protocols;
mod spelling;
mod value;

pub use check::{PluginSchemas, check, check_after};
pub use checked_document::{CheckedDocument, CheckedItem, ParentEntity, PreviousItems};
pub use condition::{FieldCondition, FieldRequirement};
pub use entity_fault::EntityFault;
pub use entity_schema::{AdminEndpoint, DerivedId, EntityLabel, EntitySchema, Shorthand};
pub use field::{Field, FieldKind, FieldRule, OnDelete, Uniqueness, is_vault_reference};
pub use header_name::{check_header_name, is_header_name};
pub use nearest::nearest;
pub use plugin_protocols::{
    CONNECTION_PLUGIN_PROTOCOLS, HTTP_PLUGIN_PROTOCOLS, HTTP_PROTOCOL_NAMES, PLUGIN_PROTOCOLS, PROTOCOL_NAMES,
};

use crate::document::Value;

/// The settings of a plugin: its fields, and the rules across them.
#[derive(Clone, Copy, Debug)]
pub struct PluginSettings {
    /// The fields of `config`.
    pub fields: &'static [Field],
    /// The rules across them; they see complete settings.
    pub checks: &'static [fn(&Value) -> Option<EntityFault>],
    /// The field `protocols` of the entries that configure the plugin.
    pub protocols: &'static Field,
}
