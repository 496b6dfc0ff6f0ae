//! Texts that match a pattern, written along its syntax tree.
//!
//! The crate `rand_regex` is not used: it refuses anchors, reads `\d` as every digit of Unicode and has no bounds of length.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::{ecma, seeded_rng::SeededRng};
use crate::document::SharedText;

/// Maximum length of a text that is written for a pattern, in characters.
const MAX_TEXT_LENGTH: usize = 64 * 1024;
/// Maximum length of a pattern, in bytes; longer ones are ignored.
const MAX_PATTERN_LENGTH: usize = 32 * 1024;
/// Maximum size of a compiled pattern, in bytes.
const MAX_REGEX_BYTES: usize = 32 << 20;
/// Maximum number of states of a pattern with its repetitions written out; a compiled one has a few for each.
const MAX_STATES: u64 = 400_000;
/// Maximum number of states of all patterns of a sampler.
const MAX_TOTAL_STATES: u64 = 1_000_000;
/// Maximum number of characters and repetitions of one text.
const MAX_ROUNDS: u32 = 1_000_000;
/// Letters for a wide class such as `.`: one of each kind that rules for passwords require.
const MIXED_LETTERS: [char; 8] = ['a', 'B', '3', 'x', '7', 'Q', '!', 'k'];

/// The patterns of a sampler, each compiled once.
#[derive(Default)]
pub(super) struct StringPatternCache {
    patterns: RefCell<HashMap<SharedText, Rc<StringPattern>>>,
    /// The number of states of all patterns.
    states: Cell<u64>,
}

impl StringPatternCache {
    pub(super) fn compile(&self, pattern: &str) -> Rc<StringPattern> {
        if let Some(known) = self.patterns.borrow().get(pattern) {
            return Rc::clone(known);
        }
        let new = Rc::new(StringPattern::new(pattern, &self.states));
        self.patterns.borrow_mut().insert(pattern.into(), Rc::clone(&new));
        new
    }
}

/// A pattern that texts are written for and tested by.
pub(super) struct StringPattern {
    /// Patterns that a text must (`true`) or must not match.
    tests: Vec<(bool, Regex)>,
    /// The syntax tree, if the pattern can be parsed.
    tree: Option<Hir>,
    /// Whether the tests cover the whole pattern.
    pub(super) exact: bool,
}

/// Bounds of the length of a text, in characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct LengthBounds {
    pub(super) min: usize,
    pub(super) max: usize,
}

impl LengthBounds {
    pub(super) fn allow(self, text: &str) -> bool {
        let length = text.chars().count();
        (self.min..=self.max).contains(&length)
    }
}

impl StringPattern {
    /// Parses and compiles a pattern; `states` counts the states of all patterns.
    fn new(pattern: &str, states: &Cell<u64>) -> Self {
        if pattern.len() > MAX_PATTERN_LENGTH {
            return Self { tests: Vec::new(), tree: None, exact: false };
        }
        let translated = ecma::translate(pattern);
        let tree = regex_syntax::parse(&translated.text).ok();
        let all = std::iter::once((true, translated.text)).chain(translated.lookaheads);
        let mut exact = !translated.inexact;
        let mut tests = Vec::new();
        for (expected, text) in all {
            let needed = regex_syntax::parse(&text).map_or(u64::MAX, |tree| count_states(&tree));
            let sum = states.get().saturating_add(needed);
            if needed > MAX_STATES || sum > MAX_TOTAL_STATES {
                exact = false;
                continue;
            }
            states.set(sum);
            match RegexBuilder::new(&text).size_limit(MAX_REGEX_BYTES).build() {
                Ok(regex) => tests.push((expected, regex)),
                Err(_) => exact = false,
            }
        }
        Self { tests, tree, exact }
    }

