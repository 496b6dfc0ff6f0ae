//! Types of plain YAML scalars, by the rules of Kong and by those of YAML 1.2.
//!
//! Kong parses YAML 1.1 with libyaml and lyaml; files rely on `off` being false and on `010` being 8. OpenAPI documents
//! are YAML 1.2, where `off` is a string and `010` is 10.

use super::{Dialect, Number, Value};

/// The value of a plain scalar.
pub(super) fn plain(text: &str, dialect: Dialect) -> Value {
    typed(text, dialect).unwrap_or_else(|| Value::from(text))
}

/// The value of a plain scalar, if it is not a string.
pub(super) fn typed(text: &str, dialect: Dialect) -> Option<Value> {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Some(Value::Null);
    }
    boolean(text, dialect).map(Value::Bool).or_else(|| number(text, dialect).map(Value::Number))
}

/// The value of a scalar with one of YAML's own tags, such as `!!int "5"`; `None` if the tag does not fit.
pub(super) fn tagged(tag: &str, text: &str, dialect: Dialect) -> Option<Value> {
    match tag {
        "str" | "binary" | "timestamp" => Some(Value::from(text)),
        "null" => Some(Value::Null),
        "bool" => boolean(text, dialect).map(Value::Bool),
        "int" | "float" => number(text, dialect).map(Value::Number),
        _ => None,
    }
}

fn boolean(text: &str, dialect: Dialect) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" if dialect == Dialect::Kong => Some(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" if dialect == Dialect::Kong => Some(false),
        _ => None,
    }
}

fn number(text: &str, dialect: Dialect) -> Option<Number> {
    let first = text.as_bytes().first()?;
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) {
        return None;
    }
    let (negative, digits) = match first {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        return Number::from_f64(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    let whole = match dialect {
        Dialect::Kong => integer_1_1(digits),
        Dialect::Specification => integer_1_2(digits),
    };
    if let Some(whole) = whole {
        return Number::new(&format!("{}{whole}", if negative && whole != "0" { "-" } else { "" }));
    }
    match dialect {
        Dialect::Kong if digits.contains(':') => sexagesimal(digits, negative),
        Dialect::Kong => float(&digits.replace('_', ""), negative),
        Dialect::Specification => float(digits, negative),
    }
}

/// Integers of YAML 1.1: binary, octal with a leading zero, hexadecimal; underscores are allowed anywhere.
fn integer_1_1(digits: &str) -> Option<String> {
    let digits = digits.replace('_', "");
    if let Some(bits) = digits.strip_prefix("0b") {
        return radix(bits, 2);
    }
    if let Some(hex) = digits.strip_prefix("0x") {
        return radix(hex, 16);
    }
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return radix(&digits, 8);
    }
    decimal(&digits)
}

/// Integers of the YAML 1.2 core schema: decimal, `0o14` and `0x1F`.
fn integer_1_2(digits: &str) -> Option<String> {
    if let Some(octal) = digits.strip_prefix("0o") {
        return radix(octal, 8);
    }
    if let Some(hex) = digits.strip_prefix("0x") {
        return radix(hex, 16);
    }
    decimal(digits)
}

fn radix(digits: &str, radix: u32) -> Option<String> {
    let valid = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    valid.then(|| u128::from_str_radix(digits, radix).ok()).flatten().map(|number| number.to_string())
}

fn decimal(digits: &str) -> Option<String> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let short = digits.trim_start_matches('0');
    Some(if short.is_empty() { "0" } else { short }.to_owned())
}

/// A number in base sixty, which YAML 1.1 has for times of day: `12:30` is 750.
fn sexagesimal(digits: &str, negative: bool) -> Option<Number> {
    let mut total = 0.0;
    for (n, part) in digits.split(':').enumerate() {
        let part: f64 = part.replace('_', "").parse().ok()?;
        if part.is_nan() || part < 0.0 || (n > 0 && part >= 6000.0) {
            return None;
        }
        total = total * 60.0 + part;
    }
    Number::from_f64(if negative { -total } else { total })
}

/// A decimal fraction in JSON's notation with its digits as written: `.5` becomes `0.5`, `3.` becomes `3`.
fn float(digits: &str, negative: bool) -> Option<Number> {
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let mut json = String::from(if negative { "-" } else { "" });
    let short = whole.trim_start_matches('0');
    json.push_str(if short.is_empty() { "0" } else { short });
    if !fraction.is_empty() {
        json.push('.');
        json.push_str(fraction);
    }
    if let Some(exponent) = exponent {
        let bare = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if bare.is_empty() || !all_digits(bare) {
            return None;
        }
        json.push('e');
        json.push_str(exponent);
    }
    Number::new(&json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, kong: &str, specification: &str) {
        assert_eq!(plain(text, Dialect::Kong).to_json(), kong, "{text} as Kong reads it");
        assert_eq!(plain(text, Dialect::Specification).to_json(), specification, "{text} in YAML 1.2");
    }

    #[test]
    fn scalars_of_both_dialects() {
        for (text, kong, specification) in [
            ("yes", "true", "\"yes\""),
            ("Off", "false", "\"Off\""),
            ("NO", "false", "\"NO\""),
            ("y", "\"y\"", "\"y\""),
            ("tRUE", "\"tRUE\"", "\"tRUE\""),
            ("True", "true", "true"),
            ("~", "null", "null"),
            ("", "null", "null"),
            ("nULL", "\"nULL\"", "\"nULL\""),
            ("010", "8", "10"),
            ("0x1F", "31", "31"),
            ("0b101", "5", "\"0b101\""),
            ("0o14", "\"0o14\"", "12"),
            ("1_000", "1000", "\"1_000\""),
            ("+5", "5", "5"),
            ("-0", "0", "0"),
            ("1e3", "1e3", "1e3"),
            ("1.50", "1.50", "1.50"),
            ("3.", "3", "3"),
            (".5", "0.5", "0.5"),
            ("-.25", "-0.25", "-0.25"),
            ("12:30", "750", "\"12:30\""),
            ("190:20:30", "685230", "\"190:20:30\""),
            ("2001-01-01", "\"2001-01-01\"", "\"2001-01-01\""),
            ("3.0.1", "\"3.0.1\"", "\"3.0.1\""),
            ("a:b", "\"a:b\"", "\"a:b\""),
            ("1.2.3.4", "\"1.2.3.4\"", "\"1.2.3.4\""),
            (".inf", "1e999", "1e999"),
            ("-.INF", "-1e999", "-1e999"),
            ("12345678901234567890", "12345678901234567890", "12345678901234567890"),
            ("-", "\"-\"", "\"-\""),
            (".", "\".\"", "\".\""),
            ("1e", "\"1e\"", "\"1e\""),
            ("0x", "\"0x\"", "\"0x\""),
        ] {
            check(text, kong, specification);
        }
    }
}
