//! Whether a peer works: counters of what was seen of it, and the two states that they lead to.
//!
//! All of it is one word, so that counting needs no lock. A success forgets all failures, a failure all successes;
//! the count that reaches its limit turns the state over. (Kong: "Health checks and circuit breakers".)

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::entity::HealthThresholds;

/// Something that was seen of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthEvent {
    /// A good answer.
    Success,
    /// A bad answer.
    HttpFailure,
    /// No connection, or one that broke.
    TcpFailure,
    /// No answer in time.
    Timeout,
}

/// Who saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthSource {
    /// A check: it may bring a peer back.
    Check,
    /// A request: it cannot.
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

/// The state of one peer.
#[derive(Debug, Default)]
pub(super) struct PeerHealth(AtomicU64);

/// The bit of a peer that does not work; below it four counters of eight bits each.
const DOWN: u64 = 1 << 32;
const MOST: u64 = 255;

impl HealthEvent {
    /// What an answer with this status is; none if it says nothing.
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
    pub(super) fn works(&self) -> bool {
        self.0.load(Ordering::Acquire) & DOWN == 0
    }

    /// Counts what was seen; tells whether the state turned over.
    pub(super) fn count(&self, event: HealthEvent, limits: &HealthThresholds, witness: HealthSource) -> bool {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            let next = after(word, event, event.limit(limits), witness);
            if next == word {
                return false;
            }
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return (next ^ word) & DOWN != 0,
                Err(now) => word = now,
            }
        }
    }

    /// Puts the state, and forgets all counts; tells whether it turned over.
    pub(super) fn put(&self, works: bool) -> bool {
        let word = self.0.swap(if works { 0 } else { DOWN }, Ordering::AcqRel);
        (word & DOWN == 0) != works
    }
}

/// The word after an event whose limit is `limit`; 0 means that it never changes the state.
fn after(word: u64, event: HealthEvent, limit: u64, witness: HealthSource) -> u64 {
    let down = word & DOWN;
    let success = event == HealthEvent::Success;
    // What the event contradicts is forgotten.
    let kept = if success { word & MOST } else { word & !(DOWN | MOST) };
    let counts = limit > 0 && success == (down != 0) && (!success || witness == HealthSource::Check);
    if !counts {
        return down | kept;
    }
    let count = ((kept >> event.shift()) & MOST) + 1;
    if count >= limit.min(MOST) {
        return down ^ DOWN;
    }
    down | (kept & !(MOST << event.shift())) | (count << event.shift())
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

    /// Capital letters are what checks saw, small ones what requests did.
    #[track_caller]
    fn check(events: &str, works: bool) {
        let health = PeerHealth::default();
        for letter in events.chars() {
            let witness =
                if letter.is_ascii_uppercase() { HealthSource::Check } else { HealthSource::Request };
            health.count(event(letter), &limits(), witness);
        }
        assert_eq!(health.works(), works, "{events}");
    }

    #[test]
    fn a_count_that_reaches_its_limit_turns_the_state_over() {
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
    fn a_limit_of_zero_changes_nothing() {
        let none =
            HealthThresholds { successes: 0, tcp_failures: 0, timeouts: 0, http_failures: 0, ..limits() };
        let health = PeerHealth::default();
        for letter in "hhhttttoooo".repeat(100).chars() {
            assert!(!health.count(event(letter), &none, HealthSource::Check));
        }
        assert!(health.put(false) && !health.put(false));
        assert!(!health.count(HealthEvent::Success, &none, HealthSource::Check));
        assert!(!health.works());
        assert!(health.put(true) && health.works());
    }

    #[test]
    fn a_status_is_good_bad_or_says_nothing() {
        assert_eq!(HealthEvent::of_status(200, &limits()), Some(HealthEvent::Success));
        assert_eq!(HealthEvent::of_status(500, &limits()), Some(HealthEvent::HttpFailure));
        assert_eq!(HealthEvent::of_status(404, &limits()), None);
    }

    proptest! {
        /// The state is that of a model which counts in plain numbers.
        #[test]
        fn the_word_is_as_good_as_plain_counters(events in "[shtoSHTO]{0,60}", most in 1u32..5) {
            let limits = HealthThresholds { successes: most, tcp_failures: most, timeouts: 1, http_failures: 2, ..limits() };
            let health = PeerHealth::default();
            let (mut up, mut good, mut bad) = (true, 0, [0, 0, 0]);
            for letter in events.chars() {
                let witness = if letter.is_ascii_uppercase() { HealthSource::Check } else { HealthSource::Request };
                health.count(event(letter), &limits, witness);
                match letter.to_ascii_lowercase() {
                    's' => {
                        bad = [0; 3];
                        if !up && witness == HealthSource::Check {
                            good += 1;
                            if good == most { (up, good) = (true, 0); }
                        }
                    }
                    other => {
                        good = 0;
                        let (place, limit) = match other { 'h' => (0, 2), 't' => (1, most), _ => (2, 1) };
                        if up {
                            bad[place] += 1;
                            if bad[place] == limit { (up, bad) = (false, [0; 3]); }
                        }
                    }
                }
                prop_assert_eq!(health.works(), up);
            }
        }
    }
}
