//! Ring of the peers in use, and the algorithms that pick one. A ring is immutable: a change of health or addresses builds
//! a new one.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    hash_ring::HashRing,
    peer::{TargetPeer, clock},
    weighted_round_robin,
};
use crate::entity::Algorithm;

/// Peers in use, with the data of the algorithm.
#[derive(Debug, Default)]
pub(super) struct PeerRing {
    pub(super) peers: Vec<Arc<TargetPeer>>,
    order: PickOrder,
    /// Whether enough of the weight is healthy. (Kong: `healthchecks.threshold`)
    is_open: bool,
}

/// Data of the algorithm.
#[derive(Debug)]
enum PickOrder {
    /// Sequence of peers for weighted round-robin.
    RoundRobin(Vec<u32>),
    /// Healthy peers, of which the one with the least cost is picked.
    LeastCost(PeerCost, Vec<u32>),
    /// Ring of points for consistent hashing.
    Hash(HashRing),
}

/// Cost of a peer.
#[derive(Clone, Copy, Debug)]
enum PeerCost {
    LeastConnections,
    Latency,
}

impl Default for PickOrder {
    fn default() -> Self {
        Self::RoundRobin(Vec::new())
    }
}

impl PeerRing {
    /// A ring of these peers. None is picked unless more than `threshold` per cent of the weight is healthy.
    pub(super) fn new(algorithm: Algorithm, slots: u32, peers: Vec<Arc<TargetPeer>>, threshold: f64) -> Self {
        // The health of each peer is read once; a change afterwards builds a new ring.
        let health: Vec<bool> = peers.iter().map(|peer| peer.is_healthy()).collect();
        let healthy_indexes = || {
            (0_u32..).zip(&health).filter(|(_, is_healthy)| **is_healthy).map(|(index, _)| index).collect()
        };
        let order = match algorithm {
            Algorithm::RoundRobin => {
                let weight =
                    |(peer, is_healthy): (&Arc<TargetPeer>, &bool)| if *is_healthy { peer.weight } else { 0 };
                PickOrder::RoundRobin(weighted_round_robin::pick_sequence(
                    &peers.iter().zip(&health).map(weight).collect::<Vec<_>>(),
                ))
            }
            Algorithm::LeastConnections => {
                PickOrder::LeastCost(PeerCost::LeastConnections, healthy_indexes())
            }
            Algorithm::Latency => PickOrder::LeastCost(PeerCost::Latency, healthy_indexes()),
            Algorithm::ConsistentHashing => {
                let all: Vec<(SocketAddr, u32)> =
                    peers.iter().map(|peer| (peer.endpoint.address, peer.weight)).collect();
                PickOrder::Hash(HashRing::new(slots, &all, |index| {
                    health.get(index).is_some_and(|is_healthy| *is_healthy)
                }))
            }
        };
        let all = peers.iter().zip(&health);
        let total: f64 = all.clone().map(|(peer, _)| f64::from(peer.weight)).sum();
        let healthy: f64 =
            all.filter(|(_, is_healthy)| **is_healthy).map(|(peer, _)| f64::from(peer.weight)).sum();
        let is_open = healthy * 100.0 > threshold * total;
        Self { peers, order, is_open }
    }

    /// Whether a peer can be picked.
    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Picks a peer for a request, if possible none on which an attempt has failed. `turn` counts requests.
    pub(super) fn pick(
        &self,
        turn: &AtomicUsize,
        hash: u32,
        failed: &[Arc<TargetPeer>],
    ) -> Option<&Arc<TargetPeer>> {
        if !self.is_open {
            return None;
        }
        let is_untried =
            |peer: &Arc<TargetPeer>| !failed.iter().any(|other| Arc::ptr_eq(&other.state, &peer.state));
        match &self.order {
            PickOrder::RoundRobin(sequence) => {
                let first = next_turn(turn, sequence.len());
                let (before, after) = sequence.split_at_checked(first)?;
                self.first_untried(after.iter().chain(before), failed, is_untried)
            }
            PickOrder::Hash(ring) => {
                let best = ring.candidates(hash).next();
                let mut others = ring.candidates(hash).filter_map(|index| self.peers.get(index as usize));
                if failed.is_empty() {
                    self.peers.get(best? as usize)
                } else {
                    others.find(|peer| is_untried(peer))
                }
                .or_else(|| self.peers.get(best? as usize))
            }
            PickOrder::LeastCost(cost, indexes) => {
                // Peers of equal cost take turns.
                let first = next_turn(turn, indexes.len());
                let (before, after) = indexes.split_at_checked(first)?;
                let all = || after.iter().chain(before).filter_map(|index| self.peers.get(*index as usize));
                let now = clock();
                let by_cost =
                    |a: &&Arc<TargetPeer>, b: &&Arc<TargetPeer>| cost.of(a, now).total_cmp(&cost.of(b, now));
                all().filter(|peer| is_untried(peer)).min_by(by_cost).or_else(|| all().min_by(by_cost))
            }
        }
    }

    /// The first untried peer of a sequence, or its first one if all have failed.
    fn first_untried<'a>(
        &'a self,
        mut indexes: impl Iterator<Item = &'a u32> + Clone,
        failed: &[Arc<TargetPeer>],
        is_untried: impl Fn(&Arc<TargetPeer>) -> bool,
    ) -> Option<&'a Arc<TargetPeer>> {
        let first = self.peers.get(*indexes.clone().next()? as usize);
        if failed.is_empty() {
            return first;
        }
        indexes.find_map(|index| self.peers.get(*index as usize).filter(|peer| is_untried(peer))).or(first)
    }
}

