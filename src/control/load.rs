//! Control over what is current: files, texts and the Admin API come through here, one at a time.

use std::{
    path::{Path as FilePath, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use super::{
    ConfigSource,
    compile::ReadOptions,
    live_config::{Candidate, Current, LoadHistory, Looks, Place, Version, unfinished_report},
    truncation,
};
use crate::{
    config::DeclarativeFormat,
    diag::{DiagnosticReport, SourceFile},
    file_read::{FileReader, Unfinished, patiently},
    snapshot::{
        CompiledSnapshot, LiveSnapshot, Snapshot, SnapshotChecker, SnapshotCompiler, describe_changes,
    },
};

/// A version that may have been cut off is loaded once it is unchanged for so long.
const HOLD: Duration = Duration::from_secs(5);

/// A start waits so long for a file that is being written.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// How a comparison is asked for.
#[derive(Clone, Copy)]
struct Asked {
    /// What the door has is loaded even if it is no news.
    is_forced: bool,
    /// Files beside the configuration are read even if they look as they did.
    is_thorough: bool,
}

impl Asked {
    const ANYWAY: Self = Self { is_forced: true, is_thorough: true };
    const IF_NEW: Self = Self { is_forced: false, is_thorough: true };
    const BEFORE_WRITE: Self = Self { is_forced: false, is_thorough: false };
}

/// Makes configurations current, one at a time, and remembers how that went.
#[derive(Debug)]
pub struct Control {
    current: Current,
    /// Loads and writes stand in line for it.
    compiler: Mutex<SnapshotCompiler>,
    /// What is loaded, and written if it is a file.
    door: Option<ConfigSource>,
    /// How files are read.
    files: DeclarativeFormat,
    checker: SnapshotChecker,
    /// Whether events of the file system say that a writer has not closed its file.
    writing: Arc<AtomicBool>,
    hold: Duration,
    #[cfg(test)]
    without_leases: bool,
}

/// A configuration that is current now.
#[derive(Debug)]
pub struct LoadedConfig {
    /// What it became.
    pub snapshot: Arc<Snapshot>,
    /// What its author should know.
    pub warnings: DiagnosticReport,
    /// What is different from before, in words.
    pub changes: String,
}

/// What came of comparing what is live with what the door has.
#[derive(Debug)]
pub enum Reconciled {
    /// They are the same, or what is live replaced it in memory.
    Same,
    /// What the door has is live now.
    Loaded(LoadedConfig),
    /// What the door has cannot be used. It counts as a failure at the second sight.
    Refused {
        /// Everything that is wrong with it.
        report: DiagnosticReport,
        /// Whether it was refused before.
        is_failure: bool,
    },
    /// What the door has is not loaded yet, since it may be incomplete.
    Pending(DiagnosticReport),
}

/// A text that was not made current.
#[derive(Debug)]
pub enum PostError {
    /// It cannot be used.
    Refused(DiagnosticReport),
    /// A file that it names is being written.
    Unfinished(DiagnosticReport),
}

impl Control {
    /// Begins with an empty configuration.
    #[must_use]
    pub fn new(compiler: SnapshotCompiler) -> Self {
        let current = Current::new(LiveSnapshot::new(compiler.empty()));
        let (files, checker) = (DeclarativeFormat::default(), compiler.checker());
        Self {
            current,
            compiler: Mutex::new(compiler),
            door: None,
            files,
            checker,
            writing: Arc::default(),
            hold: HOLD,
            #[cfg(test)]
            without_leases: false,
        }
    }

    /// The same, reading files like this.
    #[must_use]
    pub fn with_format(self, files: DeclarativeFormat) -> Self {
        Self { files, ..self }
    }

    /// The same, for what comes through this door: a file is where writes are saved.
    #[must_use]
    pub fn with_source(self, door: &ConfigSource) -> Self {
        Self { door: Some(door.clone()), ..self }
    }

    /// The same where the system cannot tell who has a file open.
    #[cfg(test)]
    pub(super) fn without_leases(self, hold: Duration) -> Self {
        Self { hold, without_leases: true, ..self }
    }

    /// Looks at single records as a load does.
    #[must_use]
    pub const fn checker(&self) -> SnapshotChecker {
        self.checker
    }

    /// The file that is loaded and written, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&FilePath> {
        match &self.door {
            Some(ConfigSource::File(path)) => Some(path),
            _ => None,
        }
    }

    /// The current Snapshot and those to come.
    #[must_use]
    pub const fn live(&self) -> &Arc<LiveSnapshot> {
        self.current.live()
    }

    /// How the last loads went.
    #[must_use]
    pub fn state(&self) -> LoadHistory {
        self.current.state()
    }

    /// Where it is told whether events of the file system say that a writer has not closed its file.
    #[must_use]
    pub const fn writing(&self) -> &Arc<AtomicBool> {
        &self.writing
    }

    /// Makes what the door has current for the first time; a file that is being written is waited for.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn start(&self) -> Result<LoadedConfig, DiagnosticReport> {
        let attempt = |reader: &FileReader| self.reconcile_by(&mut self.turn(), Asked::ANYWAY, reader);
        let (result, _) = patiently(START_PATIENCE, attempt);
        match result {
            Reconciled::Loaded(loaded) => Ok(loaded),
            Reconciled::Refused { report, .. } | Reconciled::Pending(report) => Err(report),
            // It was asked for in any case; there is nothing else that it could be.
            Reconciled::Same => Err(DiagnosticReport::new(SourceFile::new("(empty)", ""), Vec::new())),
        }
    }

    /// Compares what is live with what the door has, and makes that live if it is something else and can be used.
    /// `is_forced` asks for it in any case, also if something replaced it in memory. It may take a while, and blocks.
    pub fn reconcile(&self, is_forced: bool) -> Reconciled {
        let asked = if is_forced { Asked::ANYWAY } else { Asked::IF_NEW };
        self.reconcile_by(&mut self.turn(), asked, &self.reader())
    }

    /// The same for a write, which has its turn. Files beside the configuration that look as they did are not read.
    pub(super) fn reconcile_for_write(&self, compiler: &mut SnapshotCompiler) -> Reconciled {
        self.reconcile_by(compiler, Asked::BEFORE_WRITE, &self.reader())
    }

    fn reconcile_by(&self, compiler: &mut SnapshotCompiler, asked: Asked, reader: &FileReader) -> Reconciled {
        let Some(door) = &self.door else { return Reconciled::Same };
        let is_forced = asked.is_forced || self.state().pending.is_some_and(|it| it.is_forced);
        let pending = |it: &Unfinished| Reconciled::Pending(self.current.postpone(it, is_forced));
        // Before anything is read: what happens meanwhile is different from it.
        let (door_looks, looks) = (Looks::of(door.files()), Looks::of(Self::paths(door, compiler)));
        let opened = door.open(reader);
        if let Some(unfinished) = reader.unfinished() {
            return pending(&unfinished);
        }
        let version = Version::new(opened.as_ref().ok().cloned(), door_looks);
        let candidate = self.current.compare(&version, self.files, is_forced, self.hold);
        let is_known = !asked.is_thorough && self.current.are_known(&looks);
        let is_outdated = !is_known && compiler.is_outdated(reader);
        if let Some(unfinished) = reader.unfinished() {
            return pending(&unfinished);
        }
        let (source, format, place) = match (candidate, opened) {
            (Candidate::Live | Candidate::Memory(..), _) if !is_outdated => {
                self.current.settle(looks);
                return Reconciled::Same;
            }
            (Candidate::Memory(source, format), _) => (source, format, Place::Memory),
            (Candidate::Held, _) => {
                // What was held back is told as it was.
                return self.current.held().map_or(Reconciled::Same, Reconciled::Pending);
            }
            (_, Ok(source)) => (source, self.files, Place::Door),
            (_, Err(report)) => {
                let is_failure = self.current.refuse(None, &report, Some(looks));
                return Reconciled::Refused { report, is_failure };
            }
        };
        let before = self.live().current();
        let made = Self::compile(compiler, &source, format, &before, reader);
        if let Some(unfinished) = reader.unfinished() {
            return pending(&unfinished);
        }
        // Files that are named now and were not before have not been looked at yet.
        let looks =
            Some(looks).filter(|it| it.paths().eq(Self::paths(door, compiler).iter().map(PathBuf::as_path)));
        let made = match made {
            Ok(made) => made,
            Err(report) => {
                let is_failure = self.current.refuse(Some(source), &report, looks);
                return Reconciled::Refused { report, is_failure };
            }
        };
        if reader.is_unproven() && !self.current.was_held(&source, self.hold) {
            let (text, entities) = (self.state().text, &made.snapshot.entities);
            if let Some(lost) =
                truncation::find_truncation((&before.entities, text.as_ref()), (entities, &source))
            {
                return Reconciled::Pending(self.current.hold(&source, &lost, self.hold, is_forced));
            }
        }
        let loaded = self.publish(compiler, &before, &source, format, place, made);
        // A plugin that is used again begins again, too.
        loaded.snapshot.reset_plugins();
        Reconciled::Loaded(loaded)
    }

    /// Makes a text current in memory, in the place of what the door has. It may take a while, and blocks.
    ///
    /// # Errors
    /// It cannot be used, and nothing changes.
    pub fn post(
        &self,
        source: &Arc<SourceFile>,
        format: DeclarativeFormat,
    ) -> Result<LoadedConfig, PostError> {
        let mut compiler = self.turn();
        let (before, reader) = (self.live().current(), self.reader());
        let made = Self::compile(&mut compiler, source, format, &before, &reader);
        if let Some(unfinished) = reader.unfinished() {
            return Err(PostError::Unfinished(unfinished_report(&unfinished)));
        }
        let made = made.map_err(PostError::Refused)?;
        let loaded = self.publish(&mut compiler, &before, source, format, Place::Memory, made);
        loaded.snapshot.reset_plugins();
        Ok(loaded)
    }

    fn compile(
        compiler: &mut SnapshotCompiler,
        source: &Arc<SourceFile>,
        format: DeclarativeFormat,
        before: &Snapshot,
        reader: &FileReader,
    ) -> Result<CompiledSnapshot, DiagnosticReport> {
        let advise = format != DeclarativeFormat::Kong;
        ReadOptions { format, before, advise, layout: false, known: None, reader }.compile(compiler, source)
    }

    /// Makes a Snapshot of this text current.
    pub(super) fn publish(
        &self,
        compiler: &mut SnapshotCompiler,
        before: &Snapshot,
        source: &Arc<SourceFile>,
        format: DeclarativeFormat,
        place: Place,
        mut made: CompiledSnapshot,
    ) -> LoadedConfig {
        compiler.adopt(&mut made);
        let CompiledSnapshot { snapshot, warnings, .. } = made;
        let changes = describe_changes(&before.entities, &snapshot.entities);
        let snapshot = self.current.publish(snapshot, source, format, place);
        LoadedConfig { snapshot, warnings: DiagnosticReport::new(source.clone(), warnings), changes }
    }

    /// How the files look, if what is live was not compared with them since they look so. It blocks.
    pub(super) fn news(&self) -> Option<Looks> {
        match self.current.compared() {
            Some(compared) => Some(compared.again()).filter(|now| *now != compared),
            None => Some(Looks::of(self.door.as_ref().map(ConfigSource::files).unwrap_or_default())),
        }
    }

    /// The files that a reload has to follow: those of the door, and those beside it that are used or were named last.
    /// It blocks.
    #[must_use]
    pub fn watched(&self) -> Vec<PathBuf> {
        self.door.as_ref().map(|door| Self::paths(door, &self.turn())).unwrap_or_default()
    }

    fn paths(door: &ConfigSource, compiler: &SnapshotCompiler) -> Vec<PathBuf> {
        let mut paths = door.files();
        paths.extend(compiler.files().chain(compiler.referenced_files()).cloned());
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// A reader for one load, to which the text of what is live is no news.
    pub(super) fn reader(&self) -> FileReader {
        let reader = FileReader::default().listening(self.writing.clone());
        #[cfg(test)]
        let reader = if self.without_leases { reader.without_leases() } else { reader };
        match self.state().text {
            Some(text) => reader.expecting(text),
            None => reader,
        }
    }

    pub(super) fn turn(&self) -> MutexGuard<'_, SnapshotCompiler> {
        // Whoever stopped half-way has made nothing current.
        self.compiler.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
