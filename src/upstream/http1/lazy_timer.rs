//! A timer that is asked often and rarely goes off.
//!
//! Setting a timer costs more than looking at one, and nearly every deadline is met. So the timer of a connection is
//! moved only when it would go off too late, or has gone off too early.

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

    /// Forgets who has waited, who may be gone for long when it goes off.
    pub(super) fn rest(&mut self) {
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
    async fn it_goes_off_at_the_deadline_it_was_asked_for_last() {
        let began = Instant::now();
        let seconds = |number| began + Duration::from_secs(number);
        let mut alarm = LazyTimer::new();
        for (ask, deadline) in [(10, 10), (20, 20), (25, 22), (30, 25)] {
            // Somebody is content with a later one, and then asks for the earlier one again.
            let early = poll_fn(|context| Poll::Ready(alarm.poll(seconds(ask), context))).await;
            assert!(early.is_pending());
            alarm.rest();
            poll_fn(|context| alarm.poll(seconds(deadline), context)).await;
            assert_eq!(Instant::now(), seconds(deadline));
        }
    }
}
