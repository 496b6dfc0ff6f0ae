//! Periods of limits: fixed windows of the UTC calendar.

use http::HeaderName;

use crate::calendar::{DAY_SECONDS as DAY, DateTime, days_from_1970};

/// A period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LimitPeriod {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month of the calendar.
    Month,
    /// A year of the calendar.
    Year,
}

/// All periods, the shortest first.
pub(super) const PERIODS: [LimitPeriod; 6] = [
    LimitPeriod::Second,
    LimitPeriod::Minute,
    LimitPeriod::Hour,
    LimitPeriod::Day,
    LimitPeriod::Month,
    LimitPeriod::Year,
];

impl LimitPeriod {
    /// Its name in the settings.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The headers for its limit and its remaining requests.
    pub(super) const fn headers(self) -> (HeaderName, HeaderName) {
        let (limit, remaining) = match self {
            Self::Second => ("x-ratelimit-limit-second", "x-ratelimit-remaining-second"),
            Self::Minute => ("x-ratelimit-limit-minute", "x-ratelimit-remaining-minute"),
            Self::Hour => ("x-ratelimit-limit-hour", "x-ratelimit-remaining-hour"),
            Self::Day => ("x-ratelimit-limit-day", "x-ratelimit-remaining-day"),
            Self::Month => ("x-ratelimit-limit-month", "x-ratelimit-remaining-month"),
            Self::Year => ("x-ratelimit-limit-year", "x-ratelimit-remaining-year"),
        };
        (HeaderName::from_static(limit), HeaderName::from_static(remaining))
    }

    /// Its length in seconds; as at Kong, every month has 30 days and every year 365.
    pub(super) const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => DAY,
            Self::Month => 30 * DAY,
            Self::Year => 365 * DAY,
        }
    }

    /// The start of the window of `now`; both are Unix times in seconds.
    pub(super) const fn start(self, now: u64) -> u64 {
        match self {
            Self::Second | Self::Minute | Self::Hour | Self::Day => now - now % self.seconds(),
            Self::Month => now - now % DAY - (DateTime::from_unix(now).day - 1) * DAY,
            Self::Year => start_of_year(DateTime::from_unix(now).year),
        }
    }

    /// Seconds until the window of `now` ends, at least one.
    pub(super) const fn reset(self, now: u64) -> u64 {
        let left = self.seconds().saturating_sub(now - self.start(now));
        if left == 0 { 1 } else { left }
    }
}

/// Unix time of the beginning of a year from 1970 on, in seconds.
const fn start_of_year(year: u64) -> u64 {
    match days_from_1970(year.cast_signed(), 1, 1) {
        Some(days) => days.unsigned_abs() * DAY,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(now: u64, starts: [u64; 6], resets: [u64; 6]) {
        assert_eq!(PERIODS.map(|period| period.start(now)), starts, "starts at {now}");
        assert_eq!(PERIODS.map(|period| period.reset(now)), resets, "resets at {now}");
    }

    #[test]
    fn windows_follow_the_calendar() {
        // 2024-02-29T12:00:15Z.
        let (now, day, month, year) = (1_709_208_015, 1_709_164_800, 1_706_745_600, 1_704_067_200);
        check(
            now,
            [now, now - 15, now - 15, day, month, year],
            [1, 45, 3585, DAY - (now - day), 30 * DAY - (now - month), 365 * DAY - (now - year)],
        );
        // 2024-12-31T23:59:59Z: the 31st of a month and the 366th day of a year.
        let now = 1_735_689_599;
        let midnight = now - DAY + 1;
        check(now, [now, now - 59, now - 3599, midnight, 1_733_011_200, 1_704_067_200], [1, 1, 1, 1, 1, 1]);
        check(0, [0; 6], PERIODS.map(LimitPeriod::seconds));
        // 2100 is no leap year: its 60th day is 1 March.
        assert_eq!(LimitPeriod::Month.start(4_107_542_400), 4_107_542_400);
    }

    proptest::proptest! {
        #[test]
        fn windows_contain_their_time_and_follow_each_other(now in 0..32_503_680_000_u64) {
            for period in PERIODS {
                let start = period.start(now);
                proptest::prop_assert!(start <= now && now - start < period.seconds() + DAY);
                proptest::prop_assert_eq!(period.start(start), start);
                proptest::prop_assert!(start == 0 || period.start(start - 1) < start);
                proptest::prop_assert!((1..=period.seconds()).contains(&period.reset(now)));
            }
        }
    }
}
