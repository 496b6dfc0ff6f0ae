//! Reloader of the configuration: compares files with what is live when they change, on SIGHUP, and periodically.

use std::{fmt::Display, pin::pin, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::spawn_blocking,
    time::{Interval, MissedTickBehavior, interval, sleep},
};

use super::{ConfigSource, Control, LoadedConfig, Reconciled, live_config::FileStamps, watch::Watcher};
use crate::{
    diag::{DiagnosticReport, Position, plural},
    supervise::catch_future_panic,
};

/// Delay before a file that cannot be used is read once more: it may have been half-written.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Delay before a reloader that panicked is restarted.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// Interval at which the stamps of files are compared with those of the last load. The watcher reports changes sooner, but
/// compares with its own last read: after a load that was refused, it does not report that the file still differs.
const LIVE_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// Reloads the configuration when its files change.
#[derive(Debug)]
pub struct Reloader {
    control: Arc<Control>,
    source: ConfigSource,
    hangup: Signal,
    stamp_checks: Interval,
    /// Changed stamps at the last check. The files are read once two checks in a row find the same stamps.
    last_change: Option<FileStamps>,
}

impl Reloader {
    /// Reloads from `source`. From now on SIGHUP does not end the process. Must be called on the runtime.
    ///
    /// # Errors
    /// The signal handler cannot be installed.
    pub fn new(control: Arc<Control>, source: ConfigSource) -> std::io::Result<Self> {
        let hangup = signal(SignalKind::hangup())?;
        let mut stamp_checks = interval(LIVE_CHECK_INTERVAL);
        stamp_checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { control, source, hangup, stamp_checks, last_change: None })
    }

    /// Runs until the process ends.
    ///
    /// # Errors
    /// The thread of the watcher cannot be started.
    pub async fn run(mut self) -> std::io::Result<()> {
        loop {
            match catch_future_panic(pin!(self.watch_and_reload())).await {
                Ok(ended) => return ended,
                Err(panicked) => {
                    tracing::error!("the reloader of the configuration {panicked}; it is restarted");
                }
            }
            sleep(RESTART_DELAY).await;
        }
    }

    async fn watch_and_reload(&mut self) -> std::io::Result<()> {
        let mut watcher =
            Watcher::with_writer_flag(self.watched_files().await, self.control.open_writer_flag().clone())
                .await?;
        loop {
            let is_forced = tokio::select! {
                _ = watcher.changed() => false,
                _ = self.hangup.recv() => {
                    tracing::info!("SIGHUP: reloading {}", self.source);
                    true
                }
                _ = self.stamp_checks.tick() => {
                    if !self.has_stable_change().await {
                        continue;
                    }
                    false
                }
            };
            self.reload(is_forced).await;
            watcher.watch(self.watched_files().await);
        }
    }

    async fn watched_files(&self) -> Vec<std::path::PathBuf> {
        self.run_blocking(Control::watched_files).await.unwrap_or_default()
    }

    /// Whether there is a change to load that the watcher may not have reported.
    async fn has_stable_change(&mut self) -> bool {
        if self.control.load_history().pending.is_some() {
            return true;
        }
        let change = self.run_blocking(Control::changed_stamps).await.flatten();
        let is_stable = change.is_some() && change == self.last_change;
        self.last_change = change.filter(|_| !is_stable);
        is_stable
    }

    /// Runs blocking work outside the async workers; `None` if it panicked.
    async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Control) -> T + Send + 'static,
    ) -> Option<T> {
        let control = self.control.clone();
        spawn_blocking(move || work(&control)).await.ok()
    }

    async fn reload(&mut self, is_forced: bool) {
        loop {
            match self.run_blocking(move |control| control.reconcile(is_forced)).await {
                Some(Reconciled::Unchanged | Reconciled::Pending(_)) => return,
                Some(Reconciled::Loaded(loaded)) => return log_load(&self.source, &loaded),
                Some(Reconciled::Refused { report, is_failure: true }) => {
                    let (errors, _) = report.count();
                    let count = plural(errors, "error");
                    tracing::error!(
                        "{} has {count}; the last good configuration stays live\n{report}",
                        self.source
                    );
                    return;
                }
                Some(Reconciled::Refused { .. }) => sleep(RETRY_DELAY).await,
                None => {
                    tracing::error!(
                        "loading {} panicked; the last good configuration stays live",
                        self.source
                    );
                    return;
                }
            }
        }
    }
}

/// Logs what a load has changed, and the warnings for the author.
pub fn log_load(source: &impl Display, loaded: &LoadedConfig) {
    tracing::info!("loaded {source} (generation {}): {}", loaded.snapshot.generation, loaded.changes);
    if !loaded.warnings.is_empty() {
        let (_, warnings) = loaded.warnings.count();
        tracing::warn!("{source} has {}\n{}", plural(warnings, "warning"), loaded.warnings);
    }
    let snapshot = &loaded.snapshot;
    let errors = snapshot.quarantined().iter().map(|entity| entity.error.clone()).collect();
    let report = DiagnosticReport::new(loaded.warnings.source().clone(), errors);
    for (entity, place) in snapshot.quarantined().iter().zip(report.positions(report.diagnostics())) {
        let file = &report.source_of(&entity.error).name;
        let Position { line, column, .. } = place;
        let (kind, name, effect) = (entity.entity.singular(), &entity.name, entity.effect);
        let message = &entity.error.message;
        tracing::error!("{file}:{line}:{column}: the {kind} '{name}' is in quarantine: {message}; {effect}");
    }
}
