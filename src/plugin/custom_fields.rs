//! Setting `custom_fields_by_lua` of the plugins that log: values of an entry that snippets of Lua compute.
//! (Kong: File Log and HTTP Log plugins.)

use bytes::Bytes;

use super::{PluginSetup, RequestRecord};
#[cfg(not(feature = "lua"))]
use crate::schema::EntityFault;
use crate::{
    diag::Diagnostic,
    document::Value,
    schema::{Field, FieldKind},
};

/// The setting: a snippet for each value, by its name.
pub(super) const FIELD: Field =
    Field::new("custom_fields_by_lua", FieldKind::Map(&Field::item(FieldKind::String)))
        .describe("further fields of a log entry, each with the Lua code that makes its value");

/// Checks of the setting: without an interpreter it has to be empty.
#[cfg(not(feature = "lua"))]
pub(super) const CHECKS: &[fn(&Value) -> Option<EntityFault>] = &[|config| {
    config.get(FIELD.name)?.entries().next()?;
    let message = "this build has no Lua, so nothing can make these fields";
    let help =
        "leave it out, or use a build with the feature `lua`; what an entry tells is in docs/plugins.md";
    Some(EntityFault::field(FIELD.name, message).help(help))
}];

/// Checks of the setting; snippets are checked when the plugin is compiled.
#[cfg(feature = "lua")]
pub(super) const CHECKS: &[fn(&Value) -> Option<crate::schema::EntityFault>] = &[];

/// The snippets of a plugin.
pub(super) struct CustomFields {
    #[cfg(feature = "lua")]
    snippets: super::lua::EntrySnippets,
}

impl CustomFields {
    /// Compiles the snippets.
    ///
    /// # Errors
    /// A snippet is not Lua.
    #[cfg_attr(
        not(feature = "lua"),
        expect(clippy::unnecessary_wraps, reason = "with Lua, snippets can be wrong")
    )]
    pub(super) fn compile(plugin: &'static str, setup: &PluginSetup<'_>) -> Result<Self, Vec<Diagnostic>> {
        #[cfg(not(feature = "lua"))]
        let _ = (plugin, setup);
        Ok(Self {
            #[cfg(feature = "lua")]
            snippets: super::lua::EntrySnippets::compile(plugin, FIELD.name, setup)?,
        })
    }

    /// The log entry of a request, with these values.
    pub(super) fn entry(&self, record: &RequestRecord) -> Bytes {
        #[cfg(feature = "lua")]
        if !self.snippets.is_empty() {
            return record.entry_with(&self.snippets.edits(record));
        }
        record.entry().clone()
    }
}
