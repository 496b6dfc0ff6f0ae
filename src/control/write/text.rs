//! Writes of a whole text, and checks of a text that is not written.

use std::{sync::Arc, time::Instant};

use super::{
    BUSY_FILE, MAX_ATTEMPTS, WriteError,
    save::{self, SaveError},
    several_files_message,
};
use crate::{
    config::DeclarativeFormat,
    control::{
        ChangeEntry, Control,
        change_log::{ChangeCause, ChangeContext},
        compile::ReadOptions,
        live_config::{TextLocation, unfinished_report},
        load_result::LoadedConfig,
        publish::NewConfig,
    },
    diag::{DiagnosticReport, SourceFile},
    file_read::FileReader,
    snapshot::{CompiledSnapshot, Snapshot, SnapshotCompiler, describe_changes},
};

/// The text of the configuration as it is saved, which may not be the live one.
#[derive(Clone, Debug)]
pub struct CurrentText {
    /// The text; `None` if the file cannot be read.
    pub source: Option<Arc<SourceFile>>,
    /// Whether it is that of a file. Otherwise it is in memory.
    pub is_file: bool,
    /// Whether it is the live one.
    pub is_live: bool,
    /// Why it cannot be written.
    pub why_read_only: Option<String>,
    format: DeclarativeFormat,
}

/// A change of a whole text.
#[derive(Clone, Debug)]
pub struct TextChange {
    /// The new text.
    pub text: String,
    /// Whether the text is only checked.
    pub is_preview: bool,
    /// The number of the change that it undoes.
    pub undoes: Option<u64>,
}

/// A text that was written, or only checked.
#[derive(Debug)]
pub struct WrittenText {
    /// The text before.
    pub old: Arc<SourceFile>,
    /// The new text with its warnings.
    pub report: DiagnosticReport,
    /// The changes of entities in words.
    pub changes: String,
    /// The live generation.
    pub generation: u64,
}

/// The result of a check.
#[derive(Debug)]
pub struct CheckedText {
    /// The live text.
    pub live: Option<Arc<SourceFile>>,
    /// The text with its diagnostics.
    pub report: DiagnosticReport,
    /// The compiled configuration, if it has no error.
    pub compiled: Option<CompiledSnapshot>,
    /// The changes of entities in words, if it has no error.
    pub changes: Option<String>,
}

impl Control {
    /// The text of the configuration as it is saved. Blocks.
    ///
    /// # Errors
    /// A process is writing the file.
    pub fn current_text(&self) -> Result<CurrentText, DiagnosticReport> {
        let reader = self.file_reader();
        let current = self.read_current(TextLocation::Source, &reader);
        reader.unfinished().map_or(Ok(current), |unfinished| Err(unfinished_report(&unfinished)))
    }

    /// The text of the file, if there is one and it is asked for; else the live one.
    fn read_current(&self, location: TextLocation, reader: &FileReader) -> CurrentText {
        let history = self.load_history();
        let file = self.file().filter(|_| location == TextLocation::Source);
        let Some((source, file)) = self.source().zip(file) else {
            let format = history.format;
            let why_read_only = history.text.is_none().then(|| "there is no configuration yet".to_owned());
            return CurrentText {
                source: history.text,
                is_file: false,
                is_live: true,
                why_read_only,
                format,
            };
        };
        let (source, why) = match source.open(reader) {
            Ok(source) if !source.parts.is_empty() => {
                let why = several_files_message(&source.name);
                (Some(source), Some(why))
            }
            Ok(source) => match save::check_may_write(file) {
                Err(SaveError::ReadOnly(why) | SaveError::Failed(why)) => (Some(source), Some(why)),
                _ => (Some(source), None),
            },
            Err(report) => (None, Some(report.summary())),
        };
        let is_live = history.replaced_source.is_none() && source == history.text;
        CurrentText { source, is_file: true, is_live, why_read_only: why, format: self.source_format() }
    }

    /// Checks a text as a load does, without publishing it. Blocks.
    ///
    /// # Errors
    /// A file that it names is being written.
    pub fn check_text(&self, text: String) -> Result<CheckedText, DiagnosticReport> {
        let mut compiler = self.lock_compiler();
        let (before, reader, live) = (self.live().current(), self.file_reader(), self.load_history().text);
        let name = self.file().map(|file| file.display().to_string());
        let name = name.or_else(|| live.as_ref().map(|live| live.name.clone())).unwrap_or_default();
        let source = SourceFile::new(name, text);
        let compiled = compiler
            .try_out(|compiler| compile_text(compiler, &source, self.source_format(), &before, &reader));
        if let Some(unfinished) = reader.unfinished() {
            return Err(unfinished_report(&unfinished));
        }
        Ok(match compiled {
            Ok(compiled) => {
                let changes = Some(describe_changes(&before.entities, &compiled.snapshot.entities));
                let report = DiagnosticReport::new(source, compiled.warnings.clone());
                CheckedText { live, report, compiled: Some(compiled), changes }
            }
            Err(report) => CheckedText { live, report, compiled: None, changes: None },
        })
    }

    /// Replaces the whole text by one that has no errors, and publishes it. `decide` makes it from the saved text; it is
    /// called again on each retry. Blocks.
    ///
    /// # Errors
    /// The text was not written, and nothing has changed.
    pub fn write_text<E>(
        &self,
        decide: impl Fn(&CurrentText) -> Result<TextChange, E>,
    ) -> Result<WrittenText, WriteError<E>> {
        self.write_text_at(TextLocation::Source, decide)
    }

