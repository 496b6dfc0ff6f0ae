//! Weighted round-robin: a precomputed sequence in which the picks of each peer are spread evenly.

use std::{cmp::Reverse, collections::BinaryHeap};

/// Longest sequence; finer differences of weight are rounded.
const MAX_PICKS: u64 = 1 << 15;

/// The sequence of picks, as indexes, for peers with these weights. Peers of weight 0 are not picked.
pub(super) fn pick_sequence(weights: &[u32]) -> Vec<u32> {
    let weights = reduce(weights);
    // The k-th pick of a peer is due at the middle of its k-th part of a round: (2k+1)/2w. Fractions are compared by cross
    // multiplication, so that rounding has no effect.
    let due = |turn: u64, weight: u64| ScheduledPick { turn: 2 * turn + 1, weight };
    let mut queue: BinaryHeap<Reverse<(ScheduledPick, usize)>> = weights
        .iter()
        .enumerate()
        .filter(|(_, weight)| **weight > 0)
        .map(|(index, weight)| Reverse((due(0, *weight), index)))
        .collect();
    let total = weights.iter().sum::<u64>();
    let mut sequence = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
    while let Some(Reverse((ScheduledPick { turn, weight }, index))) = queue.pop() {
        sequence.push(u32::try_from(index).unwrap_or(u32::MAX));
        let next = turn.div_ceil(2);
        if next < weight {
            queue.push(Reverse((due(next, weight), index)));
        }
    }
    sequence
}

/// The same proportions in the smallest integers, or nearly the same if their sum exceeds [`MAX_PICKS`].
fn reduce(weights: &[u32]) -> Vec<u64> {
    let divisor = weights.iter().fold(0, |divisor, weight| gcd(divisor, u64::from(*weight))).max(1);
    let exact: Vec<u64> = weights.iter().map(|weight| u64::from(*weight) / divisor).collect();
    let total: u64 = exact.iter().sum();
    if total <= MAX_PICKS {
        return exact;
    }
    let rounded =
        |weight: &u64| if *weight == 0 { 0 } else { ((weight * MAX_PICKS + total / 2) / total).max(1) };
    exact.iter().map(rounded).collect()
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Point in a round at which a pick is due: `turn / (2 * weight)`.
#[derive(Clone, Copy, Debug)]
struct ScheduledPick {
    turn: u64,
    weight: u64,
}

impl Ord for ScheduledPick {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.turn * other.weight).cmp(&(other.turn * self.weight))
    }
}

impl PartialEq for ScheduledPick {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ScheduledPick {}

impl PartialOrd for ScheduledPick {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(weights: &[u32], expected: &str) {
        let letters: String = pick_sequence(weights)
            .iter()
            .map(|index| char::from(b'a' + u8::try_from(*index).unwrap()))
            .collect();
        assert_eq!(letters, expected, "{weights:?}");
    }

    #[test]
    fn picks_are_spread_evenly() {
        check(&[], "");
        check(&[0, 0], "");
        check(&[100], "a");
        check(&[100, 100, 100], "abc");
        check(&[200, 100], "aba");
        check(&[1, 0, 3], "cacc");
        check(&[5, 1, 1], "aaabcaa");
    }

    proptest! {
        #[test]
        fn each_peer_is_picked_by_its_weight(weights in proptest::collection::vec(0u32..40, 0..8)) {
            let sequence = pick_sequence(&weights);
            let divisor = weights.iter().fold(0, |a, b| gcd(a, u64::from(*b))).max(1);
            for (index, weight) in weights.iter().enumerate() {
                let got = sequence.iter().filter(|picked| **picked as usize == index).count() as u64;
                prop_assert_eq!(got, u64::from(*weight) / divisor);
            }
        }

        /// Between two picks of a peer there is at most twice its share of the round, and one pick.
        #[test]
        fn picks_of_a_peer_are_not_far_apart(weights in proptest::collection::vec(1u32..40, 2..8)) {
            let sequence = pick_sequence(&weights);
            let total: u32 = weights.iter().sum();
            for (index, weight) in weights.iter().enumerate() {
                let picks = sequence.iter().enumerate().filter(|(_, picked)| **picked as usize == index).map(|(n, _)| n);
                let picks: Vec<usize> = picks.collect();
                let longest = picks.windows(2).map(|two| two[1] - two[0]).max().unwrap_or(0);
                prop_assert!(longest <= 2 * total.div_ceil(*weight) as usize + weights.len());
            }
        }

        #[test]
        fn large_weights_are_rounded_but_never_to_zero(weights in proptest::collection::vec(1u32..65536, 2..300)) {
            let sequence = pick_sequence(&weights);
            prop_assert!(sequence.len() as u64 <= MAX_PICKS + weights.len() as u64);
            let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            let mut got = vec![0u64; weights.len()];
            for index in &sequence {
                got[*index as usize] += 1;
            }
            for (got, weight) in got.iter().zip(&weights) {
                prop_assert!(*got >= 1);
                let (share, exact) = (got * total, u64::from(*weight) * sequence.len() as u64);
                prop_assert!(share.abs_diff(exact) * 50 < total * sequence.len() as u64);
            }
        }
    }
}
