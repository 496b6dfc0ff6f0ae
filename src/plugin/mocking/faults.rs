//! Faults that are made on purpose, for tests of resilience.

use http::StatusCode;

use super::{super::HttpResponse, request_rng::RequestRng, settings::MockingConfig};
use crate::body::{Body, StreamReset};

/// How often which fault happens.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FaultRates {
    resets: f64,
    errors: f64,
    statuses: Vec<StatusCode>,
}

/// What happens in place of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InjectedFault {
    /// The connection is cut.
    Reset,
    /// An answer with this status.
    Status(StatusCode),
}

/// The statuses of faults where the settings name none.
const USUAL: &[StatusCode] =
    &[StatusCode::INTERNAL_SERVER_ERROR, StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE];

impl FaultRates {
    /// Those of the settings.
    pub(super) fn of(config: &MockingConfig) -> Self {
        let statuses = config.fault_status_codes.iter().flatten();
        let statuses: Vec<_> = statuses.filter_map(|code| StatusCode::from_u16(*code).ok()).collect();
        Self {
            resets: config.connection_reset_rate,
            errors: config.fault_rate,
            statuses: if statuses.is_empty() { USUAL.to_vec() } else { statuses },
        }
    }

    /// Whether something happens to a request; the rate of errors is that of requests which are not cut.
    pub(super) fn draw(&self, dice: &mut RequestRng<'_>) -> Option<InjectedFault> {
        let mut happens = |rate: f64| rate > 0.0 && dice.unit() < rate;
        if happens(self.resets) {
            return Some(InjectedFault::Reset);
        }
        if !happens(self.errors) {
            return None;
        }
        self.statuses.get(dice.below(self.statuses.len())).copied().map(InjectedFault::Status)
    }
}

/// The response that is never sent.
pub(super) fn reset() -> HttpResponse {
    let mut response = HttpResponse::new(Body::Empty);
    response.extensions_mut().insert(StreamReset);
    response
}

#[cfg(test)]
mod tests {
    use super::{super::request_rng::RngSource, *};

    /// Checks how many of a thousand requests meet each fault: resets, 500, 503.
    #[track_caller]
    fn check(resets: f64, errors: f64, expected: [std::ops::RangeInclusive<usize>; 3]) {
        let statuses = vec![StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE];
        let faults = FaultRates { resets, errors, statuses: statuses.clone() };
        let source = RngSource::seeded(1);
        let drawn: Vec<_> = (0..1000).filter_map(|_| faults.draw(&mut source.dice())).collect();
        let of = |fault: InjectedFault| drawn.iter().filter(|it| **it == fault).count();
        let counts = [
            of(InjectedFault::Reset),
            of(InjectedFault::Status(statuses[0])),
            of(InjectedFault::Status(statuses[1])),
        ];
        for (count, expected) in counts.iter().zip(expected) {
            assert!(expected.contains(count), "{counts:?}");
        }
    }

    #[test]
    fn faults_happen_as_often_as_they_shall() {
        check(0.0, 0.0, [0..=0, 0..=0, 0..=0]);
        check(1.0, 1.0, [1000..=1000, 0..=0, 0..=0]);
        check(0.0, 1.0, [0..=0, 400..=600, 400..=600]);
        check(0.1, 0.2, [60..=140, 50..=130, 50..=130]);
    }
}
