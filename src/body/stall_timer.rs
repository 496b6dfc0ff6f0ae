//! Timer for the pause between two frames of a body.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// Ends a pause that is longer than a limit. The timer is made at the first pause, and then used again.
#[derive(Debug)]
pub struct StallTimer {
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    is_running: bool,
}

impl StallTimer {
    /// A timer that is not running.
    #[must_use]
    pub const fn new(limit: Duration) -> Self {
        Self { limit, sleep: None, is_running: false }
    }

    /// Starts the timer if it is not running; ready once the limit has passed since then.
    pub fn poll_expired(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(self.limit)));
        if !self.is_running {
            self.is_running = true;
            sleep.as_mut().reset(Instant::now() + self.limit);
        }
        sleep.as_mut().poll(context)
    }

    /// Stops the timer: a frame has arrived.
    pub const fn stop(&mut self) {
        self.is_running = false;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_pause_has_the_whole_limit() {
        let began = Instant::now();
        let limit = Duration::from_secs(10);
        let mut timer = StallTimer::new(limit);
        for _ in 0..3 {
            assert!(poll_fn(|context| Poll::Ready(timer.poll_expired(context))).await.is_pending());
            sleep(Duration::from_secs(9)).await;
            timer.stop();
        }
        poll_fn(|context| timer.poll_expired(context)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(27) + limit);
    }
}
