//! The thread that writes lines: whoever has one leaves it in a buffer and goes on.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use crate::{settings::AccessLogTarget as Place, supervise::supervise_thread};

/// How long lines are collected before they are written together.
const PAUSE: Duration = Duration::from_millis(20);

/// The most bytes that wait for a reader of the log who does not read; further lines are lost, and counted.
const MOST: usize = 8 << 20;

/// The sending end.
#[derive(Debug)]
pub(super) struct LogWriter {
    shared: Arc<WriterQueue>,
}

#[derive(Debug)]
struct WriterQueue {
    waiting: Mutex<PendingLines>,
    /// There are lines where there were none, or all have been written, or no more will come.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct PendingLines {
    lines: Vec<u8>,
    lost: u64,
    closed: bool,
    writing: bool,
}

impl LogWriter {
    /// Writes to this place from now on; none for no place.
    ///
    /// # Errors
    /// A file cannot be opened, or there can be no further thread.
    pub(super) fn open(place: &Place) -> io::Result<Option<Self>> {
        let sink = match place {
            Place::Off => return Ok(None),
            Place::Stdout => LogOutput::Stdout,
            Place::Stderr => LogOutput::Stderr,
            Place::File(path) => LogOutput::File(open(path)?, path.clone()),
        };
        let shared = Arc::new(WriterQueue { waiting: Mutex::default(), changed: Condvar::new() });
        let own = Arc::clone(&shared);
        thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            let mut sink = sink;
            supervise_thread("the access log", || own.write(&mut sink));
        })?;
        Ok(Some(Self { shared }))
    }

    /// Leaves a line; `line` appends it to what waits.
    pub(super) fn leave(&self, line: impl FnOnce(&mut Vec<u8>)) {
        let mut waiting = self.shared.lock();
        if waiting.lines.len() > MOST {
            waiting.lost += 1;
            return;
        }
        let first = waiting.lines.is_empty();
        line(&mut waiting.lines);
        drop(waiting);
        if first {
            self.shared.changed.notify_all();
        }
    }

    /// Waits until what was left is written, but not for ever.
    pub(super) fn flush(&self, limit: Duration) {
        let waiting = self.shared.lock();
        let idle = |waiting: &mut PendingLines| !waiting.lines.is_empty() || waiting.writing;
        // Whether the time was enough makes no difference to a process that ends.
        drop(self.shared.changed.wait_timeout_while(waiting, limit, idle));
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

impl WriterQueue {
    fn lock(&self) -> MutexGuard<'_, PendingLines> {
        // A panic cannot leave half a line behind: rendering into memory does not panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::disallowed_methods, reason = "this thread serves nobody")]
    fn write(&self, sink: &mut LogOutput) {
        let mut batch = Vec::new();
        loop {
            let (lost, closed) = {
                let idle = |waiting: &mut PendingLines| waiting.lines.is_empty() && !waiting.closed;
                let waiting = self.changed.wait_while(self.lock(), idle);
                let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
                std::mem::swap(&mut waiting.lines, &mut batch);
                waiting.writing = true;
                (std::mem::take(&mut waiting.lost), waiting.closed)
            };
            if let Err(error) = sink.write(&batch) {
                tracing::error!("the access log cannot be written: {error}");
            }
            if lost > 0 {
                tracing::error!("{lost} lines of the access log are lost: it is read too slowly");
            }
            batch.clear();
            batch.shrink_to(1 << 20);
            let mut waiting = self.lock();
            waiting.writing = false;
            if closed && waiting.lines.is_empty() {
                return;
            }
            drop(waiting);
            self.changed.notify_all();
            thread::sleep(PAUSE);
        }
    }
}

/// Where lines go.
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
                    *file = open(path)?;
                }
                file.write_all(lines)
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Whether somebody renamed or removed the file: the next lines belong into a new one.
fn has_moved(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let (own, there) = (file.metadata().map(identity), std::fs::metadata(path).map(identity));
    own.is_ok_and(|own| there.map_or(true, |there| there != own))
}
