//! `file-log`: a log entry for each request in a file. (Kong: File Log plugin.)

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
    custom_fields::{self, CustomFields},
    delivery::{self, BatchSink, DeliveryQueue},
    setting_values,
};
use crate::schema::{Field, FieldKind, PLUGIN_PROTOCOLS};

/// Definition of the plugin.
pub(super) const DEF: PluginDef = PluginDef::new("file-log", 9, FIELDS, compile)
    .checks(custom_fields::CHECKS)
    .per_consumer()
    .protocols(&PLUGIN_PROTOCOLS);

const FIELDS: &[Field] = &[
    Field::new("path", FieldKind::String)
        .describe("the file to which a line is written for each request")
        .required(),
    Field::new("reopen", FieldKind::Boolean)
        .describe("whether the file is opened again for each request, for tools that rotate it")
        .required()
        .default("false"),
    custom_fields::FIELD,
];

/// Entries are written almost at once, in large batches. A batch that cannot be written is dropped and logged.
const QUEUE: delivery::QueueSettings = delivery::QueueSettings {
    max_batch_size: 1000,
    batch_delay: Duration::from_millis(20),
    max_entries: 100_000,
    max_bytes: 32 << 20,
    max_retry_time: Duration::ZERO,
    initial_retry_delay: Duration::from_secs(1),
    max_retry_delay: Duration::from_secs(1),
    concurrent: false,
};

struct FileLog {
    queue: DeliveryQueue<LogFile>,
    fields: CustomFields,
}

/// A file that entries are appended to.
struct LogFile {
    path: PathBuf,
    reopen: bool,
    file: Arc<Mutex<Option<File>>>,
}

fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let log_file = LogFile {
        path: setting_values::string(setup.config, "path").unwrap_or_default().into(),
        reopen: setting_values::boolean(setup.config, "reopen"),
        file: Arc::default(),
    };
    let fields = CustomFields::compile(DEF.name, setup)?;
    let queue = DeliveryQueue::new(log_file, QUEUE, &setup.resources.deliveries);
    Ok(Arc::new(FileLog { queue, fields }))
}

impl Plugin for FileLog {
    fn logs(&self) -> bool {
        true
    }

    fn log(&self, record: &RequestRecord) {
        self.queue.push(self.fields.entry(record));
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
            // A slow disk or a full pipe must not block a worker thread of the runtime.
            let writing = tokio::task::spawn_blocking(move || {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                let written = write_entries(&path, reopen, &mut file, &lines);
                if written.is_err() {
                    *file = None;
                }
                written
            });
            writing.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        })
    }
}

fn write_entries(
    path: &std::path::Path,
    reopen: bool,
    file: &mut Option<File>,
    lines: &[u8],
) -> io::Result<()> {
    // Standard output may be a socket, which cannot be opened by its path.
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
