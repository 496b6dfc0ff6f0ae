//! File watcher: reports when the content of a file in a set changes, however it was changed.
//!
//! File system events only trigger a check. They come from the directories of the files and of every symbolic link on
//! the way to them (`directories`), never from the files, because editors and Kubernetes replace files instead of
//! writing into them. The content that is read then decides (`observation`). Where events do not arrive (network file
//! systems, `subPath` mounts, exhausted limits), the stamps of the files are checked four times a second, and the
//! files are read every five seconds. All of this runs in its own thread (`worker`); the [`Watcher`] is its async
//! handle.

mod directories;
mod directory_watches;
mod events;
mod observation;
#[cfg(test)]
#[cfg(unix)]
mod tests;
mod worker;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool, mpsc},
};

use tokio::sync::{oneshot, watch};

use events::WatchSignal;
pub(super) use observation::FileStamp;
use worker::{WatchMode, WatchReport};

/// A change of the content of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Paths as they were given, at least one; includes files that cannot be read any more.
    pub files: Vec<PathBuf>,
}

/// Watcher of a set of files, and of directories for the names in them.
///
/// The caller loads the files after it has created the watcher and after each [`FileChange`]. Every change during a
/// load is reported by the next call of [`Watcher::changed`], even if the content is the same again in the end, since
/// the caller may have read an intermediate content. A caller that has read a half-written file only waits for the
/// next change.
#[derive(Debug)]
pub struct Watcher {
    signals: mpsc::Sender<WatchSignal>,
    reports: watch::Receiver<WatchReport>,
    /// Revision of the report that was last returned.
    acknowledged: u64,
    /// Whether the caller may have read files since the worker last settled.
    caller_reads: bool,
}

impl Watcher {
    /// Watches the files, which need not exist, for changes from now on. The worker has read them once when this
    /// returns.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub async fn new(files: Vec<PathBuf>) -> io::Result<Self> {
        Self::with_writer_flag(files, Arc::default()).await
    }

    /// Like [`Self::new`]; sets `has_open_writer` while events report that a writer has not closed one of the files.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub async fn with_writer_flag(files: Vec<PathBuf>, has_open_writer: Arc<AtomicBool>) -> io::Result<Self> {
        Self::spawn(files, WatchMode::EventsAndPolling, has_open_writer).await
    }

    #[cfg(test)]
    async fn start(files: Vec<PathBuf>, mode: WatchMode) -> io::Result<Self> {
        Self::spawn(files, mode, Arc::default()).await
    }

    async fn spawn(
        files: Vec<PathBuf>,
        mode: WatchMode,
        has_open_writer: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let (signals, reports) = worker::spawn(mode, has_open_writer)?;
        let mut watcher = Self { signals, reports, acknowledged: 0, caller_reads: true };
        // An ended worker is noticed when its reports are awaited.
        let _ = watcher.send_files(files).await;
        watcher.acknowledged = watcher.reports.borrow_and_update().revision;
        Ok(watcher)
    }

    /// Watches these files from now on, and no others. A file that is new in the set is reported if it was written so
    /// recently that the caller may have read an older text.
    pub fn watch(&mut self, files: Vec<PathBuf>) {
        drop(self.send_files(files));
    }

    fn send_files(&mut self, files: Vec<PathBuf>) -> oneshot::Receiver<()> {
        let (done, confirmation) = oneshot::channel();
        self.caller_reads = true;
        self.send(WatchSignal::Files(files, done));
        confirmation
    }

    /// Waits until the content of a file differs from that of its last report.
    ///
    /// Cancel-safe: no change is lost if the future is dropped.
    pub async fn changed(&mut self) -> FileChange {
        loop {
            if let Some(change) = self.take_unacknowledged() {
                return change;
            }
            if self.caller_reads {
                self.send_settle().await;
            } else if self.reports.changed().await.is_err() {
                tracing::error!("the file watcher has ended; changes are not detected any more");
                return std::future::pending().await;
            }
        }
    }

    fn take_unacknowledged(&mut self) -> Option<FileChange> {
        let report = self.reports.borrow_and_update();
        let files = report.files.iter().filter(|file| file.revision > self.acknowledged);
        let files: Vec<_> = files.map(|file| file.path.clone()).collect();
        self.acknowledged = report.revision;
        self.caller_reads |= !files.is_empty();
        (!files.is_empty()).then_some(FileChange { files })
    }

    /// Tells the worker that the caller has finished reading.
    async fn send_settle(&mut self) {
        let (done, done_signal) = oneshot::channel();
        self.send(WatchSignal::Settle(self.acknowledged, done));
        // An ended worker is noticed when its reports are awaited.
        let _ = done_signal.await;
        self.caller_reads = false;
    }

    fn send(&self, signal: WatchSignal) {
        // An ended worker is noticed when its reports are awaited.
        let _ = self.signals.send(signal);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.send(WatchSignal::Stop);
    }
}
