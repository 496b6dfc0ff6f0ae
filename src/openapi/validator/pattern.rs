//! Patterns of schemas (ECMA-262), compiled at their first use, with bounded cost of compiling and matching.
//!
//! A pattern without lookaround and backreferences runs on a linear engine. Others run on a backtracking engine, in
//! attempts with growing limits. The most that compiling and matching can take is charged in advance, because neither can
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

/// Maximum number of states of one compiled pattern.
const MAX_STATES: usize = 200_000;
/// Maximum size of one compiled pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 16 << 20;
/// Maximum size of all compiled patterns of a document, in bytes.
const MAX_CACHE_BYTES: usize = 256 << 20;
/// Bytes of a state, in the compiled pattern and in the cache of the engine.
const STATE_BYTES: usize = 128;
/// Cache of the engine for a linear pattern with few states, in bytes.
const MIN_ENGINE_CACHE: usize = 128 << 10;
/// Maximum work of one match: states times bytes of text.
const MAX_MATCH_WORK: u64 = 1 << 31;
/// Backtracking limits of the attempts to match; each is made after the one before exceeded its limit.
const BACKTRACK_LIMITS: [usize; 5] = [1 << 4, 1 << 8, 1 << 12, 1 << 16, 1 << 20];
/// Maximum length of a backtracking pattern, in bytes, and of its compiled form, in instructions.
const MAX_BACKTRACKING_SIZE: usize = 64 << 10;
/// Duration of a step of the budget, where work is only known by its duration.
const NANOSECONDS_PER_STEP: u128 = 50;

/// The patterns of a document: each is compiled once, and their total size is bounded.
#[derive(Debug)]
pub struct PatternCache {
    patterns: Mutex<HashMap<Box<str>, Arc<Pattern>>>,
    remaining: Arc<AtomicUsize>,
}

/// One pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    /// The text in the document.
    pub(super) source: Box<str>,
    engine: OnceLock<Engine>,
    remaining: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Engine {
    /// One class with a bounded repetition, as `^[a-z]{1,20000}$`.
    Class(jsonschema_regex::RepeatedClass),
    Linear {
        regex: regex::Regex,
        states: u64,
    },
    Backtracking {
        text: String,
        attempts: [OnceLock<Option<Box<fancy_regex::Regex>>>; BACKTRACK_LIMITS.len()],
    },
    /// No engine can parse it, so it is ignored.
    Unreadable,
    /// It needs more memory than is allowed.
    TooLarge,
}

impl Default for PatternCache {
    fn default() -> Self {
        Self { patterns: Mutex::default(), remaining: Arc::new(AtomicUsize::new(MAX_CACHE_BYTES)) }
    }
}

impl PatternCache {
    /// The pattern of a text; a new one is compiled when it is first matched.
    pub(super) fn pattern(&self, source: &str) -> Arc<Pattern> {
        // A panic cannot happen while this lock is held, so a poisoned map is still consistent.
        let mut patterns = self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pattern) = patterns.get(source) {
            return Arc::clone(pattern);
        }
        let new = Pattern {
            source: source.into(),
            engine: OnceLock::new(),
            remaining: Arc::clone(&self.remaining),
        };
        let new = Arc::new(new);
        patterns.insert(source.into(), Arc::clone(&new));
        new
    }
}

impl Pattern {
    /// Whether the text matches; `None` if the pattern cannot be parsed.
    ///
    /// # Errors
    /// The budget is exhausted, or the match would take more memory or work than is allowed.
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
                let work = bytes.saturating_mul(*states);
                if work > MAX_MATCH_WORK {
                    return Err(Exhausted::Steps);
                }
                budget.spend((work >> 7) + bytes / 16)?;
                if work > 1 << 20 {
                    budget.check_time()?;
                }
                catch_panic(|| regex.is_match(text)).map(Some)
            }
            Engine::Backtracking { text: pattern, attempts } => {
                match_backtracking(pattern, attempts, text, budget).map(Some)
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
        let Ok(tree) = regex_syntax::parse(&text) else { return self.compile_backtracking(text, budget) };
        let states = count_states(&tree);
        if states > MAX_STATES {
            return Ok(Engine::TooLarge);
        }
        budget.spend(2 * states as u64)?;
        budget.check_time()?;
        if !self.reserve_bytes(states * STATE_BYTES + MIN_ENGINE_CACHE / 8) {
            return Ok(Engine::TooLarge);
        }
        let regex = regex::RegexBuilder::new(&text)
            .size_limit(MAX_PATTERN_BYTES)
            .dfa_size_limit((states * STATE_BYTES / 2).clamp(MIN_ENGINE_CACHE, 2 << 20))
            .build();
        Ok(match regex {
            Ok(regex) => Engine::Linear { regex, states: states as u64 },
            Err(regex::Error::CompiledTooBig(_)) => Engine::TooLarge,
            Err(_) => Engine::Unreadable,
        })
    }

    fn compile_backtracking(&self, text: String, budget: &Budget) -> Result<Engine, Exhausted> {
        budget.spend(64 * text.len() as u64)?;
        if text.len() > MAX_BACKTRACKING_SIZE
            || !self.reserve_bytes(MIN_ENGINE_CACHE + STATE_BYTES * text.len())
        {
            return Ok(Engine::TooLarge);
        }
        let first = build_attempt(&text, BACKTRACK_LIMITS[0]);
        if first.is_none() {
            return Ok(Engine::Unreadable);
        }
        let attempts: [OnceLock<_>; BACKTRACK_LIMITS.len()] = Default::default();
        let _ = attempts[0].set(first);
        Ok(Engine::Backtracking { text, attempts })
    }

    /// Takes bytes from those that remain for the patterns of the document; false if there are too few.
    fn reserve_bytes(&self, bytes: usize) -> bool {
        self.remaining.fetch_update(Relaxed, Relaxed, |remaining| remaining.checked_sub(bytes)).is_ok()
    }
}

