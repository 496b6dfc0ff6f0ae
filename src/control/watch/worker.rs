//! The thread that looks at files: when to look, what is new, and who is told.

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

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;

use super::{
    directories::add_directories,
    events::{WatchSignal, WriterEvent, notifier},
    observation::{FileContent, FileIdentity, FileObservation, FileStamp},
};
use crate::supervise::supervise_thread;

/// Nothing happens for so many turns: then it is worth to read. Turns and not one wait, so that on a busy machine those
/// who write, and those who tell of it, have had their turns, too.
const QUIET: u32 = 5;
const TURN: Duration = Duration::from_millis(10);
/// Who has a file open and has begun to write it may pause this long: what is read before it is closed may be the half
/// of a configuration, and valid all the same. Who writes without telling may take this long in all.
const WRITING: Duration = Duration::from_secs(3);
/// Who writes on and on is read in between after this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// A text that changes while it is read is read again, so often.
const LOOKS: u32 = 3;
/// How often files are looked at from outside, events or not.
const GLANCE: Duration = Duration::from_millis(250);
/// How often files are read in any case.
const READ: Duration = Duration::from_secs(5);
/// The step of the clock that file systems keep: what happens within one step looks the same from outside.
const TICK: Duration = Duration::from_millis(20);
/// By how much the clock of a file system may be behind ours.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(1);

/// How the worker learns that it should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WatchMode {
    EventsAndPolling,
    #[cfg(test)]
    Events,
    #[cfg(test)]
    Polling,
}

impl WatchMode {
    const fn events(self) -> bool {
        match self {
            Self::EventsAndPolling => true,
            #[cfg(test)]
            Self::Events => true,
            #[cfg(test)]
            Self::Polling => false,
        }
    }

    const fn glance(self) -> Duration {
        match self {
            Self::EventsAndPolling => GLANCE,
            #[cfg(test)]
            Self::Events => Duration::MAX,
            #[cfg(test)]
            Self::Polling => GLANCE,
        }
    }
}

/// What the worker has seen.
#[derive(Clone, Debug, Default)]
pub(super) struct WatchReport {
    /// Counts the times that something was new.
    pub(super) revision: u64,
    pub(super) files: Vec<WatchedFile>,
}

/// A file as it was last seen.
#[derive(Clone, Debug)]
pub(super) struct WatchedFile {
    pub(super) path: PathBuf,
    /// The revision of the report that told of its last change; 0 if it has not changed.
    pub(super) revision: u64,
    seen: FileObservation,
}

impl WatchedFile {
    #[cfg(test)]
    pub(super) const fn content(&self) -> FileContent {
        self.seen.content
    }
}

/// Starts the thread, with nothing to watch yet.
pub(super) fn spawn(
    senses: WatchMode,
    told: Arc<AtomicBool>,
) -> io::Result<(Sender<WatchSignal>, watch::Receiver<WatchReport>)> {
    let (sender, signals) = mpsc::channel();
    let (reports, receiver) = watch::channel(WatchReport::default());
    let events = sender.clone();
    let run = move || {
        let notifier = if senses.events() { notifier(events) } else { None };
        let mut worker = WatchWorker {
            signals,
            postponed: VecDeque::new(),
            notifier,
            glance: senses.glance(),
            armed: BTreeMap::new(),
            writing: None,
            told,
            warned: false,
            files: Vec::new(),
            revision: 0,
            caller_reads: true,
            caller_reads_since: SystemTime::now(),
            next_read: Instant::now() + READ,
            reports,
        };
        supervise_thread("the watcher of files", || worker.run());
    };
    thread::Builder::new().name("mynah-watch".into()).spawn(run)?;
    Ok((sender, receiver))
}

struct WatchWorker {
    signals: Receiver<WatchSignal>,
    /// Signals that came while the worker waited for events to end.
    postponed: VecDeque<WatchSignal>,
    notifier: Option<RecommendedWatcher>,
    /// How often files are looked at from outside.
    glance: Duration,
    /// The directories that are watched, and which they were.
    armed: BTreeMap<PathBuf, FileIdentity>,
    /// When one of the files was last written, if it is still open.
    writing: Option<Instant>,
    /// Where it is told whether there is one.
    told: Arc<AtomicBool>,
    /// Whether the user knows that directories cannot be watched.
    warned: bool,
    files: Vec<WatchedFile>,
    revision: u64,
    /// Whether the caller may be reading, so that a file that changes and changes back is not the same to it.
    caller_reads: bool,
    caller_reads_since: SystemTime,
    next_read: Instant,
    reports: watch::Sender<WatchReport>,
}

