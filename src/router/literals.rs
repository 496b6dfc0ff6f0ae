//! Prefilter of regular expressions: literals that a path must contain for an expression to match.
//!
//! Expressions with the same literal prefix, such as `~/[a-z]+/orders$`, share one list of the index. Evaluated one by
//! one, thousands of them cost milliseconds for each request. Each contributes a literal that all its matches contain
//! (`/orders`); an Aho-Corasick automaton finds the literals in a path, and only expressions whose literal was found are
//! evaluated. An expression without such a literal is always evaluated.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;

use super::path_regex::PathPattern;

/// Fewer expressions than this are evaluated one by one.
const FEW: usize = if cfg!(test) { 1 } else { 16 };

/// Automaton that finds which of many literals a path contains.
#[derive(Debug)]
pub(super) struct LiteralFilter {
    automaton: AhoCorasick,
    count: usize,
}

impl LiteralFilter {
    /// Numbers a literal of each expression, the one that the fewest others share; `None` if there are few expressions.
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a PathPattern> + Clone) -> Option<Self> {
        if patterns.clone().take(FEW).count() < FEW {
            return None;
        }
        let mut shared: HashMap<&[u8], usize> = HashMap::new();
        for literal in patterns.clone().flat_map(PathPattern::required) {
            *shared.entry(literal).or_default() += 1;
        }
        let mut numbers: HashMap<&[u8], usize> = HashMap::new();
        let mut texts: Vec<&[u8]> = Vec::new();
        for pattern in patterns {
            let cost = |literal: &&[u8]| (shared.get(literal).copied(), usize::MAX - literal.len());
            let Some(rarest) = pattern.required().min_by_key(cost) else { continue };
            let number = *numbers.entry(rarest).or_insert_with(|| {
                texts.push(rarest);
                texts.len() - 1
            });
            pattern.set_literal_number(number);
        }
        let count = texts.len();
        // If the automaton cannot be built, there is no filter.
        let automaton = AhoCorasick::new(texts).ok().filter(|_| count > 0)?;
        Some(Self { automaton, count })
    }
}

/// The literals in one path, searched on first use.
#[derive(Debug)]
pub(super) struct FoundLiterals<'a> {
    filter: Option<&'a LiteralFilter>,
    path: &'a [u8],
    /// A bit for each literal.
    found: Option<Box<[u64]>>,
}

impl<'a> FoundLiterals<'a> {
    pub(super) const fn new(filter: Option<&'a LiteralFilter>, path: &'a [u8]) -> Self {
        Self { filter, path, found: None }
    }

    /// Whether the path contains the literal of an expression; true if the expression has none.
    pub(super) fn may_match(&mut self, pattern: &PathPattern) -> bool {
        let (Some(filter), Some(number)) = (self.filter, pattern.literal_number()) else { return true };
        let found = self.found.get_or_insert_with(|| {
            let mut found = vec![0; filter.count.div_ceil(64)].into_boxed_slice();
            for text in filter.automaton.find_overlapping_iter(self.path) {
                let number = text.pattern().as_usize();
                found[number / 64] |= 1_u64 << (number % 64);
            }
            found
        });
        found.get(number / 64).is_some_and(|bits| bits & (1 << (number % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::RegexCompilation;

    #[test]
    fn only_expressions_whose_literal_is_in_the_path_are_evaluated() {
        let expressions = [
            "/[a-z]+/orders$",
            "/[a-z]+/orders/[0-9]+",
            "/[a-z]+/common/x",
            "/[a-z]+/common/y",
            "/[a-z]+",
            "/(a|b)c?d*",
        ];
        let patterns: Vec<PathPattern> = expressions
            .iter()
            .map(|expression| PathPattern::new(expression, RegexCompilation::OnFirstUse).unwrap())
            .collect();
        let filter = LiteralFilter::new(patterns.iter());
        let run = |path: &str| -> Vec<usize> {
            let mut found = FoundLiterals::new(filter.as_ref(), path.as_bytes());
            (0..patterns.len()).filter(|n| found.may_match(&patterns[*n])).collect()
        };
        assert_eq!(run("/eu/orders"), [0, 4, 5]);
        assert_eq!(run("/eu/orders/7"), [0, 1, 4, 5]);
        assert_eq!(run("/eu/common/y"), [3, 4, 5]);
        assert_eq!(run("/eu/other"), [4, 5]);
    }

    #[test]
    fn thousands_of_expressions_are_not_evaluated_for_a_path_without_their_literals() {
        let patterns: Vec<PathPattern> = (0..10_000)
            .map(|n| {
                PathPattern::new(&format!(r"/\w+/items/\d+/p{n}$"), RegexCompilation::OnFirstUse).unwrap()
            })
            .collect();
        let filter = LiteralFilter::new(patterns.iter());
        let count = |path: &str| {
            let mut found = FoundLiterals::new(filter.as_ref(), path.as_bytes());
            patterns.iter().filter(|pattern| found.may_match(pattern)).count()
        };
        assert_eq!(count("/x/items/1/q"), 0);
        assert_eq!(count("/x/items/1/p1234"), 4);
        assert_eq!(count("/"), 0);
    }
}
