//! decK's expressions in a text, `${{ ... }}`, which decK evaluates before the text is YAML: each is covered by one
//! character and as many more bytes as it has, so that whatever it holds breaks no node, and every node stands where it
//! stands in the text. (decK: "Environment variables".)

use std::borrow::Cow;

/// Covers are characters from here on, for private use: the first one for the first expression.
const FIRST: u32 = 0xf_0000;
/// What fills the rest of an expression's bytes.
const FILLER: &str = "x";
const OPEN: &str = "${{";
const CLOSE: &str = "}}";

/// A text whose expressions are covered.
#[derive(Debug)]
pub struct MaskedText<'a> {
    text: Cow<'a, str>,
    expressions: Vec<&'a str>,
}

impl<'a> MaskedText<'a> {
    /// Covers the expressions of a text; those on lines that are comments stay, as at decK.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        let mut expressions = Vec::new();
        if !text.contains(OPEN) {
            return Self { text: Cow::Borrowed(text), expressions };
        }
        let mut covered = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let mut rest = line;
            while let Some((before, expression, after)) = next(rest).filter(|_| !is_comment(line)) {
                let Some(cover) = cover(expressions.len()) else { break };
                covered.push_str(before);
                covered.push(cover);
                covered.push_str(&FILLER.repeat(expression.len() - cover.len_utf8()));
                expressions.push(expression);
                rest = after;
            }
            covered.push_str(rest);
        }
        Self { text: Cow::Owned(covered), expressions }
    }

    /// The text to be read as YAML or JSON.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A part of the text as `with` has its expressions, which it is given with their brackets.
    pub fn restore(&self, part: &str, mut with: impl FnMut(&'a str) -> String) -> String {
        let mut restored = String::with_capacity(part.len());
        let mut rest = part;
        while let Some(at) = rest.find(is_cover) {
            let (before, from) = rest.split_at(at);
            restored.push_str(before);
            let cover = from.chars().next().unwrap_or_default();
            let expression = index(cover).and_then(|n| self.expressions.get(n));
            if let Some(expression) = expression {
                restored.push_str(&with(expression));
                rest = from.get(expression.len()..).unwrap_or_default();
            } else {
                restored.push(cover);
                rest = &from[cover.len_utf8()..];
            }
        }
        restored.push_str(rest);
        restored
    }
}

/// Whether the text of a scalar may hold a cover.
pub(super) fn has_cover(text: &str) -> bool {
    text.contains(is_cover)
}

fn is_cover(it: char) -> bool {
    u32::from(it) >= FIRST
}

fn cover(n: usize) -> Option<char> {
    char::from_u32(FIRST.checked_add(u32::try_from(n).ok()?)?)
}

fn index(cover: char) -> Option<usize> {
    u32::from(cover).checked_sub(FIRST).map(|it| it as usize)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// The next expression of a line, what is before it and what comes after it.
fn next(line: &str) -> Option<(&str, &str, &str)> {
    let start = line.find(OPEN)?;
    let end = start + line[start..].find(CLOSE)? + CLOSE.len();
    Some((&line[..start], &line[start..end], &line[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_covered_and_come_back() {
        for (text, expected) in [
            ("a: b\n", 0),
            ("a: ${{ env \"DECK_A\" }}\n", 1),
            ("a: \"${{ env \"DECK_A\" }}-${{}}\" # ${{ x }}\n# ${{ y }}\n", 3),
            ("a: b${{ open\n  }}\n", 0),
        ] {
            let covered = MaskedText::new(text);
            assert_eq!(covered.text().len(), text.len(), "{text}");
            assert_eq!(covered.expressions.len(), expected, "{text}");
            assert_eq!(covered.restore(covered.text(), str::to_owned), text);
            assert!(crate::document::read(covered.text(), crate::document::Dialect::Kong).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_character_for_private_use_is_no_expression() {
        let covered = MaskedText::new("a: \u{f0001}\u{10ffff} ${{ x }}");
        assert_eq!(covered.restore("\u{f0001}\u{10ffff}", |_| String::new()), "\u{f0001}\u{10ffff}");
    }
}