    /// Whether the text matches; parts of the pattern that cannot be compiled are ignored.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.tests.iter().all(|(expected, regex)| regex.is_match(text) == *expected)
    }

    /// A text that probably matches, which the caller tests. Later attempts differ more.
    pub(super) fn write(&self, lengths: LengthBounds, attempt: usize, rng: &mut SeededRng) -> Option<String> {
        let tree = self.tree.as_ref()?;
        let shortest = shortest_length(tree);
        if shortest > lengths.max.min(MAX_TEXT_LENGTH) {
            return None;
        }
        // Six more characters than needed are readable; later attempts try any length within the bounds.
        let preferred = if attempt < 2 { 6 } else { 1 + rng.below(24) };
        let length = lengths.min.max(shortest.max(preferred)).min(lengths.max).min(MAX_TEXT_LENGTH);
        let mut writer = PatternWriter {
            out: String::new(),
            length: 0,
            rounds: MAX_ROUNDS,
            spare: length - shortest.min(length),
            mixed: attempt % 2 == 1,
            rng,
        };
        writer.write(tree);
        let mut out = writer.out;
        let missing = lengths.min.saturating_sub(out.chars().count()).min(MAX_TEXT_LENGTH);
        if missing > 0 && !is_anchored_at(tree, Look::End) {
            out.extend(std::iter::repeat_n('a', missing));
        } else if missing > 0 && !is_anchored_at(tree, Look::Start) {
            out = "a".repeat(missing) + &out;
        }
        Some(out)
    }
}

/// Whether the pattern is anchored at that end of the text.
fn is_anchored_at(tree: &Hir, look: Look) -> bool {
    let properties = tree.properties();
    match look {
        Look::Start => properties.look_set_prefix().contains(look),
        _ => properties.look_set_suffix().contains(look),
    }
}

/// An estimate of the number of states of a compiled pattern, in which repetitions are written out.
fn count_states(tree: &Hir) -> u64 {
    let sum = |parts: &[Hir]| parts.iter().map(count_states).fold(1, u64::saturating_add);
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(Class::Bytes(_)) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(Class::Unicode(class)) => class.ranges().len() as u64,
        HirKind::Repetition(repetition) => {
            let times = u64::from(repetition.max.unwrap_or(repetition.min).max(1));
            count_states(&repetition.sub).saturating_mul(times)
        }
        HirKind::Capture(capture) => count_states(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts),
    }
}

/// The length of the shortest match, in characters.
fn shortest_length(tree: &Hir) -> usize {
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => String::from_utf8_lossy(&literal.0).chars().count(),
        HirKind::Class(_) => 1,
        HirKind::Repetition(repetition) => shortest_length(&repetition.sub)
            .saturating_mul(usize::try_from(repetition.min).unwrap_or(usize::MAX)),
        HirKind::Capture(capture) => shortest_length(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(shortest_length).fold(0, usize::saturating_add),
        HirKind::Alternation(branches) => branches.iter().map(shortest_length).min().unwrap_or_default(),
    }
}

struct PatternWriter<'a> {
    out: String,
    /// The number of characters so far.
    length: usize,
    /// The number of characters and repetitions that may follow.
    rounds: u32,
    /// The number of characters beyond the shortest match that may follow.
    spare: usize,
    /// Whether letters of all kinds are used.
    mixed: bool,
    rng: &'a mut SeededRng,
}

