//! Writes of the Admin API: planned on the live configuration, made in its text, checked, saved, and only then
//! published.
//!
//! A client that has the answer to its write reads the new state, and a write that fails has changed nothing. Writes
//! and loads are serialized by the compiler lock of [`Control`]. A write begins with the comparison that every load
//! makes: text that an editor has saved since is loaded first, and the write is planned on it. A file that is being
//! written is not overwritten.

mod attempt;
mod condense;
mod preview;
mod save;
pub mod spec_files;
mod text;
mod variables;
mod verify;

pub use preview::{PreviewStep, PreviewedWrite};
pub use text::{CheckedText, CurrentText, TextChange, WrittenText};

use std::{sync::Arc, time::Instant};

use super::{
    Control,
    change_log::{ChangeCause, ChangeContext},
    live_config::{LoadHistory, TextLocation, unfinished_report},
    load_result::Reconciled,
    publish::NewConfig,
};
use crate::{
    diag::DiagnosticReport,
    document::{NodePath, Value, edit::DocumentChange},
    entity::Entities,
    schema::EntitySchema,
    snapshot::{Snapshot, SnapshotCompiler},
};
use attempt::{ParsedText, PreparedWrite, WriteAttempt, WriteBase};
use save::SaveError;

/// Plan of a write: its changes of the text, and the entities that the text declares afterwards.
#[derive(Clone, Debug, Default)]
pub struct WritePlan {
    /// The changes, in the order in which they are applied.
    pub changes: Vec<DocumentChange>,
    /// Coarser changes with the same result, tried if the first ones fail.
    pub fallback: Option<Vec<DocumentChange>>,
    /// The entity that is created or changed.
    pub wanted: Option<WantedEntity>,
    /// Previous place of the entity, with all that is nested in it, if it moves.
    pub from: Option<NodePath>,
    /// Number of entities that are created nested in it.
    pub nested: usize,
    /// Collections and ids of the entities that are removed.
    pub gone: Vec<(&'static str, String)>,
}

/// An entity as the write requires it.
#[derive(Clone, Debug)]
pub struct WantedEntity {
    /// Its kind.
    pub entity: &'static EntitySchema,
    /// Its place after the write.
    pub at: NodePath,
    /// Its record. If it has no id, the entity gets the id that follows from its text.
    pub record: Value,
}

/// A completed write.
#[derive(Debug)]
pub struct CompletedWrite {
    /// The live Snapshot after the write.
    pub snapshot: Arc<Snapshot>,
    /// Record of the entity that was created or changed.
    pub record: Option<Value>,
}

/// A failed write; nothing has changed.
#[derive(Debug)]
pub enum WriteError<E> {
    /// The planner refused the write.
    Refused(E),
    /// The text cannot be saved: its source is read-only or several files.
    ReadOnly(String),
    /// The system failed to save the text.
    Unsaved(String),
    /// The configuration would be invalid afterwards; the path is that of the entity.
    Invalid(DiagnosticReport, Option<NodePath>),
    /// The text cannot express the change, or cannot be read any more.
    Conflict(String),
    /// A file is being written; the text says why that matters and what to do.
    Unfinished(String),
}

impl WritePlan {
    /// Whether nothing has to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.gone.is_empty()
    }
}

/// Message for a file that was saved again during every attempt of a write.
const BUSY_FILE: &str = "another process keeps saving the file";

/// Message for a change that the text has no place for.
fn inexpressible(why: &str) -> String {
    format!("the text has no place for the change: {why}")
}

/// Why a configuration with entities in quarantine is not written: a write is checked with the whole text.
fn quarantine_message(snapshot: &Snapshot) -> Option<String> {
    let [first, ..] = snapshot.quarantined() else { return None };
    let (at, message) = (&first.error.path, &first.error.message);
    Some(format!("the configuration has entities in quarantine; correct them first: {at}: {message}"))
}

fn several_files_message(name: &str) -> String {
    format!("{name} consists of several files; edit those")
}

/// How often a write is retried because another process has saved the file meanwhile.
const MAX_ATTEMPTS: usize = 5;

