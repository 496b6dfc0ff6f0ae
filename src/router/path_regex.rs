//! Regular expressions of routes: checked at load, compiled at load or on first use.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::options::RegexCompilation;

/// A regular expression over bytes.
#[derive(Debug)]
pub(super) struct BytesRegex {
    source: String,
    ignores_case: bool,
    /// `None` inside if it cannot be compiled, which the check at load excludes.
    compiled: OnceLock<Option<Regex>>,
}

/// A regular expression that is anchored at the start of a path, and its literal prefix.
#[derive(Debug)]
pub(super) struct PathPattern {
    pattern: BytesRegex,
    literal: Box<[u8]>,
    /// Literals that every match contains after its prefix.
    required: Box<[Box<[u8]>]>,
    /// The number of one of these in the [`LiteralFilter`](super::literals::LiteralFilter).
    number: OnceLock<usize>,
}

impl PathPattern {
    /// Parses the expression after `~`. It is anchored at the start of the path, and not at its end.
    ///
    /// # Errors
    /// The expression is invalid.
    pub(super) fn new(expression: &str, compilation: RegexCompilation) -> Result<Self, String> {
        let (pattern, syntax) = BytesRegex::new(format!("^{expression}"), false, compilation)?;
        let literal = literal_prefix(&syntax).into_boxed_slice();
        let mut runs = LiteralRuns::default();
        runs.collect(&syntax);
        let required = runs.finish(&literal);
        Ok(Self { pattern, literal, required, number: OnceLock::new() })
    }

    /// Literals that every match contains.
    pub(super) fn required(&self) -> impl Iterator<Item = &[u8]> {
        self.required.iter().map(|literal| &**literal)
    }

    /// Sets the number of its literal in the filter; later calls have no effect.
    pub(super) fn set_literal_number(&self, number: usize) {
        self.number.get_or_init(|| number);
    }

    /// The number of the literal that a path must contain, if there is one.
    pub(super) fn literal_number(&self) -> Option<usize> {
        self.number.get().copied()
    }

    /// The literal prefix of every match.
    pub(super) fn literal(&self) -> &[u8] {
        &self.literal
    }

    /// Whether both have the same source.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.pattern.is_same(&other.pattern)
    }

    /// Whether every path with the literal prefix certainly matches.
    pub(super) fn matches_every_extension(&self) -> bool {
        parse(&self.pattern.source, false).is_ok_and(|syntax| is_prefix_only(&syntax))
    }

    /// Matches a path; returns the compiled expression and the length of the match.
    pub(super) fn find(&self, path: &[u8]) -> Option<(&Regex, usize)> {
        if !path.starts_with(&self.literal) {
            return None;
        }
        let regex = self.pattern.regex()?;
        Some((regex, regex.find(path)?.len()))
    }
}

impl BytesRegex {
    /// Parses an expression that matches anywhere in a text and ignores case.
    ///
    /// # Errors
    /// The expression is invalid.
    pub(super) fn anywhere(expression: &str, compilation: RegexCompilation) -> Result<Self, String> {
        Self::new(expression.to_owned(), true, compilation).map(|(pattern, _)| pattern)
    }

    /// Whether both have the same source.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.source, self.ignores_case) == (&other.source, other.ignores_case)
    }

    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        self.regex().is_some_and(|regex| regex.is_match(text))
    }

    fn new(source: String, ignores_case: bool, compilation: RegexCompilation) -> Result<(Self, Hir), String> {
        let syntax = parse(&source, ignores_case)?;
        let pattern = Self { source, ignores_case, compiled: OnceLock::new() };
        if compilation == RegexCompilation::AtLoad || size(&syntax) > SURELY_COMPILES {
            let regex = pattern.compile().map_err(|error| error.to_string())?;
            pattern.compiled.get_or_init(|| Some(regex));
        }
        Ok((pattern, syntax))
    }

    fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| self.compile().ok()).as_ref()
    }

    fn compile(&self) -> Result<Regex, regex::Error> {
        RegexBuilder::new(&self.source).case_insensitive(self.ignores_case).build()
    }
}

/// Parses an expression with the options that the regex crate will use.
fn parse(source: &str, ignores_case: bool) -> Result<Hir, String> {
    let mut parser = regex_syntax::ParserBuilder::new().utf8(false).case_insensitive(ignores_case).build();
    parser.parse(source).map_err(|error| match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        other => other.to_string(),
    })
}

/// Expressions up to this size are far below the limit of the regex crate. A larger one is compiled at load, which is the
/// only way to find out.
const SURELY_COMPILES: usize = 20_000;

/// The number of ranges and bytes of an expression, with repetitions expanded. The recursion is bounded by the nesting
/// limit of the parser.
fn size(syntax: &Hir) -> usize {
    match syntax.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(text) => text.0.len(),
        HirKind::Class(Class::Unicode(class)) => class.ranges().len(),
        HirKind::Class(Class::Bytes(class)) => class.ranges().len(),
        HirKind::Capture(capture) => size(&capture.sub),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min.saturating_add(1));
            size(&repetition.sub).saturating_mul(times as usize)
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(size).fold(0, usize::saturating_add)
        }
    }
}

