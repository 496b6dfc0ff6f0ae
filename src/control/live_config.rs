//! The live configuration with its text, and how it compares with the source of configurations.
//!
//! Every change is compared with the *live* text, not with the text that was seen last, whatever triggered it
//! (watcher, SIGHUP, Admin API). Text and Snapshot are replaced together under one lock.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use super::watch::FileStamp;
use crate::{
    config::DeclarativeFormat,
    diag::{Diagnostic, DiagnosticReport, SourceFile},
    document,
    file_read::UnfinishedFile,
    snapshot::{LiveSnapshot, Snapshot},
};

/// A file that is being written is logged only after this time.
const PENDING_LOG_DELAY: Duration = Duration::from_secs(1);

/// The live configuration, and the results of the last loads.
#[derive(Debug)]
pub(super) struct LiveConfig {
    live: Arc<LiveSnapshot>,
    record: Mutex<LoadRecord>,
}

#[derive(Debug, Default)]
struct LoadRecord {
    history: LoadHistory,
    /// Version of the source when it was last read.
    last_seen: Option<SourceVersion>,
    /// Stamps of the files before they were last compared with the live configuration, and its generation at that
    /// time.
    compared: Option<(u64, FileStamps)>,
    /// Stamps of all input files when they last matched what is live.
    known_inputs: Option<FileStamps>,
    /// Text that was refused last. A second refusal of the same text counts as a failure: the first may have seen a
    /// half-written file.
    last_refused: Option<RefusedText>,
    /// Text that may have been cut off, and the time since when it is held back.
    held_back: Option<(Arc<SourceFile>, Instant)>,
}

/// Text of a refused version; `None` if it could not be read.
#[derive(Debug, PartialEq, Eq)]
struct RefusedText(Option<Arc<SourceFile>>);

/// Live configuration and results of the last loads, as the Admin API reports them.
#[derive(Clone, Debug, Default)]
pub struct LoadHistory {
    /// Name of the source of the live configuration.
    pub source: Option<String>,
    /// Text of the live configuration.
    pub text: Option<Arc<SourceFile>>,
    /// Format of that text.
    pub format: DeclarativeFormat,
    /// Version of the source that `POST /config` has replaced in memory; `None` if the live configuration is that of
    /// the source.
    pub replaced_source: Option<SourceVersion>,
    /// When the live configuration was kept, if it is the last good one from the disk, in place of a source that cannot be
    /// used.
    pub restored: Option<SystemTime>,
    /// Failure of the last load, if it failed.
    pub last_error: Option<LoadFailure>,
    /// Load that is postponed, if there is one.
    pub pending: Option<PendingLoad>,
    /// Number of configurations made live.
    pub loads: u64,
    /// Number of configurations refused.
    pub failures: u64,
}

/// A refused configuration.
#[derive(Clone, Debug)]
pub struct LoadFailure {
    /// Time of the refusal.
    pub at: SystemTime,
    /// All errors of the configuration.
    pub report: DiagnosticReport,
}

/// A configuration that is not loaded yet, because a file is being written or may be incomplete.
#[derive(Clone, Debug)]
pub struct PendingLoad {
    /// Time since when it is postponed.
    pub at: SystemTime,
    /// The reason, and what to do.
    pub report: DiagnosticReport,
    /// Whether it is loaded even if it equals the live one, as SIGHUP asks for.
    pub is_forced: bool,
    since: Instant,
    is_logged: bool,
}

/// Version of the source at one time: its text, if it could be read, and the stamps of its files.
#[derive(Clone, Debug)]
pub struct SourceVersion {
    text: Option<Arc<SourceFile>>,
    stamps: FileStamps,
}

impl SourceVersion {
    pub(super) const fn new(text: Option<Arc<SourceFile>>, stamps: FileStamps) -> Self {
        Self { text, stamps }
    }

    /// Whether this is the same version: the files were not saved since, not even with the same text.
    fn is_same(&self, other: &Self) -> bool {
        self.text == other.text && self.stamps.are_same_files(&other.stamps)
    }
}

/// Stamps of a set of files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FileStamps(Vec<(PathBuf, Option<FileStamp>)>);

impl FileStamps {
    pub(super) fn take(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(
            paths
                .into_iter()
                .map(|path| (FileStamp::take(&path), path))
                .map(|(stamp, path)| (path, stamp))
                .collect(),
        )
    }

