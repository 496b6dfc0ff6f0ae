//! Texts that match a pattern, written along the pattern itself rather than guessed.
//!
//! Ours instead of `rand_regex`: that one refuses anchors, takes `\d` for every digit of Unicode and has no notion
//! of a wanted length.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::{ecma, seeded_rng::SeededRng};
use crate::document::SharedText;

/// Texts grow no longer than this for a pattern's sake, in characters.
const LONGEST: usize = 64 * 1024;
/// Patterns are no longer than this; one that is says nothing here.
const WRITTEN: usize = 32 * 1024;
/// Compiled patterns may need this much memory.
const SIZE: usize = 32 << 20;
/// States that a pattern may have once its repetitions are written out; a compiled one has a few for each.
const STATES: u64 = 400_000;
/// States that all patterns of one sample may have.
const ALL_STATES: u64 = 1_000_000;
/// Letters and rounds of one text.
const ROUNDS: u32 = 1_000_000;
/// Letters that a generous class such as `.` is filled with: one of every kind that passwords are asked for.
const MIXED: [char; 8] = ['a', 'B', '3', 'x', '7', 'Q', '!', 'k'];

/// The patterns met so far.
#[derive(Default)]
pub(super) struct PatternCache {
    known: RefCell<HashMap<SharedText, Rc<StringPattern>>>,
    /// The states of them all.
    states: Cell<u64>,
}

impl PatternCache {
    pub(super) fn compiled(&self, pattern: &str) -> Rc<StringPattern> {
        if let Some(known) = self.known.borrow().get(pattern) {
            return Rc::clone(known);
        }
        let new = Rc::new(StringPattern::new(pattern, &self.states));
        self.known.borrow_mut().insert(pattern.into(), Rc::clone(&new));
        new
    }
}

/// One pattern.
pub(super) struct StringPattern {
    /// What a text has to match, and what it must not.
    tests: Vec<(bool, Regex)>,
    /// The pattern as a tree, if it can be read at all.
    tree: Option<Hir>,
    /// Whether the tests say all that the pattern says.
    pub(super) exact: bool,
}

/// How long a text has to be, in characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct LengthBounds {
    pub(super) least: usize,
    pub(super) most: usize,
}

impl LengthBounds {
    pub(super) fn allow(self, text: &str) -> bool {
        let length = text.chars().count();
        (self.least..=self.most).contains(&length)
    }
}

impl StringPattern {
    /// Reads a pattern; `states` counts what all of them need together.
    fn new(pattern: &str, states: &Cell<u64>) -> Self {
        if pattern.len() > WRITTEN {
            return Self { tests: Vec::new(), tree: None, exact: false };
        }
        let translated = ecma::translate(pattern);
        let tree = regex_syntax::parse(&translated.text).ok();
        let all = std::iter::once((true, translated.text)).chain(translated.looks);
        let mut exact = !translated.inexact;
        let mut tests = Vec::new();
        for (wanted, text) in all {
            let needed = regex_syntax::parse(&text).map_or(u64::MAX, |tree| states_of(&tree));
            let sum = states.get().saturating_add(needed);
            if needed > STATES || sum > ALL_STATES {
                exact = false;
                continue;
            }
            states.set(sum);
            match RegexBuilder::new(&text).size_limit(SIZE).build() {
                Ok(regex) => tests.push((wanted, regex)),
                Err(_) => exact = false,
            }
        }
        Self { tests, tree, exact }
    }

    /// Whether the text matches, as far as it can be told.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.tests.iter().all(|(wanted, regex)| regex.is_match(text) == *wanted)
    }

    /// A text that should match; the caller tests it. Later attempts differ more.
    pub(super) fn write(
        &self,
        lengths: LengthBounds,
        attempt: usize,
        dice: &mut SeededRng,
    ) -> Option<String> {
        let tree = self.tree.as_ref()?;
        let shortest = shortest(tree);
        if shortest > lengths.most.min(LONGEST) {
            return None;
        }
        // Six characters more than needed read well; after that anything within the bounds is tried.
        let wish = if attempt < 2 { 6 } else { 1 + dice.below(24) };
        let wanted = lengths.least.max(shortest.max(wish)).min(lengths.most).min(LONGEST);
        let mut writer = PatternWriter {
            out: String::new(),
            length: 0,
            rounds: ROUNDS,
            room: wanted - shortest.min(wanted),
            mixed: attempt % 2 == 1,
            dice,
        };
        writer.write(tree);
        let mut out = writer.out;
        let missing = lengths.least.saturating_sub(out.chars().count()).min(LONGEST);
        if missing > 0 && !ends(tree, Look::End) {
            out.extend(std::iter::repeat_n('a', missing));
        } else if missing > 0 && !ends(tree, Look::Start) {
            out = "a".repeat(missing) + &out;
        }
        Some(out)
    }
}

