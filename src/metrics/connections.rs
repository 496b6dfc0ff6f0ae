//! States of client connections. The connection reaper sets them at its checks, so they are as old as the last check.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// States of all connections of the process.
#[derive(Clone, Debug, Default)]
pub struct ConnectionCounters {
    /// Connections of the proxy listeners.
    pub proxy: Arc<ListenerCounters>,
    /// Connections of the Admin API and the status listeners.
    pub admin: Arc<ListenerCounters>,
}

/// States of the connections of a listener group.
#[derive(Debug, Default)]
pub struct ListenerCounters {
    accepted: AtomicU64,
    requests: AtomicU64,
    reading: AtomicU64,
    writing: AtomicU64,
    waiting: AtomicU64,
}

/// Numbers of connections by state, with nginx's names. (nginx: `ngx_http_stub_status_module`.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionStates {
    /// All connections that were accepted.
    pub accepted: u64,
    /// All requests so far.
    pub requests: u64,
    /// Connections on which the head of a request is being read.
    pub reading: u64,
    /// Connections with a request that is being answered.
    pub writing: u64,
    /// Idle connections.
    pub waiting: u64,
}

impl ListenerCounters {
    /// Sets the present states.
    pub fn set(&self, states: ConnectionStates) {
        self.accepted.store(states.accepted, Relaxed);
        self.requests.store(states.requests, Relaxed);
        self.reading.store(states.reading, Relaxed);
        self.writing.store(states.writing, Relaxed);
        self.waiting.store(states.waiting, Relaxed);
    }

    fn states(&self) -> ConnectionStates {
        ConnectionStates {
            accepted: self.accepted.load(Relaxed),
            requests: self.requests.load(Relaxed),
            reading: self.reading.load(Relaxed),
            writing: self.writing.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
        }
    }
}

impl ConnectionCounters {
    /// The states of all connections.
    #[must_use]
    pub fn states(&self) -> ConnectionStates {
        let (proxy, admin) = (self.proxy.states(), self.admin.states());
        ConnectionStates {
            accepted: proxy.accepted + admin.accepted,
            requests: proxy.requests + admin.requests,
            reading: proxy.reading + admin.reading,
            writing: proxy.writing + admin.writing,
            waiting: proxy.waiting + admin.waiting,
        }
    }
}

impl ConnectionStates {
    /// Number of open connections.
    #[must_use]
    pub const fn active(&self) -> u64 {
        self.reading + self.writing + self.waiting
    }
}