impl WatchWorker {
    fn run(&mut self) {
        loop {
            match self.next(self.glance) {
                Some(WatchSignal::Event { rearm, written }) => {
                    self.note(written);
                    let rearm = self.wait_for_quiet(rearm);
                    self.look(rearm);
                }
                Some(WatchSignal::Files(files, done)) => {
                    self.replace(files);
                    // Not every caller waits.
                    let _ = done.send(());
                }
                Some(WatchSignal::Settle(acknowledged, done)) => {
                    self.settle(acknowledged);
                    // A caller that gave up waiting settles again.
                    let _ = done.send(());
                }
                Some(WatchSignal::Stop) => return,
                None if self.glance() => {
                    let rearm = self.wait_for_quiet(false);
                    self.look(rearm);
                }
                None if Instant::now() >= self.next_read => {
                    self.look(false);
                }
                None => {}
            }
        }
    }

    fn next(&mut self, wait: Duration) -> Option<WatchSignal> {
        if let Some(signal) = self.postponed.pop_front() {
            return Some(signal);
        }
        match self.signals.recv_timeout(wait) {
            Ok(signal) => Some(signal),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(WatchSignal::Stop),
        }
    }

    /// Waits until nothing has happened to the files for a while and none is being written, but not for ever; true if
    /// one of the events asks to rearm.
    fn wait_for_quiet(&mut self, mut rearm: bool) -> bool {
        let begin = Instant::now();
        let mut stamps = self.stamps();
        let mut quiet = 0;
        let mut turn = begin + TURN;
        while quiet < QUIET {
            let end = match self.writing {
                Some(last) => (last + WRITING).min(begin + PATIENCE),
                None => turn,
            };
            match self.signals.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(WatchSignal::Event { rearm: another, written }) => {
                    rearm |= another;
                    self.note(written);
                }
                Ok(signal) => self.postponed.push_back(signal),
                Err(_) if self.writing.is_some() => break,
                Err(_) => {}
            }
            if self.writing.is_some() {
                (quiet, turn) = (0, Instant::now() + TURN);
            } else if Instant::now() >= turn {
                let now = self.stamps();
                quiet = if now == stamps { quiet + 1 } else { 0 };
                (stamps, turn) = (now, Instant::now() + TURN);
                if begin.elapsed() >= WRITING && quiet == 0 {
                    break;
                }
            }
            if begin.elapsed() >= PATIENCE {
                break;
            }
        }
        self.set_writing(None);
        rearm
    }

    /// How the files look from outside.
    fn stamps(&self) -> Vec<Option<FileStamp>> {
        self.files.iter().map(|file| FileStamp::look(&file.path)).collect()
    }

    /// Notes whether one of the files is being written.
    fn note(&mut self, written: Option<(OsString, WriterEvent)>) {
        let Some((name, writer)) = written else { return };
        // A link and the file behind it may have different names.
        let is_watched = |file: &WatchedFile| {
            let behind = std::fs::read_link(&file.path).ok();
            file.path.file_name() == Some(&name) || behind.is_some_and(|path| path.file_name() == Some(&name))
        };
        if self.files.iter().any(is_watched) {
            self.set_writing(match writer {
                WriterEvent::Writes => Some(Instant::now()),
                WriterEvent::Closed => None,
            });
        }
    }

    fn set_writing(&mut self, writing: Option<Instant>) {
        self.writing = writing;
        self.told.store(writing.is_some(), Ordering::Release);
    }

    /// Ends the time in which the caller reads, unless there is news for it to read.
    fn settle(&mut self, acknowledged: u64) {
        let mut rearm = false;
        if self.writing.is_some() || self.glance() {
            rearm = self.wait_for_quiet(false);
        }
        self.caller_reads_since = SystemTime::now();
        self.look(rearm);
        self.caller_reads = self.revision > acknowledged;
    }

    /// Whether a file looks different from outside.
    fn glance(&self) -> bool {
        self.files.iter().any(|file| FileStamp::look(&file.path) != file.seen.stamp)
    }

    /// Reads all files and reports what is new.
    fn look(&mut self, mut rearm: bool) {
        let revision = self.revision + 1;
        let mut news = false;
        for _ in 0..LOOKS {
            // Watches first, then the files: what happens in between is seen by the watches.
            self.arm(rearm);
            for file in &mut self.files {
                let seen = FileObservation::make(&file.path);
                if seen.content != file.seen.content || (self.caller_reads && seen.stamp != file.seen.stamp) {
                    file.revision = revision;
                    news = true;
                }
                file.seen = seen;
            }
            if !self.glance() {
                break;
            }
            rearm = self.wait_for_quiet(false);
        }
        self.next_read = Instant::now() + READ;
        if news {
            self.caller_reads_since = SystemTime::now();
            self.report(revision);
        }
    }

    fn report(&mut self, revision: u64) {
        self.revision = revision;
        self.caller_reads = true;
        self.reports.send_replace(WatchReport { revision, files: self.files.clone() });
    }

    fn replace(&mut self, paths: Vec<PathBuf>) {
        let mut known: BTreeMap<_, _> = self.files.drain(..).map(|file| (file.path.clone(), file)).collect();
        let paths: BTreeSet<_> = paths.into_iter().collect();
        let added: BTreeSet<_> = paths.iter().filter(|path| !known.contains_key(*path)).cloned().collect();
        let unseen = FileObservation { stamp: None, content: FileContent::ABSENT };
        let file =
            |path: PathBuf| known.remove(&path).unwrap_or(WatchedFile { path, revision: 0, seen: unseen });
        self.files = paths.into_iter().map(file).collect();
        self.arm(false);
        if added.iter().any(|path| is_fresh(path)) {
            let rearm = self.wait_for_quiet(false);
            self.arm(rearm);
        }
        let since = before(self.caller_reads_since, CLOCK_TOLERANCE);
        let next = self.revision + 1;
        let mut revision = self.revision;
        for file in self.files.iter_mut().filter(|file| added.contains(&file.path)) {
            file.seen = FileObservation::make(&file.path);
            if file.seen.stamp.is_some_and(|stamp| stamp.is_younger_than(since)) {
                file.revision = next;
                revision = next;
            }
        }
        self.report(revision);
    }

    /// Watches the directories that matter now; `afresh` if watches may have died.
    fn arm(&mut self, afresh: bool) {
        let Some(notifier) = &mut self.notifier else { return };
        if afresh {
            for directory in std::mem::take(&mut self.armed).into_keys() {
                // A watch that died is not there to be removed.
                let _ = notifier.unwatch(&directory);
            }
        }
        // While watches are set, links may already lead elsewhere; it is rare, and polling would see it too.
        for _ in 0..3 {
            let wanted = directories(self.files.iter().map(|file| &*file.path));
            if wanted == self.armed {
                return;
            }
            for directory in self.armed.extract_if(.., |path, it| wanted.get(path) != Some(it)) {
                let _ = notifier.unwatch(&directory.0);
            }
            for (directory, identity) in wanted {
                if self.armed.contains_key(&directory) {
                    continue;
                }
                match notifier.watch(&directory, RecursiveMode::NonRecursive) {
                    Ok(()) => {
                        self.armed.insert(directory, identity);
                    }
                    Err(error) if !self.warned => {
                        self.warned = true;
                        let directory = directory.display();
                        tracing::warn!(%error, %directory, "no events from a directory, its files are polled");
                    }
                    Err(_) => {}
                }
            }
        }
    }
}

/// Whether the file was written so recently that another change would look the same from outside.
fn is_fresh(path: &Path) -> bool {
    FileStamp::look(path).is_some_and(|stamp| stamp.is_younger_than(before(SystemTime::now(), TICK)))
}

fn before(time: SystemTime, duration: Duration) -> SystemTime {
    time.checked_sub(duration).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The directories that matter for the files, as far as they exist.
fn directories<'a>(files: impl Iterator<Item = &'a Path>) -> BTreeMap<PathBuf, FileIdentity> {
    let mut directories = BTreeSet::new();
    for file in files {
        // A link that vanishes while it is read is seen by the directories before it.
        let _ = add_directories(file, &mut directories);
    }
    let identified = |path: PathBuf| FileIdentity::look(&path).map(|identity| (path, identity));
    directories.into_iter().filter_map(identified).collect()
}
