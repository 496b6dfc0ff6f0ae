//! Record of what is current beside what stands in the file: how they compare, and why they differ if they do.
//!
//! Whatever door a change comes through, it is compared with what is *live*, never with what was seen last: the text of
//! what is live changes together with the Snapshot, under one lock.

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
    file_read::Unfinished,
    snapshot::{LiveSnapshot, Snapshot},
};

/// Nothing is logged of a file that is being written for less than this.
const WORTH_A_WORD: Duration = Duration::from_secs(1);

/// What is current, and how the last loads went.
#[derive(Debug)]
pub(super) struct Current {
    live: Arc<LiveSnapshot>,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    state: LoadHistory,
    /// What the door had when it was last read.
    seen: Option<Version>,
    /// How the files looked before they were last compared with what is live, which was of this generation then.
    compared: Option<(u64, Looks)>,
    /// How files beside the configuration looked when they said what it was made from.
    known: Option<Looks>,
    /// What was refused last: noted as a failure when it is refused a second time.
    refused: Option<Refused>,
    /// A version that may have been cut off, and since when it is held back.
    held: Option<(Arc<SourceFile>, Instant)>,
}

/// The text of what was refused; none if there was nothing to be read.
#[derive(Debug, PartialEq, Eq)]
struct Refused(Option<Arc<SourceFile>>);

/// What is told of what is current, and of the last loads.
#[derive(Clone, Debug, Default)]
pub struct LoadHistory {
    /// The name of what is current.
    pub source: Option<String>,
    /// Its text.
    pub text: Option<Arc<SourceFile>>,
    /// How its text is read.
    pub format: DeclarativeFormat,
    /// What the door had that this has replaced in memory; none if what is current is what the door has.
    pub over: Option<Version>,
    /// Why the last try failed, if it did.
    pub last_error: Option<LoadFailure>,
    /// Why what the door has is not loaded yet, if it is not.
    pub pending: Option<Pending>,
    /// How often a configuration was made current.
    pub loads: u64,
    /// How often one was refused.
    pub failures: u64,
}

/// A configuration that was refused.
#[derive(Clone, Debug)]
pub struct LoadFailure {
    /// When.
    pub at: SystemTime,
    /// Everything that is wrong with it.
    pub report: DiagnosticReport,
}

/// A configuration that is not loaded yet.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Since when.
    pub at: SystemTime,
    /// Why, and what to do.
    pub report: DiagnosticReport,
    /// Whether it is loaded even if it is no news: a signal asked for that.
    pub is_forced: bool,
    since: Instant,
    is_logged: bool,
}

/// What a door had at one time: its text, if it could be read, and how its files looked.
#[derive(Clone, Debug)]
pub struct Version {
    text: Option<Arc<SourceFile>>,
    looks: Looks,
}

impl Version {
    pub(super) const fn new(text: Option<Arc<SourceFile>>, looks: Looks) -> Self {
        Self { text, looks }
    }

    /// Whether this is the same version: nobody has saved a file since, not even with the same text.
    fn is_same(&self, other: &Self) -> bool {
        self.text == other.text && self.looks.are_of_the_same_files(&other.looks)
    }
}

/// How files look from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Looks(Vec<(PathBuf, Option<FileStamp>)>);

impl Looks {
    pub(super) fn of(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(
            paths
                .into_iter()
                .map(|path| (FileStamp::look(&path), path))
                .map(|(stamp, path)| (path, stamp))
                .collect(),
        )
    }

