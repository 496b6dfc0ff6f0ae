//! Rule of precedence between two routes, as a text for diagnostics and `explain`.

use super::{PriorityCalculation, priority::PriorityKey};

// The rules, in the words of `mynah explain`.
const LENGTH: &str = "its prefix is longer";
const REGEX: &str = "its path is a regular expression";
const PLAIN: &str = "none of its hosts has a wildcard";
const HEADERS: &str = "it asks for more headers";
const REGEX_PRIORITY: &str = "its regex_priority is greater";
const KINDS: &str = "it has more kinds of criteria";
const SAME: &str = "they rank the same, and its id is greater";

impl PriorityKey {
    /// The rule by which this key precedes `other`, a key of the same Router that is not greater.
    #[must_use]
    pub fn rule_over(&self, other: &Self, calculation: PriorityCalculation) -> &'static str {
        match (self, other) {
            (Self::Compatible { priority: first, .. }, Self::Compatible { priority: second, .. }) => {
                match (first ^ second).checked_ilog2() {
                    None => SAME,
                    Some(bit) if calculation == PriorityCalculation::Strict => strict(bit),
                    Some(bit) => original(bit),
                }
            }
            (Self::Expression { priority: first, .. }, Self::Expression { priority: second, .. }) => {
                if first == second { SAME } else { "its priority is greater" }
            }
            (Self::Expression { .. }, _) => "it is an expression",
            _ => self.traditional_rule(other),
        }
    }

    fn traditional_rule(&self, other: &Self) -> &'static str {
        let parts = |key: &Self| match key {
            Self::Traditional {
                weight,
                category,
                details,
                headers,
                regex_priority,
                prefix_length,
                names_port,
                created_at,
            } => Some((
                *weight,
                (*category, *details),
                *headers,
                *regex_priority,
                *prefix_length,
                *names_port,
                *created_at,
            )),
            Self::Compatible { .. } | Self::Expression { .. } => None,
        };
        let (Some(first), Some(second)) = (parts(self), parts(other)) else { return "it ranks higher" };
        let rules = [
            (first.0 != second.0, KINDS),
            (
                first.1.0 != second.1.0,
                "its kinds of criteria count more (hosts, headers, paths, methods, snis)",
            ),
            (first.1.1 != second.1.1, "its hosts have no wildcard, or its path is a regular expression"),
            (first.2 != second.2, HEADERS),
            (first.3 != second.3, REGEX_PRIORITY),
            (first.4 != second.4, LENGTH),
            (first.5 != second.5, "its host names a port"),
            (first.6 != second.6, "it is older"),
        ];
        let rule = rules.iter().find(|(differs, _)| *differs);
        rule.map_or("they rank the same, and it comes first in the file", |(_, rule)| *rule)
    }
}

/// The rule of the highest differing bit, in the layout of Kong's documentation.
const fn strict(bit: u32) -> &'static str {
    match bit {
        61.. => KINDS,
        60 => PLAIN,
        52..=59 => HEADERS,
        51 => REGEX,
        19..=50 => REGEX_PRIORITY,
        _ => LENGTH,
    }
}

/// The rule of the highest differing bit in the layout of released versions, where fields overlap: four kinds of criteria
/// set the sign bit of the lower half, and the sign extension fills the upper half.
const fn original(bit: u32) -> &'static str {
    match bit {
        61.. => "it has four kinds of criteria or more",
        60 => PLAIN,
        51 => REGEX,
        29..=50 | 52..=59 => KINDS,
        20..=28 => "it asks for more headers, or its regex_priority is greater",
        19 => REGEX_PRIORITY,
        _ => LENGTH,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[track_caller]
    fn check(first: u64, second: u64, original: &str, strict: &str) {
        let key = |priority| PriorityKey::Compatible { priority, id: Uuid::nil() };
        let rule = |calculation| key(first).rule_over(&key(second), calculation);
        assert_eq!(
            (rule(PriorityCalculation::Original), rule(PriorityCalculation::Strict)),
            (original, strict)
        );
    }

    #[test]
    fn the_highest_difference_decides() {
        let four = "it has four kinds of criteria or more";
        check(2 << 61, 1 << 61, four, KINDS);
        check(1 << 60, 1 << 51, PLAIN, PLAIN);
        check(1 << 51, 2 << 29, REGEX, REGEX);
        check(2 << 29, 1 << 29, KINDS, REGEX_PRIORITY);
        check(1 << 20, 5, "it asks for more headers, or its regex_priority is greater", REGEX_PRIORITY);
        check(5, 4, LENGTH, LENGTH);
        check(5, 5, SAME, SAME);
    }

    #[test]
    fn expressions_rank_above_all_others() {
        let expression = |priority| PriorityKey::Expression { priority, id: Uuid::nil() };
        let classic = PriorityKey::Compatible { priority: u64::MAX, id: Uuid::nil() };
        let rule = |first: PriorityKey, second: PriorityKey| {
            assert!(first >= second);
            first.rule_over(&second, PriorityCalculation::Original)
        };
        assert_eq!(rule(expression(0xFF << 56), classic), "it is an expression");
        assert_eq!(rule(expression(2), expression(1)), "its priority is greater");
        assert_eq!(rule(expression(1), expression(1)), SAME);
    }
}