impl PeerCost {
    fn of(self, peer: &TargetPeer, now: u64) -> f64 {
        let weight = f64::from(peer.weight);
        match self {
            Self::LeastConnections => {
                (f64::from(peer.state.open_requests.load(Ordering::Relaxed)) + 1.0) / weight
            }
            Self::Latency => peer.state.latency.average(now) / weight,
        }
    }
}

/// The next one of `count` turns.
fn next_turn(turn: &AtomicUsize, count: usize) -> usize {
    // A single peer needs no counter.
    if count < 2 { 0 } else { turn.fetch_add(1, Ordering::Relaxed) % count }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn peers(weights: &[u32]) -> Vec<Arc<TargetPeer>> {
        let peer = |(index, weight): (usize, &u32)| {
            let address = SocketAddr::from(([10, 0, 0, u8::try_from(index).unwrap()], 8000));
            Arc::new(TargetPeer::new(index, address, "a.test", *weight, Arc::default()))
        };
        weights.iter().enumerate().map(peer).collect()
    }

    /// The targets that `count` requests get.
    fn picked_targets(ring: &PeerRing, count: usize) -> Vec<usize> {
        let turn = AtomicUsize::new(0);
        let pick = |n: usize| ring.pick(&turn, u32::try_from(n * 7919).unwrap(), &[]).unwrap().target;
        (0..count).map(pick).collect()
    }

    const ALL: [Algorithm; 4] = [
        Algorithm::RoundRobin,
        Algorithm::ConsistentHashing,
        Algorithm::LeastConnections,
        Algorithm::Latency,
    ];

    #[test]
    fn no_peer_is_picked_if_none_is_healthy() {
        for algorithm in ALL {
            let turn = AtomicUsize::new(3);
            assert!(PeerRing::new(algorithm, 10, Vec::new(), 0.0).pick(&turn, 7, &[]).is_none());
            let peers = peers(&[100, 100]);
            for peer in &peers {
                peer.state.health.set(false);
            }
            assert!(PeerRing::new(algorithm, 10, peers, 0.0).pick(&turn, 7, &[]).is_none(), "{algorithm:?}");
        }
    }

    #[test]
    fn round_robin_follows_weights() {
        let ring = PeerRing::new(Algorithm::RoundRobin, 10, peers(&[200, 100]), 0.0);
        assert_eq!(picked_targets(&ring, 6), [0, 1, 0, 0, 1, 0]);
        let peers = peers(&[200, 100, 100]);
        peers[0].state.health.set(false);
        assert_eq!(picked_targets(&PeerRing::new(Algorithm::RoundRobin, 10, peers, 0.0), 4), [1, 2, 1, 2]);
    }

    #[test]
    fn no_peer_is_picked_below_the_threshold() {
        for (threshold, expected) in [(0.0, true), (49.0, true), (50.0, false), (100.0, false)] {
            let peers = peers(&[100, 100]);
            peers[0].state.health.set(false);
            let ring = PeerRing::new(Algorithm::RoundRobin, 10, peers, threshold);
            assert_eq!(ring.pick(&AtomicUsize::new(0), 0, &[]).is_some(), expected, "{threshold}");
        }
    }

    #[test]
    fn the_peer_with_the_least_connections_is_picked() {
        let peers = peers(&[100, 200, 100]);
        let ring = PeerRing::new(Algorithm::LeastConnections, 10, peers.clone(), 0.0);
        let turn = AtomicUsize::new(0);
        let mut order = Vec::new();
        for _ in 0..8 {
            let peer = ring.pick(&turn, 0, &[]).unwrap();
            peer.state.open_requests.fetch_add(1, Ordering::Relaxed);
            order.push(peer.target);
        }
        let count = |target| order.iter().filter(|picked| **picked == target).count();
        assert_eq!([count(0), count(1), count(2)], [2, 4, 2], "{order:?}");
        peers[2].state.open_requests.store(0, Ordering::Relaxed);
        assert_eq!(ring.pick(&turn, 0, &[]).unwrap().target, 2);
    }

    #[test]
    fn the_peer_with_the_least_latency_is_picked() {
        let peers = peers(&[100, 100, 100]);
        let ring = PeerRing::new(Algorithm::Latency, 10, peers.clone(), 0.0);
        for (peer, latency) in peers.iter().zip([300, 100, 200]) {
            peer.state.latency.record(Duration::from_millis(latency), clock());
        }
        assert_eq!(picked_targets(&ring, 3), [1, 1, 1]);
        peers[1].state.latency.record_failure(Duration::ZERO, clock());
        assert_eq!(picked_targets(&ring, 3), [2, 2, 2]);
    }

    proptest! {
        /// With every algorithm, attempts go to all healthy peers before one is repeated.
        #[test]
        fn attempts_go_to_all_peers_before_they_repeat(weights in proptest::collection::vec(1u32..300, 1..6), hash in any::<u32>(), turn in 0usize..99) {
            for algorithm in ALL {
                let ring = PeerRing::new(algorithm, 1000, peers(&weights), 0.0);
                let turn = AtomicUsize::new(turn);
                let mut failed: Vec<Arc<TargetPeer>> = Vec::new();
                for _ in &weights {
                    let peer = ring.pick(&turn, hash, &failed).unwrap();
                    prop_assert!(!failed.iter().any(|other| other.target == peer.target), "{:?}", algorithm);
                    failed.push(peer.clone());
                }
                prop_assert!(ring.pick(&turn, hash, &failed).is_some());
            }
        }
    }
}
