//! Pool of threads for work that may take over a millisecond, with a bounded queue.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{Budget, Cancellation, Exhausted, WorkLimits};

/// Runs long work on threads of its own: a limited number of pieces at a time, a limited number queued, each cancelled when
/// the future that waits for it is dropped. Clones share the limits.
#[derive(Clone, Debug)]
pub struct WorkPool {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// Error: the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overloaded;

/// Cancels a piece of work whose result is no longer awaited.
struct CancelOnDrop(Cancellation);

impl WorkPool {
    /// A pool that runs at most `running` pieces of work at a time, and queues at most `waiting` more.
    #[must_use]
    pub fn new(running: usize, waiting: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running)),
            waiting: Arc::new(Semaphore::new(running + waiting)),
        }
    }

    /// Runs `work` with a budget of `limits`, whose time begins when the work does.
    ///
    /// # Errors
    /// [`Overloaded`] if the queue is full. Inside, [`Exhausted::Cancelled`] if the work panicked or the process is shutting
    /// down.
    pub async fn run<T: Send + 'static>(
        &self,
        limits: WorkLimits,
        work: impl FnOnce(&Budget) -> T + Send + 'static,
    ) -> Result<Result<T, Exhausted>, Overloaded> {
        let queue_permit = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| Overloaded)?;
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&self.running).acquire_owned().await else { return Err(Overloaded) };
        let cancellation = Cancellation::default();
        let guard = CancelOnDrop(cancellation.clone());
        let task = tokio::task::spawn_blocking(move || {
            // The permits are held while the work runs, even if its result is no longer awaited.
            let _permits = (queue_permit, permit);
            work(&Budget::cancelled_by(limits, cancellation))
        });
        let result = task.await.map_err(|error| {
            tracing::error!("work in the pool failed: {error}");
            Exhausted::Cancelled
        });
        drop(guard);
        Ok(result)
    }
}

impl Default for WorkPool {
    /// One piece of work at a time for each processor, and 64 queued for each.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(processors, 64 * processors)
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    const LIMITS: WorkLimits =
        WorkLimits { steps: u64::MAX, bytes: 0, depth: 0, time: Duration::from_mins(10) };

    #[tokio::test]
    async fn work_ends_when_its_result_is_no_longer_awaited() {
        let pool = WorkPool::new(1, 0);
        let (sender, ended) = mpsc::channel();
        let started = Arc::new(tokio::sync::Notify::new());
        let working = started.clone();
        let task = tokio::spawn({
            let pool = pool.clone();
            async move {
                let work = move |budget: &Budget| {
                    working.notify_one();
                    while budget.spend(1).is_ok() {}
                    sender.send(budget.exhausted()).unwrap();
                };
                pool.run(LIMITS, work).await
            }
        });
        started.notified().await;
        assert!(matches!(pool.run(LIMITS, |_| ()).await, Err(Overloaded)));
        task.abort();
        let exhausted = tokio::task::spawn_blocking(move || ended.recv().unwrap()).await.unwrap();
        assert_eq!(exhausted, Some(Exhausted::Cancelled));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_the_work_and_releases_its_permits() {
        let pool = WorkPool::new(1, 0);
        let panicked = pool
            .run(LIMITS, |_| {
                assert!(std::hint::black_box(false), "as intended");
            })
            .await;
        assert_eq!(panicked, Ok(Err(Exhausted::Cancelled)));
        assert_eq!(pool.run(LIMITS, |_| 1).await, Ok(Ok(1)));
    }
}
