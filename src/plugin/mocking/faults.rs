//! Injected faults, for tests of resilience.

use http::{HeaderMap, HeaderName, StatusCode};

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

/// The fault that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestedFault {
    /// No fault, whatever the rates are.
    Absent,
    /// This fault.
    Present(InjectedFault),
}

/// nginx's status for a connection that is closed without a response.
pub(super) const NO_RESPONSE: u16 = 444;

const FAULT: HeaderName = HeaderName::from_static("x-mynah-mocking-fault");

/// The message about an invalid fault.
const INVALID_FAULT_MESSAGE: &str = "Invalid value for X-Mynah-Mocking-Fault. The fault should be a status code from 400 to 599, reset, or none";

/// The fault that the fields of a request ask for.
///
/// # Errors
/// The message about an invalid value, for the response.
pub(super) fn requested_fault(headers: &HeaderMap) -> Result<Option<RequestedFault>, &'static str> {
    let Some(value) = headers.get(FAULT) else { return Ok(None) };
    let fault = match value.as_bytes() {
        b"none" => RequestedFault::Absent,
        b"reset" => RequestedFault::Present(InjectedFault::Reset),
        digits => {
            let status = StatusCode::from_bytes(digits).ok();
            let status = status.filter(|status| status.is_client_error() || status.is_server_error());
            RequestedFault::Present(InjectedFault::Status(status.ok_or(INVALID_FAULT_MESSAGE)?))
        }
    };
    Ok(Some(fault))
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
    fn a_request_may_ask_for_a_fault() {
        let requested = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(FAULT, value.parse().unwrap());
            requested_fault(&headers)
        };
        let status = |status| Ok(Some(RequestedFault::Present(InjectedFault::Status(status))));
        assert_eq!(requested("503"), status(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(requested("404"), status(StatusCode::NOT_FOUND));
        assert_eq!(requested("reset"), Ok(Some(RequestedFault::Present(InjectedFault::Reset))));
        assert_eq!(requested("none"), Ok(Some(RequestedFault::Absent)));
        for wrong in ["200", "600", "", "off", "5031"] {
            assert_eq!(requested(wrong), Err(INVALID_FAULT_MESSAGE), "{wrong}");
        }
        assert_eq!(requested_fault(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn faults_occur_at_their_rates() {
        check(0.0, 0.0, [0..=0, 0..=0, 0..=0]);
        check(1.0, 1.0, [1000..=1000, 0..=0, 0..=0]);
        check(0.0, 1.0, [0..=0, 400..=600, 400..=600]);
        check(0.1, 0.2, [60..=140, 50..=130, 50..=130]);
    }
}
