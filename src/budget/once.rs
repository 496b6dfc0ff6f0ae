//! Results that are made once: those who ask meanwhile wait for the one who makes it, and take over if that one leaves.

/// A result that is made when it is first asked for.
pub type Once<T> = tokio::sync::OnceCell<T>;
