//! Random numbers: from the system, or from a seed, so that tests can be repeated.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The step of splitmix64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The source of random numbers of a mock.
#[derive(Debug)]
pub(super) enum RngSource {
    /// The system's random numbers.
    Random,
    /// A sequence of pseudorandom numbers from a seed.
    Seeded(AtomicU64),
}

/// The random numbers of one request.
#[derive(Debug)]
pub(super) enum RequestRng<'a> {
    /// The next numbers of a source.
    Shared(&'a RngSource),
    /// The numbers of a sequence of its own, from a seed.
    Seeded(u64),
}

impl RngSource {
    /// A source with a seed.
    pub(super) const fn seeded(seed: u64) -> Self {
        Self::Seeded(AtomicU64::new(seed))
    }

    /// The random numbers of a request.
    pub(super) const fn rng(&self) -> RequestRng<'_> {
        RequestRng::Shared(self)
    }
}

impl RequestRng<'_> {
    /// A random number of 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        match self {
            Self::Shared(RngSource::Random) => rand::random(),
            Self::Shared(RngSource::Seeded(state)) => mix(state.fetch_add(STEP, Relaxed)),
            Self::Seeded(state) => {
                *state = state.wrapping_add(STEP);
                mix(*state)
            }
        }
    }

    /// A random number below `limit`; 0 if `limit` is 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.bits() % limit).unwrap_or_default()
    }

    /// A random number in [0, 1).
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The output function of splitmix64.
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_sequence_and_the_system_does_not() {
        let numbers = |source: &RngSource| -> Vec<u64> { (0..8).map(|_| source.rng().bits()).collect() };
        assert_eq!(numbers(&RngSource::seeded(7)), numbers(&RngSource::seeded(7)));
        assert_ne!(numbers(&RngSource::seeded(7)), numbers(&RngSource::seeded(8)));
        assert_ne!(numbers(&RngSource::Random), numbers(&RngSource::Random));
        let own = |seed| -> Vec<u64> {
            std::iter::repeat_with(|| RequestRng::Seeded(seed).bits()).take(2).collect()
        };
        assert_eq!(own(3)[0], own(3)[1]);
    }

    #[test]
    fn all_numbers_below_a_limit_are_equally_likely() {
        let source = RngSource::seeded(1);
        for limit in 1..20 {
            let mut counts = vec![0; limit];
            for _ in 0..100 * limit {
                counts[source.rng().below(limit)] += 1;
            }
            assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
        }
        assert_eq!(source.rng().below(0), 0);
        let units: Vec<f64> = (0..1000).map(|_| source.rng().unit()).collect();
        assert!(units.iter().all(|unit| (0.0..1.0).contains(unit)));
    }
}
