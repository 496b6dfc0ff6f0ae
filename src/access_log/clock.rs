//! Times in the two formats of the log, in UTC. The text of a second is cached, because most lines are of the same second as
//! the previous one.

use std::{
    cell::RefCell,
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::calendar::DateTime;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Second, as text in both formats.
#[derive(Default)]
struct FormattedSecond {
    second: u64,
    combined: Vec<u8>,
    json: Vec<u8>,
}

thread_local! {
    static CACHED: RefCell<FormattedSecond> = RefCell::default();
}

/// Writes the present time as in nginx's `combined`: `26/Nov/2026:22:17:13 +0000`.
pub(super) fn write_combined(text: &mut Vec<u8>) {
    let (second, _) = now();
    CACHED.with_borrow_mut(|cached| text.extend_from_slice(&cached.format(second).combined));
}

/// Writes the present time in the format of RFC 3339: `2026-11-26T22:17:13.042Z`.
pub(super) fn write_json(text: &mut Vec<u8>) {
    let (second, millisecond) = now();
    CACHED.with_borrow_mut(|cached| text.extend_from_slice(&cached.format(second).json));
    // Writing into memory cannot fail.
    let _ = write!(text, ".{millisecond:03}Z");
}

fn now() -> (u64, u32) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs(), since.subsec_millis())
}

impl FormattedSecond {
    /// Formats a second, unless it is the cached one.
    fn format(&mut self, second: u64) -> &Self {
        if self.second != second || self.json.is_empty() {
            let DateTime { year, month, day, hour, minute, second: seconds } = DateTime::from_unix(second);
            let name = usize::try_from(month.wrapping_sub(1)).ok().and_then(|index| MONTHS.get(index));
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
    fn a_second_is_written_in_both_formats() {
        let mut written = FormattedSecond::default();
        for (second, combined, json) in [
            (0, "01/Jan/1970:00:00:00 +0000", "1970-01-01T00:00:00"),
            (1_798_761_599, "31/Dec/2026:23:59:59 +0000", "2026-12-31T23:59:59"),
            (1_798_761_599, "31/Dec/2026:23:59:59 +0000", "2026-12-31T23:59:59"),
        ] {
            let written = written.format(second);
            assert_eq!(String::from_utf8_lossy(&written.combined), combined);
            assert_eq!(String::from_utf8_lossy(&written.json), json);
        }
    }
}
