//! Writes of the Admin API: planned on the live configuration, made in its text, checked, saved, and only then
//! published.
//!
//! A client that has the answer to its write reads the new state, and a write that fails has changed nothing. Writes
//! and loads are serialized by the compiler lock of [`Control`]. A write begins with the comparison that every load
//! makes: text that an editor has saved since is loaded first, and the write is planned on it. A file that is being
//! written is not overwritten.

mod condense;
mod preview;
mod save;
pub mod spec_files;
mod text;
mod variables;
mod verify;

pub use preview::{PreviewStep, PreviewedWrite};
pub use text::{CheckedText, CurrentText, TextChange, WrittenText};

use std::{path::Path, sync::Arc, time::Instant};

use super::{
    Control,
    change_log::{ChangeCause, ChangeContext},
    compile::ReadOptions,
    live_config::{LoadHistory, TextLocation, unfinished_report},
    load_result::Reconciled,
    publish::NewConfig,
};
use crate::{
    config::{self, DeclarativeFormat},
    diag::{DiagnosticReport, SourceFile},
    document::{
        KnownText, NodePath, TextLayout, Value,
        edit::{DocumentChange, edit},
    },
    entity::{Entities, ID},
    file_read::FileReader,
    schema::EntitySchema,
    snapshot::{CompiledSnapshot, Snapshot, SnapshotCompiler},
};
use condense::condense_changes;
use save::{PreparedFile, SaveError};
use variables::escape_changes;
use verify::WriteDeviation;

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
/// How often ids are written into the text so that they stay the same.
const MAX_ID_ROUNDS: usize = 3;

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

/// The configuration that a write is made on.
struct WriteBase<'a> {
    before: &'a Snapshot,
    source: Arc<SourceFile>,
    format: DeclarativeFormat,
    /// The file that the text is saved to; `None` if it is in memory, or if the write is only tried.
    file: Option<&'a Path>,
}

impl WriteBase<'_> {
    fn parse<E>(&self) -> Result<ParsedText, WriteError<E>> {
        let text = &self.source.text;
        let parsed = ParsedText::of_snapshot(self.before, text);
        parsed.map_or_else(|| ParsedText::parse(text, self.format), Ok).map_err(WriteError::Conflict)
    }
}

/// A document and its layout, if that is known.
#[derive(Clone)]
struct ParsedText {
    document: Value,
    layout: Option<Arc<TextLayout>>,
}

impl ParsedText {
    /// The document that the Snapshot was made from, if it is that of the `text` without substitutions.
    fn of_snapshot(snapshot: &Snapshot, text: &str) -> Option<Self> {
        let origin = Some(&snapshot.origin).filter(|origin| origin.is_verbatim)?;
        // Loads of files do not record the layout.
        let layout = origin.layout.clone().or_else(|| TextLayout::of(text).map(Arc::new));
        Some(Self { document: origin.document.clone(), layout })
    }

    fn parse(text: &str, format: DeclarativeFormat) -> Result<Self, String> {
        let document = config::written(text, format).map_err(|error| error.message)?;
        Ok(Self { document, layout: None })
    }
}

/// One attempt of a write: from a plan to a text that can be saved.
struct WriteAttempt<'a> {
    reader: &'a FileReader,
    compiler: &'a mut SnapshotCompiler,
    source: &'a Arc<SourceFile>,
    format: DeclarativeFormat,
    /// File that the text is saved to, if it comes from one.
    file: Option<&'a Path>,
    parsed: &'a ParsedText,
    /// Layout of the text before the write, if it is known.
    known: Option<KnownText<'a>>,
    plan: &'a WritePlan,
    before: &'a Snapshot,
}

/// A write that only has to be saved.
struct PreparedWrite {
    source: Arc<SourceFile>,
    compiled: CompiledSnapshot,
    /// The temporary file with the text, or why it could not be written.
    prepared: Option<Result<PreparedFile, SaveError>>,
    /// Place of the entity.
    at: Option<NodePath>,
}

