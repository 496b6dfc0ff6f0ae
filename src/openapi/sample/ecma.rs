//! Translation of patterns from ECMA-262, the dialect of documents, to the dialect of the `regex` crate.

/// A pattern in the dialect of the `regex` crate.
pub(super) struct TranslatedPattern {
    /// The pattern without its lookaheads and lookbehinds.
    pub(super) text: String,
    /// Lookaheads at the start, as patterns that the text must (`true`) or must not match.
    pub(super) lookaheads: Vec<(bool, String)>,
    /// Whether a lookaround elsewhere was left out, so that a match is not a match of the whole pattern.
    pub(super) inexact: bool,
}

/// Translates a pattern.
pub(super) fn translate(pattern: &str) -> TranslatedPattern {
    let mut lookaheads = Vec::new();
    let mut rest = pattern;
    let anchored = rest.starts_with('^');
    if anchored {
        rest = &rest[1..];
    }
    let start = if anchored { "^" } else { "" };
    let mut inexact = false;
    while let Some((is_positive, inner, after)) = leading_lookahead(rest) {
        // A negative lookahead without an anchor may hold at some other position, so it excludes nothing.
        if is_positive || anchored {
            lookaheads.push((is_positive, format!("{start}(?:{})", PatternTranslator::translate(inner).out)));
        }
        inexact |= !anchored;
        rest = after;
    }
    let translation = PatternTranslator::translate(rest);
    inexact |= translation.inexact;
    TranslatedPattern { text: format!("{start}{}", translation.out), lookaheads, inexact }
}

/// Splits `(?=inner)after` and `(?!inner)after`.
fn leading_lookahead(text: &str) -> Option<(bool, &str, &str)> {
    let is_positive = text.starts_with("(?=");
    if !is_positive && !text.starts_with("(?!") {
        return None;
    }
    let end = group_end(text)?;
    Some((is_positive, text.get(3..end)?, text.get(end + 1..)?))
}

/// The position of the end of the group that starts at the first byte.
fn group_end(text: &str) -> Option<usize> {
    let (mut depth, mut class, mut escaped) = (0_usize, false, false);
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '(' if !class => depth += 1,
            ')' if !class => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => (),
        }
    }
    None
}

struct PatternTranslator<'a> {
    rest: &'a str,
    out: String,
    class: bool,
    inexact: bool,
}

impl<'a> PatternTranslator<'a> {
    fn translate(pattern: &'a str) -> Self {
        let mut translator = Self { rest: pattern, out: String::new(), class: false, inexact: false };
        while let Some(char) = translator.rest.chars().next() {
            let before = translator.rest;
            translator.rest = &translator.rest[char.len_utf8()..];
            match char {
                '\\' => translator.escape(),
                _ if translator.class => translator.in_class(char),
                _ => translator.outside(char, before),
            }
        }
        translator
    }

    fn escape(&mut self) {
        let Some(char) = self.rest.chars().next() else {
            self.out.push_str("\\\\");
            return;
        };
        self.rest = &self.rest[char.len_utf8()..];
        let (inside, outside) = match char {
            'd' => ("0-9", "[0-9]"),
            'w' => ("0-9A-Za-z_", "[0-9A-Za-z_]"),
            'D' if !self.class => ("", "[^0-9]"),
            'W' if !self.class => ("", "[^0-9A-Za-z_]"),
            'Z' => ("Z", "\\z"),
            '0' => ("\\x00", "\\x00"),
            'c' => {
                let control = self.rest.bytes().next().filter(u8::is_ascii_alphabetic);
                if let Some(letter) = control {
                    self.rest = &self.rest[1..];
                    self.out.extend(["\\x", &format!("{:02x}", letter & 0x1f)]);
                }
                return;
            }
            _ => {
                // An escape without a meaning stands for its letter.
                let known = "sSbBnrtfvpPuxADWkz123456789".contains(char);
                if known || !char.is_ascii_alphanumeric() && char != '<' && char != '>' && char.is_ascii() {
                    self.out.push('\\');
                }
                self.out.push(char);
                if "pPux".contains(char) && self.rest.starts_with('{') {
                    let end = self.rest.find('}').map_or(0, |at| at + 1);
                    self.out.push_str(&self.rest[..end]);
                    self.rest = &self.rest[end..];
                }
                return;
            }
        };
        self.out.push_str(if self.class { inside } else { outside });
    }

    fn in_class(&mut self, char: char) {
        match char {
            ']' => {
                self.class = false;
                self.out.push(']');
            }
            // Operators of classes in the dialect of `regex`.
            '[' | '&' | '~' => {
                self.out.push('\\');
                self.out.push(char);
            }
            '-' if self.rest.starts_with(']') || self.out.ends_with('[') || self.rest.starts_with('-') => {
                self.out.push_str("\\-");
            }
            other => self.out.push(other),
        }
    }

    fn outside(&mut self, char: char, before: &'a str) {
        match char {
            '[' if self.rest.starts_with("^]") => {
                self.rest = &self.rest[2..];
                self.out.push_str("[\\s\\S]");
            }
            '[' => {
                self.class = true;
                self.out.push('[');
                if let Some(rest) = self.rest.strip_prefix('^') {
                    self.rest = rest;
                    self.out.push('^');
                }
            }
            '{' if !is_counted(self.rest) => self.out.push_str("\\{"),
            '(' if ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|prefix| before.starts_with(prefix)) => {
                self.inexact = true;
                match group_end(before).and_then(|end| before.get(end + 1..)) {
                    Some(after) => self.rest = after,
                    None => self.out.push('('),
                }
            }
            other => self.out.push(other),
        }
    }
}

/// Whether `3}`, `3,}` or `3,5}` follows.
fn is_counted(rest: &str) -> bool {
    rest.split_once('}').is_some_and(|(inside, _)| {
        let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
        !low.is_empty() && low.bytes().chain(high.bytes()).all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str) {
        assert_eq!(translate(pattern).text, text);
    }

    #[test]
    fn patterns_are_translated() {
        check(r"^\d{3}-\w+$", "^[0-9]{3}-[0-9A-Za-z_]+$");
        check(r"^[\d\w.-]+$", r"^[0-90-9A-Za-z_.\-]+$");
        check(r"^{.*}$", r"^\{.*}$");
        check(r"[[&]", r"[\[\&]");
        check(r"^\/a\_b\i$", r"^\/a\_bi$");
        check(r"[^]", r"[\s\S]");
        check(r"\cJ\p{L}", r"\x0a\p{L}");
        check(r"a{,3}", r"a\{,3}");
    }

    #[test]
    fn lookaheads_at_the_start_become_patterns_of_their_own() {
        let translated = translate(r"^(?=.*[A-Z])(?!.*[()])x{2,}$");
        assert_eq!(translated.text, "^x{2,}$");
        assert_eq!(
            translated.lookaheads,
            [(true, "^(?:.*[A-Z])".to_owned()), (false, "^(?:.*[()])".to_owned())]
        );
        assert!(!translated.inexact);
        assert!(translate(r"^a(?!b)c$").inexact);
    }
}
