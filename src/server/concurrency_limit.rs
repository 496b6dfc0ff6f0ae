//! Limit of concurrent requests: a request beyond it is refused at once with 503. (`max_concurrent_requests`)

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Shortest time between two log lines about refused requests.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Limit of concurrent requests.
#[derive(Debug)]
pub(super) struct ConcurrencyLimit {
    max: usize,
    current: AtomicUsize,
    /// Requests that were refused since the last log line.
    refused: AtomicUsize,
    last_logged: Mutex<Option<Instant>>,
}

/// Permit of one request, which is returned when it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<ConcurrencyLimit>);

impl ConcurrencyLimit {
    /// A limit of `max` requests at a time.
    pub(super) fn new(max: NonZeroUsize) -> Self {
        let (current, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { max: max.get(), current, refused, last_logged: Mutex::default() }
    }

    /// Takes a permit; `None` if the limit is reached.
    pub(super) fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        // Created before the check: dropping it undoes the addition if the limit is reached.
        let permit = Permit(Arc::clone(self));
        if self.current.fetch_add(1, Relaxed) < self.max {
            return Some(permit);
        }
        drop(permit);
        self.refused.fetch_add(1, Relaxed);
        self.log_refusals();
        None
    }

    fn log_refusals(&self) {
        // A time holds no invariant that a panic could break.
        let mut last_logged = self.last_logged.lock().unwrap_or_else(PoisonError::into_inner);
        if last_logged.is_some_and(|time| time.elapsed() < LOG_INTERVAL) {
            return;
        }
        *last_logged = Some(Instant::now());
        let (max, refused) = (self.max, self.refused.swap(0, Relaxed));
        tracing::warn!(
            "requests refused with 503: {refused}; {max} are being answered, the limit of max_concurrent_requests"
        );
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.current.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_ends_returns_its_permit() {
        let limit = Arc::new(ConcurrencyLimit::new(NonZeroUsize::new(2).unwrap()));
        let first = limit.try_acquire();
        let second = limit.try_acquire();
        assert!(first.is_some() && second.is_some());
        assert!(limit.try_acquire().is_none());
        assert!(limit.try_acquire().is_none());
        drop(first);
        let third = limit.try_acquire();
        assert!(third.is_some());
        assert!(limit.try_acquire().is_none());
    }
}
