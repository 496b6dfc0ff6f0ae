//! Round-robin by weight: a wheel of turns, made once, in which everyone's turns are spread evenly.

use std::{cmp::Reverse, collections::BinaryHeap};

/// A wheel has no more turns than this; finer differences of weight are rounded.
const MOST: u64 = 1 << 15;

/// The turns of peers with these weights, by their places; none of weight 0.
pub(super) fn turns(weights: &[u32]) -> Vec<u32> {
    let weights = reduced(weights);
    // Whose next turn is due first, in parts of a round: of k-th turns the middle, (2k+1)/2w. Cross-multiplied, so
    // that no rounding decides.
    let due = |turn: u64, weight: u64| ScheduledPick { turn: 2 * turn + 1, weight };
    let mut queue: BinaryHeap<Reverse<(ScheduledPick, usize)>> = weights
        .iter()
        .enumerate()
        .filter(|(_, weight)| **weight > 0)
        .map(|(place, weight)| Reverse((due(0, *weight), place)))
        .collect();
    let total = weights.iter().sum::<u64>();
    let mut turns = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
    while let Some(Reverse((ScheduledPick { turn, weight }, place))) = queue.pop() {
        turns.push(u32::try_from(place).unwrap_or(u32::MAX));
        let next = turn.div_ceil(2);
        if next < weight {
            queue.push(Reverse((due(next, weight), place)));
        }
    }
    turns
}

/// The same proportions in the smallest numbers, or nearly the same in numbers that are small enough.
fn reduced(weights: &[u32]) -> Vec<u64> {
    let divisor = weights.iter().fold(0, |divisor, weight| gcd(divisor, u64::from(*weight))).max(1);
    let exact: Vec<u64> = weights.iter().map(|weight| u64::from(*weight) / divisor).collect();
    let total: u64 = exact.iter().sum();
    if total <= MOST {
        return exact;
    }
    let rounded = |weight: &u64| if *weight == 0 { 0 } else { ((weight * MOST + total / 2) / total).max(1) };
    exact.iter().map(rounded).collect()
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A point of a round: `turn` parts of `2 * weight`.
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
        let letters: String =
            turns(weights).iter().map(|it| char::from(b'a' + u8::try_from(*it).unwrap())).collect();
        assert_eq!(letters, expected, "{weights:?}");
    }

    #[test]
    fn turns_are_spread() {
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
        fn everyone_gets_the_turns_of_its_weight(weights in proptest::collection::vec(0u32..40, 0..8)) {
            let turns = turns(&weights);
            let divisor = weights.iter().fold(0, |a, b| gcd(a, u64::from(*b))).max(1);
            for (place, weight) in weights.iter().enumerate() {
                let got = turns.iter().filter(|it| **it as usize == place).count() as u64;
                prop_assert_eq!(got, u64::from(*weight) / divisor);
            }
        }

        /// Nobody waits longer than twice its share of the round, and one turn.
        #[test]
        fn nobody_waits_long(weights in proptest::collection::vec(1u32..40, 2..8)) {
            let turns = turns(&weights);
            let total: u32 = weights.iter().sum();
            for (place, weight) in weights.iter().enumerate() {
                let mine = turns.iter().enumerate().filter(|(_, it)| **it as usize == place).map(|(n, _)| n);
                let mine: Vec<usize> = mine.collect();
                let longest = mine.windows(2).map(|two| two[1] - two[0]).max().unwrap_or(0);
                prop_assert!(longest <= 2 * total.div_ceil(*weight) as usize + weights.len());
            }
        }

        #[test]
        fn large_weights_are_rounded_but_never_to_nothing(weights in proptest::collection::vec(1u32..65536, 2..300)) {
            let turns = turns(&weights);
            prop_assert!(turns.len() as u64 <= MOST + weights.len() as u64);
            let total: u64 = weights.iter().map(|it| u64::from(*it)).sum();
            let mut got = vec![0u64; weights.len()];
            for place in &turns {
                got[*place as usize] += 1;
            }
            for (got, weight) in got.iter().zip(&weights) {
                prop_assert!(*got >= 1);
                let (share, exact) = (got * total, u64::from(*weight) * turns.len() as u64);
                prop_assert!(share.abs_diff(exact) * 50 < total * turns.len() as u64);
            }
        }
    }
}
