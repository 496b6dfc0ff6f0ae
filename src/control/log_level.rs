//! How much the process logs, and how that is changed while it runs. (Kong: Admin API, "Set node log level".)

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::settings::LogLevel;

/// How much the process logs.
pub struct LogLevelHandle {
    usual: LogLevel,
    now: Mutex<CurrentLevel>,
    apply: Box<dyn Fn(LogLevel) + Send + Sync>,
}

#[derive(Clone, Copy, Debug)]
struct CurrentLevel {
    level: LogLevel,
    /// Counts changes, so that the end of one does not end those that came after it.
    changes: u64,
}

impl LogLevelHandle {
    /// Logs from the level `usual` on; `apply` makes another level hold.
    pub fn new(usual: LogLevel, apply: impl Fn(LogLevel) + Send + Sync + 'static) -> Arc<Self> {
        let now = Mutex::new(CurrentLevel { level: usual, changes: 0 });
        Arc::new(Self { usual, now, apply: Box::new(apply) })
    }

    /// The level from which on messages are logged.
    #[must_use]
    pub fn level(&self) -> LogLevel {
        self.now().level
    }

    /// Logs from another level on, and from the usual one again after some time if one is given; false if nothing is
    /// to be changed. Must be called on the runtime.
    pub fn set(self: &Arc<Self>, level: LogLevel, time: Option<Duration>) -> bool {
        if self.level() == level {
            return false;
        }
        let change = self.change(level);
        if let Some(time) = time {
            let own = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                if own.now().changes == change {
                    own.change(own.usual);
                }
            });
        }
        true
    }

    fn change(&self, level: LogLevel) -> u64 {
        let mut now = self.now();
        *now = CurrentLevel { level, changes: now.changes + 1 };
        (self.apply)(level);
        tracing::info!("the log level is {} now", level.name());
        now.changes
    }

    fn now(&self) -> MutexGuard<'_, CurrentLevel> {
        // A level holds no invariant that a panic could break.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LogLevelHandle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Verbosity").field("level", &self.level()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was applied, in its order.
    fn verbosity() -> (Arc<LogLevelHandle>, Arc<Mutex<Vec<LogLevel>>>) {
        let applied = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&applied);
        (LogLevelHandle::new(LogLevel::Notice, move |level| to.lock().unwrap().push(level)), applied)
    }

    #[tokio::test(start_paused = true)]
    async fn a_level_ends_after_its_time() {
        let (verbosity, applied) = verbosity();
        assert!(!verbosity.set(LogLevel::Notice, None));
        assert!(verbosity.set(LogLevel::Debug, Some(Duration::from_mins(1))));
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(verbosity.level(), LogLevel::Debug);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(verbosity.level(), LogLevel::Notice);
        assert_eq!(*applied.lock().unwrap(), [LogLevel::Debug, LogLevel::Notice]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_change_counts() {
        let (verbosity, _) = verbosity();
        assert!(verbosity.set(LogLevel::Debug, Some(Duration::from_secs(1))));
        assert!(verbosity.set(LogLevel::Error, None));
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(verbosity.level(), LogLevel::Error);
    }
}
