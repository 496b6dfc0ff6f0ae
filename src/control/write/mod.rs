//! A write through the Admin API: decided on what is current, made in its text, checked, saved, and only then
//! current. Whoever reads their write sees it, and a write that fails has changed nothing.
//!
//! Writes and loads stand in one line ([`Control`]'s compiler). A write begins with the comparison that every load makes:
//! what an editor has saved since is made current first, and the write is decided on that; a file that is being written
//! is not written over.

mod condense;
mod save;
mod variables;
mod verify;

use std::sync::Arc;

use super::{
    Control,
    compile::ReadOptions,
    live_config::{LoadHistory, Place, unfinished_report},
    load::Reconciled,
};
use crate::{
    config::{self, DeclarativeFormat},
    diag::{DiagnosticReport, SourceFile},
    document::{
        KnownText, NodePath, TextLayout, Value,
        edit::{DocumentChange, edit},
    },
    entity::Entities,
    file_read::FileReader,
    snapshot::{CompiledSnapshot, Snapshot, SnapshotCompiler},
};
use condense::condensed;
use save::{PreparedFile, SaveError};
use variables::escaped;
use verify::WriteDeviation;

/// What a write does to the text, and what the text declares afterwards.
#[derive(Clone, Debug, Default)]
pub struct WritePlan {
    /// The changes, one after the other.
    pub changes: Vec<DocumentChange>,
    /// Coarser changes that do the same, where the first ones do not lead there.
    pub instead: Option<Vec<DocumentChange>>,
    /// The entity that is created or changed.
    pub wanted: Option<WantedEntity>,
    /// Where it stood, with all that is nested in it, if it is to stand elsewhere.
    pub from: Option<NodePath>,
    /// How many entities come with it, nested in it.
    pub nested: usize,
    /// The collections and ids of the entities that go.
    pub gone: Vec<(&'static str, String)>,
}

/// An entity as it shall be.
#[derive(Clone, Debug)]
pub struct WantedEntity {
    /// Its collection.
    pub collection: &'static str,
    /// Where it stands afterwards.
    pub at: NodePath,
    /// Its record; one without an id gets the one that its text gives it.
    pub record: Value,
}

/// A write that was made.
#[derive(Debug)]
pub struct CompletedWrite {
    /// What is current now.
    pub snapshot: Arc<Snapshot>,
    /// The record of the entity that was created or changed.
    pub record: Option<Value>,
}

/// A write that was not made; nothing has changed.
#[derive(Debug)]
pub enum WriteError<E> {
    /// Who decides has refused it.
    Refused(E),
    /// The text is not to be saved where it came from.
    ReadOnly(String),
    /// The system could not save it.
    Unsaved(String),
    /// The configuration could not be used afterwards; the place is that of the entity.
    Invalid(DiagnosticReport, Option<NodePath>),
    /// The text has no room for it, or cannot be read any more.
    Conflict(String),
    /// A file is being written; why that matters, and what to do.
    Unfinished(String),
}

fn several(name: &str) -> String {
    format!("{name} is several files; edit those")
}

/// How often a write begins again because the file was saved by somebody else meanwhile.
const ATTEMPTS: usize = 5;
/// How often ids are written out so that they stay.
const ROUNDS: usize = 3;

impl Control {
    /// Makes a write; `decide` is told what is current and what its text says, and may be asked again.
    ///
    /// # Errors
    /// It could not be made, and nothing has changed.
    pub fn write<E>(
        &self,
        decide: impl Fn(&Entities, &Value) -> Result<WritePlan, E>,
    ) -> Result<CompletedWrite, WriteError<E>> {
        let mut compiler = self.turn();
        for _ in 0..ATTEMPTS {
            match self.reconcile_for_write(&mut compiler) {
                Reconciled::Same | Reconciled::Loaded(_) => (),
                Reconciled::Pending(report) => return Err(WriteError::Unfinished(report.summary())),
                Reconciled::Refused { report, .. } => {
                    let why = report.summary();
                    return Err(WriteError::Conflict(format!(
                        "the file was changed, and cannot be used as it is: {why}"
                    )));
                }
            }
            let (before, state) = (self.live().current(), self.state());
            let (Some(source), format) = (state.text, state.format) else {
                return Err(WriteError::Conflict("there is no configuration yet".to_owned()));
            };
            if !source.parts.is_empty() {
                return Err(WriteError::ReadOnly(several(&source.name)));
            }
            // The text is that of what is current.
            let said = ParsedText::by(&before, &source.text)
                .map_or_else(|| ParsedText::read(&source.text, format), Ok);
            let said = said.map_err(WriteError::Conflict)?;
            let plan = decide(&before.entities, &said.document).map_err(WriteError::Refused)?;
            if plan.changes.is_empty() && plan.gone.is_empty() {
                let record = plan.wanted.map(|wanted| wanted.record);
                return Ok(CompletedWrite { snapshot: before, record });
            }
            // What replaced the file in memory is edited in memory.
            let file = self.file().filter(|_| state.over.is_none());
            if let Some(Err(why)) = file.map(save::may_write) {
                why.ends()?;
                continue;
            }
            let reader = self.reader();
            let mut attempt = WriteAttempt {
                reader: &reader,
                compiler: &mut compiler,
                source: &source,
                format,
                file,
                said: &said,
                known: said.layout.as_deref().and_then(|it| before.origin.known(&source.text, it)),
                plan: &plan,
                before: &before,
            };
            let made = attempt.make::<E>();
            if let Some(unfinished) = reader.unfinished() {
                return Err(WriteError::Unfinished(unfinished_report(&unfinished).summary()));
            }
            let PreparedWrite { source: new, compiled, prepared, at } = made?;
            if let Err(why) = prepared.map_or(Ok(()), |it| it?.replace(source.text.as_bytes())) {
                why.ends()?;
                continue;
            }
            let place = if file.is_some() { Place::Door } else { Place::Memory };
            let loaded = self.publish(&mut compiler, &before, &new, format, place, compiled);
            // Whoever waits for the answer need not wait until what was current is taken apart.
            let _ = std::thread::Builder::new().spawn(move || drop((before, said)));
            let record = at.and_then(|at| {
                let all = &loaded.snapshot.entities.records;
                all.iter().find(|it| it.at == at).map(|it| it.value.clone())
            });
            return Ok(CompletedWrite { snapshot: loaded.snapshot, record });
        }
        Err(WriteError::Conflict("somebody else goes on saving the file".to_owned()))
    }

