//! Moments as the two formats write them, in UTC.

use std::{
    cell::Cell,
    time::{SystemTime, UNIX_EPOCH},
};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment, by calendar and clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) year: u64,
    /// 1 to 12.
    pub(super) month: u64,
    pub(super) day: u64,
    pub(super) hour: u64,
    pub(super) minute: u64,
    pub(super) second: u64,
    pub(super) millisecond: u32,
}

thread_local! {
    /// The last second that was asked for: most lines are of the same one.
    static LAST: Cell<(u64, Moment)> = const { Cell::new((0, Moment::EPOCH)) };
}

impl Moment {
    const EPOCH: Self = Self { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, millisecond: 0 };

    /// This moment.
    pub(super) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (seconds, millisecond) = (since.as_secs(), since.subsec_millis());
        let (last, moment) = LAST.get();
        let moment = if last == seconds { moment } else { Self::of(seconds) };
        LAST.set((seconds, moment));
        Self { millisecond, ..moment }
    }

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
            millisecond: 0,
        }
    }

    /// The month as three letters.
    pub(super) fn month_name(&self) -> &'static str {
        let place = usize::try_from(self.month.wrapping_sub(1)).unwrap_or(0);
        MONTHS.get(place).copied().unwrap_or("???")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: u64, expected: (u64, u64, u64, u64, u64, u64)) {
        let Moment { year, month, day, hour, minute, second, .. } = Moment::of(seconds);
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
        assert_eq!(Moment::of(1_798_761_599).month_name(), "Dec");
    }
}
