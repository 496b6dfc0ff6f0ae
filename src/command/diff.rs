//! `mynah diff`: differences between two configurations.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use clap::Args;
use mynah::{
    compare::{EntityChange, EntityDifference, FieldChange, differences},
    control::read_config,
    diag::DiagnosticReport,
    document::Value,
    plugin::{BundledPlugins, EnabledPlugins},
    snapshot::CompiledSnapshot,
};
use serde_json::{Value as Json, json};

use super::{
    exit_code,
    flags::{OutputFormatFlag, SpecsFlag},
    load::{CompileOptions, default_specs_folder, load_settings},
    output::{OutputFormat, print_line, print_report},
};

/// The text output cuts values off after this many characters.
const MAX_VALUE_CHARACTERS: usize = 70;

/// The exit code if a file cannot be loaded; 1 means that there are differences.
const LOAD_FAILED: u8 = 2;

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// First configuration, YAML or JSON
    before: PathBuf,
    /// Second configuration, YAML or JSON
    after: PathBuf,
    #[command(flatten)]
    specs: SpecsFlag,
    #[command(flatten)]
    output: OutputFormatFlag,
}

impl DiffArgs {
    /// Prints the differences; succeeds if there are none.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let options = CompileOptions::new(&load_settings([], None)?.settings);
        let specs = self.specs.specs.as_deref();
        let load = |file: &Path| load_config(file, specs, options).inspect_err(print_report).ok();
        // Both are loaded, so that the errors of both are printed.
        let (before, after) = (load(&self.before), load(&self.after));
        let (Some(before), Some(after)) = (before, after) else { return Ok(ExitCode::from(LOAD_FAILED)) };
        let plugins = BundledPlugins { expressions: true, enabled: EnabledPlugins::ALL };
        let all = differences(&before.snapshot.entities, &after.snapshot.entities, &plugins);
        match self.output.format {
            OutputFormat::Json => print_line(Json::Array(all.iter().map(to_json).collect())),
            OutputFormat::Text => all.iter().for_each(print_difference),
        }
        Ok(exit_code(all.is_empty()))
    }
}

fn load_config(
    file: &Path,
    specs: Option<&Path>,
    options: CompileOptions,
) -> Result<CompiledSnapshot, DiagnosticReport> {
    let specs = specs.map_or_else(|| default_specs_folder(file), Path::to_path_buf);
    options.compile(specs, &read_config(file)?)
}

fn print_difference(EntityDifference { collection, name, change }: &EntityDifference) {
    let sign = match change {
        EntityChange::Added => '+',
        EntityChange::Removed => '-',
        EntityChange::Changed(_) => '~',
    };
    print_line(format_args!("{sign} {collection} {name}"));
    if let EntityChange::Changed(fields) = change {
        for FieldChange { field, before, after, secret } in fields {
            if *secret {
                print_line(format_args!("    {field}: changed (secret)"));
            } else {
                print_line(format_args!("    {field}: {} -> {}", shortened(before), shortened(after)));
            }
        }
    }
}

/// A value as JSON, cut off after [`MAX_VALUE_CHARACTERS`].
fn shortened(value: &Value) -> String {
    if value.is_null() {
        return "(none)".to_owned();
    }
    let text = value.to_json();
    match text.char_indices().nth(MAX_VALUE_CHARACTERS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn to_json(EntityDifference { collection, name, change }: &EntityDifference) -> Json {
    let word = match change {
        EntityChange::Added => "added",
        EntityChange::Removed => "removed",
        EntityChange::Changed(_) => "changed",
    };
    let mut difference = json!({ "change": word, "entity": collection, "name": name });
    if let EntityChange::Changed(fields) = change {
        let shown = |change: &FieldChange, value: &Value| {
            if change.secret { json!("[REDACTED]") } else { Json::from(value) }
        };
        let fields = fields.iter().map(|change| {
            json!({
                "field": change.field,
                "before": shown(change, &change.before),
                "after": shown(change, &change.after),
            })
        });
        difference["fields"] = fields.collect::<Vec<_>>().into();
    }
    difference
}