    /// Why no write can be saved, as far as that can be told before one is made.
    #[must_use]
    pub fn why_read_only(&self) -> Option<String> {
        let LoadHistory { text, over, .. } = self.state();
        if let Some(text) = text.filter(|it| !it.parts.is_empty()) {
            return Some(several(&text.name));
        }
        let file = self.file().filter(|_| over.is_none())?;
        match save::may_write(file) {
            Err(SaveError::ReadOnly(why)) => Some(why),
            // What else there is to say, the write says.
            _ => None,
        }
    }
}

impl SaveError {
    /// Whether that ends a write: what somebody else has saved is what it begins again with.
    fn ends<E>(self) -> Result<(), WriteError<E>> {
        match self {
            Self::Changed => Ok(()),
            Self::ReadOnly(why) => Err(WriteError::ReadOnly(why)),
            Self::Failed(why) => Err(WriteError::Unsaved(why)),
        }
    }
}

/// What a text says, and where, if that is known.
#[derive(Clone)]
struct ParsedText {
    document: Value,
    layout: Option<Arc<TextLayout>>,
}

impl ParsedText {
    /// What the `text` says that this was made from, if it says so itself.
    fn by(snapshot: &Snapshot, text: &str) -> Option<Self> {
        let origin = Some(&snapshot.origin).filter(|it| it.is_verbatim)?;
        // Who loads a file does not note it.
        let layout = origin.layout.clone().or_else(|| TextLayout::of(text).map(Arc::new));
        Some(Self { document: origin.document.clone(), layout })
    }

