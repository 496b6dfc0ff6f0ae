//! Substitution of `${NAME}`, `${NAME:-default}` and `$NAME` in one text, as in Compose files and in `envsubst`.
//! (Compose Specification, "Interpolation".)

use super::Lookup;
use crate::{diag::Diagnostic, document::NodePath};

/// How deep defaults may be nested.
const MOST_DEPTH: usize = 8;

/// Why a text cannot be substituted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SubstitutionError {
    pub(super) message: String,
    pub(super) help: String,
}

impl SubstitutionError {
    pub(super) fn at(&self, path: NodePath) -> Diagnostic {
        Diagnostic::error(path, &*self.message).help(&*self.help)
    }
}

/// The text with the values of its variables; `None` if it has no variables.
///
/// `$NAME` is a variable if the name is in capitals. `$$` in front of a variable is one `$`, and the rest is literal.
pub(super) fn substitute(text: &str, lookup: Lookup<'_>) -> Result<Option<String>, SubstitutionError> {
    if !is_substituted(text) {
        return Ok(None);
    }
    let mut reader = TemplateReader { rest: text, lookup };
    let mut out = String::with_capacity(text.len());
    reader.read(&mut out, 0)?;
    Ok(Some(out))
}

/// Whether substitution changes a text.
#[must_use]
pub fn is_substituted(text: &str) -> bool {
    text.match_indices('$').any(|(at, _)| begins_variable(&text[at + 1..]))
}

/// The text that substitution turns into this one.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        out.push(c);
        if c == '$' && begins_variable(&text[at + 1..]) {
            out.push('$');
        }
    }
    out
}

/// Whether the text after a `$` begins a variable: a brace (decK has two), or a name in capitals.
fn begins_variable(rest: &str) -> bool {
    (rest.starts_with('{') && !rest.starts_with("{{")) || capitals_length(rest) > 0
}

/// The length of a name in capitals that is not the beginning of a longer word.
fn capitals_length(rest: &str) -> usize {
    let length = name_length(rest, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let begins_with_letter = rest.starts_with(|c: char| c.is_ascii_uppercase());
    let is_whole_word = !rest[length..].starts_with(|c: char| c.is_ascii_lowercase());
    if begins_with_letter && is_whole_word { length } else { 0 }
}

fn name_length(rest: &str, is_in_name: impl Fn(u8) -> bool) -> usize {
    rest.bytes().take_while(|byte| is_in_name(*byte)).count()
}

struct TemplateReader<'a> {
    rest: &'a str,
    lookup: Lookup<'a>,
}

impl<'a> TemplateReader<'a> {
    /// Reads to the end of the text; in a default, to the brace that closes it.
    fn read(&mut self, out: &mut String, depth: usize) -> Result<(), SubstitutionError> {
        let stops: &[char] = if depth > 0 { &['$', '}'] } else { &['$'] };
        loop {
            let Some(at) = self.rest.find(stops) else {
                out.push_str(self.rest);
                self.rest = "";
                return Ok(());
            };
            out.push_str(&self.rest[..at]);
            self.rest = &self.rest[at..];
            if self.rest.starts_with('}') {
                return Ok(());
            }
            self.rest = &self.rest[1..];
            if let Some(escaped) = self.rest.strip_prefix('$').filter(|rest| begins_variable(rest)) {
                out.push('$');
                // The brace or letter after it is literal.
                let first = escaped.chars().next().map_or(0, char::len_utf8);
                out.push_str(&escaped[..first]);
                self.rest = &escaped[first..];
            } else if begins_variable(self.rest) {
                self.variable(out, depth)?;
            } else {
                out.push('$');
            }
        }
    }

