//! Masking of decK's expressions, `${{ ... }}`, which decK evaluates before it parses the text as YAML. Each expression is
//! replaced by one placeholder character and filler of the same length in bytes, so that its content cannot break the
//! syntax and every node keeps its offset. (decK: "Environment variables".)

use std::borrow::Cow;

/// Code point of the placeholder of the first expression; further ones follow, all in a private use area of Unicode.
const FIRST: u32 = 0xf_0000;
/// Filler for the other bytes of an expression.
const FILLER: &str = "x";
const OPEN: &str = "${{";
const CLOSE: &str = "}}";

/// A text with masked expressions.
#[derive(Debug)]
pub struct MaskedText<'a> {
    text: Cow<'a, str>,
    expressions: Vec<&'a str>,
}

impl<'a> MaskedText<'a> {
    /// Masks the expressions of a text; those in comment lines stay, as in decK.
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
                let Some(placeholder) = placeholder(expressions.len()) else { break };
                covered.push_str(before);
                covered.push(placeholder);
                covered.push_str(&FILLER.repeat(expression.len() - placeholder.len_utf8()));
                expressions.push(expression);
                rest = after;
            }
            covered.push_str(rest);
        }
        Self { text: Cow::Owned(covered), expressions }
    }

    /// The masked text, to be parsed as YAML or JSON.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Unmasks a part of the text; `with` maps an expression, including its brackets, to its replacement.
    pub fn restore(&self, part: &str, mut with: impl FnMut(&'a str) -> String) -> String {
        let mut restored = String::with_capacity(part.len());
        let mut rest = part;
        while let Some(at) = rest.find(is_placeholder) {
            let (before, from) = rest.split_at(at);
            restored.push_str(before);
            let placeholder = from.chars().next().unwrap_or_default();
            let expression = index(placeholder).and_then(|n| self.expressions.get(n));
            if let Some(expression) = expression {
                restored.push_str(&with(expression));
                rest = from.get(expression.len()..).unwrap_or_default();
            } else {
                restored.push(placeholder);
                rest = &from[placeholder.len_utf8()..];
            }
        }
        restored.push_str(rest);
        restored
    }
}

/// Whether the text of a scalar may hold a placeholder.
pub(super) fn has_placeholder(text: &str) -> bool {
    text.contains(is_placeholder)
}

fn is_placeholder(character: char) -> bool {
    u32::from(character) >= FIRST
}

fn placeholder(n: usize) -> Option<char> {
    char::from_u32(FIRST.checked_add(u32::try_from(n).ok()?)?)
}

fn index(placeholder: char) -> Option<usize> {
    u32::from(placeholder).checked_sub(FIRST).map(|index| index as usize)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// The next expression of a line, with the text before and after character.
fn next(line: &str) -> Option<(&str, &str, &str)> {
    let start = line.find(OPEN)?;
    let end = start + line[start..].find(CLOSE)? + CLOSE.len();
    Some((&line[..start], &line[start..end], &line[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_masked_and_restored() {
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
    fn a_private_use_character_is_not_an_expression() {
        let covered = MaskedText::new("a: \u{f0001}\u{10ffff} ${{ x }}");
        assert_eq!(covered.restore("\u{f0001}\u{10ffff}", |_| String::new()), "\u{f0001}\u{10ffff}");
    }
}
