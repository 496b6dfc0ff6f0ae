//! Value of a document: an ordered tree whose parts are shared, not copied.
//!
//! Keys keep the order of the text and numbers keep their digits, because a mock responds with the exact bytes of the
//! example. A clone increments a reference count; a node with a thousand aliases is stored once.

use std::{fmt, sync::Arc};

use super::{Mapping, Number};

/// A string of a document.
pub type SharedText = Arc<str>;

/// One node of a document.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// `null`, `~`, or a key without a value.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(Number),
    /// A string.
    String(SharedText),
    /// A list.
    Sequence(Arc<[Value]>),
    /// Keys and values, in the order of the text.
    Mapping(Arc<Mapping>),
}

impl PartialEq for Value {
    /// The order of keys does not matter. Shared nodes are equal without a comparison.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Number(one), Self::Number(other)) => one == other,
            (Self::String(one), Self::String(other)) => one == other,
            (Self::Sequence(one), Self::Sequence(other)) => Arc::ptr_eq(one, other) || one == other,
            (Self::Mapping(one), Self::Mapping(other)) => Arc::ptr_eq(one, other) || one == other,
            _ => false,
        }
    }
}

impl Value {
    /// The value of `key`, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_mapping()?.get(key)
    }

    /// The string, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The string, if this is one, for sharing.
    #[must_use]
    pub const fn as_text(&self) -> Option<&SharedText> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The boolean, if this is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(boolean) = self { Some(*boolean) } else { None }
    }

    /// The integer, if this is an integral number, as `80.0` is.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Number(number) = self { number.as_i64() } else { None }
    }

    /// The number, if this is one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(number.as_f64()) } else { None }
    }

    /// The items, if this is a sequence.
    #[must_use]
    pub fn as_sequence(&self) -> Option<&[Self]> {
        if let Self::Sequence(items) = self { Some(items) } else { None }
    }

    /// The keys and values, if this is a mapping.
    #[must_use]
    pub fn as_mapping(&self) -> Option<&Mapping> {
        if let Self::Mapping(mapping) = self { Some(mapping) } else { None }
    }

    /// The keys and values, if this is a mapping; copied only if they are shared.
    #[must_use]
    pub fn into_mapping(self) -> Option<Mapping> {
        if let Self::Mapping(mapping) = self { Some(Arc::unwrap_or_clone(mapping)) } else { None }
    }

    /// The address of the keys and values in memory, if this is a mapping. Two values that exist at the same time have the
    /// same address only if they share one mapping.
    #[must_use]
    pub fn address(&self) -> Option<usize> {
        if let Self::Mapping(mapping) = self { Some(Arc::as_ptr(mapping).addr()) } else { None }
    }

    /// Whether this is null.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The items; empty if this is not a sequence.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        self.as_sequence().unwrap_or_default()
    }

    /// The keys and values; empty if this is not a mapping.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.as_mapping().into_iter().flat_map(Mapping::iter)
    }

    /// Kong's name for the type of the value.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Sequence(_) => "array",
            Self::Mapping(_) => "map",
        }
    }

    /// The value as compact JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    /// Whether the compact JSON has at most this many bytes; stops as soon as it has more.
    #[must_use]
    pub fn fits_json(&self, bytes: usize) -> bool {
        let mut left = bytes;
        let mut open = vec![self];
        while let Some(value) = open.pop() {
            let (own, parts) = match value {
                Self::Number(number) => (number.as_str().len(), 0),
                // An escape takes up to six bytes.
                Self::String(text) => (text.len() + escapes(text, left), 0),
                Self::Sequence(items) => (2 + items.len(), items.len()),
                Self::Mapping(mapping) => {
                    let keys = mapping.iter().map(|(key, _)| key.len() + escapes(key, left) + 4);
                    (2 + keys.sum::<usize>(), mapping.len())
                }
                _ => (4, 0),
            };
            // Every part takes at least one byte.
            match left.checked_sub(own) {
                Some(rest) if rest >= parts => left = rest,
                _ => return false,
            }
            match value {
                Self::Sequence(items) => open.extend(items.iter()),
                Self::Mapping(mapping) => open.extend(mapping.iter().map(|(_, value)| value)),
                _ => (),
            }
        }
        true
    }

    /// Appends compact JSON to `out`.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(number) => out.push_str(number.as_str()),
            Self::String(text) => write_json_string(text, out),
            Self::Sequence(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Self::Mapping(mapping) => {
                out.push('{');
                for (n, (key, value)) in mapping.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    write_json_string(key, out);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }
}

/// Upper bound of the bytes that quotes and escapes add; a text longer than `left` is not searched for them.
fn escapes(text: &str, left: usize) -> usize {
    if text.len() > left {
        return 2;
    }
    2 + text
        .bytes()
        .map(|byte| if byte < 0x20 { 5 } else { usize::from(matches!(byte, b'"' | b'\\')) })
        .sum::<usize>()
}

/// Appends `text` as a JSON string, with only the escapes that RFC 8259, section 7 requires.
fn write_json_string(text: &str, out: &mut String) {
    use fmt::Write;
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            // Writing to a String cannot fail.
            control => drop(write!(out, "\\u{control:04x}")),
        }
    }
    out.push_str(&text[from..]);
    out.push('"');
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Bool(boolean)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Number::from(number))
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::Sequence(items.into())
    }
}

impl From<Mapping> for Value {
    fn from(mapping: Mapping) -> Self {
        Self::Mapping(Arc::new(mapping))
    }
}

impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(boolean) => Self::Bool(*boolean),
            Value::Number(number) => number.as_str().parse().map_or(Self::Null, Self::Number),
            Value::String(text) => Self::String(text.to_string()),
            Value::Sequence(items) => Self::Array(items.iter().map(Self::from).collect()),
            Value::Mapping(mapping) => {
                Self::Object(mapping.iter().map(|(key, value)| (key.to_owned(), Self::from(value))).collect())
            }
        }
    }
}

impl From<&serde_json::Value> for Value {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(boolean) => Self::Bool(*boolean),
            serde_json::Value::Number(number) => Self::Number(Number::from(number)),
            serde_json::Value::String(text) => Self::String(text.as_str().into()),
            serde_json::Value::Array(items) => items.iter().map(Self::from).collect::<Vec<_>>().into(),
            serde_json::Value::Object(members) => members
                .iter()
                .map(|(key, value)| (SharedText::from(key.as_str()), Self::from(value)))
                .collect::<Mapping>()
                .into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_compact_and_escaped() {
        let value = Value::from(vec![
            Value::from("a\"\\\n\u{1}é\u{2028}"),
            Value::Null,
            Value::from(7),
            Value::from(true),
        ]);
        assert_eq!(value.to_json(), "[\"a\\\"\\\\\\n\\u0001é\u{2028}\",null,7,true]");
    }
}
