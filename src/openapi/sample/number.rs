//! Numbers within bounds: round ones, in steps from a preferred value.

use std::cmp::Ordering;

use super::{rounded_decimal::RoundedDecimal, seeded_rng::SeededRng};

/// Maximum number of fractional digits that are tried.
const MAX_FRACTION_DIGITS: i32 = 40;

/// One end of a range.
#[derive(Clone, Copy, Debug)]
pub(super) struct RangeBound {
    pub(super) value: RoundedDecimal,
    /// Whether the value itself is out of range.
    pub(super) exclusive: bool,
}

/// The numbers that are allowed.
#[derive(Clone, Debug, Default)]
pub(super) struct NumberRange {
    pub(super) low: Option<RangeBound>,
    pub(super) high: Option<RangeBound>,
    /// The number that values are multiples of.
    pub(super) step: Option<RoundedDecimal>,
}

impl NumberRange {
    /// Excludes values below `bound`.
    pub(super) fn raise_low(&mut self, bound: RangeBound) {
        let tighter = self.low.is_none_or(|low| match bound.value.compare(low.value) {
            Ordering::Greater => true,
            Ordering::Equal => bound.exclusive,
            Ordering::Less => false,
        });
        if tighter {
            self.low = Some(bound);
        }
    }

    /// Excludes values above `bound`.
    pub(super) fn lower_high(&mut self, bound: RangeBound) {
        let tighter = self.high.is_none_or(|high| match bound.value.compare(high.value) {
            Ordering::Less => true,
            Ordering::Equal => bound.exclusive,
            Ordering::Greater => false,
        });
        if tighter {
            self.high = Some(bound);
        }
    }

    /// Excludes values that are not multiples of `step`.
    pub(super) fn require_multiple_of(&mut self, step: RoundedDecimal) {
        if step.is_positive() {
            self.step = match self.step {
                None => Some(step),
                Some(old) => old.common_multiple(step).or(Some(step)),
            };
        }
    }

    /// Whether the bounds exclude all numbers.
    pub(super) fn is_empty(&self) -> bool {
        match (self.low, self.high) {
            (Some(low), Some(high)) => match low.value.compare(high.value) {
                Ordering::Greater => true,
                Ordering::Equal => low.exclusive || high.exclusive,
                Ordering::Less => false,
            },
            _ => false,
        }
    }

    pub(super) fn contains(&self, number: RoundedDecimal) -> bool {
        let above = self.low.is_none_or(|low| match number.compare(low.value) {
            Ordering::Greater => true,
            Ordering::Equal => !low.exclusive,
            Ordering::Less => false,
        });
        let below = self.high.is_none_or(|high| match number.compare(high.value) {
            Ordering::Less => true,
            Ordering::Equal => !high.exclusive,
            Ordering::Greater => false,
        });
        above && below && self.step.is_none_or(|step| number.is_multiple_of(step))
    }

    /// The number at position `variant`, counted from `preferred` if that is in the range, else from the nearest bound.
    pub(super) fn pick(
        &self,
        preferred: RoundedDecimal,
        variant: u32,
        rng: Option<&mut SeededRng>,
    ) -> Option<RoundedDecimal> {
        let variant = match rng {
            Some(rng) => i128::from(variant) + i128::from(rng.next() % 1000),
            None => i128::from(variant),
        };
        if let Some(step) = self.step {
            return self.multiple_at(step, preferred, variant);
        }
        if variant == 0 && self.contains(preferred) {
            return Some(preferred);
        }
        (0..=MAX_FRACTION_DIGITS)
            .find_map(|places| self.multiple_at(RoundedDecimal::new(1, -places), preferred, variant))
            .or_else(|| self.multiple_at(RoundedDecimal::new(1, -MAX_FRACTION_DIGITS), preferred, 0))
            .or_else(|| {
                [self.low, self.high]
                    .into_iter()
                    .flatten()
                    .map(|bound| bound.value)
                    .find(|value| self.contains(*value))
            })
    }

