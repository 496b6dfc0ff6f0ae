//! Health of a peer: counters of events, and the state healthy or unhealthy.
//!
//! All counters are in one word, so that counting needs no lock. A success resets the counters of failures, a failure that of
//! successes; a counter that reaches its threshold changes the state. (Kong: "Health checks and circuit breakers".)

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::entity::HealthThresholds;

/// Event about the health of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthEvent {
    /// Response with a healthy status.
    Success,
    /// Response with an unhealthy status.
    HttpFailure,
    /// Connection that failed or broke.
    TcpFailure,
    /// Response that did not come in time.
    Timeout,
}

/// Source of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthSource {
    /// Active check; it can make a peer healthy again.
    Check,
    /// Request; it cannot.
    Request,
}

impl fmt::Display for HealthEvent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Success => "a good answer",
            Self::HttpFailure => "a bad answer",
            Self::TcpFailure => "no connection, or one that broke",
            Self::Timeout => "no answer in time",
        })
    }
}

impl fmt::Display for HealthSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Check => "check",
            Self::Request => "request",
        })
    }
}

/// Health of one peer.
#[derive(Debug, Default)]
pub(super) struct PeerHealth(AtomicU64);

/// Bit of an unhealthy peer; below it are four counters of eight bits each.
const UNHEALTHY: u64 = 1 << 32;
/// Largest value of a counter.
const MAX_COUNT: u64 = 255;

impl HealthEvent {
    /// The event for a response with this status; `None` if the status is neither healthy nor unhealthy.
    pub(super) fn of_status(status: u16, limits: &HealthThresholds) -> Option<Self> {
        if limits.healthy_statuses.contains(&status) {
            Some(Self::Success)
        } else if limits.unhealthy_statuses.contains(&status) {
            Some(Self::HttpFailure)
        } else {
            None
        }
    }

    const fn shift(self) -> u32 {
        match self {
            Self::Success => 0,
            Self::HttpFailure => 8,
            Self::TcpFailure => 16,
            Self::Timeout => 24,
        }
    }

    const fn limit(self, limits: &HealthThresholds) -> u64 {
        let limit = match self {
            Self::Success => limits.successes,
            Self::HttpFailure => limits.http_failures,
            Self::TcpFailure => limits.tcp_failures,
            Self::Timeout => limits.timeouts,
        };
        limit as u64
    }
}

impl PeerHealth {
    pub(super) fn is_healthy(&self) -> bool {
        self.0.load(Ordering::Acquire) & UNHEALTHY == 0
    }

    /// Counts an event; returns whether the state changed.
    pub(super) fn record(&self, event: HealthEvent, limits: &HealthThresholds, source: HealthSource) -> bool {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            let next = next_word(word, event, event.limit(limits), source);
            if next == word {
                return false;
            }
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return (next ^ word) & UNHEALTHY != 0,
                Err(current) => word = current,
            }
        }
    }

    /// Sets the state and resets the counters; returns whether the state changed.
    pub(super) fn set(&self, is_healthy: bool) -> bool {
        let word = self.0.swap(if is_healthy { 0 } else { UNHEALTHY }, Ordering::AcqRel);
        (word & UNHEALTHY == 0) != is_healthy
    }
}