fn build_attempt(text: &str, limit: usize) -> Option<Box<fancy_regex::Regex>> {
    let mut builder = fancy_regex::RegexBuilder::new(text);
    builder.backtrack_limit(limit).delegate_size_limit(1 << 20).max_prog_size(MAX_BACKTRACKING_SIZE);
    catch_unwind(AssertUnwindSafe(|| builder.build().ok())).ok().flatten().map(Box::new)
}

/// Matches with growing limits. Between two backtracks the engine may read the whole text, at each position of the text.
fn match_backtracking(
    pattern: &str,
    attempts: &[OnceLock<Option<Box<fancy_regex::Regex>>>],
    text: &str,
    budget: &Budget,
) -> Result<bool, Exhausted> {
    let length = (text.len() as u64).saturating_add(1);
    let max_work = (MAX_MATCH_WORK << 1) / length.saturating_mul(length);
    for (attempt_at, limit) in attempts.iter().zip(BACKTRACK_LIMITS) {
        let work = limit as u64;
        if work > max_work {
            break;
        }
        budget.spend(1 + ((work * length) >> 7))?;
        budget.check_time()?;
        let started = Instant::now();
        let Some(regex) = attempt_at.get_or_init(|| build_attempt(pattern, limit)) else { break };
        let result = catch_panic(|| regex.is_match(text))?;
        budget
            .spend(u64::try_from(started.elapsed().as_nanos() / NANOSECONDS_PER_STEP).unwrap_or(u64::MAX))?;
        if let Ok(matches) = result {
            return Ok(matches);
        }
    }
    Err(Exhausted::Steps)
}

/// Catches a panic of an engine; rare patterns cause one (rust-lang/regex#1344).
fn catch_panic<T>(matching: impl FnOnce() -> T) -> Result<T, Exhausted> {
    catch_unwind(AssertUnwindSafe(matching)).map_err(|_| Exhausted::Steps)
}

/// An upper estimate of the number of states of a compiled pattern.
fn count_states(tree: &Hir) -> usize {
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Unicode(class)) => class.ranges().len() * 2,
        HirKind::Class(Class::Bytes(class)) => class.ranges().len(),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min.saturating_add(1)).max(1);
            let times = usize::try_from(times).unwrap_or(usize::MAX);
            count_states(&repetition.sub).saturating_add(1).saturating_mul(times)
        }
        HirKind::Capture(capture) => count_states(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(count_states).fold(1, usize::saturating_add)
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
    fn matches_that_take_too_much_work_are_not_decided() {
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
    fn patterns_are_charged_before_they_are_compiled_and_share_a_limit() {
        let large = pattern_of("(a|bc|[d-f]x){2000}y");
        assert_eq!(large.matches("a", &budget(1000)), Err(Exhausted::Steps));
        assert_eq!(large.matches("a", &budget(1 << 30)), Ok(Some(false)));
        let cache = PatternCache::default();
        let fits = |n: usize| {
            let pattern = cache.pattern(&format!("(a|bc|[d-f]x){{5000}}y{n}"));
            pattern.matches("a", &budget(1 << 30)).is_ok()
        };
        assert!(fits(0));
        assert!((1..100).any(|n| !fits(n)), "the size is not limited");
        assert!(fits(0), "a compiled pattern stays in the cache");
    }
}
