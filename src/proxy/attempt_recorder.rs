//! Recorder of the attempts to send a request upstream, for the plugins that log them.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Instant, UNIX_EPOCH},
};

use super::{UpstreamTiming, log_values::milliseconds};
use crate::{
    plugin::{UpstreamAttempt, UpstreamRecord},
    upstream::{self, AttemptOutcome, FailureCause, Peer, Peers, SendFailure},
};

/// Peers, with a record of each attempt on one of them.
pub(super) struct AttemptRecorder<'a, P> {
    pub(super) peers: P,
    /// The record; `None` if no plugin logs the request.
    sent: Option<&'a Mutex<UpstreamRecord>>,
}

impl<'a, P> AttemptRecorder<'a, P> {
    /// Records the attempts of a request with this target.
    pub(super) fn new(peers: P, sent: Option<&'a Mutex<UpstreamRecord>>, target: &str) -> Self {
        if let Some(sent) = sent {
            target.clone_into(&mut lock(sent).target);
        }
        Self { peers, sent }
    }

    /// Records the times of the request and the status of the response, if there is one.
    pub(super) fn finish(
        self,
        timing: UpstreamTiming,
        result: &Result<upstream::UpstreamAnswer, SendFailure>,
    ) -> P {
        if let Some(sent) = self.sent {
            let mut sent = lock(sent);
            sent.gateway_latency = milliseconds(timing.proxy_latency);
            sent.upstream_latency = milliseconds(timing.upstream_latency);
            sent.status = result.as_ref().ok().map(|answer| answer.response.status());
            let connections =
                result.as_ref().map_or_else(|failure| failure.attempts, |answer| answer.attempts);
            // Each attempt before the last one has opened a connection, so the last one used an idle connection if
            // fewer connections were opened than attempts made.
            let reused = sent.attempts.len() > connections as usize;
            if let Some(last) = sent.attempts.last_mut() {
                last.reused = reused;
            }
        }
        self.peers
    }
}

impl<P: Peers> Peers for AttemptRecorder<'_, P> {
    async fn next(&mut self) -> Result<Peer, FailureCause> {
        let Some(sent) = self.sent else { return self.peers.next().await };
        let (picked_at, start) = (UNIX_EPOCH.elapsed().unwrap_or_default(), Instant::now());
        let peer = self.peers.next().await?;
        let attempt = UpstreamAttempt {
            address: peer.address,
            picked_at,
            pick_duration: start.elapsed(),
            reused: false,
            failure_status: None,
        };
        lock(sent).attempts.push(attempt);
        Ok(peer)
    }

    fn report_outcome(&mut self, outcome: AttemptOutcome<'_>) {
        if let (Some(sent), Err(cause)) = (self.sent, outcome)
            && let Some(last) = lock(sent).attempts.last_mut()
        {
            last.failure_status = Some(cause.status());
        }
        self.peers.report_outcome(outcome);
    }

    fn min_attempts(&self) -> usize {
        self.peers.min_attempts()
    }
}

fn lock(sent: &Mutex<UpstreamRecord>) -> MutexGuard<'_, UpstreamRecord> {
    // A record holds no invariant that a panic could break.
    sent.lock().unwrap_or_else(PoisonError::into_inner)
}