/// Whether the pattern is tied to that end of the text.
fn ends(tree: &Hir, look: Look) -> bool {
    let properties = tree.properties();
    match look {
        Look::Start => properties.look_set_prefix().contains(look),
        _ => properties.look_set_suffix().contains(look),
    }
}

/// About how many states a compiled pattern has: its repetitions are written out.
fn states_of(tree: &Hir) -> u64 {
    let sum = |parts: &[Hir]| parts.iter().map(states_of).fold(1, u64::saturating_add);
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(Class::Bytes(_)) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(Class::Unicode(class)) => class.ranges().len() as u64,
        HirKind::Repetition(repetition) => {
            let times = u64::from(repetition.max.unwrap_or(repetition.min).max(1));
            states_of(&repetition.sub).saturating_mul(times)
        }
        HirKind::Capture(capture) => states_of(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts),
    }
}

/// The length of the shortest match, in characters.
fn shortest(tree: &Hir) -> usize {
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => String::from_utf8_lossy(&literal.0).chars().count(),
        HirKind::Class(_) => 1,
        HirKind::Repetition(repetition) => {
            shortest(&repetition.sub).saturating_mul(usize::try_from(repetition.min).unwrap_or(usize::MAX))
        }
        HirKind::Capture(capture) => shortest(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(shortest).fold(0, usize::saturating_add),
        HirKind::Alternation(branches) => branches.iter().map(shortest).min().unwrap_or_default(),
    }
}

struct PatternWriter<'a> {
    out: String,
    /// Letters written.
    length: usize,
    /// Letters and rounds that may still come.
    rounds: u32,
    /// How many characters beyond the shortest match may still come.
    room: usize,
    /// Whether letters of all kinds are wanted.
    mixed: bool,
    dice: &'a mut SeededRng,
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
                let each = shortest(&repetition.sub).max(1);
                let least = usize::try_from(repetition.min).unwrap_or(usize::MAX);
                let spare = repetition.max.map_or(usize::MAX, |max| {
                    usize::try_from(max).unwrap_or(usize::MAX).saturating_sub(least)
                });
                let more = spare.min(self.room / each);
                self.room -= more * each;
                for _ in 0..(least.saturating_add(more)).min(LONGEST) {
                    if self.out.len() > 4 * LONGEST || self.rounds == 0 {
                        return;
                    }
                    self.write(&repetition.sub);
                }
            }
        }
    }

    /// The first branch that says something, or any.
    fn branch(&mut self, branches: &[Hir]) {
        let least = branches.iter().map(shortest).min().unwrap_or_default();
        let fitting: Vec<&Hir> =
            branches.iter().filter(|branch| shortest(branch) - least <= self.room).collect();
        let telling: Vec<&Hir> = fitting.iter().copied().filter(|branch| shortest(branch) > 0).collect();
        let from = if telling.is_empty() { &fitting } else { &telling };
        if let Some(branch) = self.dice.pick(from).copied() {
            self.room -= (shortest(branch) - least).min(self.room);
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
            let turn = (0..MIXED.len()).map(|n| MIXED[(length + n) % MIXED.len()]).find(has);
            if turn.is_some() {
                return turn;
            }
        }
        let readable = |from: char, to: char| (from..=to).filter(has).collect::<Vec<char>>();
        for (from, to) in [('a', 'z'), ('A', 'Z'), ('0', '9'), ('!', '~'), (' ', ' ')] {
            let letters = readable(from, to);
            if let Some(letter) = self.dice.pick(&letters) {
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
    fn check(pattern: &str, least: usize, most: usize) {
        let compiled = StringPattern::new(pattern, &Cell::default());
        let lengths = LengthBounds { least, most };
        let found = (0..32).find_map(|attempt| {
            let text = compiled.write(lengths, attempt, &mut SeededRng::new(attempt as u64))?;
            (compiled.matches(&text) && lengths.allow(&text)).then_some(text)
        });
        assert!(found.is_some(), "{pattern} {lengths:?}");
    }

    #[test]
    fn what_is_written_matches() {
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
    fn lengths_are_kept() {
        for (pattern, least, most) in [
            (r"^\w+$", 12, 12),
            (r"^[a-z]*\d$", 40, 44),
            (r"^(ab)*$", 7, 8),
            (r"x", 10, 10),
            (r"x$", 10, 10),
            (r"^a?b?c?$", 0, 1),
        ] {
            check(pattern, least, most);
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_judged() {
        let pattern = StringPattern::new(r"(a)\1", &Cell::default());
        assert!(!pattern.exact && pattern.matches("anything"));
        assert_eq!(pattern.write(LengthBounds { least: 0, most: 9 }, 0, &mut SeededRng::new(0)), None);
    }
}
