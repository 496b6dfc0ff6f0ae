//! How many files the process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are not connections of clients: listeners, configurations, logs, and some to spare.
const RESERVE: usize = 64;

/// What is assumed where there is no limit.
const NO_LIMIT: usize = 1 << 20;

/// Raises the limit as far as the process may, as Kong does for its workers, and tells how many connections of
/// clients there is room for, each with one to an upstream.
pub(super) fn connections() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Then what there is has to do.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    let files = getrlimit(Resource::Nofile)
        .current
        .map_or(NO_LIMIT, |most| usize::try_from(most).unwrap_or(NO_LIMIT));
    (files.min(NO_LIMIT).saturating_sub(RESERVE) / 2).max(RESERVE / 2)
}
