//! Who takes part now, and how one of them is picked. A ring never changes: when a peer goes down or comes back, or
//! a name stands for other addresses, a new one takes its place.

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

/// Peers, and the order among them.
#[derive(Debug, Default)]
pub(super) struct PeerRing {
    pub(super) peers: Vec<Arc<TargetPeer>>,
    order: PickOrder,
    /// Whether as much of the weight works as has to.
    open: bool,
}

/// How one is picked.
#[derive(Debug)]
enum PickOrder {
    /// The next turn of a wheel.
    Wheel(Vec<u32>),
    /// The best of all that work.
    Best(Best, Vec<u32>),
    /// The next one below a hash.
    Consistent(HashRing),
}

#[derive(Clone, Copy, Debug)]
enum Best {
    LeastConnections,
    Latency,
}

impl Default for PickOrder {
    fn default() -> Self {
        Self::Wheel(Vec::new())
    }
}

impl PeerRing {
    /// A ring of those peers that work. Unless more than `threshold` per cent of the weight do, nobody is picked.
    pub(super) fn new(algorithm: Algorithm, slots: u32, peers: Vec<Arc<TargetPeer>>, threshold: f64) -> Self {
        // One look at each: whoever changes meanwhile asks for a new ring.
        let works: Vec<bool> = peers.iter().map(|it| it.works()).collect();
        let working = || (0_u32..).zip(&works).filter(|(_, works)| **works).map(|(n, _)| n).collect();
        let order = match algorithm {
            Algorithm::RoundRobin => {
                let weight = |(peer, works): (&Arc<TargetPeer>, &bool)| if *works { peer.weight } else { 0 };
                PickOrder::Wheel(weighted_round_robin::turns(
                    &peers.iter().zip(&works).map(weight).collect::<Vec<_>>(),
                ))
            }
            Algorithm::LeastConnections => PickOrder::Best(Best::LeastConnections, working()),
            Algorithm::Latency => PickOrder::Best(Best::Latency, working()),
            Algorithm::ConsistentHashing => {
                let all: Vec<(SocketAddr, u32)> =
                    peers.iter().map(|it| (it.place.address, it.weight)).collect();
                PickOrder::Consistent(HashRing::new(slots, &all, |n| works.get(n).is_some_and(|it| *it)))
            }
        };
        let all = peers.iter().zip(&works);
        let total: f64 = all.clone().map(|(it, _)| f64::from(it.weight)).sum();
        let working: f64 = all.filter(|(_, works)| **works).map(|(it, _)| f64::from(it.weight)).sum();
        let open = working * 100.0 > threshold * total;
        Self { peers, order, open }
    }

    /// Whether anyone can be picked.
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    /// A peer for a request, if possible none of those that it has tried; `turn` counts requests.
    pub(super) fn pick(
        &self,
        turn: &AtomicUsize,
        hash: u32,
        tried: &[Arc<TargetPeer>],
    ) -> Option<&Arc<TargetPeer>> {
        if !self.open {
            return None;
        }
        let new = |peer: &Arc<TargetPeer>| !tried.iter().any(|it| Arc::ptr_eq(&it.state, &peer.state));
        match &self.order {
            PickOrder::Wheel(turns) => {
                let first = next(turn, turns.len());
                let (before, after) = turns.split_at_checked(first)?;
                self.first_of(after.iter().chain(before), tried, new)
            }
            PickOrder::Consistent(consistent) => {
                let best = consistent.around(hash).next();
                let mut others = consistent.around(hash).filter_map(|n| self.peers.get(n as usize));
                if tried.is_empty() { self.peers.get(best? as usize) } else { others.find(|it| new(it)) }
                    .or_else(|| self.peers.get(best? as usize))
            }
            PickOrder::Best(best, places) => {
                // Among equals, all have their turn.
                let first = next(turn, places.len());
                let (before, after) = places.split_at_checked(first)?;
                let all = || after.iter().chain(before).filter_map(|n| self.peers.get(*n as usize));
                let now = clock();
                let cost = |peer: &&Arc<TargetPeer>| best.cost(peer, now);
                let least = |a: &&Arc<TargetPeer>, b: &&Arc<TargetPeer>| cost(a).total_cmp(&cost(b));
                all().filter(|it| new(it)).min_by(least).or_else(|| all().min_by(least))
            }
        }
    }

    fn first_of<'a>(
        &'a self,
        mut places: impl Iterator<Item = &'a u32> + Clone,
        tried: &[Arc<TargetPeer>],
        new: impl Fn(&Arc<TargetPeer>) -> bool,
    ) -> Option<&'a Arc<TargetPeer>> {
        let first = self.peers.get(*places.clone().next()? as usize);
        if tried.is_empty() {
            return first;
        }
        places.find_map(|n| self.peers.get(*n as usize).filter(|it| new(it))).or(first)
    }
}

