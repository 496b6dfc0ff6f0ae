//! Patterns of schemas (ECMA-262), compiled when they are first asked, with bounded cost for compiling and matching.
//!
//! A pattern without lookaround and backreferences runs on a linear engine. The others run on a backtracking one, whose
//! attempts have growing limits. What compiling and matching may take is charged before it is done, because neither can
//! be interrupted.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use jsonschema_regex::{Search, search_form, to_rust_regex};
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::budget::{Budget, Exhausted};

/// States that one compiled pattern may have.
const MAX_STATES: usize = 200_000;
/// Bytes that one compiled pattern may take.
const MAX_PROGRAM: usize = 16 << 20;
/// Bytes that all patterns of a document may take.
const MAX_PROGRAMS: usize = 256 << 20;
/// What a state takes, in bytes: as it is compiled, and in the cache of the engine.
const STATE_BYTES: usize = 128;
/// Bytes of cache of a linear pattern with few states.
const MIN_CACHE: usize = 128 << 10;
/// States times bytes of text that one match may take.
const MAX_MATCH: u64 = 1 << 31;
/// Steps that the attempts of a backtracking pattern may take, each after the one before failed.
const BACKTRACKS: [usize; 5] = [1 << 4, 1 << 8, 1 << 12, 1 << 16, 1 << 20];
/// A backtracking pattern may be this long, in bytes, and its compiled form may have as many instructions.
const MAX_BACKTRACKING: usize = 64 << 10;
/// What a step of the budget stands for where only the clock knows the work.
const NANOSECONDS_PER_STEP: u128 = 50;

/// The patterns of a document: each is compiled once, and all together have a bounded size.
#[derive(Debug)]
pub struct PatternCache {
    known: Mutex<HashMap<Box<str>, Arc<Pattern>>>,
    room: Arc<AtomicUsize>,
}

/// One pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    /// As the document has it.
    pub(super) source: Box<str>,
    engine: OnceLock<Engine>,
    room: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Engine {
    /// One class, counted: `^[a-z]{1,20000}$`.
    Class(jsonschema_regex::RepeatedClass),
    Linear {
        regex: regex::Regex,
        states: u64,
    },
    Backtracking {
        text: String,
        attempts: [OnceLock<Option<Box<fancy_regex::Regex>>>; BACKTRACKS.len()],
    },
    /// No engine can read it, so it says nothing.
    Unreadable,
    /// It takes too much memory.
    TooLarge,
}

impl Default for PatternCache {
    fn default() -> Self {
        Self { known: Mutex::default(), room: Arc::new(AtomicUsize::new(MAX_PROGRAMS)) }
    }
}

impl PatternCache {
    /// The pattern of a text.
    pub(super) fn pattern(&self, source: &str) -> Arc<Pattern> {
        // Nothing that holds this lock can stop half-way.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(source) {
            return Arc::clone(known);
        }
        let new = Pattern { source: source.into(), engine: OnceLock::new(), room: Arc::clone(&self.room) };
        let new = Arc::new(new);
        known.insert(source.into(), Arc::clone(&new));
        new
    }
}

impl Pattern {
    /// Whether the text matches; `None` if the pattern cannot be read.
    pub(super) fn matches(&self, text: &str, budget: &Budget) -> Result<Option<bool>, Exhausted> {
        let engine = match self.engine.get() {
            Some(engine) => engine,
            None => {
                let engine = self.compile(budget)?;
                self.engine.get_or_init(|| engine)
            }
        };
        let bytes = text.len() as u64;
        match engine {
            Engine::Class(class) => {
                budget.spend(bytes / 16)?;
                Ok(Some(class.is_match(text)))
            }
            Engine::Linear { regex, states } => {
                let most = bytes.saturating_mul(*states);
                if most > MAX_MATCH {
                    return Err(Exhausted::Steps);
                }
                budget.spend((most >> 7) + bytes / 16)?;
                if most > 1 << 20 {
                    budget.look()?;
                }
                caught(|| regex.is_match(text)).map(Some)
            }
            Engine::Backtracking { text: pattern, attempts } => {
                backtrack(pattern, attempts, text, budget).map(Some)
            }
            Engine::Unreadable => Ok(None),
            Engine::TooLarge => Err(Exhausted::Bytes),
        }
    }

