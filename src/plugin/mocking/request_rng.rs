//! Chance: from the system, or from a seed, so that a test can be repeated.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The step of splitmix64, and of the sequence that every throw takes from.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where dice come from.
#[derive(Debug)]
pub(super) enum RngSource {
    /// The system's randomness.
    Random,
    /// A sequence that begins the same whenever it begins.
    Seeded(AtomicU64),
}

/// Dice of one request.
#[derive(Debug)]
pub(super) enum RequestRng<'a> {
    /// Each throw is the next of a source.
    Shared(&'a RngSource),
    /// Each throw is the next of a sequence of their own.
    Own(u64),
}

impl RngSource {
    /// A sequence.
    pub(super) const fn seeded(seed: u64) -> Self {
        Self::Seeded(AtomicU64::new(seed))
    }

    /// Dice that take from here.
    pub(super) const fn dice(&self) -> RequestRng<'_> {
        RequestRng::Shared(self)
    }
}

impl RequestRng<'_> {
    /// Any number.
    pub(super) fn bits(&mut self) -> u64 {
        match self {
            Self::Shared(RngSource::Random) => rand::random(),
            Self::Shared(RngSource::Seeded(state)) => scatter(state.fetch_add(STEP, Relaxed)),
            Self::Own(state) => {
                *state = state.wrapping_add(STEP);
                scatter(*state)
            }
        }
    }

    /// A number below `limit`; zero if that is zero.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.bits() % limit).unwrap_or_default()
    }

    /// A number from zero up to, but not including, one.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

const fn scatter(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_chance_does_not() {
        let throws = |source: &RngSource| -> Vec<u64> { (0..8).map(|_| source.dice().bits()).collect() };
        assert_eq!(throws(&RngSource::seeded(7)), throws(&RngSource::seeded(7)));
        assert_ne!(throws(&RngSource::seeded(7)), throws(&RngSource::seeded(8)));
        assert_ne!(throws(&RngSource::Random), throws(&RngSource::Random));
        let own =
            |seed| -> Vec<u64> { std::iter::repeat_with(|| RequestRng::Own(seed).bits()).take(2).collect() };
        assert_eq!(own(3)[0], own(3)[1]);
    }

    #[test]
    fn every_side_comes_up() {
        let source = RngSource::seeded(1);
        for limit in 1..20 {
            let mut seen = vec![0; limit];
            for _ in 0..100 * limit {
                seen[source.dice().below(limit)] += 1;
            }
            assert!(seen.iter().all(|times| *times > 50), "{seen:?}");
        }
        assert_eq!(source.dice().below(0), 0);
        let units: Vec<f64> = (0..1000).map(|_| source.dice().unit()).collect();
        assert!(units.iter().all(|it| (0.0..1.0).contains(it)));
    }
}