/// Whether an expression is a literal, followed only by optional parts.
fn is_prefix_only(syntax: &Hir) -> bool {
    let HirKind::Concat(parts) = syntax.kind() else { return false };
    let Some((start, rest)) = parts.split_first() else { return false };
    let is_text = |part: &&Hir| matches!(part.kind(), HirKind::Literal(_));
    let may_be_missing = |part: &Hir| {
        let properties = part.properties();
        properties.minimum_len() == Some(0) && properties.look_set().is_empty()
    };
    matches!(start.kind(), HirKind::Look(Look::Start)) && rest.iter().skip_while(is_text).all(may_be_missing)
}

/// The literal prefix of all paths that a Route's path matches: the whole of a prefix, the literal prefix of an expression.
#[must_use]
pub fn path_prefix(path: &str) -> Box<[u8]> {
    match path.strip_prefix('~') {
        None => path.as_bytes().into(),
        // Invalid expressions are rejected by the router.
        Some(expression) => PathPattern::new(expression, RegexCompilation::OnFirstUse)
            .map(|pattern| pattern.literal)
            .unwrap_or_default(),
    }
}

/// The longest literal prefix of all matches; may be empty.
fn literal_prefix(syntax: &Hir) -> Vec<u8> {
    let mut literal = Vec::new();
    if syntax.properties().look_set_prefix().contains(Look::Start) {
        collect_literal(syntax, &mut literal);
    }
    literal
}

/// Appends literals up to the first part that is not one; returns whether all parts are literals. The recursion is
/// bounded by the nesting limit of the parser.
fn collect_literal(syntax: &Hir, literal: &mut Vec<u8>) -> bool {
    match syntax.kind() {
        HirKind::Empty | HirKind::Look(Look::Start) => true,
        HirKind::Literal(text) => {
            literal.extend_from_slice(&text.0);
            true
        }
        HirKind::Capture(capture) => collect_literal(&capture.sub, literal),
        HirKind::Concat(parts) => parts.iter().all(|part| collect_literal(part, literal)),
        _ => false,
    }
}

/// Collector of the longest literals that every match of an expression contains.
#[derive(Default)]
struct LiteralRuns {
    done: Vec<Box<[u8]>>,
    current: Vec<u8>,
}

impl LiteralRuns {
    /// Minimum length of a literal; shorter ones are not selective.
    const SHORTEST: usize = 2;

    /// Visits the parts that every match contains. The recursion is bounded by the nesting limit of the parser.
    fn collect(&mut self, syntax: &Hir) {
        match syntax.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(text) => self.current.extend_from_slice(&text.0),
            HirKind::Capture(capture) => self.collect(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.collect(part)),
            HirKind::Repetition(repetition) if repetition.min > 0 => {
                self.end_run();
                self.collect(&repetition.sub);
                self.end_run();
            }
            HirKind::Repetition(_) | HirKind::Class(_) | HirKind::Alternation(_) => self.end_run(),
        }
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.current);
        if run.len() >= Self::SHORTEST {
            self.done.push(run.into_boxed_slice());
        }
    }

    /// The literals without the prefix, which the index looks up.
    fn finish(mut self, prefix: &[u8]) -> Box<[Box<[u8]>]> {
        self.end_run();
        self.done.retain(|run| **run != *prefix);
        self.done.into_boxed_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_match_begins_with_the_literal() {
        #[track_caller]
        fn check(expression: &str, expected: &str) {
            let pattern = PathPattern::new(expression, RegexCompilation::OnFirstUse).unwrap();
            assert_eq!(String::from_utf8_lossy(pattern.literal()), expected, "{expression}");
        }
        check("/orders/\\d+", "/orders/");
        check("/a/(?<id>b/)c?", "/a/b/");
        check("/a\\.b[.]c$", "/a.b.c");
        check("/(?i)ab", "/");
        check("/ab|/ac", "");
        check("/a*", "/");
        check("/(a|b)", "/");
        check("/caf\u{e9}", "/caf\u{e9}");
        check(".*", "");
    }

    #[test]
    fn an_expression_is_rejected_when_it_is_read() {
        #[track_caller]
        fn check(expression: &str, expected: &str) {
            let error = PathPattern::new(expression, RegexCompilation::OnFirstUse).unwrap_err();
            assert!(error.contains(expected), "{expression}: {error}");
        }
        check("/a(", "unclosed group");
        check("/a(?=b)", "look-around");
        check("/(a)\\1", "backreferences");
        check("/\\p{Nothing}", "Unicode property not found");
        check("/(\\w{999}){999}", "size limit");
    }

    #[test]
    fn a_header_expression_ignores_case() {
        let pattern = BytesRegex::anywhere("^Gold-\\D$", RegexCompilation::AtLoad).unwrap();
        assert!(pattern.is_match(b"gOLD-x"));
        assert!(!pattern.is_match(b"gold-1"));
    }
}
