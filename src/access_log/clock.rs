//! Moments as the two formats write them, in UTC: most lines are of the same second as the one before, so that what
//! was written for it serves again.

use std::{
    cell::RefCell,
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment, by calendar and clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CalendarTime {
    year: u64,
    /// 1 to 12.
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

/// A second, as both formats write it.
#[derive(Default)]
struct FormattedSecond {
    second: u64,
    combined: Vec<u8>,
    json: Vec<u8>,
}

thread_local! {
    static LAST: RefCell<FormattedSecond> = RefCell::default();
}

/// Writes this moment as nginx does in `combined`: `26/Nov/2026:22:17:13 +0000`.
pub(super) fn write_combined(text: &mut Vec<u8>) {
    let (second, _) = now();
    LAST.with_borrow_mut(|last| text.extend_from_slice(&last.of(second).combined));
}

/// Writes this moment as RFC 3339 has it: `2026-11-26T22:17:13.042Z`.
pub(super) fn write_json(text: &mut Vec<u8>) {
    let (second, millisecond) = now();
    LAST.with_borrow_mut(|last| text.extend_from_slice(&last.of(second).json));
    // Writing into memory cannot fail.
    let _ = write!(text, ".{millisecond:03}Z");
}

fn now() -> (u64, u32) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs(), since.subsec_millis())
}

impl FormattedSecond {
    fn of(&mut self, second: u64) -> &Self {
        if self.second != second || self.json.is_empty() {
            let CalendarTime { year, month, day, hour, minute, second: seconds } = CalendarTime::of(second);
            let name = usize::try_from(month.wrapping_sub(1)).ok().and_then(|place| MONTHS.get(place));
            let name = name.copied().unwrap_or("???");
            self.combined =
                format!("{day:02}/{name}/{year}:{hour:02}:{minute:02}:{seconds:02} +0000").into_bytes();
            self.json = format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{seconds:02}").into_bytes();
            self.second = second;
        }
        self
    }
}

impl CalendarTime {
    /// The moment so many seconds after 1970 began. (The civil calendar, with years that begin in March, so that a
    /// leap day is the last of its year.)
    fn of(seconds: u64) -> Self {
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * from_march + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: u64, expected: (u64, u64, u64, u64, u64, u64)) {
        let CalendarTime { year, month, day, hour, minute, second } = CalendarTime::of(seconds);
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
    fn a_second_is_written_in_two_ways() {
        let mut written = FormattedSecond::default();
        for (second, combined, json) in [
            (0, "01/Jan/1970:00:00:00 +0000", "1970-01-01T00:00:00"),
            (1_798_761_599, "31/Dec/2026:23:59:59 +0000", "2026-12-31T23:59:59"),
            (1_798_761_599, "31/Dec/2026:23:59:59 +0000", "2026-12-31T23:59:59"),
        ] {
            let written = written.of(second);
            assert_eq!(String::from_utf8_lossy(&written.combined), combined);
            assert_eq!(String::from_utf8_lossy(&written.json), json);
        }
    }
}
