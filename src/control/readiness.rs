//! Readiness of the process for new requests.

use std::sync::atomic::{AtomicBool, Ordering};

/// Readiness of the process: whether new requests are accepted. Load balancers query it at `/status/ready`.
#[derive(Debug, Default)]
pub struct Readiness {
    draining: AtomicBool,
}

impl Readiness {
    /// Ends readiness: the process only finishes the requests that it has.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether the process only finishes its last requests.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}