    /// Takes the stamps of the same paths now.
    pub(super) fn retake(&self) -> Self {
        Self::take(self.0.iter().map(|(path, _)| path.clone()))
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(path, _)| path.as_path())
    }

    /// Whether no file was written or replaced; a change of permissions does not count.
    fn are_same_files(&self, other: &Self) -> bool {
        let is_same = |(one, other): (&Option<FileStamp>, &Option<FileStamp>)| match (one, other) {
            (Some(one), Some(other)) => one.is_same_file(other),
            (None, None) => true,
            _ => false,
        };
        self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .zip(&other.0)
                .all(|((one_path, one), (other_path, other))| one_path == other_path && is_same((one, other)))
    }
}

/// Location of the live text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextLocation {
    /// In the configured source.
    Source,
    /// Only in memory, after `POST /config`.
    Memory,
}

/// The text to load, if any.
pub(super) enum LoadCandidate {
    /// None: the live configuration is that of the source.
    Unchanged,
    /// This text, which replaced that of the source in memory; reloaded if an input file has changed.
    Memory(Arc<SourceFile>, DeclarativeFormat),
    /// The text of the source.
    Source,
    /// None yet: the text is held back because it may have been cut off.
    HeldBack,
}

impl LiveConfig {
    pub(super) fn new(live: Arc<LiveSnapshot>) -> Self {
        Self { live, record: Mutex::default() }
    }

    pub(super) const fn live(&self) -> &Arc<LiveSnapshot> {
        &self.live
    }

    pub(super) fn history(&self) -> LoadHistory {
        self.lock().history.clone()
    }

    /// Records the version of the source, and decides what to load. `is_forced` loads the text of the source in any
    /// case.
    pub(super) fn choose_candidate(
        &self,
        version: &SourceVersion,
        format: DeclarativeFormat,
        is_forced: bool,
        hold_time: Duration,
    ) -> LoadCandidate {
        let mut record = self.lock();
        record.last_seen = Some(version.clone());
        let is_held = record
            .held_back
            .as_ref()
            .is_some_and(|(text, since)| Some(text) == version.text.as_ref() && since.elapsed() < hold_time);
        let history = &record.history;
        if let Some(replaced) = &history.replaced_source {
            if let Some(text) = history.text.clone().filter(|_| !is_forced && replaced.is_same(version)) {
                return LoadCandidate::Memory(text, history.format);
            }
        } else if !is_forced
            // Only the source names the documents of now.
            && history.restored.is_none()
            && history.text.is_some()
            && history.text == version.text
            && history.format == format
        {
            return LoadCandidate::Unchanged;
        }
        if is_held { LoadCandidate::HeldBack } else { LoadCandidate::Source }
    }

    /// Records that the live configuration matches its input files.
    pub(super) fn mark_current(&self, stamps: FileStamps) {
        let mut record = self.lock();
        let generation = self.live.current().generation;
        record.known_inputs = Some(stamps.clone());
        record.compared = Some((generation, stamps));
        record.history.last_error = None;
        record.history.pending = None;
        record.last_refused = None;
        record.held_back = None;
    }

    /// Whether these stamps are those of the last match with the live configuration.
    pub(super) fn inputs_are_known(&self, stamps: &FileStamps) -> bool {
        self.lock().known_inputs.as_ref() == Some(stamps)
    }

    /// Makes the Snapshot of this text live. Errors of earlier loads are cleared under the same lock, so a request
    /// that is answered by the new Snapshot does not find them in the history.
    pub(super) fn publish(
        &self,
        snapshot: Snapshot,
        source: &Arc<SourceFile>,
        format: DeclarativeFormat,
        location: TextLocation,
    ) -> Arc<Snapshot> {
        let mut record = self.lock();
        let snapshot = self.live.publish(snapshot);
        let last_seen = record.last_seen.clone();
        let replaced_source = match location {
            TextLocation::Source => None,
            TextLocation::Memory => record
                .history
                .replaced_source
                .take()
                .or(last_seen)
                .or(Some(SourceVersion::new(None, FileStamps::default()))),
        };
        // The comparison with the files is done next.
        (record.compared, record.last_refused, record.held_back) = (None, None, None);
        let history = &mut record.history;
        *history = LoadHistory {
            source: Some(source.name.clone()),
            text: Some(source.clone()),
            format,
            replaced_source,
            restored: None,
            last_error: None,
            pending: None,
            loads: history.loads + 1,
            failures: history.failures,
        };
        snapshot
    }

    /// Records that the live configuration was kept on the disk at this time, and stands in for the source.
    pub(super) fn mark_restored(&self, saved_at: SystemTime) {
        self.lock().history.restored = Some(saved_at);
    }

