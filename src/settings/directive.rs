//! Readers of values in nginx's notation: times, sizes, buffers. Kong accepts every directive of nginx as
//! `nginx_http_<directive>` and `nginx_proxy_<directive>`; some of them are settings of mynah.

use std::{num::NonZeroUsize, time::Duration};

use super::{
    error::SettingFault,
    value::{not_a_number, size},
};

/// Bounds of the head of a request. (nginx: `large_client_header_buffers`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderBuffers {
    /// All fields together take at most this many times `size`.
    pub number: usize,
    /// The most bytes of the target, and of each field.
    pub size: usize,
}

/// Reads a time: numbers with units `ms`, `s`, `m`, `h`, `d`; a number without a unit is seconds.
pub(super) fn time(name: &str, text: &str) -> Result<Duration, SettingFault> {
    parse_time(text).ok_or_else(|| {
        SettingFault::new(
            format!("{name} is not a time: '{text}'"),
            "write seconds, or a number with a unit as `500ms`, `30s`, `1m` or `1h30m`",
        )
    })
}

/// Reads a time; 0 is none.
pub(super) fn time_or_none(name: &str, text: &str) -> Result<Option<Duration>, SettingFault> {
    // The second value of `keepalive_timeout` sets the header `Keep-Alive`, which mynah does not send.
    let first = text.split_ascii_whitespace().next().unwrap_or_default();
    Ok(Some(time(name, first)?).filter(|time| !time.is_zero()))
}

/// Reads a size in bytes, in which 0 is no special value.
pub(super) fn bytes(name: &str, text: &str) -> Result<usize, SettingFault> {
    let bytes = size(name, text)?.map_or(0, std::num::NonZeroU64::get);
    Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// Reads the size of a buffer in bytes, at least 1 KiB.
pub(super) fn buffer_size(name: &str, text: &str) -> Result<usize, SettingFault> {
    let size = bytes(name, text)?;
    if size < 1 << 10 {
        return Err(SettingFault::new(
            format!("{name} is not the size of a buffer: '{text}'"),
            "write a size of at least 1k, such as `16k` or `1m`",
        ));
    }
    Ok(size)
}

/// Reads the length of an IPv6 prefix in bits.
pub(super) fn prefix(name: &str, text: &str) -> Result<u8, SettingFault> {
    text.parse().ok().filter(|bits| (1..=128).contains(bits)).ok_or_else(|| {
        SettingFault::new(
            format!("{name} is not a number of bits: '{text}'"),
            "write a number from 1 to 128, as `64`",
        )
    })
}

/// Reads a number of buffers and their size, such as `4 8k`.
pub(super) fn buffers(name: &str, text: &str) -> Result<HeaderBuffers, SettingFault> {
    let wrong = || {
        SettingFault::new(
            format!("{name} is not a number and a size: '{text}'"),
            "write the number of buffers and the size of each, such as `4 8k`",
        )
    };
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [number, size] = words[..] else { return Err(wrong()) };
    let number = number.parse().ok().filter(|number: &usize| *number > 0).ok_or_else(wrong)?;
    let size = bytes(name, size)?;
    if size == 0 { Err(wrong()) } else { Ok(HeaderBuffers { number, size }) }
}

/// Reads a number from 1, or `auto`, which is none.
pub(super) fn auto_or_count(name: &str, text: &str) -> Result<Option<NonZeroUsize>, SettingFault> {
    match text {
        "auto" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| not_a_number(name, text, "write `auto` or a number from 1")),
    }
}

fn parse_time(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u32 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match &after[..letters] {
            "ms" => Duration::from_millis(1),
            "" | "s" => Duration::from_secs(1),
            "m" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            "d" => Duration::from_hours(24),
            _ => return None,
        };
        total = total.checked_add(unit.checked_mul(number)?)?;
        rest = &after[letters..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let seconds = [("30", 30), ("30s", 30), ("1m", 60), ("1h30m", 5400), ("1d", 86_400), ("0", 0)];
        for (text, expected) in seconds {
            assert_eq!(time("name", text).ok(), Some(Duration::from_secs(expected)), "{text}");
        }
        assert_eq!(time("name", "500ms").ok(), Some(Duration::from_millis(500)));
        for wrong in ["", "s", "1x", "-1", "1.5s", "99999999999s", "é"] {
            assert!(time("name", wrong).is_err(), "{wrong}");
        }
        assert_eq!(time_or_none("name", "0").ok(), Some(None));
        assert_eq!(time_or_none("name", "75s 60s").ok(), Some(Some(Duration::from_secs(75))));
    }

    #[test]
    fn buffers_have_a_number_and_a_size() {
        let buffers = |text| buffers("name", text).ok().map(|buffers| (buffers.number, buffers.size));
        assert_eq!(buffers("4 8k"), Some((4, 8192)));
        assert_eq!(buffers("2 1m"), Some((2, 1 << 20)));
        for wrong in ["", "4", "0 8k", "4 0", "4 8k 1", "x 8k", "4 8x"] {
            assert_eq!(buffers(wrong), None, "{wrong}");
        }
        assert_eq!(buffer_size("name", "160k").ok(), Some(160 << 10));
        for wrong in ["0", "1", "x", "8 16k"] {
            assert_eq!(buffer_size("name", wrong).ok(), None, "{wrong}");
        }
        assert_eq!(auto_or_count("name", "auto").ok(), Some(None));
        assert_eq!(auto_or_count("name", "7").ok(), Some(NonZeroUsize::new(7)));
        assert!(auto_or_count("name", "0").is_err());
    }
}
