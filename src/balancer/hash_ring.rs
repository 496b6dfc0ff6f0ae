//! Hash ring for consistent hashing: each peer has many points on the ring, and a hash belongs to the next point below it.
//! If a peer is removed, only its own points disappear, so that all other hashes keep their peers.

use std::net::SocketAddr;

use super::xxhash::xxh32;

/// Points of a peer of average weight.
const POINTS: u64 = 160;
/// Least number of slots.
const MIN_SLOTS: u32 = 1000;

/// Ring of points.
#[derive(Debug, Default)]
pub(super) struct HashRing {
    slots: u32,
    /// Slot and index of the peer, sorted by slot.
    points: Vec<(u32, u32)>,
}

impl HashRing {
    /// A ring with `slots` slots for peers with these addresses and weights. Only `available` peers get points, but all
    /// weights count for the number of points of each.
    pub(super) fn new(slots: u32, peers: &[(SocketAddr, u32)], available: impl Fn(usize) -> bool) -> Self {
        let slots = slots.max(MIN_SLOTS);
        let total: u64 = peers.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut points = Vec::new();
        for (index, (address, weight)) in peers.iter().enumerate().filter(|(index, _)| available(*index)) {
            let share = u64::from(*weight) * peers.len() as u64 * POINTS / total.max(1);
            for point in 1..=share.max(1) {
                let slot = xxh32(format!("{address} {point}").as_bytes()) % slots;
                points.push((slot, u32::try_from(index).unwrap_or(u32::MAX)));
            }
        }
        // The address decides between two points of one slot, so that the order of the peers does not matter.
        points.sort_unstable_by_key(|(slot, index)| {
            (*slot, peers.get(*index as usize).map(|(address, _)| *address))
        });
        Self { slots, points }
    }

    /// Indexes of the peers for a hash, the best first. An index occurs once per point.
    pub(super) fn candidates(&self, hash: u32) -> impl Iterator<Item = u32> {
        let slot = hash % self.slots.max(1);
        let above = self.points.partition_point(|(point, _)| *point <= slot);
        let (below, above) = self.points.split_at(above);
        below.iter().rev().chain(above.iter().rev()).map(|(_, index)| *index)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn peers(count: u8, weight: u32) -> Vec<(SocketAddr, u32)> {
        (0..count).map(|n| (SocketAddr::from(([10, 0, 0, n], 8000)), weight)).collect()
    }

    fn address(ring: &HashRing, peers: &[(SocketAddr, u32)], hash: u32) -> SocketAddr {
        peers[ring.candidates(hash).next().unwrap() as usize].0
    }

    #[test]
    fn a_ring_without_peers_has_no_candidates() {
        assert_eq!(HashRing::new(10, &[], |_| true).candidates(7).next(), None);
        assert_eq!(HashRing::new(10, &peers(3, 100), |_| false).candidates(7).next(), None);
    }

    #[test]
    fn each_peer_gets_about_its_share_of_hashes() {
        let mut peers = peers(4, 100);
        peers[0].1 = 300;
        let ring = HashRing::new(10_000, &peers, |_| true);
        let mut counts = [0; 4];
        for n in 0..60_000_u32 {
            counts[ring.candidates(xxh32(&n.to_le_bytes())).next().unwrap() as usize] += 1;
        }
        assert!((24_000..36_000).contains(&counts[0]), "{counts:?}");
        assert!(counts[1..].iter().all(|count| (7_000..13_000).contains(count)), "{counts:?}");
    }

    proptest! {
        /// If a peer is removed or unavailable, only its own hashes move.
        #[test]
        fn movement_is_minimal(count in 2u8..12, removed in 0u8..12, hashes in proptest::collection::vec(any::<u32>(), 50)) {
            let all = peers(count, 100);
            let removed = usize::from(removed % count);
            let mut fewer = all.clone();
            let (removed_address, _) = fewer.remove(removed);
            let before = HashRing::new(10_000, &all, |_| true);
            let after = HashRing::new(10_000, &fewer, |_| true);
            let unavailable = HashRing::new(10_000, &all, |index| index != removed);
            for hash in hashes {
                let old = address(&before, &all, hash);
                let new = address(&after, &fewer, hash);
                prop_assert_eq!(new, address(&unavailable, &all, hash));
                prop_assert!(old == new || old == removed_address);
            }
        }

        #[test]
        fn the_order_of_peers_does_not_matter(count in 2u8..12, hashes in proptest::collection::vec(any::<u32>(), 50)) {
            let all = peers(count, 100);
            let reversed: Vec<_> = all.iter().rev().copied().collect();
            let (one, other) = (HashRing::new(1000, &all, |_| true), HashRing::new(1000, &reversed, |_| true));
            for hash in hashes {
                prop_assert_eq!(address(&one, &all, hash), address(&other, &reversed, hash));
            }
        }
    }
}
