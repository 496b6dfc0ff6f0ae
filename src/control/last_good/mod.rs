//! Last good configuration on disk: kept after each configuration that went live, for a start at which the source cannot be
//! used.
//!
//! One file holds everything that the configuration is made from except the environment: its text, and the documents that
//! it names. It is written by a thread of its own, replaced atomically, and ends with a checksum. What stands in the text as
//! a variable or a reference to a vault is kept as it is written, so that no further secret reaches the disk.

mod kept_config;
mod kept_file;
mod relative_path;
#[cfg(test)]
mod tests;

pub use kept_config::{KeptConfig, KeptDocument};

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use crate::{config::DeclarativeFormat, diag::SourceFile, supervise::catch_panic};

/// The name of the file in the folder of the setting `prefix`.
const FILE_NAME: &str = "last-good-configuration";

/// A configuration that went live, with the files that it was compiled from.
#[derive(Clone, Debug)]
pub struct LiveText {
    /// Its text.
    pub source: Arc<SourceFile>,
    /// The format of the text.
    pub format: DeclarativeFormat,
    /// Whether entities with errors were kept out of it.
    pub has_quarantine: bool,
    /// The files that plugins were compiled from, with the hashes of their contents.
    pub files: Vec<(PathBuf, u64)>,
    /// The folder of these files.
    pub specs: PathBuf,
}

/// Keeps the last good configuration in a file.
#[derive(Debug)]
pub struct LastGoodStore {
    shared: Arc<StoreState>,
}

/// What is kept, for reports.
#[derive(Clone, Debug, Default)]
pub struct LastGoodStatus {
    /// When the file was written, if this process has written or read it.
    pub saved_at: Option<SystemTime>,
    /// Why the configuration that is live is not kept.
    pub error: Option<String>,
    /// How often a configuration could not be kept.
    pub failures: u64,
}

#[derive(Debug)]
struct StoreState {
    path: PathBuf,
    queue: Mutex<SaveQueue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct SaveQueue {
    /// The next configuration to keep; a newer one replaces it.
    next: Option<LiveText>,
    is_writing: bool,
    has_thread: bool,
    status: LastGoodStatus,
}

impl LastGoodStore {
    /// The store in the folder of the setting `prefix`. Nothing is read or written yet.
    #[must_use]
    pub fn new(prefix: &Path) -> Self {
        let (path, queue, changed) = (prefix.join(FILE_NAME), Mutex::default(), Condvar::new());
        Self { shared: Arc::new(StoreState { path, queue, changed }) }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// What is kept.
    #[must_use]
    pub fn status(&self) -> LastGoodStatus {
        self.shared.lock().status.clone()
    }

    /// Keeps a configuration, on a thread of the store. If one is being written, only the newest of those that follow is.
    pub fn save(&self, live: LiveText) {
        let mut queue = self.shared.lock();
        queue.next = Some(live);
        if !queue.has_thread {
            let shared = self.shared.clone();
            let thread = std::thread::Builder::new().name("last-good".to_owned());
            match thread.spawn(move || shared.write_all()) {
                Ok(_) => queue.has_thread = true,
                Err(error) => {
                    queue.next = None;
                    queue.record_failure(&self.shared.path, &error);
                }
            }
        }
        drop(queue);
        self.shared.changed.notify_all();
    }

    /// Waits until what was saved is written, at most for `timeout`. Blocks.
    pub fn flush(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let mut queue = self.shared.lock();
        while queue.next.is_some() || queue.is_writing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let (locked, _) =
                self.shared.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner);
            queue = locked;
        }
    }

    /// Reads what is kept; `None` if there is nothing. Blocks.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or is of another version.
    pub fn load(&self) -> io::Result<Option<KeptConfig>> {
        let kept = match kept_file::read(&self.shared.path) {
            Ok(kept) => kept,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        self.shared.lock().status.saved_at = Some(kept.saved_at);
        Ok(Some(kept))
    }
}

impl StoreState {
    /// Writes what is in the queue, as long as the process runs.
    fn write_all(&self) {
        loop {
            let live = self.take_next();
            let kept = catch_panic(|| {
                let kept = KeptConfig::new(&live, SystemTime::now())?;
                kept_file::write(&self.path, &kept)?;
                Ok(kept.saved_at)
            });
            let kept = kept.unwrap_or_else(|panicked| Err(io::Error::other(panicked.to_string())));
            let mut queue = self.lock();
            queue.is_writing = false;
            match kept {
                Ok(saved_at) => queue.record_success(&self.path, saved_at),
                Err(error) => queue.record_failure(&self.path, &error),
            }
            drop(queue);
            self.changed.notify_all();
        }
    }

    fn take_next(&self) -> LiveText {
        let mut queue = self.lock();
        loop {
            if let Some(live) = queue.next.take() {
                queue.is_writing = true;
                return live;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, SaveQueue> {
        // No code that holds this lock leaves the queue half-updated, so a poisoned lock is usable.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SaveQueue {
    fn record_success(&mut self, path: &Path, saved_at: SystemTime) {
        self.status.saved_at = Some(saved_at);
        if self.status.error.take().is_some() {
            tracing::info!("the last good configuration is kept again in {}", path.display());
        }
    }

    /// Records a failure, and logs the first of several with the same reason.
    fn record_failure(&mut self, path: &Path, error: &io::Error) {
        self.status.failures += 1;
        let why = error.to_string();
        if self.status.error.as_ref() != Some(&why) {
            tracing::error!(
                "the live configuration cannot be kept in {}: {why}; a restart with a broken source would serve an older one, \
                 or none",
                path.display()
            );
            self.status.error = Some(why);
        }
    }
}