    fn write_text_at<E>(
        &self,
        location: TextLocation,
        decide: impl Fn(&CurrentText) -> Result<TextChange, E>,
    ) -> Result<WrittenText, WriteError<E>> {
        let mut compiler = self.lock_compiler();
        for _ in 0..MAX_ATTEMPTS {
            let (started, reader) = (Instant::now(), self.file_reader());
            let current = self.read_current(location, &reader);
            if let Some(unfinished) = reader.unfinished() {
                return Err(WriteError::Unfinished(unfinished_report(&unfinished).summary()));
            }
            let change = decide(&current).map_err(WriteError::Refused)?;
            let (Some(old), None) = (current.source.clone(), &current.why_read_only) else {
                return Err(WriteError::ReadOnly(current.why_read_only.unwrap_or_default()));
            };
            let before = self.live().current();
            let source = SourceFile::new(old.name.clone(), change.text);
            let compile = |compiler: &mut SnapshotCompiler| {
                compile_text(compiler, &source, current.format, &before, &reader)
            };
            let compiled = if change.is_preview { compiler.try_out(compile) } else { compile(&mut compiler) };
            if let Some(unfinished) = reader.unfinished() {
                return Err(WriteError::Unfinished(unfinished_report(&unfinished).summary()));
            }
            let compiled = compiled.map_err(|report| WriteError::Invalid(report, None))?;
            if change.is_preview || source.text == old.text && current.is_live {
                let changes = describe_changes(&before.entities, &compiled.snapshot.entities);
                let report = DiagnosticReport::new(source.clone(), compiled.warnings);
                return Ok(WrittenText { old, report, changes, generation: before.generation });
            }
            let file = self.file().filter(|_| current.is_file);
            let saved =
                file.map(|file| save::prepare(file, source.text.as_bytes())?.replace(old.text.as_bytes()));
            if let Some(Err(why)) = saved {
                why.into_write_error()?;
                continue;
            }
            let location = if file.is_some() { TextLocation::Source } else { TextLocation::Memory };
            let context = ChangeContext {
                cause: ChangeCause::Write,
                started,
                old: Some(old.clone()),
                undoes: change.undoes,
            };
            let new =
                NewConfig { source: &source, format: current.format, location, compiled, change: context };
            let LoadedConfig { snapshot, warnings: report, changes } =
                self.publish(&mut compiler, &before, new);
            return Ok(WrittenText { old, report, changes, generation: snapshot.generation });
        }
        Err(WriteError::Conflict(BUSY_FILE.to_owned()))
    }

    /// The number of the change that [`Self::undo`] would undo, as far as that is known without reading the file.
    #[must_use]
    pub fn next_undo(&self) -> Option<u64> {
        let (entry, _) = self.lock_changes().last_write()?;
        (entry.changes.is_some() && self.live().current().origin.hash == entry.hash).then_some(entry.number)
    }

    /// Writes back the text before the last write of the Admin API, if the text is still as that write left it; with
    /// `is_preview`, only tries it. Returns the write that was undone, too. Blocks.
    ///
    /// # Errors
    /// As [`Self::write_text`].
    pub fn undo(&self, is_preview: bool) -> Result<(Arc<ChangeEntry>, WrittenText), WriteError<String>> {
        // A file that was saved since is loaded first, so that the log says so.
        self.load_before_write(&mut self.lock_compiler())?;
        let (undone, later) = self.lock_changes().last_write().ok_or_else(|| {
            WriteError::Refused("the Admin API has made no change that can be undone".to_owned())
        })?;
        // What has replaced the file in memory is undone in memory.
        let is_replaced = self.load_history().replaced_source.is_some();
        let location = if is_replaced { TextLocation::Memory } else { TextLocation::Source };
        let written = self.write_text_at(location, |current| {
            let live = self.live().current();
            let source =
                current.source.as_ref().filter(|_| current.is_live && live.origin.hash == undone.hash);
            let number = undone.number;
            let Some(source) = source else {
                let since = later.iter().rev().find(|entry| entry.undoes.is_none());
                let since = since.map_or_else(String::new, |entry| {
                    format!(" by change {} ({})", entry.number, entry.cause.as_str())
                });
                return Err(format!(
                    "change {number} cannot be undone: the configuration was changed since{since}"
                ));
            };
            let patch = undone.changes.as_deref().and_then(|changes| changes.first());
            let text = patch.and_then(|change| change.patch.revert(&source.text));
            let text = text.ok_or_else(|| {
                format!("change {number} cannot be undone: its text is no longer in memory")
            })?;
            Ok(TextChange { text, is_preview, undoes: Some(number) })
        })?;
        Ok((undone, written))
    }
}

/// Reads, checks and compiles a text that a client has sent.
fn compile_text(
    compiler: &mut SnapshotCompiler,
    source: &Arc<SourceFile>,
    format: DeclarativeFormat,
    before: &Snapshot,
    reader: &FileReader,
) -> Result<CompiledSnapshot, DiagnosticReport> {
    let advise = format != DeclarativeFormat::Kong;
    ReadOptions { format, before, advise, layout: true, known: None, reader, quarantines: false }
        .compile(compiler, source)
}
