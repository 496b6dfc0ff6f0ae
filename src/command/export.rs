//! `mynah export`: everything that a configuration declares, with all defaults.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use mynah::{
    control::{Door, load::compile},
    diag::Report,
    document::Value,
    export::export as document,
    router,
    snapshot::Compiler,
};

use super::{draw, say};

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Notation {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

impl Notation {
    /// Prints a document.
    pub(crate) fn print(self, document: &Value) {
        match self {
            Self::Yaml => say(document.to_yaml().trim_end_matches('\n')),
            Self::Json => say(format_args!("{:#}", serde_json::Value::from(document))),
        }
    }
}

/// Prints what is behind the door; false if it cannot be used, and why has been said.
pub(crate) fn export(door: &Door, specs: PathBuf, options: router::Options, notation: Notation) -> bool {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let opened = door.open();
    let compiled =
        opened.and_then(|source| Ok((compile(&mut Compiler::new(specs, options), &source)?, source)));
    match compiled {
        Ok((compiled, source)) => {
            draw(&Report::new(source, compiled.warnings));
            notation.print(&document(&compiled.snapshot.entities, since));
            true
        }
        Err(report) => {
            draw(&report);
            false
        }
    }
}
