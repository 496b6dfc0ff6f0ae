//! The tries of a request, noted for the logs that tell them.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Instant, UNIX_EPOCH},
};

use super::{UpstreamTiming, units::milliseconds};
use crate::{
    plugin::{UpstreamRecord, UpstreamTry},
    upstream::{self, FailureCause, Peer, Peers, SendFailure, TryOutcome},
};

/// Peers that are watched while a request tries them.
pub(super) struct AttemptRecorder<'a, P> {
    pub(super) peers: P,
    /// What is noted; none if nobody wants to know it.
    sent: Option<&'a Mutex<UpstreamRecord>>,
}

impl<'a, P> AttemptRecorder<'a, P> {
    /// Watches the tries of a request with this target.
    pub(super) fn new(peers: P, sent: Option<&'a Mutex<UpstreamRecord>>, target: &str) -> Self {
        if let Some(sent) = sent {
            target.clone_into(&mut lock(sent).target);
        }
        Self { peers, sent }
    }

    /// Notes how long it took, and what the upstream answered, if it did.
    pub(super) fn finish(
        self,
        hop: UpstreamTiming,
        result: &Result<upstream::UpstreamAnswer, SendFailure>,
    ) -> P {
        if let Some(sent) = self.sent {
            let mut sent = lock(sent);
            sent.before = milliseconds(hop.proxy);
            sent.waiting = milliseconds(hop.waiting);
            sent.status = result.as_ref().ok().map(|answer| answer.response.status());
            let connections = result.as_ref().map_or_else(|failure| failure.tries, |answer| answer.tries);
            // All tries before the last one have asked for a connection.
            let kept = sent.tries.len() > connections as usize;
            if let Some(last) = sent.tries.last_mut() {
                last.kept = kept;
            }
        }
        self.peers
    }
}

impl<P: Peers> Peers for AttemptRecorder<'_, P> {
    async fn next(&mut self) -> Result<Peer, FailureCause> {
        let Some(sent) = self.sent else { return self.peers.next().await };
        let (picked, began) = (UNIX_EPOCH.elapsed().unwrap_or_default(), Instant::now());
        let peer = self.peers.next().await?;
        let one = UpstreamTry {
            address: peer.address,
            picked,
            picking: began.elapsed(),
            kept: false,
            failed: None,
        };
        lock(sent).tries.push(one);
        Ok(peer)
    }

    fn ended(&mut self, outcome: TryOutcome<'_>) {
        if let (Some(sent), Err(cause)) = (self.sent, outcome)
            && let Some(last) = lock(sent).tries.last_mut()
        {
            last.failed = Some(cause.status());
        }
        self.peers.ended(outcome);
    }

    fn width(&self) -> usize {
        self.peers.width()
    }
}

fn lock(sent: &Mutex<UpstreamRecord>) -> MutexGuard<'_, UpstreamRecord> {
    // Noting a number does not panic.
    sent.lock().unwrap_or_else(PoisonError::into_inner)
}