/// The word after an event with threshold `limit`; a threshold of 0 never changes the state.
fn next_word(word: u64, event: HealthEvent, limit: u64, source: HealthSource) -> u64 {
    let state = word & UNHEALTHY;
    let is_success = event == HealthEvent::Success;
    // Resets the counters that the event contradicts.
    let kept = if is_success { word & MAX_COUNT } else { word & !(UNHEALTHY | MAX_COUNT) };
    let counts = limit > 0 && is_success == (state != 0) && (!is_success || source == HealthSource::Check);
    if !counts {
        return state | kept;
    }
    let count = ((kept >> event.shift()) & MAX_COUNT) + 1;
    if count >= limit.min(MAX_COUNT) {
        return state ^ UNHEALTHY;
    }
    state | (kept & !(MAX_COUNT << event.shift())) | (count << event.shift())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits() -> HealthThresholds {
        HealthThresholds {
            successes: 2,
            healthy_statuses: vec![200],
            tcp_failures: 3,
            timeouts: 1,
            http_failures: 2,
            unhealthy_statuses: vec![500],
        }
    }

    fn event(letter: char) -> HealthEvent {
        match letter.to_ascii_lowercase() {
            's' => HealthEvent::Success,
            'h' => HealthEvent::HttpFailure,
            't' => HealthEvent::TcpFailure,
            _ => HealthEvent::Timeout,
        }
    }

    /// Checks the state after events: capital letters are events of checks, small ones of requests.
    #[track_caller]
    fn check(events: &str, is_healthy: bool) {
        let health = PeerHealth::default();
        for letter in events.chars() {
            let source =
                if letter.is_ascii_uppercase() { HealthSource::Check } else { HealthSource::Request };
            health.record(event(letter), &limits(), source);
        }
        assert_eq!(health.is_healthy(), is_healthy, "{events}");
    }

    #[test]
    fn a_counter_that_reaches_its_threshold_changes_the_state() {
        check("", true);
        check("h", true);
        check("hh", false);
        check("ttt", false);
        check("o", false);
        check("tht", true);
        check("thth", false);
        check("hsh", true);
        check("hShh", false);
        check("oS", false);
        check("oSS", true);
        check("oSHS", false);
        check("oSHSS", true);
        check("osssss", false);
        check("oSs", false);
        check("oSSo", false);
    }

    #[test]
    fn a_threshold_of_zero_changes_nothing() {
        let disabled =
            HealthThresholds { successes: 0, tcp_failures: 0, timeouts: 0, http_failures: 0, ..limits() };
        let health = PeerHealth::default();
        for letter in "hhhttttoooo".repeat(100).chars() {
            assert!(!health.record(event(letter), &disabled, HealthSource::Check));
        }
        assert!(health.set(false) && !health.set(false));
        assert!(!health.record(HealthEvent::Success, &disabled, HealthSource::Check));
        assert!(!health.is_healthy());
        assert!(health.set(true) && health.is_healthy());
    }

    #[test]
    fn a_status_is_healthy_unhealthy_or_neither() {
        assert_eq!(HealthEvent::of_status(200, &limits()), Some(HealthEvent::Success));
        assert_eq!(HealthEvent::of_status(500, &limits()), Some(HealthEvent::HttpFailure));
        assert_eq!(HealthEvent::of_status(404, &limits()), None);
    }

    proptest! {
        /// The state equals that of a model with plain numbers.
        #[test]
        fn the_word_counts_like_plain_counters(events in "[shtoSHTO]{0,60}", threshold in 1u32..5) {
            let limits = HealthThresholds { successes: threshold, tcp_failures: threshold, timeouts: 1, http_failures: 2, ..limits() };
            let health = PeerHealth::default();
            let (mut is_healthy, mut successes, mut failures) = (true, 0, [0, 0, 0]);
            for letter in events.chars() {
                let source = if letter.is_ascii_uppercase() { HealthSource::Check } else { HealthSource::Request };
                health.record(event(letter), &limits, source);
                match letter.to_ascii_lowercase() {
                    's' => {
                        failures = [0; 3];
                        if !is_healthy && source == HealthSource::Check {
                            successes += 1;
                            if successes == threshold { (is_healthy, successes) = (true, 0); }
                        }
                    }
                    other => {
                        successes = 0;
                        let (index, limit) = match other { 'h' => (0, 2), 't' => (1, threshold), _ => (2, 1) };
                        if is_healthy {
                            failures[index] += 1;
                            if failures[index] == limit { (is_healthy, failures) = (false, [0; 3]); }
                        }
                    }
                }
                prop_assert_eq!(health.is_healthy(), is_healthy);
            }
        }
    }
}
