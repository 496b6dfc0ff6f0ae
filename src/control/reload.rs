//! Reloader of files: has what is live compared with them when they change, on SIGHUP, and from time to time.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::spawn_blocking,
    time::{Interval, MissedTickBehavior, interval, sleep},
};

use super::{ConfigSource, Control, LoadedConfig, Reconciled, live_config::Looks, watch::Watcher};
use crate::{diag::plural, supervise::catch_future_panic};

/// A file that cannot be used is read once more after this time: it may be half written.
const SECOND_LOOK: Duration = Duration::from_millis(100);

/// How long a reloader that panicked waits before it begins again.
const PAUSE: Duration = Duration::from_secs(1);

/// How often it is looked whether files look as they did when they were compared with what is live. The watcher tells
/// sooner; but what it tells of is what differs from what it saw last, which need not be what is live.
const GLANCE: Duration = Duration::from_millis(200);

/// Has what is live compared with files whenever these change.
#[derive(Debug)]
pub struct Reloader {
    control: Arc<Control>,
    door: ConfigSource,
    hangup: Signal,
    glances: Interval,
    /// How the files looked at the last glance, if they are news: once they look so twice, they are read.
    news: Option<Looks>,
}

impl Reloader {
    /// Reloads what comes through `door`. From now on SIGHUP does not end the process. Must be called on the runtime.
    ///
    /// # Errors
    /// The signal cannot be listened for.
    pub fn new(control: Arc<Control>, door: ConfigSource) -> std::io::Result<Self> {
        let hangup = signal(SignalKind::hangup())?;
        let mut glances = interval(GLANCE);
        glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { control, door, hangup, glances, news: None })
    }

    /// Runs until the process ends.
    ///
    /// # Errors
    /// There is no thread for the watcher.
    pub async fn run(mut self) -> std::io::Result<()> {
        loop {
            match catch_future_panic(pin!(self.follow())).await {
                Ok(ended) => return ended,
                Err(panicked) => {
                    tracing::error!("the reloader of the configuration {panicked}; it begins again");
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn follow(&mut self) -> std::io::Result<()> {
        let mut watcher = Watcher::telling(self.watched().await, self.control.writing().clone()).await?;
        loop {
            let is_forced = tokio::select! {
                _ = watcher.changed() => false,
                _ = self.hangup.recv() => {
                    tracing::info!("SIGHUP: loading {} again", self.door);
                    true
                }
                _ = self.glances.tick() => {
                    if !self.has_news().await {
                        continue;
                    }
                    false
                }
            };
            self.reload(is_forced).await;
            watcher.watch(self.watched().await);
        }
    }

    async fn watched(&self) -> Vec<std::path::PathBuf> {
        self.beside(Control::watched).await.unwrap_or_default()
    }

    /// Whether there is something to be read that the watcher need not tell of.
    async fn has_news(&mut self) -> bool {
        if self.control.state().pending.is_some() {
            return true;
        }
        let news = self.beside(Control::news).await.flatten();
        let is_stable = news.is_some() && news == self.news;
        self.news = news.filter(|_| !is_stable);
        is_stable
    }

    /// Runs what takes the time it takes beside the workers; none if it stopped half-way.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Control) -> T + Send + 'static,
    ) -> Option<T> {
        let control = self.control.clone();
        spawn_blocking(move || work(&control)).await.ok()
    }

    async fn reload(&mut self, is_forced: bool) {
        loop {
            match self.beside(move |control| control.reconcile(is_forced)).await {
                Some(Reconciled::Same | Reconciled::Pending(_)) => return,
                Some(Reconciled::Loaded(loaded)) => return log_load(&self.door, &loaded),
                Some(Reconciled::Refused { report, is_failure: true }) => {
                    let (errors, _) = report.count();
                    let count = plural(errors, "error");
                    tracing::error!(
                        "{} has {count}; the last good configuration goes on\n{report}",
                        self.door
                    );
                    return;
                }
                Some(Reconciled::Refused { .. }) => sleep(SECOND_LOOK).await,
                None => {
                    tracing::error!(
                        "loading {} stopped half-way; the last good configuration goes on",
                        self.door
                    );
                    return;
                }
            }
        }
    }
}

/// Says in the log what a load changed, and what the author should know.
pub fn log_load(door: &ConfigSource, loaded: &LoadedConfig) {
    tracing::info!("loaded {door} (generation {}): {}", loaded.snapshot.generation, loaded.changes);
    if !loaded.warnings.is_empty() {
        let (_, warnings) = loaded.warnings.count();
        tracing::warn!("{door} has {}\n{}", plural(warnings, "warning"), loaded.warnings);
    }
}
