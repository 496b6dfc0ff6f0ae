//! Resources that all plugins of the process share.

use std::sync::Arc;

use uuid::Uuid;

use super::{DeliveryTracker, ResponseCache};
use crate::{
    body::BodyBuffers,
    budget::{MemoryBudget, WorkPool},
    ip_network::IpNetwork,
};

/// Resources of all plugins, in every Snapshot. Clones share them.
#[derive(Clone, Debug)]
pub struct Resources {
    /// Identifies this process.
    pub node_id: Uuid,
    /// Tracks log entries until they are delivered.
    pub deliveries: DeliveryTracker,
    /// Threads for work that may take over a millisecond.
    pub pool: WorkPool,
    /// The memory for buffered bodies.
    pub buffers: BodyBuffers,
    /// The memory for counters of rate limits.
    pub counters: MemoryBudget,
    /// Stored responses.
    pub responses: ResponseCache,
    /// Whether settings may hold Lua. (Kong: `untrusted_lua`.)
    pub runs_lua: bool,
    /// Interpreters of Lua.
    #[cfg(feature = "lua")]
    pub lua: super::LuaInterpreters,
    /// Peers that are trusted to name the client. (Kong: `trusted_ips`.)
    pub trusted_networks: Arc<[IpNetwork]>,
    /// Bits of an IPv6 address that identify a client, where clients are identified by address.
    pub ipv6_prefix: u8,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            node_id: Uuid::new_v4(),
            deliveries: DeliveryTracker::default(),
            pool: WorkPool::default(),
            buffers: BodyBuffers::default(),
            counters: MemoryBudget::new(64 << 20),
            responses: ResponseCache::default(),
            runs_lua: true,
            #[cfg(feature = "lua")]
            lua: super::LuaInterpreters::default(),
            trusted_networks: Arc::default(),
            ipv6_prefix: 128,
        }
    }
}
