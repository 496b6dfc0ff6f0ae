//! `mynah export`: everything that a configuration declares, with all defaults.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use mynah::{control::ConfigSource, document::Value, export::export as document};

use super::{draw, run::CompileOptions, say};

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

impl OutputFormat {
    /// The text of a document, with a line break at its end.
    pub(crate) fn text(self, document: &Value) -> String {
        match self {
            Self::Yaml => document.to_yaml(),
            Self::Json => format!("{:#}\n", serde_json::Value::from(document)),
        }
    }
}

/// Prints what is behind the door; false if it cannot be used, and why has been said.
pub(crate) fn export(
    door: &ConfigSource,
    specs: PathBuf,
    reading: CompileOptions,
    notation: OutputFormat,
) -> bool {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    match door.read().and_then(|source| reading.compile(specs, &source)) {
        Ok(compiled) => {
            say(notation.text(&document(&compiled.snapshot.entities, since)).trim_end_matches('\n'));
            true
        }
        Err(report) => {
            draw(&report);
            false
        }
    }
}