impl PatternWriter<'_> {
    fn write(&mut self, tree: &Hir) {
        self.rounds = self.rounds.saturating_sub(1);
        match tree.kind() {
            HirKind::Empty | HirKind::Look(_) => (),
            HirKind::Literal(literal) => {
                let text = String::from_utf8_lossy(&literal.0);
                self.length += text.chars().count();
                self.out.push_str(&text);
            }
            HirKind::Class(class) => {
                if let Some(letter) = self.letter(class) {
                    self.length += 1;
                    self.out.push(letter);
                }
            }
            HirKind::Capture(capture) => self.write(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.write(part)),
            HirKind::Alternation(branches) => self.branch(branches),
            HirKind::Repetition(repetition) => {
                let each = shortest_length(&repetition.sub).max(1);
                let min = usize::try_from(repetition.min).unwrap_or(usize::MAX);
                let repeats = repetition
                    .max
                    .map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX).saturating_sub(min));
                let more = repeats.min(self.spare / each);
                self.spare -= more * each;
                for _ in 0..(min.saturating_add(more)).min(MAX_TEXT_LENGTH) {
                    if self.out.len() > 4 * MAX_TEXT_LENGTH || self.rounds == 0 {
                        return;
                    }
                    self.write(&repetition.sub);
                }
            }
        }
    }

    /// Writes a branch that is not empty, if there is one that is short enough.
    fn branch(&mut self, branches: &[Hir]) {
        let min = branches.iter().map(shortest_length).min().unwrap_or_default();
        let fitting: Vec<&Hir> =
            branches.iter().filter(|branch| shortest_length(branch) - min <= self.spare).collect();
        let nonempty: Vec<&Hir> =
            fitting.iter().copied().filter(|branch| shortest_length(branch) > 0).collect();
        let from = if nonempty.is_empty() { &fitting } else { &nonempty };
        if let Some(branch) = self.rng.pick(from).copied() {
            self.spare -= (shortest_length(branch) - min).min(self.spare);
            self.write(branch);
        }
    }

    fn letter(&mut self, class: &Class) -> Option<char> {
        let ranges: Vec<(char, char)> = match class {
            Class::Unicode(class) => class.iter().map(|range| (range.start(), range.end())).collect(),
            Class::Bytes(class) => {
                class.iter().map(|range| (char::from(range.start()), char::from(range.end()))).collect()
            }
        };
        let has = |letter: &char| ranges.iter().any(|(low, high)| (low..=high).contains(&letter));
        if self.mixed {
            let length = self.length;
            let variant =
                (0..MIXED_LETTERS.len()).map(|n| MIXED_LETTERS[(length + n) % MIXED_LETTERS.len()]).find(has);
            if variant.is_some() {
                return variant;
            }
        }
        let readable = |from: char, to: char| (from..=to).filter(has).collect::<Vec<char>>();
        for (from, to) in [('a', 'z'), ('A', 'Z'), ('0', '9'), ('!', '~'), (' ', ' ')] {
            let letters = readable(from, to);
            if let Some(letter) = self.rng.pick(&letters) {
                return Some(*letter);
            }
        }
        ranges.first().map(|(low, _)| *low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, min: usize, max: usize) {
        let pattern_of = StringPattern::new(pattern, &Cell::default());
        let lengths = LengthBounds { min, max };
        let found = (0..32).find_map(|attempt| {
            let text = pattern_of.write(lengths, attempt, &mut SeededRng::new(attempt as u64))?;
            (pattern_of.matches(&text) && lengths.allow(&text)).then_some(text)
        });
        assert!(found.is_some(), "{pattern} {lengths:?}");
    }

    #[test]
    fn texts_match_their_patterns() {
        for pattern in [
            r"^[A-Z]{3}-\d{4}(?:x|y)$",
            r"^\w+$",
            r"abc",
            r"^$|^[a-z]+$",
            r"^(https?|ftp)://[^\s/$.?#].[^\s]*$",
            r"^(?=.*[A-Z])(?=.*[a-z])(?=.*\d)(?=.*[!@#$]).{8,}$",
            r"^(?!admin)[a-z]{5}$",
            r"^[\w.+\-]+@example\.com$",
            r"^\p{L}+$",
            r"^[^a-zA-Z0-9]+$",
            r"\bword\b",
            r"^(([a-z]{2}){2}|\d+)+$",
            r"^([0-9A-Fa-f]{2}[:-]){5}([0-9A-Fa-f]{2})$",
            r"^.{0,2000}$",
            r"^[\u0020-\u007e]*$",
        ] {
            check(pattern, 0, usize::MAX);
        }
    }

    #[test]
    fn lengths_are_within_bounds() {
        for (pattern, min, max) in [
            (r"^\w+$", 12, 12),
            (r"^[a-z]*\d$", 40, 44),
            (r"^(ab)*$", 7, 8),
            (r"x", 10, 10),
            (r"x$", 10, 10),
            (r"^a?b?c?$", 0, 1),
        ] {
            check(pattern, min, max);
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_parsed_matches_everything() {
        let pattern = StringPattern::new(r"(a)\1", &Cell::default());
        assert!(!pattern.exact && pattern.matches("anything"));
        assert_eq!(pattern.write(LengthBounds { min: 0, max: 9 }, 0, &mut SeededRng::new(0)), None);
    }
}
