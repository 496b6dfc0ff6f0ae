//! Numbers within bounds: the nearest round one, counted in steps.

use std::cmp::Ordering;

use super::{decimal::Decimal, seeded_rng::SeededRng};

/// More fractional digits than this are not tried.
const PLACES: i32 = 40;

/// One end of a range.
#[derive(Clone, Copy, Debug)]
pub(super) struct RangeBound {
    pub(super) value: Decimal,
    /// Whether the value itself is outside.
    pub(super) exclusive: bool,
}

/// The numbers that are allowed.
#[derive(Clone, Debug, Default)]
pub(super) struct NumberRange {
    pub(super) low: Option<RangeBound>,
    pub(super) high: Option<RangeBound>,
    /// Numbers have to be multiples of this.
    pub(super) step: Option<Decimal>,
}

impl NumberRange {
    /// Takes values below `bound` out.
    pub(super) fn raise(&mut self, bound: RangeBound) {
        let tighter = self.low.is_none_or(|low| match bound.value.compare(low.value) {
            Ordering::Greater => true,
            Ordering::Equal => bound.exclusive,
            Ordering::Less => false,
        });
        if tighter {
            self.low = Some(bound);
        }
    }

    /// Takes values above `bound` out.
    pub(super) fn lower(&mut self, bound: RangeBound) {
        let tighter = self.high.is_none_or(|high| match bound.value.compare(high.value) {
            Ordering::Less => true,
            Ordering::Equal => bound.exclusive,
            Ordering::Greater => false,
        });
        if tighter {
            self.high = Some(bound);
        }
    }

    /// Takes what is no multiple of `step` out.
    pub(super) fn divide(&mut self, step: Decimal) {
        if step.is_positive() {
            self.step = match self.step {
                None => Some(step),
                Some(old) => old.common_multiple(step).or(Some(step)),
            };
        }
    }

    /// Whether no number at all is in the range.
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

    pub(super) fn contains(&self, number: Decimal) -> bool {
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

    /// The `turn`th number: from `wish` on if that is in the range, else from the end next to it.
    pub(super) fn pick(&self, wish: Decimal, turn: u32, dice: Option<&mut SeededRng>) -> Option<Decimal> {
        let turn = match dice {
            Some(dice) => i128::from(turn) + i128::from(dice.next() % 1000),
            None => i128::from(turn),
        };
        if let Some(step) = self.step {
            return self.along(step, wish, turn);
        }
        if turn == 0 && self.contains(wish) {
            return Some(wish);
        }
        (0..=PLACES)
            .find_map(|places| self.along(Decimal::new(1, -places), wish, turn))
            .or_else(|| self.along(Decimal::new(1, -PLACES), wish, 0))
            .or_else(|| {
                [self.low, self.high]
                    .into_iter()
                    .flatten()
                    .map(|bound| bound.value)
                    .find(|it| self.contains(*it))
            })
    }

    /// The `turn`th multiple of `step` in the range; none if there are fewer.
    fn along(&self, step: Decimal, wish: Decimal, turn: i128) -> Option<Decimal> {
        // An end too far away to count steps to is as good as none.
        let first = self.low.and_then(|low| {
            let at = low.value.ceiling(step)?;
            if self.contains(at) { Some(at) } else { at.plus(step) }
        });
        let last = self.high.and_then(|high| {
            let at = high.value.floor(step)?;
            if self.contains(at) { Some(at) } else { at.plus(step.negative()) }
        });
        let wished = wish.ceiling(step).filter(|it| self.contains(*it));
        let found = match (first, last) {
            (Some(first), Some(last)) => {
                let count = first.distance(last, step)?.checked_add(1).filter(|count| *count > 0)?;
                // Numbers that are whole have no neighbours to be made of tenths; fractions do.
                if turn >= count && self.step.is_none() {
                    return None;
                }
                let start = wished.map_or(Some(0), |wished| first.distance(wished, step))?;
                first.plus(step.times((start + turn) % count)?)?
            }
            (None, Some(last)) if wished.is_none_or(|it| turn > 0 && it.compare(last) != Ordering::Less) => {
                last.plus(step.times(-turn)?)?
            }
            (None, Some(last)) => {
                let up = wished?.plus(step.times(turn)?)?;
                if up.compare(last) == Ordering::Greater { wished?.plus(step.times(-turn)?)? } else { up }
            }
            (first, None) => wished.or(first)?.plus(step.times(turn)?)?,
        };
        self.contains(found).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(low: Option<(&str, bool)>, high: Option<(&str, bool)>, step: Option<&str>, expected: [&str; 3]) {
        let parse = |text: &str| Decimal::parse(text).unwrap();
        let bound = |it: (&str, bool)| RangeBound { value: parse(it.0), exclusive: it.1 };
        let range = NumberRange { low: low.map(bound), high: high.map(bound), step: step.map(parse) };
        let found: Vec<String> = (0..3)
            .map(|turn| range.pick(Decimal::ONE, turn, None))
            .map(|it| it.and_then(Decimal::number).map(|it| it.as_str().to_owned()).unwrap_or_default())
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
