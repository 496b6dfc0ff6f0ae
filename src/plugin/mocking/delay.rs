//! Delays of responses.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

use super::request_rng::RequestRng;

const DELAY: HeaderName = HeaderName::from_static("x-kong-mocking-delay");

/// The longest delay that the header can request, in milliseconds.
const MAX_REQUESTED: u64 = 10_000;

/// Kong's message about an invalid header.
pub(super) const INVALID_DELAY_MESSAGE: &str =
    "Invalid value for X-Kong-Mocking-Delay. The delay value should between 0 and 10000ms";

/// The delay of responses.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ResponseDelay {
    /// No delay.
    None,
    /// A constant delay, in seconds.
    Fixed(f64),
    /// Uniformly distributed between two bounds, in seconds.
    Uniform(f64, f64),
    /// Mostly short, rarely long: the logarithm of the seconds is normally distributed.
    Lognormal {
        /// The mean of the logarithm.
        mean: f64,
        /// Its standard deviation.
        deviation: f64,
    },
}

/// The setting `latency`, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) enum DelayDistribution {
    /// A constant delay.
    Fixed {
        /// The delay.
        milliseconds: f64,
    },
    /// Uniformly distributed between two bounds.
    Uniform {
        /// The shortest.
        min: f64,
        /// The longest.
        max: f64,
    },
    /// Half of the answers within `median`, 99 of 100 within `p99`.
    Lognormal {
        /// The median.
        median: f64,
        /// The 99th percentile.
        p99: f64,
    },
}

/// The 99th percentile of the standard normal distribution, in standard deviations.
const Z99: f64 = 2.326_347_874_040_841;

/// The longest delay, in seconds; a lognormal distribution has no largest value.
const MAX_SECONDS: f64 = 3600.0;

/// An invalid value of the header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidDelay;

impl ResponseDelay {
    /// Draws the delay of one response.
    pub(super) fn draw(&self, rng: &mut RequestRng<'_>) -> Duration {
        let seconds = match *self {
            Self::None => return Duration::ZERO,
            Self::Fixed(seconds) => seconds,
            Self::Uniform(from, to) => from + (to - from) * rng.unit(),
            Self::Lognormal { mean, deviation } => (mean + deviation * normal(rng)).exp(),
        };
        Duration::try_from_secs_f64(seconds.min(MAX_SECONDS)).unwrap_or_default()
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

/// A random number of the standard normal distribution. (Box and Muller, 1958.)
fn normal(rng: &mut RequestRng<'_>) -> f64 {
    let radius = (-2.0 * (1.0 - rng.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.unit()).cos()
}

/// The delay that the header requests; none without the header.
pub(super) fn requested_delay(headers: &HeaderMap) -> Result<Option<Duration>, InvalidDelay> {
    let mut values = headers.get_all(DELAY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let milliseconds =
        digits.and_then(|text| text.parse().ok()).filter(|milliseconds| *milliseconds <= MAX_REQUESTED);
    let is_single = values.next().is_none();
    milliseconds
        .filter(|_| is_single)
        .map(|milliseconds| Some(Duration::from_millis(milliseconds)))
        .ok_or(InvalidDelay)
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
        assert_eq!(
            requested_delay(&headers),
            expected.map(|delay| delay.map(Duration::from_millis)),
            "{values:?}"
        );
    }

    #[test]
    fn the_header_takes_whole_milliseconds_up_to_ten_seconds() {
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
    fn uniform_delays_cover_the_range_between_their_bounds() {
        let source = RngSource::seeded(7);
        let delay = ResponseDelay::Uniform(0.2, 0.3);
        let draws: Vec<f64> = (0..1000).map(|_| delay.draw(&mut source.rng()).as_secs_f64()).collect();
        assert!(draws.iter().all(|seconds| (0.2..=0.3).contains(seconds)));
        assert!(draws.iter().any(|seconds| *seconds < 0.21) && draws.iter().any(|seconds| *seconds > 0.29));
        assert_eq!(ResponseDelay::Uniform(0.5, 0.5).draw(&mut source.rng()), Duration::from_millis(500));
        assert_eq!(ResponseDelay::None.draw(&mut source.rng()), Duration::ZERO);
    }

    #[test]
    fn a_lognormal_latency_has_its_median_and_its_99th_percentile() {
        let source = RngSource::seeded(7);
        let delay = ResponseDelay::from(DelayDistribution::Lognormal { median: 50.0, p99: 400.0 });
        let mut draws: Vec<_> =
            (0..20_000).map(|_| delay.draw(&mut source.rng()).as_secs_f64() * 1e3).collect();
        draws.sort_by(f64::total_cmp);
        assert!((48.0..52.0).contains(&draws[10_000]), "{}", draws[10_000]);
        assert!((360.0..440.0).contains(&draws[19_800]), "{}", draws[19_800]);
        let unbounded = ResponseDelay::Lognormal { mean: 1e9, deviation: 0.0 };
        assert_eq!(unbounded.draw(&mut source.rng()), Duration::from_hours(1));
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