    /// The multiple of `step` at position `variant` of the range; `None` if there are fewer.
    fn multiple_at(
        &self,
        step: RoundedDecimal,
        preferred: RoundedDecimal,
        variant: i128,
    ) -> Option<RoundedDecimal> {
        // A bound that is too far away to count steps to is ignored.
        let first = self.low.and_then(|low| {
            let at = low.value.ceiling(step)?;
            if self.contains(at) { Some(at) } else { at.plus(step) }
        });
        let last = self.high.and_then(|high| {
            let at = high.value.floor(step)?;
            if self.contains(at) { Some(at) } else { at.plus(step.negative()) }
        });
        let preferred_multiple = preferred.ceiling(step).filter(|multiple| self.contains(*multiple));
        let found = match (first, last) {
            (Some(first), Some(last)) => {
                let count = first.distance(last, step)?.checked_add(1).filter(|count| *count > 0)?;
                // Without a required step, the caller tries smaller steps when these are used up.
                if variant >= count && self.step.is_none() {
                    return None;
                }
                let start = preferred_multiple
                    .map_or(Some(0), |preferred_multiple| first.distance(preferred_multiple, step))?;
                first.plus(step.times((start + variant) % count)?)?
            }
            (None, Some(last))
                if preferred_multiple
                    .is_none_or(|multiple| variant > 0 && multiple.compare(last) != Ordering::Less) =>
            {
                last.plus(step.times(-variant)?)?
            }
            (None, Some(last)) => {
                let up = preferred_multiple?.plus(step.times(variant)?)?;
                if up.compare(last) == Ordering::Greater {
                    preferred_multiple?.plus(step.times(-variant)?)?
                } else {
                    up
                }
            }
            (first, None) => preferred_multiple.or(first)?.plus(step.times(variant)?)?,
        };
        self.contains(found).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(low: Option<(&str, bool)>, high: Option<(&str, bool)>, step: Option<&str>, expected: [&str; 3]) {
        let parse = |text: &str| RoundedDecimal::parse(text).unwrap();
        let bound = |bound: (&str, bool)| RangeBound { value: parse(bound.0), exclusive: bound.1 };
        let range = NumberRange { low: low.map(bound), high: high.map(bound), step: step.map(parse) };
        let found: Vec<String> = (0..3)
            .map(|variant| range.pick(RoundedDecimal::ONE, variant, None))
            .map(|number| {
                number
                    .and_then(RoundedDecimal::to_number)
                    .map(|number| number.as_str().to_owned())
                    .unwrap_or_default()
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn numbers_are_round_and_in_range() {
        check(None, None, None, ["1", "2", "3"]);
        check(Some(("10", true)), None, Some("1"), ["11", "12", "13"]);
        check(Some(("10", false)), None, Some("7"), ["14", "21", "28"]);
        check(None, Some(("-5", false)), Some("1"), ["-5", "-6", "-7"]);
        check(Some(("0", true)), Some(("0.5", false)), None, ["0.1", "0.2", "0.3"]);
        check(Some(("0.5", false)), Some(("0.7", false)), None, ["0.5", "0.6", "0.7"]);
        check(Some(("3", true)), Some(("4", true)), None, ["3.1", "3.2", "3.3"]);
        check(Some(("5", false)), Some(("7", false)), Some("1"), ["5", "6", "7"]);
        check(Some(("0", false)), Some(("1", false)), Some("1"), ["1", "0", "1"]);
        check(None, Some(("3", false)), Some("1"), ["1", "2", "3"]);
        check(
            Some(("9007199254740993", false)),
            None,
            Some("1"),
            ["9007199254740993", "9007199254740994", "9007199254740995"],
        );
        check(Some(("1", true)), Some(("2", true)), Some("1"), ["", "", ""]);
        check(Some(("1e300", false)), None, None, ["1e300", "1e300", "1e300"]);
    }
}
