//! Timer that is polled often and rarely expires.
//!
//! Setting a timer costs more than reading its deadline, and nearly every deadline is met. So the timer of a connection is
//! reset only when it would expire too late, or has expired too early.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// The timer of one connection.
#[derive(Debug)]
pub(super) struct LazyTimer(Option<Pin<Box<Sleep>>>);

impl LazyTimer {
    /// A timer that is not set.
    pub(super) const fn new() -> Self {
        Self(None)
    }

    /// Waits until `deadline`.
    pub(super) fn poll(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// Drops the waker of the task that polled last, which may have ended long before the timer expires.
    pub(super) fn clear_waker(&mut self) {
        if let Some(sleep) = &mut self.0 {
            let _ = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_timer_expires_at_the_last_deadline() {
        let began = Instant::now();
        let seconds = |number| began + Duration::from_secs(number);
        let mut timer = LazyTimer::new();
        for (ask, deadline) in [(10, 10), (20, 20), (25, 22), (30, 25)] {
            // It is polled with a later deadline, and then with an earlier one.
            let early = poll_fn(|context| Poll::Ready(timer.poll(seconds(ask), context))).await;
            assert!(early.is_pending());
            timer.clear_waker();
            poll_fn(|context| timer.poll(seconds(deadline), context)).await;
            assert_eq!(Instant::now(), seconds(deadline));
        }
    }
}
