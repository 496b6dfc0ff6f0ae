//! Supervision: a panic is logged, ends the piece of work that it happened in, and nothing else.
//!
//! | what panics | what becomes of it |
//! |---|---|
//! | a task or thread that lives as long as the process | it begins again, after a pause ([`supervise`], [`supervise_thread`]) |
//! | one piece of work of many: a request, a check, a delivery | it has failed ([`catch_panic`], [`catch_future_panic`]) |

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

/// The pause before a task begins again; each one is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A piece of work panicked, with this message.
#[derive(Debug)]
pub struct CaughtPanic(String);

/// Does a piece of work. What it uses has to be in order, or dropped, also after it stopped half-way.
///
/// # Errors
/// If it panicked.
pub fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, CaughtPanic> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| CaughtPanic::from(&*panic))
}

/// Waits for a piece of work, as [`catch_panic`] does it. One that panicked must not be polled again.
pub const fn catch_future_panic<F: Future + ?Sized>(work: Pin<&mut F>) -> CatchPanic<'_, F> {
    CatchPanic(work)
}

/// A piece of work whose panic is an error.
#[derive(Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct CatchPanic<'a, F: ?Sized>(Pin<&'a mut F>);

impl<F: Future + ?Sized> Future for CatchPanic<'_, F> {
    type Output = Result<F::Output, CaughtPanic>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_panic(|| self.0.as_mut().poll(context)) {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panicked) => Poll::Ready(Err(panicked)),
        }
    }
}

/// Runs a task until it returns; one that panics is begun again.
pub async fn supervise<F: Future<Output = ()>>(name: &str, mut begin: impl FnMut() -> F) {
    let mut pauses = Pauses::default();
    while let Err(panicked) = catch_future_panic(pin!(begin())).await {
        tokio::time::sleep(pauses.next(name, &panicked)).await;
    }
}

/// Does the same on this thread, which serves no requests.
#[expect(clippy::disallowed_methods, reason = "this thread serves no requests")]
pub fn supervise_thread(name: &str, mut run: impl FnMut()) {
    let mut pauses = Pauses::default();
    while let Err(panicked) = catch_panic(&mut run) {
        std::thread::sleep(pauses.next(name, &panicked));
    }
}

/// How long to wait before a task begins again.
struct Pauses {
    next: Duration,
    began: Instant,
}

impl Pauses {
    fn next(&mut self, name: &str, panicked: &CaughtPanic) -> Duration {
        if self.began.elapsed() > LONGEST_PAUSE {
            self.next = FIRST_PAUSE;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        self.began = Instant::now() + pause;
        tracing::error!("{name}: {panicked}; it begins again in {} ms", pause.as_millis());
        pause
    }
}

impl Default for Pauses {
    fn default() -> Self {
        Self { next: FIRST_PAUSE, began: Instant::now() }
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
        let odd = catch_panic(|| std::panic::panic_any(1)).unwrap_err();
        assert_eq!(odd.to_string(), "panicked: without a message");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_begins_again_until_it_returns() {
        let began = Cell::new(0);
        let task = || async {
            began.set(began.get() + 1);
            tokio::task::yield_now().await;
            assert!(began.get() == 4, "as intended");
        };
        supervise("test", task).await;
        assert_eq!(began.get(), 4);
    }

    #[test]
    fn a_thread_goes_on_with_what_it_has() {
        let mut left = vec![1, 2, 3];
        supervise_thread("test", || {
            while let Some(next) = left.pop() {
                assert!(next != 2, "as intended");
            }
        });
        assert!(left.is_empty());
    }
}
