//! Whether new requests are welcome.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether new requests are welcome: load balancers ask before they send some.
#[derive(Debug, Default)]
pub struct Readiness {
    draining: AtomicBool,
}

impl Readiness {
    /// From now on no new requests are welcome.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether the last requests are being served.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}
