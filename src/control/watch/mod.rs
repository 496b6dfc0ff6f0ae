//! Watching files: tells when the content of one of a set of files has changed, however it was changed.
//!
//! Events of the file system only say when to look: they come from the directories of the files and of every symbolic
//! link on the way to them (`places`), never from the files, because an editor or Kubernetes puts new files in their
//! place. What counts is what is read then (`content`). Where events do not come (network file systems, `subPath`
//! mounts, exhausted limits) the files are looked at four times a second, and read every five seconds. All of that
//! happens in a thread of its own (`worker`); the [`Watcher`] is its end in the async world.

mod directories;
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

/// Files whose content changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Their paths as they were given, at least one; a file that cannot be read (any more) is among them.
    pub files: Vec<PathBuf>,
}

/// Watches a set of files, and of folders for the names in them.
///
/// The caller loads the files after it made the watcher and after each [`FileChange`]. Whatever happens to them while
/// it loads is reported by the next call of [`Watcher::changed`], even if the content is the same again in the end,
/// as the caller may have read what was there in between. A caller that found a file half-written simply waits for
/// the next change.
#[derive(Debug)]
pub struct Watcher {
    signals: mpsc::Sender<WatchSignal>,
    reports: watch::Receiver<WatchReport>,
    /// The revision of the report that was last handed out.
    acknowledged: u64,
    /// Whether the caller may have read files since the worker last settled.
    loading: bool,
}

impl Watcher {
    /// Watches the files, which need not exist, for changes from now on; they have been read once when it returns.
    ///
    /// # Errors
    /// The system may refuse another thread.
    pub async fn new(files: Vec<PathBuf>) -> io::Result<Self> {
        Self::telling(files, Arc::default()).await
    }

    /// The same, telling all the time whether a writer has not closed one of the files yet, as far as events say so.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub async fn telling(files: Vec<PathBuf>, writing: Arc<AtomicBool>) -> io::Result<Self> {
        Self::begin(files, WatchMode::EventsAndPolling, writing).await
    }

    #[cfg(test)]
    async fn start(files: Vec<PathBuf>, senses: WatchMode) -> io::Result<Self> {
        Self::begin(files, senses, Arc::default()).await
    }

    async fn begin(files: Vec<PathBuf>, senses: WatchMode, writing: Arc<AtomicBool>) -> io::Result<Self> {
        let (signals, reports) = worker::spawn(senses, writing)?;
        let mut watcher = Self { signals, reports, acknowledged: 0, loading: true };
        // A worker that is gone is noticed where its reports are awaited.
        let _ = watcher.replace(files).await;
        watcher.acknowledged = watcher.reports.borrow_and_update().revision;
        Ok(watcher)
    }

    /// Watches these files from now on, and no others. A file that was not in the set before is reported if it was
    /// written so recently that the caller may have read an older text.
    pub fn watch(&mut self, files: Vec<PathBuf>) {
        drop(self.replace(files));
    }

    fn replace(&mut self, files: Vec<PathBuf>) -> oneshot::Receiver<()> {
        let (done, replaced) = oneshot::channel();
        self.loading = true;
        self.signal(WatchSignal::Files(files, done));
        replaced
    }

    /// Waits until the content of a file differs from what it was when this was last reported.
    ///
    /// It may be dropped before it is ready, and no change is lost.
    pub async fn changed(&mut self) -> FileChange {
        loop {
            if let Some(change) = self.unacknowledged() {
                return change;
            }
            if self.loading {
                self.settle().await;
            } else if self.reports.changed().await.is_err() {
                tracing::error!("the watcher of files has ended; changes are not seen any more");
                return std::future::pending().await;
            }
        }
    }

    fn unacknowledged(&mut self) -> Option<FileChange> {
        let report = self.reports.borrow_and_update();
        let files = report.files.iter().filter(|file| file.revision > self.acknowledged);
        let files: Vec<_> = files.map(|file| file.path.clone()).collect();
        self.acknowledged = report.revision;
        self.loading |= !files.is_empty();
        (!files.is_empty()).then_some(FileChange { files })
    }

    /// Lets the worker note that the caller has read what it wanted to read.
    async fn settle(&mut self) {
        let (done, settled) = oneshot::channel();
        self.signal(WatchSignal::Settle(self.acknowledged, done));
        // A worker that is gone is noticed where its reports are awaited.
        let _ = settled.await;
        self.loading = false;
    }

    fn signal(&self, signal: WatchSignal) {
        // A worker that is gone is noticed where its reports are awaited.
        let _ = self.signals.send(signal);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.signal(WatchSignal::Stop);
    }
}