    fn variable(&mut self, out: &mut String, depth: usize) -> Result<(), SubstitutionError> {
        let Some(inside) = self.rest.strip_prefix('{') else {
            let (name, rest) = self.rest.split_at(capitals_length(self.rest));
            self.rest = rest;
            out.push_str(&(self.lookup)(name)?.ok_or_else(|| unset(name))?);
            return Ok(());
        };
        let malformed = || SubstitutionError {
            message: format!("`${{{}` names no variable", inside.lines().next().unwrap_or_default()),
            help: "write `${NAME}` or `${NAME:-default}`; `$${` is the text `${`".to_owned(),
        };
        let (name, rest) =
            inside.split_at(name_length(inside, |byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(malformed());
        }
        if let Some(rest) = rest.strip_prefix('}') {
            self.rest = rest;
            out.push_str(&(self.lookup)(name)?.ok_or_else(|| unset(name))?);
            return Ok(());
        }
        self.rest = rest.strip_prefix(":-").filter(|_| depth < MOST_DEPTH).ok_or_else(malformed)?;
        let value = (self.lookup)(name)?.filter(|value| !value.is_empty());
        // A default that is not needed may contain variables that are not set.
        let lookup = self.lookup;
        let ignore_names: Lookup<'a> = &|_| Ok(Some(String::new()));
        self.lookup = if value.is_some() { ignore_names } else { lookup };
        let mut default = String::new();
        let read = self.read(&mut default, depth + 1);
        self.lookup = lookup;
        read?;
        self.rest = self.rest.strip_prefix('}').ok_or_else(malformed)?;
        out.push_str(&value.unwrap_or(default));
        Ok(())
    }
}

fn unset(name: &str) -> SubstitutionError {
    SubstitutionError {
        message: format!("environment variable '{name}' is not set"),
        help: format!(
            "KONG_ENV_SUBSTITUTION is on: set the variable, or give a default: `${{{name}:-...}}`; the text itself is \
             `$${{{name}}}`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lookup(name: &str) -> Result<Option<String>, SubstitutionError> {
        Ok(match name {
            "A" => Some("1"),
            "lower_1" => Some("2"),
            "E" => Some(""),
            "D" => Some("${A} $A"),
            "BAD" => return Err(SubstitutionError { message: "bad".to_owned(), help: String::new() }),
            _ => None,
        }
        .map(str::to_owned))
    }

    fn value(text: &str) -> Result<String, String> {
        match substitute(text, &lookup) {
            Ok(other) => Ok(other.unwrap_or_else(|| text.to_owned())),
            Err(fault) => Err(fault.message),
        }
    }

    #[test]
    fn variables_are_substituted_and_similar_texts_are_not() {
        for (text, expected) in [
            ("${A}", Ok("1")),
            ("x${A}y${lower_1}", Ok("x1y2")),
            ("$A", Ok("1")),
            ("http://h-$A.x/$A$A", Ok("http://h-1.x/11")),
            ("$A-${E}-$E", Ok("1--")),
            ("${E:-d}${N:-d}${A:-d}", Ok("dd1")),
            ("${N:-}", Ok("")),
            ("${N:-a b:c$}", Ok("a b:c$")),
            ("${N:-x${M:-y${A}}}", Ok("xy1")),
            ("${A:-${N}}", Ok("1")),
            ("$${A}", Ok("${A}")),
            ("$$A", Ok("$A")),
            ("$$$A", Ok("$$A")),
            ("${D}", Ok("${A} $A")),
            ("a$", Ok("a$")),
            ("$$", Ok("$$")),
            ("$5.00", Ok("$5.00")),
            ("$ref", Ok("$ref")),
            ("$Ref", Ok("$Ref")),
            ("$_", Ok("$_")),
            ("$(headers.x)", Ok("$(headers.x)")),
            ("$((headers.A) or 'B')", Ok("$((headers.A) or 'B')")),
            ("/a$|/b", Ok("/a$|/b")),
            ("${{ x }}", Ok("${{ x }}")),
            ("$2b$10$N9qo8uLOickgx2ZMRZoMye", Ok("$2b$10$N9qo8uLOickgx2ZMRZoMye")),
            ("${N}", Err("environment variable 'N' is not set")),
            ("$N", Err("environment variable 'N' is not set")),
            ("${N:-${M}}", Err("environment variable 'M' is not set")),
            ("x${BAD:-y}", Err("bad")),
            ("${", Err("`${` names no variable")),
            ("${}", Err("`${}` names no variable")),
            ("${a.b}", Err("`${a.b}` names no variable")),
            ("${A-b}", Err("`${A-b}` names no variable")),
            ("${A:-b", Err("`${A:-b` names no variable")),
            ("${1}", Err("`${1}` names no variable")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn nested_defaults_are_bounded() {
        let deep = format!("{}{}", "${N:-".repeat(100_000), "}".repeat(100_000));
        assert!(value(&deep).is_err());
        let deep = format!("{}x{}", "${N:-".repeat(MOST_DEPTH), "}".repeat(MOST_DEPTH));
        assert_eq!(value(&deep).as_deref(), Ok("x"));
    }

    proptest! {
        #[test]
        fn escaped_texts_are_substituted_back(text in "[${}A-Ca-c_1:x-]{0,16}") {
            prop_assert_eq!(value(&escaped(&text)), Ok(text));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = value(&text);
        }
    }
}
