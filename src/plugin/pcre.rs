//! Regular expressions of PCRE2, the engine behind Kong's `ngx.re`, with a limit of steps: for all plugins.
//!
//! An expression is translated into the dialect of `regex`, which never backtracks. Only look-around, back-references and their
//! like go to `fancy_regex`, which does.

use std::fmt::Write;

/// Most steps of one search that backtracks.
const MAX_STEPS: usize = 100_000;

/// Most memory of one compiled expression, in bytes.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// Longest expression whose text a request may make, in bytes.
const MAX_PATTERN_BYTES: usize = 16 << 10;

/// Horizontal white space: PCRE2's `\h`.
const HORIZONTAL: &str = r"\t \u{a0}\u{1680}\u{180e}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}";

/// Vertical white space: PCRE2's `\v`.
const VERTICAL: &str = r"\n\x0b\x0c\r\u{85}\u{2028}\u{2029}";

/// A compiled expression.
#[derive(Debug)]
pub(super) enum PcreRegex {
    Linear(regex::Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

/// Why an expression cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PcreFault {
    /// It is no expression of PCRE2.
    Invalid,
    /// It has something of PCRE2 that neither engine has: recursion, branch reset, verbs, callouts.
    Unsupported,
}

impl PcreRegex {
    /// Compiles an expression that must match a whole text.
    ///
    /// # Errors
    /// It is invalid, or cannot be used.
    pub(super) fn of_whole_text(pattern: &str) -> Result<Self, PcreFault> {
        // The linear engine has a flag of this name.
        if pattern.contains("(?R") {
            return Err(PcreFault::Unsupported);
        }
        let Translation { text, is_possessive } = translate(pattern);
        let translated = format!(r"\A(?:{text})\z");
        let linear = regex::RegexBuilder::new(&translated).size_limit(MAX_COMPILED_BYTES).build();
        // The linear engine would take `a++` for `(?:a+)+`.
        if let (Ok(regex), false) = (linear, is_possessive) {
            return Ok(Self::Linear(regex));
        }
        let backtracking = bounded(&translated).map(|regex| Self::Backtracking(Box::new(regex)));
        backtracking
            .map_err(|_| if is_unsupported(pattern) { PcreFault::Unsupported } else { PcreFault::Invalid })
    }

    /// Whether a text matches. A search that takes too many steps does not match.
    pub(super) fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Linear(regex) => regex.is_match(text),
            Self::Backtracking(regex) => regex.is_match(text).unwrap_or(false),
        }
    }
}

/// Compiles an expression that may match anywhere in a text. `flags` are letters of PCRE's inline flags: `i`, `m`, `s`, `x`.
/// A search that takes too many steps is an error of the search.
///
/// # Errors
/// A message that names what is wrong: the expression is invalid, too long, or cannot be used.
pub(super) fn search_regex(pattern: &str, flags: &str) -> Result<fancy_regex::Regex, String> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!("longer than {MAX_PATTERN_BYTES} bytes"));
    }
    let Translation { text, .. } = translate(pattern);
    let translated = if flags.is_empty() { text } else { format!("(?{flags}:{text})") };
    bounded(&translated).map_err(|error| {
        if is_unsupported(pattern) {
            "recursion, branch reset and verbs are not supported".to_owned()
        } else {
            error.to_string()
        }
    })
}

fn bounded(translated: &str) -> Result<fancy_regex::Regex, Box<fancy_regex::Error>> {
    let mut builder = fancy_regex::RegexBuilder::new(translated);
    builder.backtrack_limit(MAX_STEPS).delegate_size_limit(MAX_COMPILED_BYTES);
    builder.build().map_err(Box::new)
}

fn is_unsupported(pattern: &str) -> bool {
    let marks =
        ["(?R", "(?0", "(?+", "(?-1", "(?&", "(?P>", "(?|", "(?C", "(*", "\\g<", "\\g'", "\\C", "\\X"];
    let numbered = ('1'..='9').any(|digit| pattern.contains(&format!("(?{digit}")));
    numbered || marks.iter().any(|mark| pattern.contains(mark))
}

/// The expression in the dialect of `regex` and `fancy_regex`.
fn translate(pattern: &str) -> Translation {
    let mut translator =
        Translator { rest: pattern, out: String::with_capacity(pattern.len() + 8), is_possessive: false };
    while translator.step() {}
    Translation { text: translator.out, is_possessive: translator.is_possessive }
}

