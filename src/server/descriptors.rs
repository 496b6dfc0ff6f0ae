//! Limit of open file descriptors, from which the number of connections follows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for other purposes than connections: listeners, configurations, logs, and a reserve.
const RESERVE: usize = 64;

/// Descriptors that are assumed if there is no limit.
const NO_LIMIT: usize = 1 << 20;

/// Raises the limit as far as the process may, as Kong does for its workers, and returns the number of client connections
/// that it allows, each with a connection to an upstream.
pub(super) fn max_connections() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // On failure the present limit stays.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    let files = getrlimit(Resource::Nofile)
        .current
        .map_or(NO_LIMIT, |most| usize::try_from(most).unwrap_or(NO_LIMIT));
    (files.min(NO_LIMIT).saturating_sub(RESERVE) / 2).max(RESERVE / 2)
}
