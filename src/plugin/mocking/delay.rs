//! How long an answer waits.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

use super::dice::Dice;

const DELAY: HeaderName = HeaderName::from_static("x-kong-mocking-delay");

/// The most milliseconds that a header may ask for.
const MOST: u64 = 10_000;

/// What Kong says of any other header.
pub(super) const WRONG: &str =
    "Invalid value for X-Kong-Mocking-Delay. The delay value should between 0 and 10000ms";

/// How long answers wait.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Latency {
    /// Not at all.
    None,
    /// Any time between two, in seconds.
    Uniform(f64, f64),
}

/// The header asks for what may not be asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrongDelay;

impl Latency {
    /// The time for one answer.
    pub(super) fn draw(&self, dice: &mut Dice<'_>) -> Duration {
        let seconds = match *self {
            Self::None => return Duration::ZERO,
            Self::Uniform(from, to) => from + (to - from) * dice.unit(),
        };
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }
}

/// The time that the header asks for, if it is there.
pub(super) fn asked(headers: &HeaderMap) -> Result<Option<Duration>, WrongDelay> {
    let mut values = headers.get_all(DELAY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|it| it.is_ascii_digit()));
    let milliseconds = digits.and_then(|text| text.parse().ok()).filter(|it| *it <= MOST);
    let single = values.next().is_none();
    milliseconds.filter(|_| single).map(|it| Some(Duration::from_millis(it))).ok_or(WrongDelay)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::{super::dice::Source, *};

    #[track_caller]
    fn check(values: &[&str], expected: Result<Option<u64>, WrongDelay>) {
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
            check(&[wrong], Err(WrongDelay));
        }
        check(&["1", "1"], Err(WrongDelay));
        check(&["1", "x"], Err(WrongDelay));
    }

    #[test]
    fn random_delays_stay_within_their_bounds_and_reach_both() {
        let source = Source::seeded(7);
        let latency = Latency::Uniform(0.2, 0.3);
        let draws: Vec<f64> = (0..1000).map(|_| latency.draw(&mut source.dice()).as_secs_f64()).collect();
        assert!(draws.iter().all(|it| (0.2..=0.3).contains(it)));
        assert!(draws.iter().any(|it| *it < 0.21) && draws.iter().any(|it| *it > 0.29));
        assert_eq!(Latency::Uniform(0.5, 0.5).draw(&mut source.dice()), Duration::from_millis(500));
        assert_eq!(Latency::None.draw(&mut source.dice()), Duration::ZERO);
    }
}