    fn compile(&self, budget: &Budget) -> Result<Engine, Exhausted> {
        budget.spend(100 + self.source.len() as u64)?;
        let Ok(text) = to_rust_regex(&self.source) else { return Ok(Engine::Unreadable) };
        let text = match search_form(&self.source, &text) {
            Some(Search::RepeatedClass(class)) => return Ok(Engine::Class(class)),
            Some(Search::Collapsed(text)) => text,
            None => text.into_owned(),
        };
        let Ok(tree) = regex_syntax::parse(&text) else { return self.backtracking(text, budget) };
        let states = states(&tree);
        if states > MAX_STATES {
            return Ok(Engine::TooLarge);
        }
        budget.spend(2 * states as u64)?;
        budget.look()?;
        if !self.reserve(states * STATE_BYTES + MIN_CACHE / 8) {
            return Ok(Engine::TooLarge);
        }
        let regex = regex::RegexBuilder::new(&text)
            .size_limit(MAX_PROGRAM)
            .dfa_size_limit((states * STATE_BYTES / 2).clamp(MIN_CACHE, 2 << 20))
            .build();
        Ok(match regex {
            Ok(regex) => Engine::Linear { regex, states: states as u64 },
            Err(regex::Error::CompiledTooBig(_)) => Engine::TooLarge,
            Err(_) => Engine::Unreadable,
        })
    }

    fn backtracking(&self, text: String, budget: &Budget) -> Result<Engine, Exhausted> {
        budget.spend(64 * text.len() as u64)?;
        if text.len() > MAX_BACKTRACKING || !self.reserve(MIN_CACHE + STATE_BYTES * text.len()) {
            return Ok(Engine::TooLarge);
        }
        let first = attempt(&text, BACKTRACKS[0]);
        if first.is_none() {
            return Ok(Engine::Unreadable);
        }
        let attempts: [OnceLock<_>; BACKTRACKS.len()] = Default::default();
        let _ = attempts[0].set(first);
        Ok(Engine::Backtracking { text, attempts })
    }

    /// Whether there is room for so many bytes more among the patterns of the document.
    fn reserve(&self, bytes: usize) -> bool {
        self.room.fetch_update(Relaxed, Relaxed, |room| room.checked_sub(bytes)).is_ok()
    }
}

fn attempt(text: &str, limit: usize) -> Option<Box<fancy_regex::Regex>> {
    let mut builder = fancy_regex::RegexBuilder::new(text);
    builder.backtrack_limit(limit).delegate_size_limit(1 << 20).max_prog_size(MAX_BACKTRACKING);
    catch_unwind(AssertUnwindSafe(|| builder.build().ok())).ok().flatten().map(Box::new)
}

/// Between two backtracks such an engine may go over the whole text, and over the whole text again at each place.
fn backtrack(
    pattern: &str,
    attempts: &[OnceLock<Option<Box<fancy_regex::Regex>>>],
    text: &str,
    budget: &Budget,
) -> Result<bool, Exhausted> {
    let length = (text.len() as u64).saturating_add(1);
    let most = (MAX_MATCH << 1) / length.saturating_mul(length);
    for (attempt_at, limit) in attempts.iter().zip(BACKTRACKS) {
        let work = limit as u64;
        if work > most {
            break;
        }
        budget.spend(1 + ((work * length) >> 7))?;
        budget.look()?;
        let started = Instant::now();
        let Some(regex) = attempt_at.get_or_init(|| attempt(pattern, limit)) else { break };
        let result = caught(|| regex.is_match(text))?;
        budget
            .spend(u64::try_from(started.elapsed().as_nanos() / NANOSECONDS_PER_STEP).unwrap_or(u64::MAX))?;
        if let Ok(matches) = result {
            return Ok(matches);
        }
    }
    Err(Exhausted::Steps)
}

/// The engines have faults that make them panic on rare patterns (rust-lang/regex#1344).
fn caught<T>(matching: impl FnOnce() -> T) -> Result<T, Exhausted> {
    catch_unwind(AssertUnwindSafe(matching)).map_err(|_| Exhausted::Steps)
}

