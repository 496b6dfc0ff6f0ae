//! `mynah diff A B`: what is different between two configurations.

use std::{fmt, path::Path};

use mynah::{
    compare::{EntityChange, EntityDifference, FieldChange, differences},
    control::read_config,
    diag::DiagnosticReport,
    document::Value,
    plugin::{BundledPlugins, EnabledPlugins},
    snapshot::CompiledSnapshot,
};
use serde_json::{Value as Json, json};

use super::{check::FindingsFormat, draw, run::CompileOptions, say};

/// A value longer than this is cut short for people.
const MOST_CHARACTERS: usize = 70;

/// Nothing could be compared, and why has been said.
#[derive(Debug)]
pub(crate) struct DiffFailed;

impl fmt::Display for DiffFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one of the files cannot be used")
    }
}

impl std::error::Error for DiffFailed {}

/// Prints what is different; `None` if one of the files cannot be used, else whether they are the same.
pub(crate) fn diff(
    files: [&Path; 2],
    specs: Option<&Path>,
    reading: CompileOptions,
    format: FindingsFormat,
) -> Option<bool> {
    let [before, after] = files.map(|file| load(file, specs, reading).inspect_err(draw).ok());
    let (before, after) = (before?, after?);
    let plugins = BundledPlugins { expressions: true, enabled: EnabledPlugins::ALL };
    let all = differences(&before.snapshot.entities, &after.snapshot.entities, &plugins);
    match format {
        FindingsFormat::Json => say(Json::Array(all.iter().map(to_json).collect())),
        FindingsFormat::Text => all.iter().for_each(tell),
    }
    Some(all.is_empty())
}

fn load(
    file: &Path,
    specs: Option<&Path>,
    reading: CompileOptions,
) -> Result<CompiledSnapshot, DiagnosticReport> {
    let specs = specs.map_or_else(|| super::run::specs_beside(file), Path::to_path_buf);
    reading.compile(specs, &read_config(file)?)
}

fn tell(EntityDifference { collection, name, change }: &EntityDifference) {
    let sign = match change {
        EntityChange::Added => '+',
        EntityChange::Removed => '-',
        EntityChange::Changed(_) => '~',
    };
    say(format_args!("{sign} {collection} {name}"));
    if let EntityChange::Changed(fields) = change {
        for FieldChange { field, before, after, secret } in fields {
            if *secret {
                say(format_args!("    {field}: another value"));
            } else {
                say(format_args!("    {field}: {} -> {}", short(before), short(after)));
            }
        }
    }
}

fn short(value: &Value) -> String {
    if value.is_null() {
        return "(none)".to_owned();
    }
    let text = value.to_json();
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

fn to_json(EntityDifference { collection, name, change }: &EntityDifference) -> Json {
    let word = match change {
        EntityChange::Added => "added",
        EntityChange::Removed => "removed",
        EntityChange::Changed(_) => "changed",
    };
    let mut told = json!({ "change": word, "entity": collection, "name": name });
    if let EntityChange::Changed(fields) = change {
        let shown = |it: &FieldChange, value: &Value| {
            if it.secret { json!("[REDACTED]") } else { Json::from(value) }
        };
        let fields = fields.iter().map(
            |it| json!({ "field": it.field, "before": shown(it, &it.before), "after": shown(it, &it.after) }),
        );
        told["fields"] = fields.collect::<Vec<_>>().into();
    }
    told
}
