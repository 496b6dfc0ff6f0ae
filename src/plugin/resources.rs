//! Resources that all plugins of a process share.

use super::Outbox;
use crate::{body::BodyBuffers, budget::WorkPool};

/// What all plugins of a process share, whichever Snapshot they belong to. A clone is another handle to the same.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// Where what is delivered after requests is counted until it is.
    pub outbox: Outbox,
    /// Where work runs that may take over a millisecond.
    pub pool: WorkPool,
    /// The memory for bodies that are held.
    pub buffers: BodyBuffers,
}