impl Control {
    /// Makes a write. `decide` plans it from the live entities and their document; it is called again on each retry.
    ///
    /// # Errors
    /// The write was not made, and nothing has changed.
    pub fn write<E>(
        &self,
        decide: impl Fn(&Entities, &Value) -> Result<WritePlan, E>,
    ) -> Result<CompletedWrite, WriteError<E>> {
        let mut compiler = self.lock_compiler();
        for _ in 0..MAX_ATTEMPTS {
            let started = Instant::now();
            self.load_before_write(&mut compiler)?;
            let before = self.live().current();
            let base = self.write_base(&before)?;
            let parsed = base.parse()?;
            let plan = decide(&before.entities, &parsed.document).map_err(WriteError::Refused)?;
            if plan.is_empty() {
                let record = plan.wanted.map(|wanted| wanted.record);
                return Ok(CompletedWrite { snapshot: before, record });
            }
            if let Some(Err(why)) = base.file.map(save::check_may_write) {
                why.into_write_error()?;
                continue;
            }
            let PreparedWrite { source: new, compiled, prepared, at } =
                self.prepare_write(&mut compiler, &base, &parsed, &plan)?;
            let WriteBase { source, format, file, .. } = base;
            if let Err(why) = prepared.map_or(Ok(()), |file| file?.replace(source.text.as_bytes())) {
                why.into_write_error()?;
                continue;
            }
            let location = if file.is_some() { TextLocation::Source } else { TextLocation::Memory };
            let change =
                ChangeContext { cause: ChangeCause::Write, started, old: Some(source), undoes: None };
            let new = NewConfig { source: &new, format, location, compiled, change };
            let loaded = self.publish(&mut compiler, &before, new);
            let record = at.and_then(|at| record_at(&loaded.snapshot, &at));
            // The previous configuration is dropped in another thread, so that the answer does not wait for it.
            let _ = std::thread::Builder::new().spawn(move || drop((before, parsed)));
            return Ok(CompletedWrite { snapshot: loaded.snapshot, record });
        }
        Err(WriteError::Conflict(BUSY_FILE.to_owned()))
    }

    /// Loads a version of the file that was saved since.
    fn load_before_write<E>(&self, compiler: &mut SnapshotCompiler) -> Result<(), WriteError<E>> {
        match self.reconcile_for_write(compiler) {
            Reconciled::Unchanged | Reconciled::Loaded(_) => Ok(()),
            Reconciled::Pending(report) => Err(WriteError::Unfinished(report.summary())),
            Reconciled::Refused { report, .. } => {
                let why = report.summary();
                Err(WriteError::Conflict(format!("the file has changed and cannot be used: {why}")))
            }
        }
    }

    /// The text of the live Snapshot, if it can be edited.
    fn write_base<'a, E>(&'a self, before: &'a Snapshot) -> Result<WriteBase<'a>, WriteError<E>> {
        let history = self.load_history();
        let (Some(source), format) = (history.text, history.format) else {
            return Err(WriteError::Conflict("there is no configuration yet".to_owned()));
        };
        if !source.parts.is_empty() {
            return Err(WriteError::ReadOnly(several_files_message(&source.name)));
        }
        // The text is the one that was compiled into `before`.
        if let Some(why) = quarantine_message(before) {
            return Err(WriteError::ReadOnly(why));
        }
        // A configuration that has replaced the file in memory is edited in memory.
        let file = self.file().filter(|_| history.replaced_source.is_none());
        Ok(WriteBase { before, source, format, file })
    }

    /// Makes a planned write in the text, and checks the result.
    fn prepare_write<E>(
        &self,
        compiler: &mut SnapshotCompiler,
        base: &WriteBase<'_>,
        parsed: &ParsedText,
        plan: &WritePlan,
    ) -> Result<PreparedWrite, WriteError<E>> {
        let reader = self.file_reader();
        let WriteBase { before, source, format, file } = base;
        let known = parsed.layout.as_deref();
        let known = known.and_then(|layout| before.origin.known_text(&source.text, layout));
        let (format, file) = (*format, *file);
        let mut attempt =
            WriteAttempt { reader: &reader, compiler, source, format, file, parsed, known, plan, before };
        let prepared = attempt.prepare::<E>();
        match reader.unfinished() {
            Some(unfinished) => Err(WriteError::Unfinished(unfinished_report(&unfinished).summary())),
            None => prepared,
        }
    }

    /// Reason why writes cannot be saved, as far as it is known before one is made.
    #[must_use]
    pub fn why_read_only(&self) -> Option<String> {
        let LoadHistory { text, replaced_source, .. } = self.load_history();
        if let Some(why) = quarantine_message(&self.live().current()) {
            return Some(why);
        }
        if let Some(text) = text.filter(|text| !text.parts.is_empty()) {
            return Some(several_files_message(&text.name));
        }
        let file = self.file().filter(|_| replaced_source.is_none())?;
        match save::check_may_write(file) {
            Err(SaveError::ReadOnly(why)) => Some(why),
            // Other failures are reported by the write itself.
            _ => None,
        }
    }
}

impl SaveError {
    /// Error that ends the write; `Ok` if another process has saved the file, so that the write is retried.
    fn into_write_error<E>(self) -> Result<(), WriteError<E>> {
        match self {
            Self::Changed => Ok(()),
            Self::ReadOnly(why) => Err(WriteError::ReadOnly(why)),
            Self::Failed(why) => Err(WriteError::Unsaved(why)),
        }
    }
}

/// The record of the entity at a place.
fn record_at(snapshot: &Snapshot, at: &NodePath) -> Option<Value> {
    let all = &snapshot.entities.records;
    all.iter().find(|record| record.at == *at).map(|record| record.value.clone())
}
