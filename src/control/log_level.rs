//! Log level of the process, and its change at run time. (Kong: Admin API, "Set node log level".)

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::settings::LogLevel;

/// Handle of the log level.
pub struct LogLevelHandle {
    usual: LogLevel,
    state: Mutex<LevelState>,
    apply: Box<dyn Fn(LogLevel) + Send + Sync>,
}

#[derive(Clone, Copy, Debug)]
struct LevelState {
    level: LogLevel,
    /// Number of changes, so that the expiry of one change does not undo a later one.
    changes: u64,
}

impl LogLevelHandle {
    /// Starts at the level `usual`; `apply` sets another level in the logger.
    pub fn new(usual: LogLevel, apply: impl Fn(LogLevel) + Send + Sync + 'static) -> Arc<Self> {
        let state = Mutex::new(LevelState { level: usual, changes: 0 });
        Arc::new(Self { usual, state, apply: Box::new(apply) })
    }

    /// The current level.
    #[must_use]
    pub fn level(&self) -> LogLevel {
        self.lock().level
    }

    /// Sets the level, and restores the usual one after `time` if it is given. Returns false if the level is already
    /// set. Must be called on the runtime.
    pub fn set(self: &Arc<Self>, level: LogLevel, time: Option<Duration>) -> bool {
        if self.level() == level {
            return false;
        }
        let change = self.change(level);
        if let Some(time) = time {
            let handle = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                if handle.lock().changes == change {
                    handle.change(handle.usual);
                }
            });
        }
        true
    }

    fn change(&self, level: LogLevel) -> u64 {
        let mut state = self.lock();
        *state = LevelState { level, changes: state.changes + 1 };
        (self.apply)(level);
        tracing::info!("log level set to {}", level.name());
        state.changes
    }

    fn lock(&self) -> MutexGuard<'_, LevelState> {
        // A level has no invariant that a panic could break.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LogLevelHandle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("LogLevelHandle").field("level", &self.level()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A handle, and the levels that it has applied, in order.
    fn log_level() -> (Arc<LogLevelHandle>, Arc<Mutex<Vec<LogLevel>>>) {
        let applied = Arc::new(Mutex::new(Vec::new()));
        let levels = Arc::clone(&applied);
        (LogLevelHandle::new(LogLevel::Notice, move |level| levels.lock().unwrap().push(level)), applied)
    }

    #[tokio::test(start_paused = true)]
    async fn a_level_is_restored_after_its_time() {
        let (log_level, applied) = log_level();
        assert!(!log_level.set(LogLevel::Notice, None));
        assert!(log_level.set(LogLevel::Debug, Some(Duration::from_mins(1))));
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(log_level.level(), LogLevel::Debug);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(log_level.level(), LogLevel::Notice);
        assert_eq!(*applied.lock().unwrap(), [LogLevel::Debug, LogLevel::Notice]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_expiry_of_a_change_does_not_undo_a_later_one() {
        let (log_level, _) = log_level();
        assert!(log_level.set(LogLevel::Debug, Some(Duration::from_secs(1))));
        assert!(log_level.set(LogLevel::Error, None));
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(log_level.level(), LogLevel::Error);
    }
}
