//! Check whether a text has a format, for samples and for examples of documents. It is more lenient than the formats of
//! [`crate::openapi::validator`], so that examples of authors stay in use. Unknown formats allow every text.

use crate::base64_codec;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether the text has the format.
pub(super) fn has_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => is_date_time(text),
        "date" => is_date(text),
        "time" => is_time(text),
        "duration" => is_duration(text),
        "uuid" => uuid::Uuid::try_parse(text).is_ok() && text.len() == 36,
        "email" | "idn-email" => is_email(text),
        "hostname" => is_hostname(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "uri" | "iri" => is_uri(text, format == "iri"),
        "uri-reference" | "iri-reference" => has_uri_characters(text, format == "iri-reference"),
        "json-pointer" => text.is_empty() || text.starts_with('/') && has_valid_escapes(text),
        "byte" => base64_codec::decode(text).is_some(),
        _ => true,
    }
}

/// RFC 3339, section 5.6.
fn is_date_time(text: &str) -> bool {
    text.split_once(['T', 't']).is_some_and(|(day, hour)| is_date(day) && is_time(hour))
}

fn parse_digits(text: &str, count: usize) -> Option<u32> {
    let is_whole = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_whole.then(|| text.parse().ok()).flatten()
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let (Some(year), Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (Some(year), Some(month), Some(day)) =
        (parse_digits(year, 4), parse_digits(month, 2), parse_digits(day, 2))
    else {
        return false;
    };
    let is_leap_year = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    let days = match month {
        2 => 28 + u32::from(is_leap_year),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

fn is_time(text: &str) -> bool {
    let (clock, zone) = match text.find(['Z', 'z', '+', '-']) {
        Some(at) => text.split_at(at),
        None => return false,
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let numbers: Vec<Option<u32>> = clock.split(':').map(|part| parse_digits(part, 2)).collect();
    let clock = matches!(numbers[..], [Some(0..=23), Some(0..=59), Some(0..=60)]);
    let zone = matches!(zone, "Z" | "z")
        || zone.get(1..).and_then(|offset| offset.split_once(':')).is_some_and(|(hour, minute)| {
            parse_digits(hour, 2).is_some_and(|hour| hour < 24)
                && parse_digits(minute, 2).is_some_and(|minute| minute < 60)
        });
    clock && zone && !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

/// ISO 8601 as in RFC 3339, appendix A.
fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else { return false };
    let (days, hours) = rest.split_once('T').map_or((rest, None), |(days, hours)| (days, Some(hours)));
    let are_units = |text: &str, units: &str| {
        let mut units = units.chars();
        let mut number = false;
        text.chars().all(|char| {
            if char.is_ascii_digit() {
                number = true;
                return true;
            }
            std::mem::take(&mut number) && units.any(|unit| unit == char)
        }) && !number
    };
    let days = days.is_empty() && hours.is_some()
        || !days.is_empty() && (are_units(days, "YMD") || are_units(days, "W"));
    days && hours.is_none_or(|hours| !hours.is_empty() && are_units(hours, "HMS"))
}

fn is_email(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(local, host)| {
        !local.is_empty() && local.len() <= 64 && !local.contains(char::is_whitespace) && !host.is_empty()
    })
}

/// RFC 1123, section 2.1.
fn is_hostname(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// RFC 3986, section 3: a scheme, and nothing that has to be escaped.
fn is_uri(text: &str, allows_unicode: bool) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    }) && has_uri_characters(text, allows_unicode)
}

fn has_uri_characters(text: &str, allows_unicode: bool) -> bool {
    text.chars().all(|char| {
        if char.is_ascii() {
            char > ' ' && char != '\u{7f}' && !"\"<>\\^`{|}".contains(char)
        } else {
            allows_unicode
        }
    })
}

fn has_valid_escapes(text: &str) -> bool {
    text.split('~').skip(1).all(|after| after.starts_with(['0', '1']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_and_invalid_texts_are_distinguished() {
        for (format, good, bad) in [
            ("date-time", "2024-02-29T23:59:60.5+01:00", "2023-02-29T00:00:00Z"),
            ("date", "2000-02-29", "1900-02-29"),
            ("time", "12:00:00-08:30", "12:00:00"),
            ("duration", "P1Y2M3DT4H5M6S", "P1DT"),
            ("uuid", "550e8400-e29b-41d4-a716-446655440000", "550e8400e29b41d4a716446655440000"),
            ("email", "a@b.co", "a@"),
            ("hostname", "a-b.example", "-a.example"),
            ("ipv4", "192.0.2.1", "192.0.2.256"),
            ("ipv6", "::1", ":1"),
            ("uri", "urn:x:y", "/relative"),
            ("byte", "YQ==", "YQ="),
            ("json-pointer", "/a~1b", "/a~2"),
        ] {
            assert!(has_format(format, good), "{format} {good}");
            assert!(!has_format(format, bad), "{format} {bad}");
        }
    }
}
