//! One attempt of a write: from a plan to a text that can be saved.

use std::{path::Path, sync::Arc};

use super::{
    WriteError, WritePlan,
    condense::condense_changes,
    inexpressible,
    save::{self, PreparedFile, SaveError},
    variables::escape_changes,
    verify::{self, WriteDeviation},
};
use crate::{
    config::{self, DeclarativeFormat},
    control::compile::ReadOptions,
    diag::{DiagnosticReport, SourceFile},
    document::{
        KnownText, NodePath, TextLayout, Value,
        edit::{DocumentChange, edit},
    },
    entity::ID,
    file_read::FileReader,
    snapshot::{CompiledSnapshot, Snapshot, SnapshotCompiler},
};

/// How often ids are written into the text so that they stay the same.
const MAX_ID_ROUNDS: usize = 3;

/// The configuration that a write is made on.
pub(super) struct WriteBase<'a> {
    pub(super) before: &'a Snapshot,
    pub(super) source: Arc<SourceFile>,
    pub(super) format: DeclarativeFormat,
    /// The file that the text is saved to; `None` if it is in memory, or if the write is only tried.
    pub(super) file: Option<&'a Path>,
}

impl WriteBase<'_> {
    /// The document of the text.
    pub(super) fn parse<E>(&self) -> Result<ParsedText, WriteError<E>> {
        let text = &self.source.text;
        let parsed = ParsedText::of_snapshot(self.before, text);
        parsed.map_or_else(|| ParsedText::parse(text, self.format), Ok).map_err(WriteError::Conflict)
    }
}

/// A document and its layout, if that is known.
#[derive(Clone)]
pub(super) struct ParsedText {
    pub(super) document: Value,
    pub(super) layout: Option<Arc<TextLayout>>,
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
pub(super) struct WriteAttempt<'a> {
    pub(super) reader: &'a FileReader,
    pub(super) compiler: &'a mut SnapshotCompiler,
    pub(super) source: &'a Arc<SourceFile>,
    pub(super) format: DeclarativeFormat,
    /// File that the text is saved to, if it comes from one.
    pub(super) file: Option<&'a Path>,
    pub(super) parsed: &'a ParsedText,
    /// Layout of the text before the write, if it is known.
    pub(super) known: Option<KnownText<'a>>,
    pub(super) plan: &'a WritePlan,
    pub(super) before: &'a Snapshot,
}

/// A write that only has to be saved.
pub(super) struct PreparedWrite {
    pub(super) source: Arc<SourceFile>,
    pub(super) compiled: CompiledSnapshot,
    /// The temporary file with the text, or why it could not be written.
    pub(super) prepared: Option<Result<PreparedFile, SaveError>>,
    /// Place of the entity.
    pub(super) at: Option<NodePath>,
}

impl WriteAttempt<'_> {
    /// Makes the text, by the finer changes if they succeed.
    pub(super) fn prepare<E>(&mut self) -> Result<PreparedWrite, WriteError<E>> {
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