/// A translated expression.
struct Translation {
    text: String,
    /// Whether it has a quantifier such as `*+`, which gives nothing back.
    is_possessive: bool,
}

struct Translator<'a> {
    rest: &'a str,
    out: String,
    is_possessive: bool,
}

impl Translator<'_> {
    /// Translates the next element; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        match first {
            '\\' => self.escape(false),
            '[' => self.class(),
            '{' if !begins_quantifier(self.rest) => self.replace(1, r"\{"),
            '(' => self.group(),
            '*' | '+' | '?' | '}' if self.rest.get(1..).is_some_and(|rest| rest.starts_with('+')) => {
                self.is_possessive = true;
                self.copy(2);
            }
            _ => self.copy(first.len_utf8()),
        }
        true
    }

    fn copy(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.out.push_str(taken);
        self.rest = rest;
    }

    fn replace(&mut self, length: usize, by: &str) {
        self.out.push_str(by);
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    fn escape(&mut self, in_class: bool) {
        let Some(letter) = self.rest.get(1..).and_then(|rest| rest.chars().next()) else {
            return self.copy(1);
        };
        match letter {
            'Q' => {
                let quoted = self.rest.get(2..).unwrap_or_default();
                let (text, rest) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
                self.out.push_str(&regex::escape(text));
                self.rest = rest;
            }
            'E' => self.replace(2, ""),
            'e' => self.replace(2, r"\x1b"),
            'h' | 'v' => {
                let members = if letter == 'h' { HORIZONTAL } else { VERTICAL };
                let class = if in_class { members.to_owned() } else { format!("[{members}]") };
                self.replace(2, &class);
            }
            'H' => self.replace(2, &format!("[^{HORIZONTAL}]")),
            'V' => self.replace(2, &format!("[^{VERTICAL}]")),
            'N' if !in_class => self.replace(2, r"[^\n]"),
            'R' if !in_class => self.replace(2, &format!(r"(?:\r\n|[{VERTICAL}])")),
            'g' if !in_class => self.reference(),
            'k' if !in_class => self.named_reference(),
            // In the other dialect these have a meaning.
            '<' | '>' => self.replace(2, &letter.to_string()),
            letter if letter.is_ascii_alphanumeric() => self.copy(2),
            letter => self.replace(1 + letter.len_utf8(), &regex::escape(&letter.to_string())),
        }
    }

    /// `\g1`, `\g{1}`, `\g{-1}` and `\g{name}`.
    fn reference(&mut self) {
        let rest = self.rest.get(2..).unwrap_or_default();
        let (name, length) = match rest.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
            Some((name, _)) => (name, name.len() + 2),
            None => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                (rest.get(..digits).unwrap_or_default(), digits)
            }
        };
        if name.is_empty() {
            return self.copy(2);
        }
        let reference = if name.bytes().all(|byte| byte.is_ascii_digit()) {
            format!(r"(?:\{name})")
        } else {
            format!(r"\k<{name}>")
        };
        self.replace(2 + length, &reference);
    }

    /// `\k<name>`, `\k'name'` and `\k{name}`.
    fn named_reference(&mut self) {
        let rest = self.rest.get(2..).unwrap_or_default();
        let found = [('<', '>'), ('\'', '\''), ('{', '}')]
            .into_iter()
            .find_map(|(open, close)| rest.strip_prefix(open)?.split_once(close));
        match found {
            Some((name, _)) => self.replace(2 + name.len() + 2, &format!(r"\k<{name}>")),
            None => self.copy(2),
        }
    }

    fn group(&mut self) {
        let rest = self.rest;
        if let Some(name) = rest.strip_prefix("(?P=").and_then(|rest| rest.split_once(')')) {
            self.replace("(?P=)".len() + name.0.len(), &format!(r"\k<{}>", name.0));
        } else if let Some((name, _)) = rest.strip_prefix("(?'").and_then(|rest| rest.split_once('\'')) {
            self.replace("(?''".len() + name.len(), &format!("(?<{name}>"));
        } else if let Some((comment, _)) = rest.strip_prefix("(?#").and_then(|rest| rest.split_once(')')) {
            self.replace("(?#)".len() + comment.len(), "(?:)");
        } else {
            self.copy(1);
        }
    }

    /// A class. In PCRE2 it has no operators, and a bracket in it is a character.
    fn class(&mut self) {
        self.copy(1);
        if self.rest.starts_with('^') {
            self.copy(1);
        }
        if self.rest.starts_with(']') {
            self.replace(1, r"\]");
        }
        while let Some(first) = self.rest.chars().next() {
            match first {
                ']' => return self.copy(1),
                '\\' => self.escape(true),
                '[' => match posix_class(self.rest) {
                    Some(length) => self.copy(length),
                    None => self.replace(1, r"\["),
                },
                '&' | '~' => {
                    let _ = write!(self.out, "\\{first}");
                    self.rest = self.rest.get(1..).unwrap_or_default();
                }
                '-' if self.rest.starts_with("--") => self.replace(1, r"\-"),
                _ => self.copy(first.len_utf8()),
            }
        }
    }
}

