//! Moments as the two formats write them, in UTC: most lines are of the same second as the one before, so that what
//! was written for it serves again.

use std::{
    cell::RefCell,
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::calendar::DateTime;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

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
            let DateTime { year, month, day, hour, minute, second: seconds } = DateTime::from_unix(second);
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

#[cfg(test)]
mod tests {
    use super::*;

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
