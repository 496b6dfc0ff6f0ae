//! Worker pools of the Admin API for work that grows with the size of a body or of the configuration.

use std::{sync::Arc, time::Duration};

use http::StatusCode;

use super::{AdminApi, refusal::AdminRefusal};
use crate::budget::{Overloaded, WorkLimits, WorkPool};

/// Longest queue of writes; further writes are refused.
const MAX_QUEUED_WRITES: usize = 1024;

/// The work is bounded by the sizes of bodies and documents, so the pool sets no limits of its own.
const LIMITS: WorkLimits =
    WorkLimits { steps: u64::MAX, bytes: usize::MAX, depth: u32::MAX, time: Duration::from_hours(1) };

/// Worker pools of the Admin API.
#[derive(Debug)]
pub(super) struct AdminWorkPools {
    /// Writes and loads. They run one at a time, so those that wait occupy no thread.
    writes: WorkPool,
    /// Everything else.
    reads: WorkPool,
}

impl Default for AdminWorkPools {
    fn default() -> Self {
        Self { writes: WorkPool::new(1, MAX_QUEUED_WRITES), reads: WorkPool::default() }
    }
}

impl AdminApi {
    /// Runs work that changes the live configuration, after all such work before it.
    pub(super) async fn run_write<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, AdminRefusal> {
        self.run(&self.work_pools.writes, work).await
    }

    /// Runs other work that may take long.
    pub(super) async fn run_read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, AdminRefusal> {
        self.run(&self.work_pools.reads, work).await
    }

    async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        pool: &WorkPool,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, AdminRefusal> {
        let admin = self.clone();
        match pool.run(LIMITS, move |_| work(&admin)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err(AdminRefusal::status(StatusCode::INTERNAL_SERVER_ERROR)),
            Err(Overloaded) => {
                Err(AdminRefusal::plain(StatusCode::SERVICE_UNAVAILABLE, "too many requests are queued"))
            }
        }
    }
}
