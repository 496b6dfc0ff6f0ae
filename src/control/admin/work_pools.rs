//! Work of the Admin API beside the threads that serve requests: what takes longer with the size of a body or of the
//! configuration.

use std::{sync::Arc, time::Duration};

use http::StatusCode;

use super::{AdminApi, refusal::AdminRefusal};
use crate::budget::{Overloaded, WorkLimits, WorkPool};

/// More writes than this do not wait for their turn.
const MOST_WRITES: usize = 1024;

/// What bounds this work are the sizes of bodies and documents.
const LIMITS: WorkLimits =
    WorkLimits { steps: u64::MAX, bytes: usize::MAX, depth: u32::MAX, time: Duration::from_hours(1) };

/// Where work is done.
#[derive(Debug)]
pub(super) struct Work {
    /// What changes what is current: one at a time, so that those that wait hold no thread.
    writes: WorkPool,
    /// Everything else.
    reads: WorkPool,
}

impl Default for Work {
    fn default() -> Self {
        Self { writes: WorkPool::new(1, MOST_WRITES), reads: WorkPool::default() }
    }
}

impl AdminApi {
    /// Does something that changes what is current, after all that came before.
    pub(super) async fn in_turn<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, AdminRefusal> {
        self.run(&self.work.writes, work).await
    }

    /// Does something else that may take a while.
    pub(super) async fn beside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, AdminRefusal> {
        self.run(&self.work.reads, work).await
    }

    async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        pool: &WorkPool,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, AdminRefusal> {
        let admin = self.clone();
        let plain = |status, message: &str| AdminRefusal::Plain(status, message.to_owned());
        match pool.run(LIMITS, move |_| work(&admin)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err(plain(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred")),
            Err(Overloaded) => Err(plain(StatusCode::SERVICE_UNAVAILABLE, "too many requests wait already")),
        }
    }
}
