//! How long an answer waits.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

use super::request_rng::RequestRng;

const DELAY: HeaderName = HeaderName::from_static("x-kong-mocking-delay");

/// The most milliseconds that a header may ask for.
const MOST: u64 = 10_000;

/// What Kong says of any other header.
pub(super) const WRONG: &str =
    "Invalid value for X-Kong-Mocking-Delay. The delay value should between 0 and 10000ms";

/// How long answers wait.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ResponseDelay {
    /// Not at all.
    None,
    /// Always the same, in seconds.
    Fixed(f64),
    /// Any time between two, in seconds.
    Uniform(f64, f64),
    /// Mostly short and now and then long: the logarithm of the seconds is normally distributed.
    Lognormal {
        /// The mean of the logarithm.
        mean: f64,
        /// Its standard deviation.
        deviation: f64,
    },
}

/// The `latency` of the settings, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) enum DelayDistribution {
    /// Always the same.
    Fixed {
        /// How long.
        milliseconds: f64,
    },
    /// Any time between two.
    Uniform {
        /// The shortest.
        min: f64,
        /// The longest.
        max: f64,
    },
    /// Half of the answers within `median`, 99 of 100 within `p99`.
    Lognormal {
        /// What half of the answers take at most.
        median: f64,
        /// What 99 of 100 take at most.
        p99: f64,
    },
}

/// How many standard deviations above the mean 99 of 100 lie below.
const Z99: f64 = 2.326_347_874_040_841;

/// No answer waits longer, in seconds; the tail of a distribution has no end of its own.
const LONGEST: f64 = 3600.0;

/// The header asks for what may not be asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidDelay;

impl ResponseDelay {
    /// The time for one answer.
    pub(super) fn draw(&self, dice: &mut RequestRng<'_>) -> Duration {
        let seconds = match *self {
            Self::None => return Duration::ZERO,
            Self::Fixed(seconds) => seconds,
            Self::Uniform(from, to) => from + (to - from) * dice.unit(),
            Self::Lognormal { mean, deviation } => (mean + deviation * normal(dice)).exp(),
        };
        Duration::try_from_secs_f64(seconds.min(LONGEST)).unwrap_or_default()
    }
}

impl From<DelayDistribution> for ResponseDelay {
    fn from(distribution: DelayDistribution) -> Self {
        match distribution {
            DelayDistribution::Fixed { milliseconds } => Self::Fixed(milliseconds / 1e3),
            DelayDistribution::Uniform { min, max } => Self::Uniform(min / 1e3, max / 1e3),
            DelayDistribution::Lognormal { median, p99 } => {
                Self::Lognormal { mean: (median / 1e3).ln(), deviation: (p99 / median).ln() / Z99 }
            }
        }
    }
}

/// A number of the standard normal distribution. (Box and Muller, 1958.)
fn normal(dice: &mut RequestRng<'_>) -> f64 {
    let radius = (-2.0 * (1.0 - dice.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * dice.unit()).cos()
}

/// The time that the header asks for, if it is there.
pub(super) fn asked(headers: &HeaderMap) -> Result<Option<Duration>, InvalidDelay> {
    let mut values = headers.get_all(DELAY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|it| it.is_ascii_digit()));
    let milliseconds = digits.and_then(|text| text.parse().ok()).filter(|it| *it <= MOST);
    let single = values.next().is_none();
    milliseconds.filter(|_| single).map(|it| Some(Duration::from_millis(it))).ok_or(InvalidDelay)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::{super::request_rng::RngSource, *};

    #[track_caller]
    fn check(values: &[&str], expected: Result<Option<u64>, InvalidDelay>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(DELAY, HeaderValue::from_str(value).unwrap());
        }
        assert_eq!(asked(&headers), expected.map(|it| it.map(Duration::from_millis)), "{values:?}");
    }

    #[test]
    fn a_header_asks_for_whole_milliseconds_up_to_ten_seconds() {
        check(&[], Ok(None));
        for (text, milliseconds) in [("0", 0), ("1", 1), ("007", 7), ("10000", 10_000)] {
            check(&[text], Ok(Some(milliseconds)));
        }
        for wrong in [
            "10001",
            "-1",
            "-0",
            "+1",
            "1.5",
            "1e3",
            "0x1",
            "abc",
            "",
            " ",
            "1 2",
            "99999999999999999999",
            "é",
        ] {
            check(&[wrong], Err(InvalidDelay));
        }
        check(&["1", "1"], Err(InvalidDelay));
        check(&["1", "x"], Err(InvalidDelay));
    }

    #[test]
    fn random_delays_stay_within_their_bounds_and_reach_both() {
        let source = RngSource::seeded(7);
        let latency = ResponseDelay::Uniform(0.2, 0.3);
        let draws: Vec<f64> = (0..1000).map(|_| latency.draw(&mut source.dice()).as_secs_f64()).collect();
        assert!(draws.iter().all(|it| (0.2..=0.3).contains(it)));
        assert!(draws.iter().any(|it| *it < 0.21) && draws.iter().any(|it| *it > 0.29));
        assert_eq!(ResponseDelay::Uniform(0.5, 0.5).draw(&mut source.dice()), Duration::from_millis(500));
        assert_eq!(ResponseDelay::None.draw(&mut source.dice()), Duration::ZERO);
    }

    #[test]
    fn a_lognormal_latency_has_its_median_and_its_99th_percentile() {
        let source = RngSource::seeded(7);
        let latency = ResponseDelay::from(DelayDistribution::Lognormal { median: 50.0, p99: 400.0 });
        let mut draws: Vec<_> =
            (0..20_000).map(|_| latency.draw(&mut source.dice()).as_secs_f64() * 1e3).collect();
        draws.sort_by(f64::total_cmp);
        assert!((48.0..52.0).contains(&draws[10_000]), "{}", draws[10_000]);
        assert!((360.0..440.0).contains(&draws[19_800]), "{}", draws[19_800]);
        let endless = ResponseDelay::Lognormal { mean: 1e9, deviation: 0.0 };
        assert_eq!(endless.draw(&mut source.dice()), Duration::from_hours(1));
    }

    #[test]
    fn milliseconds_become_seconds() {
        assert_eq!(
            ResponseDelay::from(DelayDistribution::Fixed { milliseconds: 20.0 }),
            ResponseDelay::Fixed(0.02)
        );
        assert_eq!(
            ResponseDelay::from(DelayDistribution::Uniform { min: 10.0, max: 20.0 }),
            ResponseDelay::Uniform(0.01, 0.02)
        );
    }
}
