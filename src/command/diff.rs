//! `mynah diff A B`: what is different between two configurations.

use std::{fmt, path::Path};

use mynah::{
    compare::{Change, Difference, FieldChange, differences},
    control::read,
    diag::Report,
    document::Value,
    plugin::{Bundled, EnabledPlugins},
    snapshot::Compiled,
};
use serde_json::{Value as Json, json};

use super::{check::Format, draw, run::Reading, say};

/// A value longer than this is cut short for people.
const MOST_CHARACTERS: usize = 70;

/// Nothing could be compared, and why has been said.
#[derive(Debug)]
pub(crate) struct Trouble;

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one of the files cannot be used")
    }
}

impl std::error::Error for Trouble {}

/// Prints what is different; `None` if one of the files cannot be used, else whether they are the same.
pub(crate) fn diff(
    files: [&Path; 2],
    specs: Option<&Path>,
    reading: Reading,
    format: Format,
) -> Option<bool> {
    let [before, after] = files.map(|file| load(file, specs, reading).inspect_err(draw).ok());
    let (before, after) = (before?, after?);
    let plugins = Bundled { expressions: true, enabled: EnabledPlugins::ALL };
    let all = differences(&before.snapshot.entities, &after.snapshot.entities, &plugins);
    match format {
        Format::Json => say(Json::Array(all.iter().map(to_json).collect())),
        Format::Text => all.iter().for_each(tell),
    }
    Some(all.is_empty())
}

fn load(file: &Path, specs: Option<&Path>, reading: Reading) -> Result<Compiled, Report> {
    let specs = specs.map_or_else(|| super::run::specs_beside(file), Path::to_path_buf);
    reading.compile(specs, &read(file)?)
}

fn tell(Difference { collection, name, change }: &Difference) {
    let sign = match change {
        Change::Added => '+',
        Change::Removed => '-',
        Change::Changed(_) => '~',
    };
    say(format_args!("{sign} {collection} {name}"));
    if let Change::Changed(fields) = change {
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

fn to_json(Difference { collection, name, change }: &Difference) -> Json {
    let word = match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Changed(_) => "changed",
    };
    let mut told = json!({ "change": word, "entity": collection, "name": name });
    if let Change::Changed(fields) = change {
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
