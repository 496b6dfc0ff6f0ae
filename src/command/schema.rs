//! `mynah schema`: the JSON Schema of configurations, for editors.

use std::process::ExitCode;

use mynah::{
    entity::DOCUMENT,
    json_schema::json_schema,
    plugin::{BundledPlugins, EnabledPlugins},
};

use super::output::print_line;

/// Prints the schema.
pub(crate) fn execute() -> ExitCode {
    let plugins = BundledPlugins { expressions: true, enabled: EnabledPlugins::ALL };
    print_line(format_args!("{:#}", json_schema(DOCUMENT, &plugins)));
    ExitCode::SUCCESS
}
