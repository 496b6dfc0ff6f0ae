//! Worker thread of the file watcher: decides when to read files, and reports changes of their content.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::watch;

use super::{
    directory_watches::DirectoryWatches,
    events::{WatchSignal, WriterEvent},
    observation::{FileContent, FileObservation, FileStamp},
};
use crate::supervise::supervise_thread;

/// Consecutive turns without a change after which files count as stable. Several short turns instead of one wait: on
/// a busy machine, writers and event threads get to run in between.
const STABLE_TURNS: u32 = 5;
const TURN_LENGTH: Duration = Duration::from_millis(10);
/// How long a writer that has a file open may pause: a file that is read before it is closed may be half a
/// configuration, and valid all the same. Also the longest time to wait for a writer that causes no events.
const WRITER_PAUSE_LIMIT: Duration = Duration::from_secs(3);
/// Longest time to wait for stable files: a file that is written all the time is read in between.
const MAX_STABILITY_WAIT: Duration = Duration::from_secs(30);
/// How often a file that changes while it is read is read again.
const MAX_REREADS: u32 = 3;
/// Interval at which stamps are checked, with or without events.
const STAMP_CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// Interval at which files are read in any case.
const READ_INTERVAL: Duration = Duration::from_secs(5);
/// Resolution of file timestamps: two changes within it have the same stamp.
const TIMESTAMP_RESOLUTION: Duration = Duration::from_millis(20);
/// How far the clock of a file system may be behind the clock of this machine.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(1);

/// What triggers a check of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WatchMode {
    EventsAndPolling,
    #[cfg(test)]
    Events,
    #[cfg(test)]
    Polling,
}

impl WatchMode {
    const fn uses_events(self) -> bool {
        match self {
            Self::EventsAndPolling => true,
            #[cfg(test)]
            Self::Events => true,
            #[cfg(test)]
            Self::Polling => false,
        }
    }

    const fn stamp_check_interval(self) -> Duration {
        match self {
            Self::EventsAndPolling => STAMP_CHECK_INTERVAL,
            #[cfg(test)]
            Self::Events => Duration::MAX,
            #[cfg(test)]
            Self::Polling => STAMP_CHECK_INTERVAL,
        }
    }
}

/// Report of the worker.
#[derive(Clone, Debug, Default)]
pub(super) struct WatchReport {
    /// Number of reports with a change.
    pub(super) revision: u64,
    pub(super) files: Vec<WatchedFile>,
}

/// A watched file, as it was last read.
#[derive(Clone, Debug)]
pub(super) struct WatchedFile {
    pub(super) path: PathBuf,
    /// Revision of the report of its last change; 0 if it has not changed.
    pub(super) revision: u64,
    observation: FileObservation,
}

impl WatchedFile {
    #[cfg(test)]
    pub(super) const fn content(&self) -> FileContent {
        self.observation.content
    }
}

/// Starts the thread, without files to watch yet.
pub(super) fn spawn(
    mode: WatchMode,
    writer_flag: Arc<AtomicBool>,
) -> io::Result<(Sender<WatchSignal>, watch::Receiver<WatchReport>)> {
    let (sender, signals) = mpsc::channel();
    let (reports, receiver) = watch::channel(WatchReport::default());
    let events = sender.clone();
    let run = move || {
        let watches = if mode.uses_events() {
            DirectoryWatches::new(events)
        } else {
            DirectoryWatches::without_events()
        };
        let mut worker = WatchWorker {
            signals,
            postponed: VecDeque::new(),
            watches,
            stamp_check_interval: mode.stamp_check_interval(),
            last_write: None,
            writer_flag,
            files: Vec::new(),
            revision: 0,
            caller_reads: true,
            caller_reads_since: SystemTime::now(),
            next_read: Instant::now() + READ_INTERVAL,
            reports,
        };
        supervise_thread("the file watcher", || worker.run());
    };
    thread::Builder::new().name("mynah-watch".into()).spawn(run)?;
    Ok((sender, receiver))
}

