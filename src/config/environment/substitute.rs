//! `${NAME}`, `${NAME:-default}` and `$NAME` in one text, as in Compose files and as `envsubst` has them.
//! (Compose Specification, "Interpolation".)

use super::Lookup;
use crate::{diag::Diagnostic, document::NodePath};

/// Defaults may hold variables with defaults of their own, this deep.
const DEPTH: usize = 8;

/// Why a text cannot be had.
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

/// The text with the values of variables in their place; `None` if it names none.
///
/// `$NAME` is a variable if the name is written in capitals. `$$` in front of what would be a variable is one `$`, and
/// what follows is what it is.
pub(super) fn substitute(text: &str, lookup: Lookup<'_>) -> Result<Option<String>, SubstitutionError> {
    if !is_substituted(text) {
        return Ok(None);
    }
    let mut reader = TemplateReader { rest: text, lookup };
    let mut out = String::with_capacity(text.len());
    reader.read(&mut out, 0)?;
    Ok(Some(out))
}

/// Whether a text does not stand for itself where variables are substituted.
#[must_use]
pub fn is_substituted(text: &str) -> bool {
    text.match_indices('$').any(|(at, _)| begins_variable(&text[at + 1..]))
}

/// What has to be written where variables are substituted, so that it stands for this text.
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

/// Whether a variable stands behind a `$`: braces with something inside (decK's are two), or a name in capitals.
fn begins_variable(rest: &str) -> bool {
    (rest.starts_with('{') && !rest.starts_with("{{")) || capitals(rest) > 0
}

/// The length of a name in capitals that is not the beginning of a longer word.
fn capitals(rest: &str) -> usize {
    let length = name(rest, |it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_');
    let begins = rest.starts_with(|c: char| c.is_ascii_uppercase());
    let ends = !rest[length..].starts_with(|c: char| c.is_ascii_lowercase());
    if begins && ends { length } else { 0 }
}

fn name(rest: &str, belongs: impl Fn(u8) -> bool) -> usize {
    rest.bytes().take_while(|it| belongs(*it)).count()
}

struct TemplateReader<'a> {
    rest: &'a str,
    lookup: Lookup<'a>,
}

impl<'a> TemplateReader<'a> {
    /// Reads up to the end; inside a default, up to the brace that closes it.
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
            if let Some(escaped) = self.rest.strip_prefix('$').filter(|it| begins_variable(it)) {
                out.push('$');
                // The brace or the letter behind it stands for itself.
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
            let (name, rest) = self.rest.split_at(capitals(self.rest));
            self.rest = rest;
            out.push_str(&(self.lookup)(name)?.ok_or_else(|| unset(name))?);
            return Ok(());
        };
        let malformed = || SubstitutionError {
            message: format!("`${{{}` names no variable", inside.lines().next().unwrap_or_default()),
            help: "write `${NAME}` or `${NAME:-default}`; `$${` is the text `${`".to_owned(),
        };
        let (name, rest) = inside.split_at(name(inside, |it| it.is_ascii_alphanumeric() || it == b'_'));
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(malformed());
        }
        if let Some(rest) = rest.strip_prefix('}') {
            self.rest = rest;
            out.push_str(&(self.lookup)(name)?.ok_or_else(|| unset(name))?);
            return Ok(());
        }
        self.rest = rest.strip_prefix(":-").filter(|_| depth < DEPTH).ok_or_else(malformed)?;
        let value = (self.lookup)(name)?.filter(|it| !it.is_empty());
        // A default that is not needed may name what is not set.
        let lookup = self.lookup;
        let anything: Lookup<'a> = &|_| Ok(Some(String::new()));
        self.lookup = if value.is_some() { anything } else { lookup };
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
        help: format!("set it, or give a default: `${{{name}:-...}}`; the text itself is `$${{{name}}}`"),
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
    fn variables_and_what_looks_like_them() {
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
    fn defaults_in_defaults_have_an_end() {
        let deep = format!("{}{}", "${N:-".repeat(100_000), "}".repeat(100_000));
        assert!(value(&deep).is_err());
        let deep = format!("{}x{}", "${N:-".repeat(DEPTH), "}".repeat(DEPTH));
        assert_eq!(value(&deep).as_deref(), Ok("x"));
    }

    proptest! {
        #[test]
        fn what_is_escaped_stands_for_itself(text in "[${}A-Ca-c_1:x-]{0,16}") {
            prop_assert_eq!(value(&escaped(&text)), Ok(text));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = value(&text);
        }
    }
}
