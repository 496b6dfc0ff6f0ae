//! Serialization of new values for the editor, in block or flow style; YAML 1.1 and 1.2 read the strings alike.

use std::fmt::Write as _;

use crate::document::{Dialect, Mapping, Value, read, scalar};

/// Style of a text, taken from the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WritingStyle {
    /// The indentation of the `-` of a list relative to the key of the list.
    pub(super) dash: usize,
    /// Whether keys and strings in flow collections are quoted, as JSON requires.
    pub(super) json: bool,
    /// Whether a string of several lines is written as a literal block.
    pub(super) literals: bool,
}

impl WritingStyle {
    /// The style for lines above the text `below`: no literal block before an indented comment, which would become a part
    /// of it.
    pub(super) fn above(self, below: &str) -> Self {
        let is_comment = |line: &str| line.starts_with([' ', '\t']) && line.trim_start().starts_with('#');
        let literals = !below.lines().find(|line| !line.trim().is_empty()).is_some_and(is_comment);
        Self { literals, ..self }
    }

    /// `key: value` in block style; each line but the first is indented by `column` blanks. No line break at the end.
    pub(super) fn entry(self, key: &str, value: &Value, column: usize) -> String {
        format!("{}:{}", plain_or_quoted(key, false), self.value(value, column))
    }

    /// The text after the `:` of a key at this column.
    pub(super) fn value(self, value: &Value, column: usize) -> String {
        match value {
            Value::Sequence(items) if !items.is_empty() => {
                let dash = column + self.dash;
                let lines = items.iter().map(|item| format!("\n{}{}", blanks(dash), self.item(item, dash)));
                lines.collect()
            }
            Value::Mapping(entries) if !entries.is_empty() => {
                format!("\n{}{}", blanks(column + 2), self.entries(entries, column + 2))
            }
            Value::String(text) => {
                let block = literal(text, column + 2).filter(|_| self.literals);
                format!(" {}", block.unwrap_or_else(|| scalar(value)))
            }
            _ => format!(" {}", self.flow(value)),
        }
    }

    /// `- value` in block style, for a list whose `-` is at this column.
    pub(super) fn item(self, value: &Value, column: usize) -> String {
        match value {
            Value::Mapping(entries) if !entries.is_empty() => {
                format!("- {}", self.entries(entries, column + 2))
            }
            Value::Sequence(_) | Value::Mapping(_) => format!("- {}", self.flow(value)),
            _ => format!("- {}", scalar(value)),
        }
    }

    fn entries(self, entries: &Mapping, column: usize) -> String {
        let lines: Vec<String> = entries.iter().map(|(key, value)| self.entry(key, value, column)).collect();
        lines.join(&format!("\n{}", blanks(column)))
    }

    /// The value in flow style, on one line.
    pub(super) fn flow(self, value: &Value) -> String {
        if self.json {
            return Self::json_lines(value, None);
        }
        match value {
            Value::Sequence(items) => {
                let items: Vec<String> = items.iter().map(|item| self.flow(item)).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Mapping(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(key, value)| self.flow_entry(key, value)).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Value::String(text) => plain_or_quoted(text, true),
            _ => scalar(value),
        }
    }

    /// `key: value` in flow style.
    pub(super) fn flow_entry(self, key: &str, value: &Value) -> String {
        let key = if self.json { Value::from(key).to_json() } else { plain_or_quoted(key, true) };
        format!("{key}: {}", self.flow(value))
    }

    /// The value as JSON, on one line, or with one member a line and an indentation of `column` blanks.
    pub(super) fn json_lines(value: &Value, column: Option<usize>) -> String {
        let inner = column.map(|column| column + 2);
        let (before, between, after) = match (column, inner) {
            (Some(column), Some(inner)) => (
                format!("\n{}", blanks(inner)),
                format!(",\n{}", blanks(inner)),
                format!("\n{}", blanks(column)),
            ),
            _ => (String::new(), ", ".to_owned(), String::new()),
        };
        match value {
            Value::Sequence(items) if !items.is_empty() => {
                let items: Vec<String> = items.iter().map(|item| Self::json_lines(item, inner)).collect();
                format!("[{before}{}{after}]", items.join(&between))
            }
            Value::Mapping(entries) if !entries.is_empty() => {
                let entry = |(key, value): (&str, &Value)| {
                    format!("{}: {}", Value::from(key).to_json(), Self::json_lines(value, inner))
                };
                let entries: Vec<String> = entries.iter().map(entry).collect();
                format!("{{{before}{}{after}}}", entries.join(&between))
            }
            _ => value.to_json(),
        }
    }
}

pub(super) fn blanks(count: usize) -> String {
    " ".repeat(count)
}

/// A scalar in block style, on one line.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => plain_or_quoted(text, false),
        Value::Number(number) => match number.as_str() {
            "1e999" => ".inf".to_owned(),
            "-1e999" => "-.inf".to_owned(),
            digits => digits.to_owned(),
        },
        _ => value.to_json(),
    }
}