impl Best {
    fn cost(self, peer: &TargetPeer, now: u64) -> f64 {
        let weight = f64::from(peer.weight);
        match self {
            Self::LeastConnections => (f64::from(peer.state.open.load(Ordering::Relaxed)) + 1.0) / weight,
            Self::Latency => peer.state.latency.now(now) / weight,
        }
    }
}

/// The next turn of so many.
fn next(turn: &AtomicUsize, count: usize) -> usize {
    // Who is alone need not be counted.
    if count < 2 { 0 } else { turn.fetch_add(1, Ordering::Relaxed) % count }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn peers(weights: &[u32]) -> Vec<Arc<TargetPeer>> {
        let peer = |(n, weight): (usize, &u32)| {
            let address = SocketAddr::from(([10, 0, 0, u8::try_from(n).unwrap()], 8000));
            Arc::new(TargetPeer::new(n, address, "a.test", *weight, Arc::default()))
        };
        weights.iter().enumerate().map(peer).collect()
    }

    /// The targets that so many requests get.
    fn picks(ring: &PeerRing, count: usize) -> Vec<usize> {
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
    fn nobody_is_picked_where_nobody_works() {
        for algorithm in ALL {
            let turn = AtomicUsize::new(3);
            assert!(PeerRing::new(algorithm, 10, Vec::new(), 0.0).pick(&turn, 7, &[]).is_none());
            let peers = peers(&[100, 100]);
            for peer in &peers {
                peer.state.health.put(false);
            }
            assert!(PeerRing::new(algorithm, 10, peers, 0.0).pick(&turn, 7, &[]).is_none(), "{algorithm:?}");
        }
    }

    #[test]
    fn turns_follow_weights() {
        let ring = PeerRing::new(Algorithm::RoundRobin, 10, peers(&[200, 100]), 0.0);
        assert_eq!(picks(&ring, 6), [0, 1, 0, 0, 1, 0]);
        let peers = peers(&[200, 100, 100]);
        peers[0].state.health.put(false);
        assert_eq!(picks(&PeerRing::new(Algorithm::RoundRobin, 10, peers, 0.0), 4), [1, 2, 1, 2]);
    }

    #[test]
    fn all_are_refused_at_a_threshold() {
        for (threshold, expected) in [(0.0, true), (49.0, true), (50.0, false), (100.0, false)] {
            let peers = peers(&[100, 100]);
            peers[0].state.health.put(false);
            let ring = PeerRing::new(Algorithm::RoundRobin, 10, peers, threshold);
            assert_eq!(ring.pick(&AtomicUsize::new(0), 0, &[]).is_some(), expected, "{threshold}");
        }
    }

    #[test]
    fn the_least_busy_is_picked() {
        let peers = peers(&[100, 200, 100]);
        let ring = PeerRing::new(Algorithm::LeastConnections, 10, peers.clone(), 0.0);
        let turn = AtomicUsize::new(0);
        let mut order = Vec::new();
        for _ in 0..8 {
            let peer = ring.pick(&turn, 0, &[]).unwrap();
            peer.state.open.fetch_add(1, Ordering::Relaxed);
            order.push(peer.target);
        }
        let count = |target| order.iter().filter(|it| **it == target).count();
        assert_eq!([count(0), count(1), count(2)], [2, 4, 2], "{order:?}");
        peers[2].state.open.store(0, Ordering::Relaxed);
        assert_eq!(ring.pick(&turn, 0, &[]).unwrap().target, 2);
    }

    #[test]
    fn the_fastest_is_picked() {
        let peers = peers(&[100, 100, 100]);
        let ring = PeerRing::new(Algorithm::Latency, 10, peers.clone(), 0.0);
        for (peer, took) in peers.iter().zip([300, 100, 200]) {
            peer.state.latency.measure(Duration::from_millis(took), clock());
        }
        assert_eq!(picks(&ring, 3), [1, 1, 1]);
        peers[1].state.latency.fail(Duration::ZERO, clock());
        assert_eq!(picks(&ring, 3), [2, 2, 2]);
    }

    proptest! {
        /// Whatever the algorithm, a request meets everyone that works before it meets one again.
        #[test]
        fn tries_go_to_all_before_they_repeat(weights in proptest::collection::vec(1u32..300, 1..6), hash in any::<u32>(), turn in 0usize..99) {
            for algorithm in ALL {
                let ring = PeerRing::new(algorithm, 1000, peers(&weights), 0.0);
                let turn = AtomicUsize::new(turn);
                let mut tried: Vec<Arc<TargetPeer>> = Vec::new();
                for _ in &weights {
                    let peer = ring.pick(&turn, hash, &tried).unwrap();
                    prop_assert!(!tried.iter().any(|it| it.target == peer.target), "{:?}", algorithm);
                    tried.push(peer.clone());
                }
                prop_assert!(ring.pick(&turn, hash, &tried).is_some());
            }
        }
    }
}