/// An upper estimate of the states that a pattern compiles to.
fn states(tree: &Hir) -> usize {
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Unicode(class)) => class.ranges().len() * 2,
        HirKind::Class(Class::Bytes(class)) => class.ranges().len(),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min.saturating_add(1)).max(1);
            let times = usize::try_from(times).unwrap_or(usize::MAX);
            states(&repetition.sub).saturating_add(1).saturating_mul(times)
        }
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(states).fold(1, usize::saturating_add)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::budget::WorkLimits;

    fn pattern_of(source: &str) -> Arc<Pattern> {
        PatternCache::default().pattern(source)
    }

    fn budget(steps: u64) -> Budget {
        Budget::new(WorkLimits { steps, bytes: 1 << 20, depth: 10, time: Duration::from_mins(10) })
    }

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: Option<bool>) {
        assert_eq!(pattern_of(pattern).matches(text, &budget(1 << 40)), Ok(expected), "{pattern}");
    }

    #[test]
    fn patterns_are_those_of_ecma_262() {
        check(r"^\d+$", "12", Some(true));
        check(r"^\d+$", "৪২", Some(false));
        check(r"^\w\d\D\W\cC$", "a1b-\u{3}", Some(true));
        check(r"^\p{Letter}+$", "été", Some(true));
        check("^(?=.*[0-9])(?!.*x)[a-z0-9]{2,}$", "ab1", Some(true));
        check("^(?=.*[0-9])(?!.*x)[a-z0-9]{2,}$", "abx1", Some(false));
        check(r"^(a+)-\1$", "aa-aa", Some(true));
        check(r"^(a+)-\1$", "aa-a", Some(false));
        check("(?<", "x", None);
        check("(", "x", None);
    }

    #[test]
    fn counted_classes_need_no_states() {
        check(r"^[\s\S]{1,20000}$", &"x".repeat(20_000), Some(true));
        check(r"^[\s\S]{1,20000}$", &"x".repeat(20_001), Some(false));
    }

    #[test]
    fn what_would_take_too_much_is_not_decided() {
        let huge = pattern_of("(a{1000}b?){1000}c");
        assert_eq!(huge.matches("a", &budget(1 << 40)), Err(Exhausted::Bytes));
        let nested = pattern_of("(((a{1000}){1000}){1000}){1000}b");
        assert_eq!(nested.matches("a", &budget(1 << 40)), Err(Exhausted::Bytes));
        for pattern in [r"^(([a-z])+.)+[A-Z]([a-z])+$(?!x)", r"^(a*)*\1$(?<!b)", r"^(a|a)*$(?!x)"] {
            let text = format!("{}!", "a".repeat(2000));
            let undecided = pattern_of(pattern).matches(&text, &budget(1 << 40));
            assert_ne!(undecided, Ok(Some(true)), "{pattern}");
        }
        let matching = pattern_of(r"^(([a-z])+.)+[A-Z]([a-z])+$(?!x)");
        let text = "a".repeat(100);
        let spends = |budget: &Budget| (0..1000).find_map(|_| matching.matches(&text, budget).err());
        assert_eq!(spends(&budget(1000)), Some(Exhausted::Steps));
    }

    #[test]
    fn linear_patterns_stay_linear() {
        for pattern in ["^(a|a)*$", "^(a+)+$", "^(([a-z])+.)+[A-Z]([a-z])+$"] {
            check(pattern, &format!("{}!", "a".repeat(100_000)), Some(false));
        }
    }

    #[test]
    fn what_is_compiled_is_charged_before_and_has_its_room() {
        let large = pattern_of("(a|bc|[d-f]x){2000}y");
        assert_eq!(large.matches("a", &budget(1000)), Err(Exhausted::Steps));
        assert_eq!(large.matches("a", &budget(1 << 30)), Ok(Some(false)));
        let cache = PatternCache::default();
        let fits = |n: usize| {
            let pattern = cache.pattern(&format!("(a|bc|[d-f]x){{5000}}y{n}"));
            pattern.matches("a", &budget(1 << 30)).is_ok()
        };
        assert!(fits(0));
        assert!((1..100).any(|n| !fits(n)), "there is no end");
        assert!(fits(0), "what is compiled stays");
    }
}