    /// Records that the source was refused. Returns true if that counts as a failure, false at the first refusal of a
    /// text that may be half-written.
    pub(super) fn record_refusal(
        &self,
        text: Option<Arc<SourceFile>>,
        report: &DiagnosticReport,
        stamps: Option<FileStamps>,
    ) -> bool {
        let mut record = self.lock();
        record.history.pending = None;
        record.held_back = None;
        let refused = Some(RefusedText(text));
        if record.last_refused != refused {
            (record.last_refused, record.compared) = (refused, None);
            return false;
        }
        let generation = self.live.current().generation;
        record.compared = stamps.map(|stamps| (generation, stamps));
        record.history.failures += 1;
        record.history.last_error = Some(LoadFailure { at: SystemTime::now(), report: report.clone() });
        true
    }

    /// Records that a file is being written; the live configuration stays until it is complete.
    pub(super) fn record_unfinished(&self, unfinished: &UnfinishedFile, is_forced: bool) -> DiagnosticReport {
        self.record_pending(unfinished_report(unfinished), is_forced)
    }

    /// Records that a text is held back because it may have been cut off.
    pub(super) fn hold_back(
        &self,
        source: &Arc<SourceFile>,
        reason: &str,
        hold_time: Duration,
        is_forced: bool,
    ) -> DiagnosticReport {
        let message = format!(
            "it may be incomplete: {reason}, and the system does not report whether its writer is done; it is loaded once it is \
             unchanged for {} seconds",
            hold_time.as_secs()
        );
        let diagnostic = Diagnostic::error(document::NodePath::root(), message)
            .help("end the text with a line `...` to mark it as complete");
        let report = DiagnosticReport::new(SourceFile::new(source.name.clone(), ""), vec![diagnostic]);
        let mut record = self.lock();
        if record.held_back.as_ref().is_none_or(|(held, _)| held != source) {
            record.held_back = Some((source.clone(), Instant::now()));
        }
        drop(record);
        self.record_pending(report, is_forced)
    }

    /// Whether this text was held back long enough.
    pub(super) fn hold_has_expired(&self, source: &Arc<SourceFile>, hold_time: Duration) -> bool {
        self.lock()
            .held_back
            .as_ref()
            .is_some_and(|(held, since)| held == source && since.elapsed() >= hold_time)
    }

    /// The report of the postponed load, if there is one.
    pub(super) fn pending_report(&self) -> Option<DiagnosticReport> {
        self.lock().history.pending.as_ref().map(|pending| pending.report.clone())
    }

    fn record_pending(&self, report: DiagnosticReport, is_forced: bool) -> DiagnosticReport {
        let mut record = self.lock();
        record.compared = None;
        let before = record.history.pending.take();
        let pending = PendingLoad {
            at: before.as_ref().map_or_else(SystemTime::now, |pending| pending.at),
            since: before.as_ref().map_or_else(Instant::now, |pending| pending.since),
            is_forced: is_forced || before.as_ref().is_some_and(|pending| pending.is_forced),
            is_logged: before.as_ref().is_some_and(|pending| pending.is_logged),
            report: report.clone(),
        };
        let should_log = !pending.is_logged && pending.since.elapsed() >= PENDING_LOG_DELAY;
        if should_log {
            tracing::warn!("configuration not loaded yet: {}", report.summary());
        }
        record.history.pending = Some(PendingLoad { is_logged: pending.is_logged || should_log, ..pending });
        report
    }

    /// Stamps of the files when they were last compared with the live configuration; `None` if a comparison is due.
    pub(super) fn compared_stamps(&self) -> Option<FileStamps> {
        let record = self.lock();
        let (generation, stamps) = record.compared.as_ref()?;
        (*generation == self.live.current().generation).then(|| stamps.clone())
    }

    fn lock(&self) -> MutexGuard<'_, LoadRecord> {
        // No code that holds this lock leaves the record half-updated, so a poisoned lock is usable.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Help for a file that is being written.
pub(super) const UNFINISHED_HELP: &str = "close the file, or replace it by renaming a complete one";

/// Report that a file is being written, and what to do.
pub(super) fn unfinished_report(unfinished: &UnfinishedFile) -> DiagnosticReport {
    let diagnostic = Diagnostic::error(document::NodePath::root(), unfinished.why).help(UNFINISHED_HELP);
    DiagnosticReport::new(SourceFile::new(unfinished.path.display().to_string(), ""), vec![diagnostic])
}
