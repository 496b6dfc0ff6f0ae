//! `mynah schema`: what a configuration may say, as a JSON Schema for editors.

use mynah::{
    entity::DOCUMENT,
    json_schema::json_schema,
    plugin::{BundledPlugins, EnabledPlugins},
};

use super::say;

/// Prints the schema.
pub(crate) fn schema() {
    say(format_args!(
        "{:#}",
        json_schema(DOCUMENT, &BundledPlugins { expressions: true, enabled: EnabledPlugins::ALL })
    ));
}
