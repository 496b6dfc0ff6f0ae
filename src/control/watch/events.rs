//! Events of the file system: the reasons to look, told to the worker.

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

/// What the worker is told.
#[derive(Debug)]
pub(super) enum WatchSignal {
    /// Something happened in a directory.
    Event {
        /// Whether a watch may have died of it.
        rearm: bool,
        /// The name of a file that is being written, or was closed by its writer.
        written: Option<(OsString, WriterEvent)>,
    },
    /// Watch these files, and no others; answer when they have been read.
    Files(Vec<PathBuf>, oneshot::Sender<()>),
    /// The caller has read what it wanted to read after the report of this revision; answer when what happened
    /// meanwhile is reported.
    Settle(u64, oneshot::Sender<()>),
    /// The caller is gone.
    Stop,
}

/// What a writer did to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriterEvent {
    /// It wrote, and may go on.
    Writes,
    /// It closed the file.
    Closed,
}

/// Tells of every event in the directories that it is given; none if the system has no events to give.
pub(super) fn notifier(signals: Sender<WatchSignal>) -> Option<RecommendedWatcher> {
    let tell = move |event: notify::Result<Event>| {
        let (rearm, written) = match event {
            Ok(event) => {
                let written = writer(event.kind).zip(name(&event)).map(|(writer, name)| (name, writer));
                // Reading is no change, and it is what the worker itself does.
                if event.kind.is_access() && written.is_none() {
                    return;
                }
                (event.need_rescan() || !is_harmless(event.kind), written)
            }
            Err(_) => (true, None),
        };
        // The worker ends before its notifier.
        let _ = signals.send(WatchSignal::Event { rearm, written });
    };
    notify::recommended_watcher(tell)
        .inspect_err(|error| tracing::warn!(%error, "no file system events, files are polled instead"))
        .ok()
}

/// What a writer did, if that is what happened.
fn writer(kind: EventKind) -> Option<WriterEvent> {
    match kind {
        EventKind::Modify(ModifyKind::Data(_)) => Some(WriterEvent::Writes),
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(WriterEvent::Closed),
        _ => None,
    }
}

fn name(event: &Event) -> Option<OsString> {
    event.paths.first()?.file_name().map(OsStr::to_owned)
}

/// Whether no watch can die of the event: nothing was removed or renamed.
fn is_harmless(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Access(_)
            | EventKind::Create(_)
            | EventKind::Modify(ModifyKind::Data(DataChange::Any) | ModifyKind::Metadata(_))
    )
}