struct WatchWorker {
    signals: Receiver<WatchSignal>,
    /// Signals that arrived while the worker waited for stable files.
    postponed: VecDeque<WatchSignal>,
    watches: DirectoryWatches,
    /// Interval at which stamps are checked.
    stamp_check_interval: Duration,
    /// Time of the last write to a file that is still open for writing.
    last_write: Option<Instant>,
    /// Flag that is set while such a file exists.
    writer_flag: Arc<AtomicBool>,
    files: Vec<WatchedFile>,
    revision: u64,
    /// Whether the caller may be reading, so that a file that changes and changes back is reported too.
    caller_reads: bool,
    caller_reads_since: SystemTime,
    next_read: Instant,
    reports: watch::Sender<WatchReport>,
}

impl WatchWorker {
    fn run(&mut self) {
        loop {
            match self.next_signal(self.stamp_check_interval) {
                Some(WatchSignal::Event { rearm, written }) => {
                    self.record_writer(written);
                    let rearm = self.wait_until_stable(rearm);
                    self.read_files(rearm);
                }
                Some(WatchSignal::Files(files, done)) => {
                    self.replace_files(files);
                    // Not every caller waits for the confirmation.
                    let _ = done.send(());
                }
                Some(WatchSignal::Settle(acknowledged, done)) => {
                    self.settle(acknowledged);
                    // A caller that has stopped waiting sends another signal later.
                    let _ = done.send(());
                }
                Some(WatchSignal::Stop) => return,
                None if self.stamps_changed() => {
                    let rearm = self.wait_until_stable(false);
                    self.read_files(rearm);
                }
                None if Instant::now() >= self.next_read => {
                    self.read_files(false);
                }
                None => {}
            }
        }
    }

    fn next_signal(&mut self, wait: Duration) -> Option<WatchSignal> {
        if let Some(signal) = self.postponed.pop_front() {
            return Some(signal);
        }
        match self.signals.recv_timeout(wait) {
            Ok(signal) => Some(signal),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(WatchSignal::Stop),
        }
    }

