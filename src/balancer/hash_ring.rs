//! Consistent hashing: peers stand at many points of a ring, and a hash goes to the next one below it. A peer that
//! leaves gives up its own points only, so that all other hashes stay where they are.

use std::net::SocketAddr;

use super::xxhash::xxh32;

/// How many points a peer of average weight has.
const POINTS: u64 = 160;
/// A ring has at least this many places.
const FEWEST_PLACES: u32 = 1000;

/// A ring of peers.
#[derive(Debug, Default)]
pub(super) struct HashRing {
    places: u32,
    /// Place and peer, by place.
    points: Vec<(u32, u32)>,
}

impl HashRing {
    /// A ring with `slots` places of peers with these addresses and weights; only those that are `available` get
    /// hashes, but all count for how many points each has.
    pub(super) fn new(slots: u32, peers: &[(SocketAddr, u32)], available: impl Fn(usize) -> bool) -> Self {
        let places = slots.max(FEWEST_PLACES);
        let total: u64 = peers.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut points = Vec::new();
        for (n, (address, weight)) in peers.iter().enumerate().filter(|(n, _)| available(*n)) {
            let share = u64::from(*weight) * peers.len() as u64 * POINTS / total.max(1);
            for point in 1..=share.max(1) {
                let place = xxh32(format!("{address} {point}").as_bytes()) % places;
                points.push((place, u32::try_from(n).unwrap_or(u32::MAX)));
            }
        }
        // Of two at one place always the same one is met first, whatever order they came in.
        points.sort_unstable_by_key(|(place, n)| (*place, peers.get(*n as usize).map(|(it, _)| *it)));
        Self { places, points }
    }

    /// The peers for a hash, the best first; the same one comes again and again.
    pub(super) fn around(&self, hash: u32) -> impl Iterator<Item = u32> {
        let place = hash % self.places.max(1);
        let above = self.points.partition_point(|(it, _)| *it <= place);
        let (below, above) = self.points.split_at(above);
        below.iter().rev().chain(above.iter().rev()).map(|(_, n)| *n)
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
        peers[ring.around(hash).next().unwrap() as usize].0
    }

    #[test]
    fn nobody_is_there_without_peers() {
        assert_eq!(HashRing::new(10, &[], |_| true).around(7).next(), None);
        assert_eq!(HashRing::new(10, &peers(3, 100), |_| false).around(7).next(), None);
    }

    #[test]
    fn every_peer_gets_about_its_share() {
        let mut peers = peers(4, 100);
        peers[0].1 = 300;
        let ring = HashRing::new(10_000, &peers, |_| true);
        let mut got = [0; 4];
        for n in 0..60_000_u32 {
            got[ring.around(xxh32(&n.to_le_bytes())).next().unwrap() as usize] += 1;
        }
        assert!((24_000..36_000).contains(&got[0]), "{got:?}");
        assert!(got[1..].iter().all(|it| (7_000..13_000).contains(it)), "{got:?}");
    }

    proptest! {
        /// When a peer leaves, for good or for a while, only its own hashes move.
        #[test]
        fn movement_is_minimal(count in 2u8..12, leaves in 0u8..12, hashes in proptest::collection::vec(any::<u32>(), 50)) {
            let all = peers(count, 100);
            let gone = usize::from(leaves % count);
            let mut fewer = all.clone();
            let (left, _) = fewer.remove(gone);
            let before = HashRing::new(10_000, &all, |_| true);
            let after = HashRing::new(10_000, &fewer, |_| true);
            let down = HashRing::new(10_000, &all, |n| n != gone);
            for hash in hashes {
                let old = address(&before, &all, hash);
                let new = address(&after, &fewer, hash);
                prop_assert_eq!(new, address(&down, &all, hash));
                prop_assert!(old == new || old == left);
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
