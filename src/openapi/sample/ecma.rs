//! Patterns of the document are ECMA 262; the `regex` crate reads another dialect. This file says one in the other.

/// A pattern in the dialect of the `regex` crate.
pub(super) struct TranslatedPattern {
    /// The pattern without its lookaheads and lookbehinds.
    pub(super) text: String,
    /// What lookaheads at the start demand (`true`) or forbid of the text.
    pub(super) looks: Vec<(bool, String)>,
    /// Whether a look somewhere else was left out, so that a match does not prove the whole pattern.
    pub(super) inexact: bool,
}

/// Translates a pattern.
pub(super) fn translate(pattern: &str) -> TranslatedPattern {
    let mut looks = Vec::new();
    let mut rest = pattern;
    let anchored = rest.starts_with('^');
    if anchored {
        rest = &rest[1..];
    }
    let start = if anchored { "^" } else { "" };
    let mut inexact = false;
    while let Some((demanded, inner, after)) = leading_look(rest) {
        // What is forbidden at no certain place is forbidden nowhere.
        if demanded || anchored {
            looks.push((demanded, format!("{start}(?:{})", PatternTranslator::of(inner).out)));
        }
        inexact |= !anchored;
        rest = after;
    }
    let translation = PatternTranslator::of(rest);
    inexact |= translation.inexact;
    TranslatedPattern { text: format!("{start}{}", translation.out), looks, inexact }
}

/// Splits `(?=inner)after` and `(?!inner)after`.
fn leading_look(text: &str) -> Option<(bool, &str, &str)> {
    let demanded = text.starts_with("(?=");
    if !demanded && !text.starts_with("(?!") {
        return None;
    }
    let end = group_end(text)?;
    Some((demanded, text.get(3..end)?, text.get(end + 1..)?))
}

/// Where the group that opens at the first byte closes.
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
    fn of(pattern: &'a str) -> Self {
        let mut it = Self { rest: pattern, out: String::new(), class: false, inexact: false };
        while let Some(char) = it.rest.chars().next() {
            let before = it.rest;
            it.rest = &it.rest[char.len_utf8()..];
            match char {
                '\\' => it.escape(),
                _ if it.class => it.in_class(char),
                _ => it.outside(char, before),
            }
        }
        it
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
                // Other letters have no meaning of their own: an escape that is none stands for itself.
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
            // Operators of the other dialect.
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
            '(' if ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|look| before.starts_with(look)) => {
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
    fn one_dialect_in_the_other() {
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
    fn looks_at_the_start_become_tests_of_their_own() {
        let translated = translate(r"^(?=.*[A-Z])(?!.*[()])x{2,}$");
        assert_eq!(translated.text, "^x{2,}$");
        assert_eq!(translated.looks, [(true, "^(?:.*[A-Z])".to_owned()), (false, "^(?:.*[()])".to_owned())]);
        assert!(!translated.inexact);
        assert!(translate(r"^a(?!b)c$").inexact);
    }
}