    /// Waits until the files have been stable for a while and none is being written, at most [`MAX_STABILITY_WAIT`].
    /// Returns true if an event asks to set the watches again.
    fn wait_until_stable(&mut self, mut rearm: bool) -> bool {
        let begin = Instant::now();
        let mut stamps = self.stamps();
        let mut stable_turns = 0;
        let mut turn_end = begin + TURN_LENGTH;
        while stable_turns < STABLE_TURNS {
            let deadline = match self.last_write {
                Some(last) => (last + WRITER_PAUSE_LIMIT).min(begin + MAX_STABILITY_WAIT),
                None => turn_end,
            };
            match self.signals.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(WatchSignal::Event { rearm: another, written }) => {
                    rearm |= another;
                    self.record_writer(written);
                }
                Ok(signal) => self.postponed.push_back(signal),
                Err(_) if self.last_write.is_some() => break,
                Err(_) => {}
            }
            if self.last_write.is_some() {
                (stable_turns, turn_end) = (0, Instant::now() + TURN_LENGTH);
            } else if Instant::now() >= turn_end {
                let now = self.stamps();
                stable_turns = if now == stamps { stable_turns + 1 } else { 0 };
                (stamps, turn_end) = (now, Instant::now() + TURN_LENGTH);
                if begin.elapsed() >= WRITER_PAUSE_LIMIT && stable_turns == 0 {
                    break;
                }
            }
            if begin.elapsed() >= MAX_STABILITY_WAIT {
                break;
            }
        }
        self.set_last_write(None);
        rearm
    }

    /// Current stamps of the files.
    fn stamps(&self) -> Vec<Option<FileStamp>> {
        self.files.iter().map(|file| FileStamp::take(&file.path)).collect()
    }

    /// Records whether one of the files is being written.
    fn record_writer(&mut self, written: Option<(OsString, WriterEvent)>) {
        let Some((name, writer)) = written else { return };
        // A link and its target may have different names.
        let is_watched = |file: &WatchedFile| {
            let target = std::fs::read_link(&file.path).ok();
            file.path.file_name() == Some(&name) || target.is_some_and(|path| path.file_name() == Some(&name))
        };
        if self.files.iter().any(is_watched) {
            self.set_last_write(match writer {
                WriterEvent::Writes => Some(Instant::now()),
                WriterEvent::Closed => None,
            });
        }
    }

    fn set_last_write(&mut self, last_write: Option<Instant>) {
        self.last_write = last_write;
        self.writer_flag.store(last_write.is_some(), Ordering::Release);
    }

    /// Ends the time in which the caller reads, unless there is a new report for it.
    fn settle(&mut self, acknowledged: u64) {
        let mut rearm = false;
        if self.last_write.is_some() || self.stamps_changed() {
            rearm = self.wait_until_stable(false);
        }
        self.caller_reads_since = SystemTime::now();
        self.read_files(rearm);
        self.caller_reads = self.revision > acknowledged;
    }

    /// Whether the stamp of a file has changed since the file was read.
    fn stamps_changed(&self) -> bool {
        self.files.iter().any(|file| FileStamp::take(&file.path) != file.observation.stamp)
    }

    /// Reads all files and reports changes.
    fn read_files(&mut self, mut rearm: bool) {
        let revision = self.revision + 1;
        let mut has_changed = false;
        for _ in 0..MAX_REREADS {
            // The watches are set before the files are read, so that changes in between cause events.
            self.set_watches(rearm);
            for file in &mut self.files {
                let observation = FileObservation::read(&file.path);
                if observation.content != file.observation.content
                    || (self.caller_reads && observation.stamp != file.observation.stamp)
                {
                    file.revision = revision;
                    has_changed = true;
                }
                file.observation = observation;
            }
            if !self.stamps_changed() {
                break;
            }
            rearm = self.wait_until_stable(false);
        }
        self.next_read = Instant::now() + READ_INTERVAL;
        if has_changed {
            self.caller_reads_since = SystemTime::now();
            self.report(revision);
        }
    }

    fn report(&mut self, revision: u64) {
        self.revision = revision;
        self.caller_reads = true;
        self.reports.send_replace(WatchReport { revision, files: self.files.clone() });
    }

    fn replace_files(&mut self, paths: Vec<PathBuf>) {
        let mut known: BTreeMap<_, _> = self.files.drain(..).map(|file| (file.path.clone(), file)).collect();
        let paths: BTreeSet<_> = paths.into_iter().collect();
        let added: BTreeSet<_> = paths.iter().filter(|path| !known.contains_key(*path)).cloned().collect();
        let unseen = FileObservation { stamp: None, content: FileContent::ABSENT };
        let file = |path: PathBuf| {
            known.remove(&path).unwrap_or(WatchedFile { path, revision: 0, observation: unseen })
        };
        self.files = paths.into_iter().map(file).collect();
        self.set_watches(false);
        if added.iter().any(|path| is_recently_written(path)) {
            let rearm = self.wait_until_stable(false);
            self.set_watches(rearm);
        }
        let since = earlier(self.caller_reads_since, CLOCK_TOLERANCE);
        let next = self.revision + 1;
        let mut revision = self.revision;
        for file in self.files.iter_mut().filter(|file| added.contains(&file.path)) {
            file.observation = FileObservation::read(&file.path);
            if file.observation.stamp.is_some_and(|stamp| stamp.is_younger_than(since)) {
                file.revision = next;
                revision = next;
            }
        }
        self.report(revision);
    }

    /// Watches the directories of the current files; `afresh` sets all watches again, since some may be invalid.
    fn set_watches(&mut self, afresh: bool) {
        self.watches.set(&self.files.iter().map(|file| &*file.path), afresh);
    }
}

/// Whether the file was written so recently that another change could have the same stamp.
fn is_recently_written(path: &Path) -> bool {
    FileStamp::take(path)
        .is_some_and(|stamp| stamp.is_younger_than(earlier(SystemTime::now(), TIMESTAMP_RESOLUTION)))
}

fn earlier(time: SystemTime, duration: Duration) -> SystemTime {
    time.checked_sub(duration).unwrap_or(SystemTime::UNIX_EPOCH)
}
