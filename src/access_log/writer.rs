//! Writer of log lines: a queue in memory, and the thread that writes it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use crate::{settings::AccessLogTarget, supervise::supervise_thread};

/// Time for which lines are collected before they are written together.
const PAUSE: Duration = Duration::from_millis(20);

/// Most bytes in the queue, if the output is slow. Further lines are dropped, and counted.
const MAX_QUEUED: usize = 8 << 20;

/// Handle that queues lines; dropping it ends the thread when all are written.
#[derive(Debug)]
pub(super) struct LogWriter {
    shared: Arc<WriterQueue>,
}

#[derive(Debug)]
struct WriterQueue {
    pending: Mutex<PendingLines>,
    /// Notified when the first line is queued, when all are written, and when the handle is dropped.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct PendingLines {
    lines: Vec<u8>,
    dropped: u64,
    is_closed: bool,
    is_writing: bool,
}

impl LogWriter {
    /// Opens the output and starts the thread; `None` if the log is off.
    ///
    /// # Errors
    /// The file cannot be opened, or the thread cannot be started.
    pub(super) fn open(target: &AccessLogTarget) -> io::Result<Option<Self>> {
        let output = match target {
            AccessLogTarget::Off => return Ok(None),
            AccessLogTarget::Stdout => LogOutput::Stdout,
            AccessLogTarget::Stderr => LogOutput::Stderr,
            AccessLogTarget::File(path) => LogOutput::File(open_file(path)?, path.clone()),
        };
        let shared = Arc::new(WriterQueue { pending: Mutex::default(), changed: Condvar::new() });
        let own = Arc::clone(&shared);
        thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            let mut output = output;
            supervise_thread("the access log", || own.write(&mut output));
        })?;
        Ok(Some(Self { shared }))
    }

    /// Queues a line, which `append` appends to the queue.
    pub(super) fn push(&self, append: impl FnOnce(&mut Vec<u8>)) {
        let mut pending = self.shared.lock();
        if pending.lines.len() > MAX_QUEUED {
            pending.dropped += 1;
            return;
        }
        let is_first = pending.lines.is_empty();
        append(&mut pending.lines);
        drop(pending);
        if is_first {
            self.shared.changed.notify_all();
        }
    }

    /// Waits until all queued lines are written, at most for `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let pending = self.shared.lock();
        let has_lines = |pending: &mut PendingLines| !pending.lines.is_empty() || pending.is_writing;
        // The process ends afterwards, whether the time was sufficient or not.
        drop(self.shared.changed.wait_timeout_while(pending, limit, has_lines));
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
    }
}

impl WriterQueue {
    fn lock(&self) -> MutexGuard<'_, PendingLines> {
        // A panic cannot leave an incomplete line: writing into memory does not panic.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::disallowed_methods, reason = "this thread serves no requests")]
    fn write(&self, output: &mut LogOutput) {
        let mut batch = Vec::new();
        loop {
            let (dropped, is_closed) = {
                let is_idle = |pending: &mut PendingLines| pending.lines.is_empty() && !pending.is_closed;
                let pending = self.changed.wait_while(self.lock(), is_idle);
                let mut pending = pending.unwrap_or_else(PoisonError::into_inner);
                std::mem::swap(&mut pending.lines, &mut batch);
                pending.is_writing = true;
                (std::mem::take(&mut pending.dropped), pending.is_closed)
            };
            if let Err(error) = output.write(&batch) {
                tracing::error!("the access log cannot be written: {error}");
            }
            if dropped > 0 {
                tracing::error!("{dropped} lines of the access log are lost: its output is too slow");
            }
            batch.clear();
            batch.shrink_to(1 << 20);
            let mut pending = self.lock();
            pending.is_writing = false;
            if is_closed && pending.lines.is_empty() {
                return;
            }
            drop(pending);
            self.changed.notify_all();
            thread::sleep(PAUSE);
        }
    }
}

/// Output of the log.
enum LogOutput {
    Stdout,
    Stderr,
    File(File, PathBuf),
}

impl LogOutput {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(lines)?;
                stdout.flush()
            }
            Self::Stderr => io::stderr().lock().write_all(lines),
            Self::File(file, path) => {
                if has_moved(file, path) {
                    *file = open_file(path)?;
                }
                file.write_all(lines)
            }
        }
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Whether the file was renamed or removed, such as by logrotate, so that the next lines belong into a new one.
fn has_moved(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let (open, present) = (file.metadata().map(identity), std::fs::metadata(path).map(identity));
    open.is_ok_and(|open| present.map_or(true, |present| present != open))
}
