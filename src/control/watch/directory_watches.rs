//! Watches of directories: which directories send events, set anew when the files or their links change.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::mpsc::Sender,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::{
    directories::directories,
    events::{WatchSignal, start_notifier},
    observation::FileIdentity,
};

/// The watches of the directories of some files.
pub(super) struct DirectoryWatches {
    /// `None` if the system has no events, or none are wanted.
    notifier: Option<RecommendedWatcher>,
    /// The watched directories, and their identities when the watch was set.
    watched: BTreeMap<PathBuf, FileIdentity>,
    /// Whether the warning about directories without events was logged.
    has_warned: bool,
}

impl DirectoryWatches {
    /// Watches that send a signal for every event.
    pub(super) fn new(signals: Sender<WatchSignal>) -> Self {
        Self { notifier: start_notifier(signals), ..Self::without_events() }
    }

    /// Watches that never send a signal.
    pub(super) const fn without_events() -> Self {
        Self { notifier: None, watched: BTreeMap::new(), has_warned: false }
    }

    /// Watches the directories of these files; `afresh` sets all watches again, since some may be invalid.
    pub(super) fn set<'a>(&mut self, files: &(impl Iterator<Item = &'a Path> + Clone), afresh: bool) {
        let Some(notifier) = &mut self.notifier else { return };
        if afresh {
            for directory in std::mem::take(&mut self.watched).into_keys() {
                // An invalid watch may already be removed.
                let _ = notifier.unwatch(&directory);
            }
        }
        // Links may change while watches are set. This is rare, and polling would notice it as well.
        for _ in 0..3 {
            let wanted = directories(files.clone());
            if wanted == self.watched {
                return;
            }
            for directory in self.watched.extract_if(.., |path, identity| wanted.get(path) != Some(identity))
            {
                let _ = notifier.unwatch(&directory.0);
            }
            for (directory, identity) in wanted {
                if self.watched.contains_key(&directory) {
                    continue;
                }
                match notifier.watch(&directory, RecursiveMode::NonRecursive) {
                    Ok(()) => {
                        self.watched.insert(directory, identity);
                    }
                    Err(error) if !self.has_warned => {
                        self.has_warned = true;
                        let directory = directory.display();
                        tracing::warn!(%error, %directory, "no events from a directory; its files are polled");
                    }
                    Err(_) => {}
                }
            }
        }
    }
}
