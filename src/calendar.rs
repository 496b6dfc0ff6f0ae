//! Dates and times of the Gregorian calendar in UTC, from and to Unix time.
//!
//! The arithmetic counts years from March, so that a leap day is the last day of its year. 400 such years have 146,097
//! days, and 719,468 days lie between 1 March of the year 0 and 1 January 1970.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds of a day; Unix time has no leap seconds.
pub const DAY_SECONDS: u64 = 86_400;

const DAYS_TO_1970: u64 = 719_468;
const DAYS_OF_400_YEARS: u64 = 146_097;

/// A date and a time of day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// 1970 or later.
    pub year: u64,
    /// 1 to 12.
    pub month: u64,
    /// 1 to 31.
    pub day: u64,
    /// 0 to 23.
    pub hour: u64,
    /// 0 to 59.
    pub minute: u64,
    /// 0 to 59.
    pub second: u64,
}

impl DateTime {
    /// The date and time of a Unix time in seconds.
    #[must_use]
    pub const fn from_unix(seconds: u64) -> Self {
        let (days, rest) = (seconds / DAY_SECONDS + DAYS_TO_1970, seconds % DAY_SECONDS);
        let (era, day_of_era) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let next_year = if month <= 2 { 1 } else { 0 };
        Self {
            year: era * 400 + year_of_era + next_year,
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }
}

/// Days from 1 January 1970 to a date; negative before. `None` if the month is not 1 to 12 or the day not 1 to 31.
#[must_use]
pub const fn days_from_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    if month < 1 || month > 12 || day < 1 || day > 31 {
        return None;
    }
    let year = if month < 3 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leap_days + day_of_year - DAYS_TO_1970.cast_signed())
}

/// A time as RFC 3339 writes it, without fractions: `2019-08-24T14:15:22Z`. Times before 1970 are 1970.
/// (RFC 3339, section 5.6.)
#[must_use]
pub fn format_rfc_3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let DateTime { year, month, day, hour, minute, second } = DateTime::from_unix(seconds);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(seconds: u64, expected: (u64, u64, u64, u64, u64, u64)) {
        let DateTime { year, month, day, hour, minute, second } = DateTime::from_unix(seconds);
        assert_eq!((year, month, day, hour, minute, second), expected);
    }

    #[test]
    fn seconds_become_a_date() {
        check(0, (1970, 1, 1, 0, 0, 0));
        check(951_782_399, (2000, 2, 28, 23, 59, 59));
        check(951_782_400, (2000, 2, 29, 0, 0, 0));
        check(951_868_800, (2000, 3, 1, 0, 0, 0));
        check(1_798_761_599, (2026, 12, 31, 23, 59, 59));
        check(4_107_542_400, (2100, 3, 1, 0, 0, 0));
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_566_656_122, "2019-08-24T14:15:22Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(format_rfc_3339(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn days_are_counted_from_1970() {
        for (date, expected) in [
            ((1970, 1, 1), Some(0)),
            ((1969, 12, 31), Some(-1)),
            ((2000, 2, 29), Some(11_016)),
            ((1970, 13, 1), None),
            ((1970, 1, 0), None),
        ] {
            assert_eq!(days_from_1970(date.0, date.1, date.2), expected, "{date:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_date_has_the_days_that_it_was_made_from(days in 0..2_000_000_i64) {
            let date = DateTime::from_unix(days.unsigned_abs() * DAY_SECONDS);
            let [year, month, day] = [date.year, date.month, date.day].map(u64::cast_signed);
            proptest::prop_assert_eq!(days_from_1970(year, month, day), Some(days));
        }
    }
}
