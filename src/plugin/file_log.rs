//! FILE LOG: writes an entry for each request into a file. (Kong: File Log plugin.)

use std::{
    fs::{File, OpenOptions},
    future::Future,
    io::{self, Write},
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;

use super::{
    Plugin, PluginDef, PluginResult, PluginSetup, RequestRecord,
    delivery::{self, BatchSink, DeliveryQueue},
    setting_checks, setting_values,
};
use crate::schema::{Field, FieldKind};

/// The plugin in the table.
pub(super) const DEF: PluginDef = PluginDef::new("file-log", 9, FIELDS, compile)
    .checks(&[setting_checks::rejects_lua_fields])
    .per_consumer();

const FIELDS: &[Field] = &[
    Field::new("path", FieldKind::String).required(),
    Field::new("reopen", FieldKind::Boolean).required().default("false"),
    setting_checks::LUA_FIELDS,
];

/// What is written together goes at once; what cannot be written is lost, and said so.
const QUEUE: delivery::QueueSettings = delivery::QueueSettings {
    batch: 1000,
    pause: Duration::from_millis(20),
    entries: 100_000,
    bytes: 32 << 20,
    patience: Duration::ZERO,
    first_pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(1),
    beside: false,
};

struct FileLog(DeliveryQueue<LogFile>);

/// A file that entries are added to.
struct LogFile {
    path: PathBuf,
    reopen: bool,
    file: Arc<Mutex<Option<File>>>,
}

#[expect(clippy::unnecessary_wraps, reason = "the settings of other plugins can be wrong here")]
fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let place = LogFile {
        path: setting_values::string(setup.config, "path").unwrap_or_default().into(),
        reopen: setting_values::boolean(setup.config, "reopen"),
        file: Arc::default(),
    };
    Ok(Arc::new(FileLog(DeliveryQueue::new(place, QUEUE, &setup.resources.deliveries))))
}

impl Plugin for FileLog {
    fn logs(&self) -> bool {
        true
    }

    fn log(&self, record: &RequestRecord) {
        self.0.leave(record.entry().clone());
    }
}

impl BatchSink for LogFile {
    fn name(&self) -> String {
        format!("file-log to {}", self.path.display())
    }

    fn deliver<'a>(
        &'a self,
        batch: &'a [Bytes],
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        let mut lines = Vec::with_capacity(batch.iter().map(|entry| entry.len() + 1).sum());
        for entry in batch {
            lines.extend_from_slice(entry);
            lines.push(b'\n');
        }
        let (path, reopen, file) = (self.path.clone(), self.reopen, Arc::clone(&self.file));
        Box::pin(async move {
            // Disks can be slow, and pipes full: a worker must not wait for them.
            let writing = tokio::task::spawn_blocking(move || {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                let written = write(&path, reopen, &mut file, &lines);
                if written.is_err() {
                    *file = None;
                }
                written
            });
            writing.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        })
    }
}

fn write(path: &std::path::Path, reopen: bool, file: &mut Option<File>, lines: &[u8]) -> io::Result<()> {
    // They may be sockets, which cannot be opened by these names.
    match path.to_str() {
        Some("/dev/stdout") => return io::stdout().lock().write_all(lines),
        Some("/dev/stderr") => return io::stderr().lock().write_all(lines),
        _ => (),
    }
    if reopen {
        *file = None;
    }
    let open = match file.take() {
        Some(open) => open,
        None => OpenOptions::new().create(true).append(true).open(path)?,
    };
    file.insert(open).write_all(lines)
}