/// Whether a text begins with a quantifier: `{2}`, `{2,}` or `{2,3}`.
fn begins_quantifier(text: &str) -> bool {
    let inside = text.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    let Some((inside, _)) = inside else { return false };
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !low.is_empty() && is_number(low) && is_number(high)
}

/// The length of a class such as `[:alpha:]` at the beginning of a text.
fn posix_class(text: &str) -> Option<usize> {
    let (name, _) = text.strip_prefix("[:")?.split_once(":]")?;
    let is_name = name.trim_start_matches('^').bytes().all(|byte| byte.is_ascii_lowercase());
    is_name.then_some("[::]".len() + name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_match_as_in_pcre2() {
        for (pattern, matching, other) in [
            ("a.c", "abc", "abcd"),
            (r"https?://(?!bad\.)[a-z]+\.test", "https://good.test", "https://bad.test"),
            (r"(?<=a)b|ab", "ab", "b"),
            (r"(\w)\1", "aa", "ab"),
            (r"(?<x>\d)\k<x>", "11", "12"),
            (r"(?P<x>\d)(?P=x)", "11", "12"),
            (r"(?'x'\d)\k'x'", "11", "12"),
            (r"(\d)\g{1}\g1", "111", "112"),
            (r"\Qa.b*c\E+", "a.b*cc", "axbbc"),
            (r"\Qa.b", "a.b", "axb"),
            (r"a\hb", "a\tb", "afb"),
            (r"a[\hx]b", "a b", "a\nb"),
            (r"a\Hb", "axb", "a b"),
            (r"a\Rb", "a\r\nb", "a b"),
            (r"(?>a+)b", "aab", "aa"),
            (r"a++b", "aab", "aa"),
            (r"a*+ab|x", "x", "aab"),
            ("[[a]", "[", "]"),
            ("[]a]", "]", "["),
            ("[a&&b]", "&", "c"),
            ("[a--]", "-", "b"),
            ("[[:alpha:]]+", "ab", "a1"),
            (r"a\_\-\<b", "a_-<b", "a_-b"),
            ("a{2}{x}", "aa{x}", "aa"),
            ("a{,2}", "a{,2}", "aa"),
            (r"a(?#comment)b", "ab", "a"),
            (r"\e", "\u{1b}", "e"),
        ] {
            let regex = PcreRegex::of_whole_text(pattern).unwrap();
            assert!(regex.is_match(matching), "{pattern} {matching}");
            assert!(!regex.is_match(other), "{pattern} {other}");
        }
        // An end and more: valid, and never found.
        assert!(!PcreRegex::of_whole_text("${FRONTEND_URL}").unwrap().is_match("${FRONTEND_URL}"));
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for pattern in ["(", "[a", "*", r"(?<n>a", "a)", r"(a)\2"] {
            assert_eq!(PcreRegex::of_whole_text(pattern).err(), Some(PcreFault::Invalid), "{pattern}");
        }
        for pattern in ["(?R)", "a(?1)", "(?|a|b)"] {
            assert_eq!(PcreRegex::of_whole_text(pattern).err(), Some(PcreFault::Unsupported), "{pattern}");
        }
    }

    #[test]
    fn a_search_that_takes_too_long_does_not_match() {
        let regex = PcreRegex::of_whole_text(r"(a+)+\1b").unwrap();
        assert!(matches!(regex, PcreRegex::Backtracking(_)));
        assert!(!regex.is_match(&"a".repeat(4000)));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in r"[\\\[\]{}()?'<>A-Za-z0-9QE^$*+.,:#&~|é-]{0,24}") {
            let _ = PcreRegex::of_whole_text(&text).map(|regex| regex.is_match("https://a.test:8080"));
        }
    }
}
