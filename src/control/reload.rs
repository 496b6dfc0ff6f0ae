//! Keeps what is current in step with the file: on every change, and on SIGHUP.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    Control, Door, Loaded,
    watch::{Seen, Watcher},
};
use crate::diag::{Report, Source, plural};

/// A file that cannot be used is read once more after this time: it may be half written.
const SECOND_LOOK: Duration = Duration::from_millis(100);

/// Reloads a configuration whenever its files change.
#[derive(Debug)]
pub struct Reloader {
    control: Arc<Control>,
    door: Door,
    /// The files beside the configuration that it was made from.
    files: Vec<PathBuf>,
    /// Those that a configuration names which was refused since: it can be used once they are right.
    missed: Vec<PathBuf>,
    /// The hash of what was loaded first.
    first: Option<String>,
    hangup: Signal,
}

impl Reloader {
    /// Reloads what came through `door`; `files` are those beside it that it was made from. From now on SIGHUP does
    /// not end the process. Must be called on the runtime.
    ///
    /// # Errors
    /// The signal cannot be listened for.
    pub fn new(control: Arc<Control>, door: Door, files: Vec<PathBuf>) -> std::io::Result<Self> {
        let (first, hangup) = (control.state().hash, signal(SignalKind::hangup())?);
        Ok(Self { control, door, files, missed: Vec::new(), first, hangup })
    }

    /// Runs until the process ends.
    ///
    /// # Errors
    /// There is no thread for the watcher.
    pub async fn run(mut self) -> std::io::Result<()> {
        let mut watcher = Watcher::new(self.watched()).await?;
        if self.is_behind() {
            watcher.quiet().await;
            self.reload(Some(watcher.seen())).await;
            watcher.watch(self.watched());
        }
        loop {
            tokio::select! {
                _ = watcher.changed() => self.reload(Some(watcher.seen())).await,
                _ = self.hangup.recv() => {
                    tracing::info!("SIGHUP: loading {} again", self.door);
                    self.reload(None).await;
                }
            }
            watcher.watch(self.watched());
        }
    }

    fn watched(&self) -> Vec<PathBuf> {
        let beside = self.files.iter().chain(&self.missed).cloned();
        self.door.files().into_iter().chain(beside).collect()
    }

    /// Whether a file was saved between the first load and the first look of the watcher. (What is current may come
    /// from the Admin API by now: that counts until the file changes.)
    fn is_behind(&self) -> bool {
        let now = self.door.open().ok().map(|source| crate::config::hash(source.text.as_bytes()));
        now != self.first || self.control.is_outdated()
    }

    /// Loads what has changed, unless it no longer is what the watcher has seen and will tell of again; asked for it,
    /// without a watcher, all of it.
    async fn reload(&mut self, seen: Option<Seen>) {
        let mut tried: Option<Option<Arc<Source>>> = None;
        loop {
            let (control, door, seen) = (self.control.clone(), self.door.clone(), seen.clone());
            // Reading and compiling take the time they take; the workers go on meanwhile.
            let Ok(result) = tokio::task::spawn_blocking(move || load(&control, &door, seen.as_ref())).await
            else {
                tracing::error!(
                    "loading {} stopped half-way; the last good configuration goes on",
                    self.door
                );
                return;
            };
            match result {
                Ok(loaded) => {
                    // What the Admin API has written itself is current; it may name other files.
                    self.files =
                        loaded.as_ref().map_or_else(|| self.control.named_files(), |it| it.files.clone());
                    self.missed.clear();
                    if let Some(loaded) = loaded {
                        report(&self.door, &loaded);
                    }
                    return;
                }
                Err((source, failure)) if tried.as_ref() == Some(&source) => {
                    let (errors, _) = failure.count();
                    let count = plural(errors, "error");
                    tracing::error!(
                        "{} has {count}; the last good configuration goes on\n{failure}",
                        self.door
                    );
                    self.control.refused(failure);
                    self.missed = self.control.named_files();
                    return;
                }
                Err((source, _)) => {
                    tried = Some(source);
                    tokio::time::sleep(SECOND_LOOK).await;
                }
            }
        }
    }
}

type Failed = (Option<Arc<Source>>, Report);

fn load(control: &Control, door: &Door, seen: Option<&Seen>) -> Result<Option<Loaded>, Failed> {
    if let Some(seen) = seen {
        return control.load_news(door, &|| seen.holds());
    }
    let source = door.open().map_err(|report| (None, report))?;
    let loaded = control.load(&source).map_err(|report| (Some(source), report))?;
    Ok(Some(loaded))
}

/// Says in the log what a load changed, and what the author should know.
pub fn report(door: &Door, loaded: &Loaded) {
    tracing::info!("loaded {door} (generation {}): {}", loaded.snapshot.generation, loaded.changes);
    if !loaded.warnings.is_empty() {
        let (_, warnings) = loaded.warnings.count();
        tracing::warn!("{door} has {}\n{}", plural(warnings, "warning"), loaded.warnings);
    }
}
