//! Supervision: a panic is logged and ends only the task, request or check in which it happens.
//!
//! | what panics | consequence |
//! |---|---|
//! | a task or thread that lives as long as the process | restarted after a pause ([`supervise`], [`supervise_thread`]) |
//! | one request, check or delivery | it fails ([`catch_panic`], [`catch_future_panic`]) |

use std::{
    any::Any,
    error::Error,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// First and longest pause before a restart; each pause is twice as long as the previous one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Caught panic, with its message.
#[derive(Debug)]
pub struct CaughtPanic(String);

/// Calls `work` and catches a panic. Values that `work` uses must be consistent, or dropped, after a panic.
///
/// # Errors
/// `work` panicked.
pub fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, CaughtPanic> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| CaughtPanic::from(&*panic))
}

/// A future that polls `work` and catches a panic, like [`catch_panic`]. After a panic, `work` must not be polled again.
pub const fn catch_future_panic<F: Future + ?Sized>(work: Pin<&mut F>) -> CatchPanic<'_, F> {
    CatchPanic(work)
}

/// Future of [`catch_future_panic`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct CatchPanic<'a, F: ?Sized>(Pin<&'a mut F>);

impl<F: Future + ?Sized> Future for CatchPanic<'_, F> {
    type Output = Result<F::Output, CaughtPanic>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_panic(|| self.0.as_mut().poll(context)) {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

/// Runs a task until it returns, and restarts it after a panic.
pub async fn supervise<F: Future<Output = ()>>(name: &str, mut start: impl FnMut() -> F) {
    let mut pauses = RestartPauses::default();
    while let Err(panic) = catch_future_panic(pin!(start())).await {
        tokio::time::sleep(pauses.next(name, &panic)).await;
    }
}

/// Runs a function on this thread until it returns, and restarts it after a panic. The thread must not serve requests.
#[expect(clippy::disallowed_methods, reason = "this thread serves no requests")]
pub fn supervise_thread(name: &str, mut run: impl FnMut()) {
    let mut pauses = RestartPauses::default();
    while let Err(panic) = catch_panic(&mut run) {
        std::thread::sleep(pauses.next(name, &panic));
    }
}

/// Pauses before restarts of a task. A task that ran longer than the longest pause starts again with the first one.
struct RestartPauses {
    next: Duration,
    last_start: Instant,
}

impl RestartPauses {
    fn next(&mut self, name: &str, panic: &CaughtPanic) -> Duration {
        if self.last_start.elapsed() > LONGEST_PAUSE {
            self.next = FIRST_PAUSE;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        self.last_start = Instant::now() + pause;
        tracing::error!("{name}: {panic}; it is restarted in {} ms", pause.as_millis());
        pause
    }
}

impl Default for RestartPauses {
    fn default() -> Self {
        Self { next: FIRST_PAUSE, last_start: Instant::now() }
    }
}

impl From<&(dyn Any + Send)> for CaughtPanic {
    fn from(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self(text.unwrap_or("without a message").to_owned())
    }
}

impl fmt::Display for CaughtPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.0)
    }
}

impl Error for CaughtPanic {}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        assert_eq!(catch_panic(|| 1).unwrap(), 1);
        let text = "of a text".to_owned();
        assert_eq!(catch_panic(|| panic!("{text}")).unwrap_err().to_string(), "panicked: of a text");
        assert_eq!(catch_panic(|| panic!("plain")).unwrap_err().to_string(), "panicked: plain");
        let without_text = catch_panic(|| std::panic::panic_any(1)).unwrap_err();
        assert_eq!(without_text.to_string(), "panicked: without a message");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_is_restarted_until_it_returns() {
        let starts = Cell::new(0);
        let task = || async {
            starts.set(starts.get() + 1);
            tokio::task::yield_now().await;
            assert!(starts.get() == 4, "as intended");
        };
        supervise("test", task).await;
        assert_eq!(starts.get(), 4);
    }

    #[test]
    fn a_restarted_thread_keeps_its_state() {
        let mut remaining = vec![1, 2, 3];
        supervise_thread("test", || {
            while let Some(next) = remaining.pop() {
                assert!(next != 2, "as intended");
            }
        });
        assert!(remaining.is_empty());
    }
}
