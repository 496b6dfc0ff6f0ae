//! Result that is computed once. Concurrent callers wait for the first, and one of them continues if it is cancelled.

/// A result that is computed when it is first requested.
pub type Once<T> = tokio::sync::OnceCell<T>;
