//! Numbers of a document, with their digits as written.

use std::fmt;

use super::SharedText;

/// A number with its digits as written, in JSON's notation (RFC 8259, section 6).
///
/// Infinity, which JSON has no notation for, is `1e999`: parsers to floating point numbers read it as infinity.
#[derive(Clone, PartialEq, Eq)]
pub struct Number(SharedText);

impl Number {
    /// Parses a JSON number; `None` if the text is not one.
    #[must_use]
    pub fn new(json: &str) -> Option<Self> {
        json.parse::<serde_json::Number>().is_ok().then(|| Self(json.into()))
    }

    /// The shortest notation of a floating point number; `None` for NaN.
    #[must_use]
    pub fn from_f64(number: f64) -> Option<Self> {
        if number.is_nan() {
            return None;
        }
        if number.is_infinite() {
            return Some(Self(if number > 0.0 { "1e999" } else { "-1e999" }.into()));
        }
        #[expect(clippy::cast_possible_truncation, reason = "in range and whole: the condition checks it")]
        let text = if number.fract() == 0.0 && number.abs() < 9e15 {
            (number as i64).to_string()
        } else {
            format!("{number:?}")
        };
        Some(Self(text.into()))
    }

    /// The number in JSON's notation.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest floating point number.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// The value as an integer, if it is integral, as `80.0` and `1e3` are.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Ok(whole) = self.0.parse() {
            return Some(whole);
        }
        let number = self.as_f64();
        #[expect(clippy::cast_possible_truncation, reason = "in range and whole: the condition checks it")]
        (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

impl From<&serde_json::Number> for Number {
    fn from(number: &serde_json::Number) -> Self {
        Self(number.to_string().into())
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(number.to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_recognized_in_every_notation() {
        let whole = |text: &str| Number::new(text).and_then(|number| number.as_i64());
        assert_eq!(whole("80.0"), Some(80));
        assert_eq!(whole("1e3"), Some(1000));
        assert_eq!(whole("5.5"), None);
        assert_eq!(whole("12345678901234567890"), None);
        assert_eq!(Number::new("0x1F"), None);
    }
}