impl WriteAttempt<'_> {
    fn prepare<E>(&mut self) -> Result<PreparedWrite, WriteError<E>> {
        let mut first_error = WriteError::Conflict(String::new());
        for changes in [Some(&self.plan.changes), self.plan.fallback.as_ref()].into_iter().flatten() {
            match self.apply(changes) {
                Ok(prepared) => return Ok(prepared),
                // The error of the finer changes is closer to the request.
                Err(error) if matches!(&first_error, WriteError::Conflict(text) if text.is_empty()) => {
                    first_error = error;
                }
                Err(_) => (),
            }
        }
        Err(first_error)
    }

    fn apply<E>(&mut self, changes: &[DocumentChange]) -> Result<PreparedWrite, WriteError<E>> {
        let no_place = |why: String| WriteError::Conflict(inexpressible(&why));
        let mut text = self.source.text.clone();
        let mut parsed = Some(self.parsed.clone());
        let mut pending = match self.format {
            DeclarativeFormat::Environment => escape_changes(changes, &self.parsed.document),
            DeclarativeFormat::Kong | DeclarativeFormat::Deck => changes.to_vec(),
        };
        pending = condense_changes(pending, &self.parsed.document);
        for _ in 0..MAX_ID_ROUNDS {
            for change in pending.drain(..) {
                let ParsedText { document, layout } = match parsed.take() {
                    Some(parsed) => parsed,
                    None => self.parse_changed(&text).map_err(no_place)?,
                };
                text = edit(&text, &document, layout, &change).map_err(|why| no_place(why.to_string()))?;
            }
            let new = SourceFile::new(self.source.name.clone(), text.clone());
            let at = self.plan.wanted.as_ref().map(|wanted| wanted.at.clone());
            let (compiled, prepared) = self.compile(&new);
            let compiled = compiled.map_err(|report| WriteError::Invalid(report, at.clone()))?;
            match verify::verify(&self.before.entities, &compiled.snapshot.entities, self.plan) {
                Ok(()) => return Ok(PreparedWrite { source: new, compiled, prepared, at }),
                Err(WriteDeviation::Ids(ids)) => {
                    let set_id =
                        |(at, id): (NodePath, String)| DocumentChange::Set(at.key(ID.name), Value::from(id));
                    pending = ids.into_iter().map(set_id).collect();
                    if let Ok(read) = self.parse_changed(&text) {
                        pending = condense_changes(pending, &read.document);
                        parsed = Some(read);
                    }
                }
                Err(WriteDeviation::Other(why)) => return Err(WriteError::Conflict(why)),
            }
        }
        Err(WriteError::Conflict("ids would change".to_owned()))
    }

    /// Parses the text after the first of several changes.
    fn parse_changed(&self, text: &str) -> Result<ParsedText, String> {
        match self.known.and_then(|known| config::read_changed(text, self.format, known)) {
            Some((document, layout)) => {
                Ok(ParsedText { document: document.value, layout: Some(Arc::new(layout)) })
            }
            None => ParsedText::parse(text, self.format),
        }
    }

    /// Compiles the text, and writes it to the temporary file in parallel, since flushing to disk takes time.
    fn compile(
        &mut self,
        new: &Arc<SourceFile>,
    ) -> (Result<CompiledSnapshot, DiagnosticReport>, Option<Result<PreparedFile, SaveError>>) {
        let Self { reader, compiler, file, format, before, known, .. } = self;
        let options = ReadOptions {
            format: *format,
            before,
            advise: false,
            layout: true,
            known: *known,
            reader,
            quarantines: false,
        };
        std::thread::scope(|scope| {
            let prepare = |file| scope.spawn(move || save::prepare(file, new.text.as_bytes()));
            let prepared = file.map(prepare);
            let compiled = options.compile(compiler, new);
            let panicked = || Err(SaveError::Failed("writing the file panicked".to_owned()));
            (compiled, prepared.map(|thread| thread.join().unwrap_or_else(|_| panicked())))
        })
    }
}
