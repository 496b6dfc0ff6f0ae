//! Serialization to YAML that parsers of YAML 1.1 and of YAML 1.2 read alike.
//!
//! Collections are written in block style, in the order of the value. A string is plain only if no parser reads it as
//! another type.

use std::fmt::Write;

use super::Value;

/// Words that some parser reads as a boolean or as null, in lower case.
const WORDS: &[&str] = &["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

impl Value {
    /// The value as YAML in block style, with a line break at the end.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut out = String::new();
        match self {
            Self::Mapping(mapping) if !mapping.is_empty() => write_mapping(self, 0, &mut out),
            Self::Sequence(items) if !items.is_empty() => write_items(items, 0, &mut out),
            scalar => {
                write_scalar(scalar, 0, &mut out);
                out.push('\n');
            }
        }
        out
    }
}

/// Writes the entries of a mapping at `indent`; the first one continues the last line of the output.
fn write_mapping(mapping: &Value, indent: usize, out: &mut String) {
    for (n, (key, value)) in mapping.entries().enumerate() {
        if n > 0 {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        if key.contains('\n') {
            write_quoted(key, out);
        } else {
            write_text(key, indent, out);
        }
        out.push(':');
        match value {
            Value::Mapping(members) if !members.is_empty() => {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent + 2));
                write_mapping(value, indent + 2, out);
            }
            Value::Sequence(items) if !items.is_empty() => {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent));
                write_items(items, indent, out);
            }
            scalar => {
                out.push(' ');
                write_scalar(scalar, indent, out);
                out.push('\n');
            }
        }
    }
}

/// Writes the items of a list at `indent`; the first one continues the last line of the output.
fn write_items(items: &[Value], indent: usize, out: &mut String) {
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push_str("- ");
        match item {
            Value::Mapping(members) if !members.is_empty() => write_mapping(item, indent + 2, out),
            Value::Sequence(inner) if !inner.is_empty() => write_items(inner, indent + 2, out),
            scalar => {
                write_scalar(scalar, indent, out);
                out.push('\n');
            }
        }
    }
}

/// Writes a value that is not a block collection, without a line break at the end.
fn write_scalar(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::String(text) => write_text(text, indent, out),
        // Kong's notation.
        Value::Null => out.push('~'),
        // Booleans, numbers and empty collections are written as JSON.
        other => other.write_json(out),
    }
}

fn write_text(text: &str, indent: usize, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
    } else if is_block(text) {
        write_block(text, indent + 2, out);
    } else if text.chars().all(is_printed) && !text.contains('\n') {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    } else {
        write_quoted(text, out);
    }
}

/// Whether every parser reads a text as a string without quotes.
fn is_plain(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_');
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_./~+@% :".contains(c);
    first
        && text.chars().all(inner)
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether a text is written as a literal block.
fn is_block(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with(char::is_whitespace)
        && text.chars().all(|c| c == '\n' || is_printed(c))
}

/// Whether a character needs no escape.
const fn is_printed(c: char) -> bool {
    !matches!(c, '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Writes the lines of a text below `|`.
fn write_block(text: &str, indent: usize, out: &mut String) {
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    out.push_str(match ends {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
    }
    out.extend(std::iter::repeat_n('\n', ends.saturating_sub(1)));
}

/// Writes a text in double quotes with the escapes of JSON.
fn write_quoted(text: &str, out: &mut String) {
    for c in Value::from(text).to_json().chars() {
        if is_printed(c) {
            out.push(c);
        } else {
            // Characters that JSON does not escape have at most four hexadecimal digits here; writing to a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Dialect, Mapping, read};
    use proptest::prelude::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let value = read(json, Dialect::Specification).unwrap().value;
        assert_eq!(value.to_yaml(), expected, "{json}");
    }

    #[test]
    fn collections_are_blocks_in_order() {
        check(
            r#"{"services":[{"name":"a","tags":["x","y"],"paths":["~/a/(?<b>[^#?/]+)$"]},{}],"b":[[1,2],[]]}"#,
            "services:\n- name: a\n  tags:\n  - x\n  - 'y'\n  paths:\n  - '~/a/(?<b>[^#?/]+)$'\n- {}\nb:\n- - 1\n  - 2\n- []\n",
        );
        check(r#"{"a":{"b":{"c":null}}}"#, "a:\n  b:\n    c: ~\n");
    }

    #[test]
    fn ambiguous_strings_are_quoted() {
        check(
            r#"["on","12:30","1.0","~","","0x1f","http://a.example:80/x","a: b","a #b","don't"]"#,
            "- 'on'\n- '12:30'\n- '1.0'\n- '~'\n- ''\n- '0x1f'\n- http://a.example:80/x\n- 'a: b'\n- 'a #b'\n- 'don''t'\n",
        );
        check(
            r#"{"a":"x\n  y\n","b":"x\n\ny","c":"x\ny\n\n","d":"\n","e":" x\ny"}"#,
            "a: |\n  x\n    y\nb: |-\n  x\n\n  y\nc: |+\n  x\n  y\n\nd: \"\\n\"\ne: \" x\\ny\"\n",
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "[-a-z:#'\"{}\\[\\]&*!|>%@` \n\t~?,0-9.]{0,12}",
            "(yes|No|null|1e3|0b1|190:20:30|<<|=|2001-01-01|---|\\.\\.\\.)",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(|number| Value::from(i64::from(number))),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            // As a key it merges other mappings, even in quotes.
            let key = text.clone().prop_filter("merges", |key| key != "<<");
            let members = prop::collection::vec((key, inner.clone()), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                members.prop_map(|members| Value::from(members.into_iter().collect::<Mapping>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn both_dialects_parse_the_output(value in any_value()) {
            let yaml = value.to_yaml();
            for dialect in [Dialect::Kong, Dialect::Specification] {
                let read = read(&yaml, dialect).map_err(|error| TestCaseError::fail(format!("{error:?}: {yaml}")))?;
                prop_assert_eq!(&read.value, &value, "{}", yaml);
            }
        }
    }
}
