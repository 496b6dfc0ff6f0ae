//! Resources that all plugins of a process share.

use super::DeliveryTracker;
use crate::{
    body::BodyBuffers,
    budget::{MemoryBudget, WorkPool},
};

/// What all plugins of a process share, whichever Snapshot they belong to. A clone is another handle to the same.
#[derive(Clone, Debug)]
pub struct Resources {
    /// Where what is delivered after requests is counted until it is.
    pub deliveries: DeliveryTracker,
    /// Where work runs that may take over a millisecond.
    pub pool: WorkPool,
    /// The memory for bodies that are held.
    pub buffers: BodyBuffers,
    /// The memory for counters of clients.
    pub counters: MemoryBudget,
    /// How many bits of an IPv6 address tell clients apart, where they are told apart by address.
    pub ipv6_prefix: u8,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            deliveries: DeliveryTracker::default(),
            pool: WorkPool::default(),
            buffers: BodyBuffers::default(),
            counters: MemoryBudget::new(64 << 20),
            ipv6_prefix: 128,
        }
    }
}