    fn read(text: &str, format: DeclarativeFormat) -> Result<Self, String> {
        let document = config::written(text, format).map_err(|error| error.message)?;
        Ok(Self { document, layout: None })
    }
}

/// A write on its way from a plan to a text that can be saved.
struct WriteAttempt<'a> {
    reader: &'a FileReader,
    compiler: &'a mut SnapshotCompiler,
    source: &'a Arc<SourceFile>,
    format: DeclarativeFormat,
    /// Where the text is saved, if it comes from a file.
    file: Option<&'a std::path::Path>,
    said: &'a ParsedText,
    /// What is known of the text before the write.
    known: Option<KnownText<'a>>,
    plan: &'a WritePlan,
    before: &'a Snapshot,
}

/// A write that only has to be saved.
struct PreparedWrite {
    source: Arc<SourceFile>,
    compiled: CompiledSnapshot,
    /// The text beside its file, or why it is not there.
    prepared: Option<Result<PreparedFile, SaveError>>,
    /// Where the entity stands.
    at: Option<NodePath>,
}

impl WriteAttempt<'_> {
    fn make<E>(&mut self) -> Result<PreparedWrite, WriteError<E>> {
        let mut why = WriteError::Conflict(String::new());
        for changes in [Some(&self.plan.changes), self.plan.instead.as_ref()].into_iter().flatten() {
            match self.change(changes) {
                Ok(done) => return Ok(done),
                // What the finer changes have to say is nearer to what was asked.
                Err(error) if matches!(&why, WriteError::Conflict(text) if text.is_empty()) => why = error,
                Err(_) => (),
            }
        }
        Err(why)
    }

    fn change<E>(&mut self, changes: &[DocumentChange]) -> Result<PreparedWrite, WriteError<E>> {
        let no_place = |why: String| WriteError::Conflict(format!("the text has no place for it: {why}"));
        let mut text = self.source.text.clone();
        let mut said = Some(self.said.clone());
        let mut todo = match self.format {
            DeclarativeFormat::Environment => escaped(changes, &self.said.document),
            DeclarativeFormat::Kong | DeclarativeFormat::Deck => changes.to_vec(),
        };
        todo = condensed(todo, &self.said.document);
        for _ in 0..ROUNDS {
            for change in todo.drain(..) {
                let ParsedText { document, layout } = match said.take() {
                    Some(said) => said,
                    None => self.said_by(&text).map_err(no_place)?,
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
                    let fix =
                        |(at, id): (NodePath, String)| DocumentChange::Set(at.key("id"), Value::from(id));
                    todo = ids.into_iter().map(fix).collect();
                    if let Ok(read) = self.said_by(&text) {
                        todo = condensed(todo, &read.document);
                        said = Some(read);
                    }
                }
                Err(WriteDeviation::Other(why)) => return Err(WriteError::Conflict(why)),
            }
        }
        Err(WriteError::Conflict("ids would not stay as they are".to_owned()))
    }

    /// What the text says after the first of several changes.
    fn said_by(&self, text: &str) -> Result<ParsedText, String> {
        match self.known.and_then(|it| config::read_changed(text, self.format, it)) {
            Some((document, layout)) => {
                Ok(ParsedText { document: document.value, layout: Some(Arc::new(layout)) })
            }
            None => ParsedText::read(text, self.format),
        }
    }

    /// Compiles the text, and puts it beside its file meanwhile: a disk takes its time.
    fn compile(
        &mut self,
        new: &Arc<SourceFile>,
    ) -> (Result<CompiledSnapshot, DiagnosticReport>, Option<Result<PreparedFile, SaveError>>) {
        let Self { reader, compiler, file, format, before, known, .. } = self;
        let reading =
            ReadOptions { format: *format, before, advise: false, layout: true, known: *known, reader };
        std::thread::scope(|scope| {
            let prepare = |file| scope.spawn(move || save::prepare(file, new.text.as_bytes()));
            let prepared = file.map(prepare);
            let compiled = reading.compile(compiler, new);
            let stopped = || Err(SaveError::Failed("writing stopped half-way".to_owned()));
            (compiled, prepared.map(|it| it.join().unwrap_or_else(|_| stopped())))
        })
    }
}