    /// How the same paths look now.
    pub(super) fn again(&self) -> Self {
        Self::of(self.0.iter().map(|(path, _)| path.clone()))
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(path, _)| path.as_path())
    }

    /// Whether no file was written or replaced; new permissions do not count.
    fn are_of_the_same_files(&self, other: &Self) -> bool {
        let is_same = |(one, other): (&Option<FileStamp>, &Option<FileStamp>)| match (one, other) {
            (Some(one), Some(other)) => one.is_of_the_same_file(other),
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

/// Where the text of what is current stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind the door.
    Door,
    /// In memory only.
    Memory,
}

/// What is to be loaded, if anything is.
pub(super) enum Candidate {
    /// Nothing: what is live is what the door has.
    Live,
    /// This text, if a file beside it has changed: what replaced the door's version in memory.
    Memory(Arc<SourceFile>, DeclarativeFormat),
    /// What the door has.
    Door,
    /// Nothing yet: it is held back since it may have been cut off.
    Held,
}

impl Current {
    pub(super) fn new(live: Arc<LiveSnapshot>) -> Self {
        Self { live, record: Mutex::default() }
    }

    pub(super) const fn live(&self) -> &Arc<LiveSnapshot> {
        &self.live
    }

    pub(super) fn state(&self) -> LoadHistory {
        self.lock().state.clone()
    }

    /// Notes what the door has, and decides what to do about it; `is_forced` asks for what the door has in any case.
    pub(super) fn compare(
        &self,
        version: &Version,
        format: DeclarativeFormat,
        is_forced: bool,
        hold: Duration,
    ) -> Candidate {
        let mut record = self.lock();
        record.seen = Some(version.clone());
        let is_held = record
            .held
            .as_ref()
            .is_some_and(|(it, since)| Some(it) == version.text.as_ref() && since.elapsed() < hold);
        let state = &record.state;
        if let Some(over) = &state.over {
            if let Some(text) = state.text.clone().filter(|_| !is_forced && over.is_same(version)) {
                return Candidate::Memory(text, state.format);
            }
        } else if !is_forced && state.text.is_some() && state.text == version.text && state.format == format {
            return Candidate::Live;
        }
        if is_held { Candidate::Held } else { Candidate::Door }
    }

    /// Notes that what is live is what it should be.
    pub(super) fn settle(&self, looks: Looks) {
        let mut record = self.lock();
        let generation = self.live.current().generation;
        record.known = Some(looks.clone());
        record.compared = Some((generation, looks));
        record.state.last_error = None;
        record.state.pending = None;
        record.refused = None;
        record.held = None;
    }

    /// Whether these files looked the same when they said what is live was made from.
    pub(super) fn are_known(&self, looks: &Looks) -> bool {
        self.lock().known.as_ref() == Some(looks)
    }

    /// Makes a Snapshot of this text current. Requests that are answered by it find no old error in the state.
    pub(super) fn publish(
        &self,
        snapshot: Snapshot,
        source: &Arc<SourceFile>,
        format: DeclarativeFormat,
        place: Place,
    ) -> Arc<Snapshot> {
        let mut record = self.lock();
        let snapshot = self.live.publish(snapshot);
        let seen = record.seen.clone();
        let over = match place {
            Place::Door => None,
            Place::Memory => record.state.over.take().or(seen).or(Some(Version::new(None, Looks::default()))),
        };
        // How it compares with the files is looked at next.
        (record.compared, record.refused, record.held) = (None, None, None);
        let state = &mut record.state;
        *state = LoadHistory {
            source: Some(source.name.clone()),
            text: Some(source.clone()),
            format,
            over,
            last_error: None,
            pending: None,
            loads: state.loads + 1,
            failures: state.failures,
        };
        snapshot
    }

    /// Notes that what the door has was refused; true if that is a failure, and not the first sight of something that may
    /// be half done.
    pub(super) fn refuse(
        &self,
        text: Option<Arc<SourceFile>>,
        report: &DiagnosticReport,
        looks: Option<Looks>,
    ) -> bool {
        let mut record = self.lock();
        record.state.pending = None;
        record.held = None;
        let refused = Some(Refused(text));
        if record.refused != refused {
            (record.refused, record.compared) = (refused, None);
            return false;
        }
        let generation = self.live.current().generation;
        record.compared = looks.map(|looks| (generation, looks));
        record.state.failures += 1;
        record.state.last_error = Some(LoadFailure { at: SystemTime::now(), report: report.clone() });
        true
    }

    /// Notes that a file is being written: what is live goes on until it is read.
    pub(super) fn postpone(&self, unfinished: &Unfinished, is_forced: bool) -> DiagnosticReport {
        self.wait_for(unfinished_report(unfinished), is_forced)
    }

    /// Notes that a version is held back, since it may have been cut off.
    pub(super) fn hold(
        &self,
        source: &Arc<SourceFile>,
        lost: &str,
        hold: Duration,
        is_forced: bool,
    ) -> DiagnosticReport {
        let message = format!(
            "it may be incomplete: {lost}, and the system does not say whether its writer is done; it is loaded once it is \
             unchanged for {} seconds",
            hold.as_secs()
        );
        let diagnostic = Diagnostic::error(document::NodePath::root(), message)
            .help("end the text with a line `...`, which says that it is complete");
        let report = DiagnosticReport::new(SourceFile::new(source.name.clone(), ""), vec![diagnostic]);
        let mut record = self.lock();
        if record.held.as_ref().is_none_or(|(it, _)| it != source) {
            record.held = Some((source.clone(), Instant::now()));
        }
        drop(record);
        self.wait_for(report, is_forced)
    }

    /// Whether a version was held back, and long enough.
    pub(super) fn was_held(&self, source: &Arc<SourceFile>, hold: Duration) -> bool {
        self.lock().held.as_ref().is_some_and(|(it, since)| it == source && since.elapsed() >= hold)
    }

    /// What a version is held back for, if one is.
    pub(super) fn held(&self) -> Option<DiagnosticReport> {
        self.lock().state.pending.as_ref().map(|it| it.report.clone())
    }

    fn wait_for(&self, report: DiagnosticReport, is_forced: bool) -> DiagnosticReport {
        let mut record = self.lock();
        record.compared = None;
        let before = record.state.pending.take();
        let pending = Pending {
            at: before.as_ref().map_or_else(SystemTime::now, |it| it.at),
            since: before.as_ref().map_or_else(Instant::now, |it| it.since),
            is_forced: is_forced || before.as_ref().is_some_and(|it| it.is_forced),
            is_logged: before.as_ref().is_some_and(|it| it.is_logged),
            report: report.clone(),
        };
        let is_news = !pending.is_logged && pending.since.elapsed() >= WORTH_A_WORD;
        if is_news {
            tracing::warn!("not loaded yet: {}", report.summary());
        }
        record.state.pending = Some(Pending { is_logged: pending.is_logged || is_news, ..pending });
        report
    }

    /// How the files looked when they were last compared with what is live; none if that is still to be done.
    pub(super) fn compared(&self) -> Option<Looks> {
        let record = self.lock();
        let (generation, looks) = record.compared.as_ref()?;
        (*generation == self.live.current().generation).then(|| looks.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        // Nothing that holds this lock can stop half-way.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a file is being written, and what to do.
pub(super) fn unfinished_report(unfinished: &Unfinished) -> DiagnosticReport {
    let diagnostic = Diagnostic::error(document::NodePath::root(), unfinished.why)
        .help("close it, or put a complete file in its place by a rename");
    DiagnosticReport::new(SourceFile::new(unfinished.path.display().to_string(), ""), vec![diagnostic])
}
