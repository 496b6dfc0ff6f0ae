//! Exact decimal numbers of any length, parsed from JSON: comparison, whole numbers, multiples.

use std::{
    cmp::Ordering,
    fmt::{self, Write},
    hash::{Hash, Hasher},
};

/// Larger exponents are taken as this one; no text has as many digits.
const MAX_EXPONENT: i64 = 1 << 60;
/// Maximum significant digits of a step that multiples are computed for; the remainder fits into 128 bits.
const STEP_DIGITS: usize = 36;

/// A number in normal form: `0.<digits>` times ten to the power of `magnitude`, without zeros at either end.
#[derive(Clone, Copy, Debug)]
pub(in crate::openapi) struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    magnitude: i64,
}

impl<'a> Decimal<'a> {
    /// Parses a JSON number.
    pub(in crate::openapi) fn parse(text: &'a str) -> Self {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut whole = whole.trim_start_matches('0').as_bytes();
        let mut fraction = fraction.trim_end_matches('0').as_bytes();
        let mut magnitude = digit_count(whole);
        if whole.is_empty() {
            let zeros = fraction.iter().take_while(|digit| **digit == b'0').count();
            magnitude = -digit_count(&fraction[..zeros]);
            fraction = &fraction[zeros..];
        } else if fraction.is_empty() {
            let zeros = whole.iter().rev().take_while(|digit| **digit == b'0').count();
            whole = &whole[..whole.len() - zeros];
        }
        if whole.is_empty() && fraction.is_empty() {
            return Self { negative: false, whole, fraction, magnitude: 0 };
        }
        Self { negative, whole, fraction, magnitude: magnitude.saturating_add(parse_exponent(exponent)) }
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.iter().chain(self.fraction).copied()
    }

    /// Whether it is greater than zero.
    pub(in crate::openapi) fn is_positive(&self) -> bool {
        !self.negative && !self.is_zero()
    }

    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.is_empty()
    }

    /// The power of ten of the last significant digit.
    fn exponent(&self) -> i64 {
        self.magnitude.saturating_sub(digit_count(self.whole)).saturating_sub(digit_count(self.fraction))
    }

    /// Whether the number has no fraction.
    pub(in crate::openapi) fn is_whole(&self) -> bool {
        self.is_zero() || self.exponent() >= 0
    }

    /// Compares two numbers by their numeric value.
    pub(in crate::openapi) fn compare(&self, other: &Decimal<'_>) -> Ordering {
        let sign = |number: &Decimal<'_>| match (number.is_zero(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        sign(self).cmp(&sign(other)).then_with(|| {
            let absolute =
                self.magnitude.cmp(&other.magnitude).then_with(|| self.digits().cmp(other.digits()));
            if self.negative { absolute.reverse() } else { absolute }
        })
    }

    /// Whether this is a multiple of a step. A step with more digits than [`STEP_DIGITS`] is taken to have no multiples but
    /// zero and itself.
    pub(in crate::openapi) fn is_multiple_of(&self, step: &Decimal<'_>) -> bool {
        if self.is_zero() {
            return true;
        }
        if step.is_zero() || step.digits().count() > STEP_DIGITS {
            return self.magnitude == step.magnitude && self.digits().eq(step.digits());
        }
        // In normal form neither ends in a zero, so a digit after the last one of the step is a remainder.
        let Ok(shift) = u64::try_from(self.exponent().saturating_sub(step.exponent())) else { return false };
        let modulus = step.digits().fold(0_u128, |all, digit| all * 10 + u128::from(digit - b'0'));
        let rest = self.digits().fold(0_u128, |rest, digit| (rest * 10 + u128::from(digit - b'0')) % modulus);
        rest == 0 || multiply(rest, power_of_ten(shift, modulus), modulus) == 0
    }
}

/// The normal form, which equal numbers share.
impl fmt::Display for Decimal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.negative { "-0." } else { "0." })?;
        self.digits().try_for_each(|digit| f.write_char(char::from(digit)))?;
        write!(f, "e{}", self.magnitude)
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other).is_eq()
    }
}

impl Hash for Decimal<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.negative.hash(state);
        self.magnitude.hash(state);
        self.digits().for_each(|digit| state.write_u8(digit));
    }
}

fn digit_count(digits: &[u8]) -> i64 {
    i64::try_from(digits.len()).unwrap_or(MAX_EXPONENT)
}

fn parse_exponent(text: &str) -> i64 {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let digits = digits.trim_start_matches('+').trim_start_matches('0');
    let absolute = if digits.len() > 18 { MAX_EXPONENT } else { digits.parse().unwrap_or(0) };
    if negative { -absolute } else { absolute }
}

/// `10^exponent mod modulus`.
fn power_of_ten(mut exponent: u64, modulus: u128) -> u128 {
    let (mut result, mut base) = (1 % modulus, 10 % modulus);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, base, modulus);
        }
        base = multiply(base, base, modulus);
        exponent >>= 1;
    }
    result
}

/// `left * right mod modulus`, for a modulus of at most 126 bits.
fn multiply(mut left: u128, mut right: u128, modulus: u128) -> u128 {
    if let Some(product) = left.checked_mul(right) {
        return product % modulus;
    }
    let mut sum = 0;
    while right > 0 {
        if right & 1 == 1 {
            sum = (sum + left) % modulus;
        }
        left = (left << 1) % modulus;
        right >>= 1;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_their_values() {
        for (left, right, expected) in [
            ("1", "1.0", Ordering::Equal),
            ("100", "1e2", Ordering::Equal),
            ("-0", "0.000", Ordering::Equal),
            ("0.1", "1e-1", Ordering::Equal),
            ("1e400", "1e399", Ordering::Greater),
            ("-1e400", "1", Ordering::Less),
            ("-2", "-1", Ordering::Less),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            ("0.30000000000000004", "0.3", Ordering::Greater),
            ("1e1000000000", "1e999999999", Ordering::Greater),
            ("1e-1000000000", "0", Ordering::Greater),
            ("12", "123e-1", Ordering::Less),
        ] {
            let compared = Decimal::parse(left).compare(&Decimal::parse(right));
            assert_eq!(compared, expected, "{left} {right}");
        }
    }

    #[test]
    fn whole_numbers_and_multiples_are_exact() {
        for (text, whole) in [("1", true), ("1.0", true), ("1.5e1", true), ("1.5", false), ("1e-1", false)] {
            assert_eq!(Decimal::parse(text).is_whole(), whole, "{text}");
        }
        for (value, step, multiple) in [
            ("0", "7", true),
            ("4.35", "0.01", true),
            ("19.99", "0.01", true),
            ("0.0075", "0.0001", true),
            ("0.00751", "0.0001", false),
            ("1e308", "0.123456789", false),
            ("12391239123", "1e-8", true),
            ("1e1000000000", "3", false),
            ("3e1000000000", "3", true),
            ("1e1000000000", "1e-1000000000", true),
            ("-9", "3", true),
            ("10", "1e1", true),
            ("15", "1e1", false),
            ("340282366920938463463374607431768211456", "340282366920938463463374607431768211", false),
        ] {
            let found = Decimal::parse(value).is_multiple_of(&Decimal::parse(step));
            assert_eq!(found, multiple, "{value} {step}");
        }
        let long = format!("3{}", "0".repeat(1_000_000));
        assert!(Decimal::parse(&long).is_multiple_of(&Decimal::parse("3")));
        assert!(!Decimal::parse(&long).is_multiple_of(&Decimal::parse("7")));
    }
}
