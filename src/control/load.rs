//! Loader of configurations: compares the source with what is live, compiles, and publishes, one load or write at a
//! time.

use std::{
    path::{Path as FilePath, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::{Duration, Instant},
};

use super::{
    ConfigSource,
    api_documents::{ApiDocument, ApiDocuments},
    change_log::{ChangeCause, ChangeContext, ChangeLog},
    compile::ReadOptions,
    last_good::LastGoodStore,
    live_config::{
        FileStamps, LiveConfig, LoadCandidate, LoadHistory, SourceVersion, TextLocation, unfinished_report,
    },
    load_result::{LoadedConfig, PostError, Reconciled},
    publish::NewConfig,
    truncation,
};
use crate::{
    config::DeclarativeFormat,
    diag::{DiagnosticReport, SourceFile},
    entity::PluginEntity,
    file_read::{FileReader, UnfinishedFile},
    snapshot::{CompiledSnapshot, LiveSnapshot, Snapshot, SnapshotChecker, SnapshotCompiler},
};

/// How long a text that may have been cut off has to stay unchanged before it is loaded.
const TRUNCATION_HOLD: Duration = Duration::from_secs(5);

/// How the source is compared with the live configuration.
#[derive(Clone, Copy)]
pub(super) struct ReconcileMode {
    /// Whether the source is loaded even if it equals what is live.
    is_forced: bool,
    /// Whether input files are read even if their stamps are those of the last comparison.
    rereads_inputs: bool,
    /// Whether a text without content is an empty configuration. In a reload it is refused: files are emptied by mistake.
    accepts_blank: bool,
    /// What the log of changes says of a load.
    cause: ChangeCause,
}

impl ReconcileMode {
    pub(super) const START: Self = Self { accepts_blank: true, cause: ChangeCause::Start, ..Self::FORCED };
    /// The start, where a kept configuration takes the place of a text without content.
    pub(super) const START_OR_RESTORE: Self = Self { accepts_blank: false, ..Self::START };
    const FORCED: Self =
        Self { is_forced: true, rereads_inputs: true, accepts_blank: false, cause: ChangeCause::Signal };
    const IF_CHANGED: Self = Self { is_forced: false, cause: ChangeCause::File, ..Self::FORCED };
    const BEFORE_WRITE: Self = Self { rereads_inputs: false, ..Self::IF_CHANGED };
}

/// Loads configurations, one at a time, and records the results.
#[derive(Debug)]
pub struct Control {
    pub(super) live_config: LiveConfig,
    /// Compiler of Snapshots. Its lock serializes loads and writes.
    compiler: Mutex<SnapshotCompiler>,
    /// Source that is loaded; writes are saved to it if it is a file.
    pub(super) source: Option<ConfigSource>,
    /// Format of the source.
    format: DeclarativeFormat,
    checker: SnapshotChecker,
    /// Folder of the OpenAPI documents.
    specs: PathBuf,
    api_documents: ApiDocuments,
    pub(super) changes: Mutex<ChangeLog>,
    /// Whether file system events report that a writer has not closed its file.
    has_open_writer: Arc<AtomicBool>,
    hold_time: Duration,
    /// Whether entities with errors are kept out of a configuration instead of refusing it.
    pub(super) quarantines: bool,
    /// Keeps the last good configuration on the disk.
    pub(super) last_good: Option<LastGoodStore>,
    #[cfg(test)]
    without_leases: bool,
}

impl Control {
    /// Starts with an empty configuration.
    #[must_use]
    pub fn new(compiler: SnapshotCompiler) -> Self {
        let live_config = LiveConfig::new(LiveSnapshot::new(compiler.empty()));
        let (format, checker) = (DeclarativeFormat::default(), compiler.checker());
        let specs = compiler.specs().to_owned();
        Self {
            live_config,
            compiler: Mutex::new(compiler),
            source: None,
            format,
            checker,
            specs,
            api_documents: ApiDocuments::default(),
            changes: Mutex::default(),
            has_open_writer: Arc::default(),
            hold_time: TRUNCATION_HOLD,
            quarantines: false,
            last_good: None,
            #[cfg(test)]
            without_leases: false,
        }
    }

    /// Sets the format of the source.
    #[must_use]
    pub fn with_format(self, format: DeclarativeFormat) -> Self {
        Self { format, ..self }
    }

    /// Sets the source. If it is a file, writes are saved to it.
    #[must_use]
    pub fn with_source(self, source: &ConfigSource) -> Self {
        Self { source: Some(source.clone()), ..self }
    }

    /// Keeps entities with errors out of configurations instead of refusing these.
    #[must_use]
    pub fn with_quarantine(self, quarantines: bool) -> Self {
        Self { quarantines, ..self }
    }

    /// Keeps each configuration that goes live, and serves the last one where the source cannot be used at the start.
    #[must_use]
    pub fn with_last_good(self, last_good: Option<LastGoodStore>) -> Self {
        Self { last_good, ..self }
    }

    /// The store of the last good configuration.
    #[must_use]
    pub const fn last_good(&self) -> Option<&LastGoodStore> {
        self.last_good.as_ref()
    }

    /// Disables file leases and sets the hold time, as on a system that cannot report whether a file is open for
    /// writing.
    #[cfg(test)]
    pub(super) fn without_leases(self, hold_time: Duration) -> Self {
        Self { hold_time, without_leases: true, ..self }
    }

    /// Checker of single records, which applies the rules of a load.
    #[must_use]
    pub const fn checker(&self) -> SnapshotChecker {
        self.checker
    }

    /// The file that is loaded and written; `None` if the source is not a file.
    #[must_use]
    pub fn file(&self) -> Option<&FilePath> {
        match &self.source {
            Some(ConfigSource::File(path)) => Some(path),
            _ => None,
        }
    }

    /// The folder of the OpenAPI documents that plugins name.
    #[must_use]
    pub fn specs(&self) -> &FilePath {
        &self.specs
    }

    pub(super) const fn source(&self) -> Option<&ConfigSource> {
        self.source.as_ref()
    }

    /// The format of the source.
    pub(super) const fn source_format(&self) -> DeclarativeFormat {
        self.format
    }

    /// The live Snapshot and its successors.
    #[must_use]
    pub const fn live(&self) -> &Arc<LiveSnapshot> {
        self.live_config.live()
    }

    /// The OpenAPI documents in the folder of specs and in the settings of plugins.
    pub(super) fn api_documents(&self, plugins: &[Arc<PluginEntity>]) -> Vec<ApiDocument> {
        self.api_documents.list(&self.specs, plugins)
    }

    /// The live configuration and the results of the last loads.
    #[must_use]
    pub fn load_history(&self) -> LoadHistory {
        self.live_config.history()
    }

    /// Flag that the file watcher sets while file system events report that a writer has not closed its file.
    #[must_use]
    pub const fn open_writer_flag(&self) -> &Arc<AtomicBool> {
        &self.has_open_writer
    }

    /// Compares the source with the live configuration, and loads it if it differs and can be used. `is_forced` loads
    /// it in any case, also if `POST /config` has replaced it in memory. Blocks; a load may take long.
    pub fn reconcile(&self, is_forced: bool) -> Reconciled {
        let mode = if is_forced { ReconcileMode::FORCED } else { ReconcileMode::IF_CHANGED };
        self.reconcile_with(&mut self.lock_compiler(), mode, &self.file_reader())
    }

    /// Compares before a write, which holds the compiler. Input files whose stamps have not changed are not read.
    pub(super) fn reconcile_for_write(&self, compiler: &mut SnapshotCompiler) -> Reconciled {
        self.reconcile_with(compiler, ReconcileMode::BEFORE_WRITE, &self.file_reader())
    }

    #[expect(clippy::too_many_lines, reason = "the steps of a load in their order")]
    pub(super) fn reconcile_with(
        &self,
        compiler: &mut SnapshotCompiler,
        mode: ReconcileMode,
        reader: &FileReader,
    ) -> Reconciled {
        let Some(config_source) = &self.source else { return Reconciled::Unchanged };
        let is_forced =
            mode.is_forced || self.load_history().pending.is_some_and(|pending| pending.is_forced);
        let pending = |unfinished: &UnfinishedFile| {
            Reconciled::Pending(self.live_config.record_unfinished(unfinished, is_forced))
        };
        let started = Instant::now();
        // The stamps are taken before anything is read, so that a change during the load differs from them.
        let (source_stamps, stamps) = (
            FileStamps::take(config_source.files()),
            FileStamps::take(Self::input_paths(config_source, compiler)),
        );
        let opened = config_source.open(reader);
        if let Some(unfinished) = reader.unfinished() {
            return pending(&unfinished);
        }
        let version = SourceVersion::new(opened.as_ref().ok().cloned(), source_stamps);
        let candidate = self.live_config.choose_candidate(&version, self.format, is_forced, self.hold_time);
        let inputs_are_known = !mode.rereads_inputs && self.live_config.inputs_are_known(&stamps);
        let is_outdated = !inputs_are_known && compiler.is_outdated(reader);
        if let Some(unfinished) = reader.unfinished() {
            return pending(&unfinished);
        }
        let (text, format, location) = match (candidate, opened) {
            (LoadCandidate::Unchanged | LoadCandidate::Memory(..), _) if !is_outdated => {
                self.live_config.mark_current(stamps);
                return Reconciled::Unchanged;
            }
            (LoadCandidate::Memory(text, format), _) => (text, format, TextLocation::Memory),
            (LoadCandidate::HeldBack, _) => {
                // A text that is still held back is reported as it was.
                return self.live_config.pending_report().map_or(Reconciled::Unchanged, Reconciled::Pending);
            }
            (_, Ok(text)) => (text, self.format, TextLocation::Source),
            (_, Err(report)) => {
                let is_failure = self.live_config.record_refusal(None, &report, Some(stamps));
                if is_failure {
                    let change = ChangeContext { cause: mode.cause, started, old: None, undoes: None };
                    self.record_refused(change, &report);
                }
                return Reconciled::Refused { report, is_failure };
            }
        };
        let before = self.live().current();
        let change =
            ChangeContext { cause: mode.cause, started, old: self.load_history().text, undoes: None };
        let is_blank = mode.accepts_blank && is_blank(&text.text);
        let read = if is_blank { ConfigSource::empty_text(&text.name) } else { text.clone() };
        let compiled = self.compile(compiler, &read, format, &before, reader);
        if let Some(unfinished) = reader.unfinished() {
            return pending(&unfinished);
        }
        // If the configuration names other files now, their stamps were not taken before they were read.
        let stamps = Some(stamps).filter(|stamps| {
            stamps.paths().eq(Self::input_paths(config_source, compiler).iter().map(PathBuf::as_path))
        });
        let compiled = match compiled {
            Ok(compiled) => compiled,
            Err(report) => {
                let is_failure = self.live_config.record_refusal(Some(text), &report, stamps);
                if is_failure {
                    self.record_refused(change, &report);
                }
                return Reconciled::Refused { report, is_failure };
            }
        };
        if reader.is_unproven() && !self.live_config.hold_has_expired(&text, self.hold_time) {
            let (live_text, entities) = (self.load_history().text, &compiled.snapshot.entities);
            let has_errors = !compiled.snapshot.quarantined().is_empty();
            let has_errors = has_errors.then(|| "it has errors".to_owned());
            if let Some(reason) = has_errors.or_else(|| {
                truncation::find_truncation((&before.entities, live_text.as_ref()), (entities, &text))
            }) {
                return Reconciled::Pending(self.live_config.hold_back(
                    &text,
                    &reason,
                    self.hold_time,
                    is_forced,
                ));
            }
        }
        let new = NewConfig { source: &text, format, location, compiled, change };
        let loaded = self.publish(compiler, &before, new);
        // The state of mocks is reset even if a plugin instance is reused.
        loaded.snapshot.reset_plugins();
        Reconciled::Loaded(loaded)
    }

    /// Loads a text into memory, where it replaces the source. Blocks; a load may take long.
    ///
    /// # Errors
    /// The text cannot be used, or a file that it names is being written; nothing changes.
    pub fn load_in_memory(
        &self,
        source: &Arc<SourceFile>,
        format: DeclarativeFormat,
    ) -> Result<LoadedConfig, PostError> {
        let mut compiler = self.lock_compiler();
        let (before, reader) = (self.live().current(), self.file_reader());
        let (started, old) = (Instant::now(), self.load_history().text);
        let compiled = self.compile(&mut compiler, source, format, &before, &reader);
        if let Some(unfinished) = reader.unfinished() {
            return Err(PostError::Unfinished(unfinished_report(&unfinished)));
        }
        let change = ChangeContext { cause: ChangeCause::PostConfig, started, old, undoes: None };
        let compiled = match compiled {
            Ok(compiled) => compiled,
            Err(report) => {
                self.record_refused(change, &report);
                return Err(PostError::Refused(report));
            }
        };
        let new = NewConfig { source, format, location: TextLocation::Memory, compiled, change };
        let loaded = self.publish(&mut compiler, &before, new);
        loaded.snapshot.reset_plugins();
        Ok(loaded)
    }

    fn compile(
        &self,
        compiler: &mut SnapshotCompiler,
        source: &Arc<SourceFile>,
        format: DeclarativeFormat,
        before: &Snapshot,
        reader: &FileReader,
    ) -> Result<CompiledSnapshot, DiagnosticReport> {
        let advise = format != DeclarativeFormat::Kong;
        let quarantines = self.quarantines;
        ReadOptions { format, before, advise, layout: false, known: None, reader, quarantines }
            .compile(compiler, source)
    }

    /// Current stamps of the files, if they differ from those of the last comparison with what is live, or if no
    /// comparison has been made yet. Blocks.
    pub(super) fn changed_stamps(&self) -> Option<FileStamps> {
        match self.live_config.compared_stamps() {
            Some(compared) => Some(compared.retake()).filter(|now| *now != compared),
            None => Some(FileStamps::take(self.source.as_ref().map(ConfigSource::files).unwrap_or_default())),
        }
    }

    /// The files to watch for reloads: those of the source, and the input files that are used or were named last.
    /// Blocks.
    #[must_use]
    pub fn watched_files(&self) -> Vec<PathBuf> {
        self.source
            .as_ref()
            .map(|source| Self::input_paths(source, &self.lock_compiler()))
            .unwrap_or_default()
    }

    fn input_paths(source: &ConfigSource, compiler: &SnapshotCompiler) -> Vec<PathBuf> {
        let mut paths = source.files();
        paths.extend(compiler.files().chain(compiler.referenced_files()).cloned());
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Creates a file reader for one load. It does not report the live text as being written.
    pub(super) fn file_reader(&self) -> FileReader {
        let reader = FileReader::default().with_write_events(self.has_open_writer.clone());
        #[cfg(test)]
        let reader = if self.without_leases { reader.without_leases() } else { reader };
        match self.load_history().text {
            Some(text) => reader.with_known_text(text),
            None => reader,
        }
    }

    pub(super) fn lock_compiler(&self) -> MutexGuard<'_, SnapshotCompiler> {
        // A load that panicked has published nothing, so the compiler of a poisoned lock is usable.
        self.compiler.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a text has no content: only white space, comments, and marks of a document's beginning and end.
pub(super) fn is_blank(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---" || line == "..."
    })
}
