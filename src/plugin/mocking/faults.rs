//! Injected faults, for tests of resilience.

use http::StatusCode;

use super::{super::HttpResponse, request_rng::RequestRng, settings::MockingConfig};
use crate::body::{Body, StreamReset};

/// Rates of injected faults, from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FaultRates {
    resets: f64,
    errors: f64,
    statuses: Vec<StatusCode>,
}

/// A fault in place of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InjectedFault {
    /// The connection is closed without a response.
    Reset,
    /// A response with this status.
    Status(StatusCode),
}

/// The statuses of faults if the settings name none.
const DEFAULT_STATUSES: &[StatusCode] =
    &[StatusCode::INTERNAL_SERVER_ERROR, StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE];

impl FaultRates {
    /// The rates of the settings.
    pub(super) fn of(config: &MockingConfig) -> Self {
        let statuses = config.fault_status_codes.iter().flatten();
        let statuses: Vec<_> = statuses.filter_map(|code| StatusCode::from_u16(*code).ok()).collect();
        Self {
            resets: config.connection_reset_rate,
            errors: config.fault_rate,
            statuses: if statuses.is_empty() { DEFAULT_STATUSES.to_vec() } else { statuses },
        }
    }

    /// Draws the fault of a request. The rate of errors applies to requests whose connection is not closed.
    pub(super) fn draw(&self, rng: &mut RequestRng<'_>) -> Option<InjectedFault> {
        let mut occurs = |rate: f64| rate > 0.0 && rng.unit() < rate;
        if occurs(self.resets) {
            return Some(InjectedFault::Reset);
        }
        if !occurs(self.errors) {
            return None;
        }
        self.statuses.get(rng.below(self.statuses.len())).copied().map(InjectedFault::Status)
    }
}

/// The response that makes the server close the connection instead of sending it.
pub(super) fn reset_response() -> HttpResponse {
    let mut response = HttpResponse::new(Body::Empty);
    response.extensions_mut().insert(StreamReset);
    response
}

#[cfg(test)]
mod tests {
    use super::{super::request_rng::RngSource, *};

    /// Checks how many of a thousand requests get each fault: resets, 500, 503.
    #[track_caller]
    fn check(resets: f64, errors: f64, expected: [std::ops::RangeInclusive<usize>; 3]) {
        let statuses = vec![StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE];
        let faults = FaultRates { resets, errors, statuses: statuses.clone() };
        let source = RngSource::seeded(1);
        let drawn: Vec<_> = (0..1000).filter_map(|_| faults.draw(&mut source.rng())).collect();
        let of = |fault: InjectedFault| drawn.iter().filter(|drawn| **drawn == fault).count();
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
    fn faults_occur_at_their_rates() {
        check(0.0, 0.0, [0..=0, 0..=0, 0..=0]);
        check(1.0, 1.0, [1000..=1000, 0..=0, 0..=0]);
        check(0.0, 1.0, [0..=0, 400..=600, 400..=600]);
        check(0.1, 0.2, [60..=140, 50..=130, 50..=130]);
    }
}
