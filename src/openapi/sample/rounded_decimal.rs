//! Decimal numbers of limited precision, with the arithmetic that finds numbers within bounds: `0.1` is exactly a tenth.
//!
//! [`crate::openapi::decimal`] compares numbers of any length, but does not compute.

use std::cmp::Ordering;

use crate::document::Number;

/// Maximum number of digits; further ones are cut off.
const MAX_DIGITS: usize = 30;

/// `digits` times ten to the power of `exponent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoundedDecimal {
    digits: i128,
    exponent: i32,
}

impl RoundedDecimal {
    pub(super) const ONE: Self = Self { digits: 1, exponent: 0 };

    pub(super) const fn new(digits: i128, exponent: i32) -> Self {
        Self { digits, exponent }.normalized()
    }

    /// The number of a JSON text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: i128 = 0;
        let mut exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        let mut kept = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            let digit = i128::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
            if kept < MAX_DIGITS {
                digits = digits * 10 + digit;
                kept += usize::from(digits != 0);
            } else {
                exponent = exponent.checked_add(1)?;
            }
        }
        Some(Self::new(if negative { -digits } else { digits }, exponent))
    }

    pub(super) fn from_number(number: &Number) -> Option<Self> {
        Self::parse(number.as_str())
    }

    const fn normalized(mut self) -> Self {
        if self.digits == 0 {
            return Self { digits: 0, exponent: 0 };
        }
        while self.digits % 10 == 0 && self.exponent < i32::MAX {
            self.digits /= 10;
            self.exponent += 1;
        }
        self
    }

    fn approximate(self) -> f64 {
        format!("{}e{}", self.digits, self.exponent).parse().unwrap_or(f64::NAN)
    }

    /// The digits of both numbers with a common exponent, unless they overflow.
    fn aligned(self, other: Self) -> Option<(i128, i128, i32)> {
        let exponent = self.exponent.min(other.exponent);
        let scaled = |decimal: Self| {
            let power = u32::try_from(decimal.exponent.checked_sub(exponent)?).ok()?;
            decimal.digits.checked_mul(10_i128.checked_pow(power)?)
        };
        Some((scaled(self)?, scaled(other)?, exponent))
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        match self.aligned(other) {
            Some((left, right, _)) => left.cmp(&right),
            None => self.approximate().total_cmp(&other.approximate()),
        }
    }

    pub(super) fn is_multiple_of(self, step: Self) -> bool {
        match self.aligned(step) {
            Some((_, 0, _)) => true,
            Some((value, step, _)) => value % step == 0,
            // The numbers are too far apart to align.
            None => self.exponent > step.exponent,
        }
    }

    /// The number of steps up to `self`, rounded down or up.
    fn count_steps(self, step: Self, up: bool) -> Option<i128> {
        let (value, step, _) = self.aligned(step)?;
        let floor = value.checked_div_euclid(step)?;
        Some(if up && value % step != 0 { floor + 1 } else { floor })
    }

    /// The least multiple of `step` that is not below.
    pub(super) fn ceiling(self, step: Self) -> Option<Self> {
        step.times(self.count_steps(step, true)?)
    }

    /// The greatest multiple of `step` that is not above.
    pub(super) fn floor(self, step: Self) -> Option<Self> {
        step.times(self.count_steps(step, false)?)
    }

    pub(super) fn times(self, factor: i128) -> Option<Self> {
        Some(Self::new(self.digits.checked_mul(factor)?, self.exponent))
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let (left, right, exponent) = self.aligned(other)?;
        Some(Self::new(left.checked_add(right)?, exponent))
    }

    pub(super) const fn negative(self) -> Self {
        Self { digits: -self.digits, exponent: self.exponent }
    }

    /// The number of steps between `self` and `other`.
    pub(super) fn distance(self, other: Self, step: Self) -> Option<i128> {
        other.plus(self.negative())?.count_steps(step, false)
    }

    pub(super) const fn is_positive(self) -> bool {
        self.digits > 0
    }

    /// The least number that is a multiple of both.
    pub(super) fn common_multiple(self, other: Self) -> Option<Self> {
        let (left, right, exponent) = self.aligned(other)?;
        let (mut a, mut b) = (left.checked_abs()?, right.checked_abs()?);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Some(Self::new(left.checked_abs()?.checked_div(a)?.checked_mul(right.checked_abs()?)?, exponent))
    }

    /// The number as JSON, without an exponent unless it would be very long.
    pub(super) fn to_number(self) -> Option<Number> {
        let digits = self.digits.unsigned_abs().to_string();
        let sign = if self.digits < 0 { "-" } else { "" };
        let text = match self.exponent {
            0..=25 => {
                format!("{sign}{digits}{}", "0".repeat(usize::try_from(self.exponent).unwrap_or_default()))
            }
            -60..=-1 => {
                let places = usize::try_from(-self.exponent).unwrap_or_default();
                let digits = format!("{digits:0>width$}", width = places + 1);
                let (whole, fraction) = digits.split_at(digits.len() - places);
                format!("{sign}{whole}.{fraction}")
            }
            exponent => format!("{sign}{digits}e{exponent}"),
        };
        Number::new(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(decimal: Option<RoundedDecimal>) -> String {
        decimal
            .and_then(RoundedDecimal::to_number)
            .map(|number| number.as_str().to_owned())
            .unwrap_or_default()
    }

    #[test]
    fn numbers_are_written_without_exponents() {
        for (from, to) in [
            ("1", "1"),
            ("-0.50", "-0.5"),
            ("1e3", "1000"),
            ("1.5e-3", "0.0015"),
            ("100.00", "100"),
            ("-0", "0"),
            ("1e300", "1e300"),
            ("12345678901234567890", "12345678901234567890"),
            ("x", ""),
        ] {
            assert_eq!(text(RoundedDecimal::parse(from)), to, "{from}");
        }
    }

    #[test]
    fn multiples_are_exact() {
        let parse = |text| RoundedDecimal::parse(text).unwrap();
        assert_eq!(text(parse("10").ceiling(parse("7"))), "14");
        assert_eq!(text(parse("-10").ceiling(parse("7"))), "-7");
        assert_eq!(text(parse("-10").floor(parse("7"))), "-14");
        assert_eq!(text(parse("0.25").ceiling(parse("0.1"))), "0.3");
        assert_eq!(text(parse("0.4").common_multiple(parse("0.6"))), "1.2");
        assert!(parse("0.3").is_multiple_of(parse("0.1")));
        assert!(!parse("0.35").is_multiple_of(parse("0.1")));
        assert!(parse("1e300").is_multiple_of(parse("2")));
        assert_eq!(parse("1e300").compare(parse("-1e300")), Ordering::Greater);
        assert_eq!(parse("0.10").compare(parse("0.1")), Ordering::Equal);
    }
}
