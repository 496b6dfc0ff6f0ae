//! What clients' connections are doing. Who watches the connections notes it here now and then, and so it is as old as
//! the last look.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// All connections of the process.
#[derive(Clone, Debug, Default)]
pub struct ConnectionCounters {
    /// Those of the proxy.
    pub proxy: Arc<ListenerCounters>,
    /// Those of the Admin API and the status.
    pub admin: Arc<ListenerCounters>,
}

/// Connections that are watched together.
#[derive(Debug, Default)]
pub struct ListenerCounters {
    accepted: AtomicU64,
    requests: AtomicU64,
    reading: AtomicU64,
    writing: AtomicU64,
    waiting: AtomicU64,
}

/// What connections are doing, under nginx's names. (nginx: `ngx_http_stub_status_module`.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionStates {
    /// All that were ever accepted.
    pub accepted: u64,
    /// All requests that were ever begun.
    pub requests: u64,
    /// Those whose next request has begun to come.
    pub reading: u64,
    /// Those with a request that is being answered.
    pub writing: u64,
    /// Those that are idle.
    pub waiting: u64,
}

impl ListenerCounters {
    /// Notes what they are doing now.
    pub fn note(&self, doing: ConnectionStates) {
        self.accepted.store(doing.accepted, Relaxed);
        self.requests.store(doing.requests, Relaxed);
        self.reading.store(doing.reading, Relaxed);
        self.writing.store(doing.writing, Relaxed);
        self.waiting.store(doing.waiting, Relaxed);
    }

    fn doing(&self) -> ConnectionStates {
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
    /// What all of them are doing.
    #[must_use]
    pub fn doing(&self) -> ConnectionStates {
        let (proxy, admin) = (self.proxy.doing(), self.admin.doing());
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
    /// Those that are open.
    #[must_use]
    pub const fn active(&self) -> u64 {
        self.reading + self.writing + self.waiting
    }
}
