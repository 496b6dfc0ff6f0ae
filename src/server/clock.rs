//! Clock of connections: ticks for their timeouts, and the Date of responses.
//!
//! The task of the connection reaper sets both, so that a request only reads them. The date follows the system's clock
//! also when that is set back; hyper's own date would stand still until the old time is reached again.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::HeaderValue;

/// Time for all connections of a listener group.
#[derive(Debug)]
pub(super) struct Clock {
    tick: AtomicU32,
    /// Seconds since 1970.
    date: AtomicU64,
}

impl Clock {
    /// A clock at its first tick.
    pub(super) fn new() -> Self {
        // Ticks begin at 1, because 0 stands for an event that has not happened.
        Self { tick: AtomicU32::new(1), date: AtomicU64::new(seconds(SystemTime::now())) }
    }

    /// The current tick.
    pub(super) fn tick(&self) -> u32 {
        self.tick.load(Relaxed)
    }

    /// Sets both times.
    pub(super) fn set(&self, tick: u32, now: SystemTime) {
        self.tick.store(tick, Relaxed);
        self.date.store(seconds(now), Relaxed);
    }

    /// Value of Date. (RFC 9110, section 6.6.1)
    pub(super) fn date(&self) -> HeaderValue {
        thread_local! {
            static LAST: RefCell<(u64, HeaderValue)> = const { RefCell::new((0, HeaderValue::from_static(""))) };
        }
        let now = self.date.load(Relaxed);
        LAST.with_borrow_mut(|(seconds, value)| {
            if *seconds != now || value.is_empty() {
                let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now));
                // A date consists of letters, digits, blanks, commas and colons, which are valid.
                *value = HeaderValue::try_from(date).unwrap_or(const { HeaderValue::from_static("") });
                *seconds = now;
            }
            value.clone()
        })
    }
}

/// Seconds since 1970, up to the end of the year 9999, the last one that an HTTP date can express.
fn seconds(time: SystemTime) -> u64 {
    const LAST: u64 = 253_402_300_799;
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().min(LAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_follows_the_system_s_clock_in_both_directions() {
        let clock = Clock::new();
        for (seconds, expected) in [
            (1_700_000_000, "Tue, 14 Nov 2023 22:13:20 GMT"),
            (1_700_000_001, "Tue, 14 Nov 2023 22:13:21 GMT"),
            (1_600_000_000, "Sun, 13 Sep 2020 12:26:40 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (u64::MAX >> 2, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap();
            clock.set(2, time);
            assert_eq!((clock.tick(), clock.date().to_str().unwrap()), (2, expected));
        }
    }
}