/// A string as a literal block at this column; `None` if it would be parsed as another string.
fn literal(text: &str, column: usize) -> Option<String> {
    let (body, chomping) = text.strip_suffix('\n').map_or((text, "-"), |body| (body, ""));
    // A blank line at the end of a block is indistinguishable from one between entries.
    let ends_blank = body.rsplit('\n').next().is_none_or(|line| line.trim().is_empty());
    if !text.contains('\n') || text.starts_with([' ', '\t', '\n']) || ends_blank {
        return None;
    }
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{}{line}", blanks(column)) };
    let lines: Vec<String> = body.split('\n').map(line).collect();
    let block = format!("|{chomping}\n{}", lines.join("\n"));
    // YAML changes some lines of a block, such as those with a carriage return; the result is parsed to find out.
    let tried = match column.checked_sub(2) {
        None | Some(0) => format!("k: {block}\n"),
        Some(key) => format!("o:\n{}k: {block}\n", blanks(key)),
    };
    let back = read(&tried, Dialect::Kong).ok()?.value;
    let back = back.get("o").unwrap_or(&back).get("k")?;
    (back.as_str() == Some(text)).then_some(block)
}

/// A string without quotes if both versions of YAML parse it as that string, else in quotes.
fn plain_or_quoted(text: &str, flow: bool) -> String {
    if is_plain(text, flow) {
        return text.to_owned();
    }
    let needs_escape =
        |c: char| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    if text.contains(needs_escape) {
        return escaped(text);
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// A string in double quotes; characters that YAML parsers treat specially are escaped by their code point.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in Value::from(text).to_json().chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn is_plain(text: &str, flow: bool) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let begins = first.is_alphanumeric() || matches!(first, '/' | '_' | '~' | '.' | '^' | '(' | '$' | '+');
    let fits = |c: char| {
        c.is_alphanumeric()
            || matches!(c, '/' | '_' | '~' | '.' | '^' | '(' | ')' | '$' | '+' | '-' | ';' | '@' | '=' | '\\')
            || matches!(c, '|' | '<' | '>' | '%' | '!' | '*' | '&' | '\'' | '"')
            || (!flow && matches!(c, '[' | ']' | '{' | '}' | ',' | '?' | ':' | '#' | ' '))
    };
    if !begins || !text.chars().all(fits) || text.ends_with([' ', ':']) {
        return false;
    }
    if text.contains(": ") || text.contains(" #") || text.starts_with("...") || is_date(text) {
        return false;
    }
    // Other parsers of YAML 1.1 read these as booleans.
    if matches!(text, "y" | "Y" | "n" | "N") {
        return false;
    }
    let is_text = |dialect| matches!(scalar::plain(text, dialect), Value::String(_));
    is_text(Dialect::Kong) && is_text(Dialect::Specification)
}

/// Whether a text looks like a date such as `2001-01-01`, which some parsers give a type of its own.
fn is_date(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    digits == 4 && text.as_bytes().get(4) == Some(&b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(scalar(&Value::from(text)), expected, "{text:?}");
    }

    #[test]
    fn strings_are_quoted_where_a_parser_would_read_another_type() {
        for (text, expected) in [
            ("http://httpbin.org:80/anything", "http://httpbin.org:80/anything"),
            ("/stock/historical", "/stock/historical"),
            ("~/users/(?<id>\\d+)$", "~/users/(?<id>\\d+)$"),
            ("~/users/\\d+$", "~/users/\\d+$"),
            ("*", "'*'"),
            ("on", "'on'"),
            ("no", "'no'"),
            ("y", "'y'"),
            ("null", "'null'"),
            ("~", "'~'"),
            ("", "''"),
            ("12:30", "'12:30'"),
            ("1_000", "'1_000'"),
            ("0x1F", "'0x1F'"),
            ("0o14", "'0o14'"),
            ("3.0", "'3.0'"),
            ("3.0.1", "3.0.1"),
            (".5", "'.5'"),
            ("2001-01-01", "'2001-01-01'"),
            ("a: b", "'a: b'"),
            ("a #b", "'a #b'"),
            ("it's", "it's"),
            ("- a", "'- a'"),
            (" a", "' a'"),
            ("a\tb", "\"a\\tb\""),
            ("{a}", "'{a}'"),
            ("日本", "日本"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn lines_become_a_literal_block() {
        let style = WritingStyle { dash: 0, json: false, literals: true };
        let entry = |text: &str| style.entry("k", &Value::from(text), 0);
        assert_eq!(entry("a: 1\nb: 2\n"), "k: |\n  a: 1\n  b: 2");
        assert_eq!(entry("a\n\nb"), "k: |-\n  a\n\n  b");
        assert_eq!(entry("a\n "), "k: \"a\\n \"");
        assert_eq!(entry("a\n\n"), "k: \"a\\n\\n\"");
        assert_eq!(entry(" a\nb"), "k: \" a\\nb\"");
        assert_eq!(entry("a\r\nb"), "k: \"a\\r\\nb\"");
    }
}
