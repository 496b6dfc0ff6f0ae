//! File system events, as signals to the worker.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
    sync::mpsc::Sender,
};

use notify::{
    Event, EventKind, RecommendedWatcher,
    event::{AccessKind, AccessMode, DataChange, ModifyKind},
};
use tokio::sync::oneshot;

/// Signal to the worker.
#[derive(Debug)]
pub(super) enum WatchSignal {
    /// An event in a watched directory.
    Event {
        /// Whether a watch may have become invalid.
        rearm: bool,
        /// Name of a file that is being written, or was closed by its writer.
        written: Option<(OsString, WriterEvent)>,
    },
    /// Watch these files, and no others; confirm when they have been read.
    Files(Vec<PathBuf>, oneshot::Sender<()>),
    /// The caller has finished reading after the report of this revision; confirm when changes during its reading are
    /// reported.
    Settle(u64, oneshot::Sender<()>),
    /// The watcher was dropped.
    Stop,
}

/// Action of a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriterEvent {
    /// It has written, and may continue.
    Writes,
    /// It has closed the file.
    Closed,
}

/// Starts a notifier that sends a signal for every event in the directories that it watches; `None` if the system has
/// no events.
pub(super) fn start_notifier(signals: Sender<WatchSignal>) -> Option<RecommendedWatcher> {
    let send = move |event: notify::Result<Event>| {
        let (rearm, written) = match event {
            Ok(event) => {
                let written =
                    writer_event(event.kind).zip(file_name(&event)).map(|(writer, name)| (name, writer));
                // Reading is not a change, and the worker itself reads.
                if event.kind.is_access() && written.is_none() {
                    return;
                }
                (event.need_rescan() || !keeps_watches_valid(event.kind), written)
            }
            Err(_) => (true, None),
        };
        // The worker ends before its notifier, so that a signal may have no receiver.
        let _ = signals.send(WatchSignal::Event { rearm, written });
    };
    notify::recommended_watcher(send)
        .inspect_err(|error| tracing::warn!(%error, "no file system events; files are polled instead"))
        .ok()
}

/// The action of a writer, if the event is one.
fn writer_event(kind: EventKind) -> Option<WriterEvent> {
    match kind {
        EventKind::Modify(ModifyKind::Data(_)) => Some(WriterEvent::Writes),
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(WriterEvent::Closed),
        _ => None,
    }
}

fn file_name(event: &Event) -> Option<OsString> {
    event.paths.first()?.file_name().map(OsStr::to_owned)
}

/// Whether the event leaves all watches valid: nothing was removed or renamed.
fn keeps_watches_valid(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Access(_)
            | EventKind::Create(_)
            | EventKind::Modify(ModifyKind::Data(DataChange::Any) | ModifyKind::Metadata(_))
    )
}
