//! What a document says: an ordered tree whose parts are shared, not copied.
//!
//! Keys keep the order of the text and numbers keep their digits, because a mock answers with the very bytes of
//! the example. A clone costs a counter; a node that aliases name a thousand times is stored once.

use std::{collections::HashMap, fmt, sync::Arc};

/// A text of a document.
pub type Text = Arc<str>;

/// One node of a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing: `null`, `~`, or a key without a value.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(Number),
    /// A text.
    String(Text),
    /// A list.
    Sequence(Arc<[Value]>),
    /// Keys and values, in the order of the text.
    Mapping(Arc<Mapping>),
}

impl Value {
    /// The value of `key`, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_mapping()?.get(key)
    }

    /// The text, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The truth value, if this is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(it) = self { Some(*it) } else { None }
    }

    /// The whole number, if this is one; `80.0` is.
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

    /// The keys and values, if this is a mapping; copied only if somebody else holds them too.
    #[must_use]
    pub fn into_mapping(self) -> Option<Mapping> {
        if let Self::Mapping(mapping) = self { Some(Arc::unwrap_or_clone(mapping)) } else { None }
    }

    /// Whether there is nothing here.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The items, or none if this is no sequence.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        self.as_sequence().unwrap_or_default()
    }

    /// The keys and values, or none if this is no mapping.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.as_mapping().into_iter().flat_map(Mapping::iter)
    }

    /// What kind of value this is, in Kong's words.
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

    /// The same as compact JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    /// Appends compact JSON to `out`.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(number) => out.push_str(&number.0),
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

/// Appends `text` as a JSON string, escaped no more than RFC 8259, section 7 asks for.
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
    fn from(it: bool) -> Self {
        Self::Bool(it)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Number(number.to_string().into()))
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
            Value::Bool(it) => Self::Bool(*it),
            Value::Number(number) => number.0.parse().map_or(Self::Null, Self::Number),
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
            serde_json::Value::Bool(it) => Self::Bool(*it),
            serde_json::Value::Number(number) => Self::Number(Number(number.to_string().into())),
            serde_json::Value::String(text) => Self::String(text.as_str().into()),
            serde_json::Value::Array(items) => items.iter().map(Self::from).collect::<Vec<_>>().into(),
            serde_json::Value::Object(members) => members
                .iter()
                .map(|(key, value)| (Text::from(key.as_str()), Self::from(value)))
                .collect::<Mapping>()
                .into(),
        }
    }
}

/// A number as it was written, in JSON's own notation (RFC 8259, section 6).
///
/// Infinity, which JSON cannot write, is `1e999`: every reader takes that for infinity.
#[derive(Clone, PartialEq, Eq)]
pub struct Number(Text);

impl Number {
    /// The number of a JSON text; `None` if it is not one.
    #[must_use]
    pub fn new(json: &str) -> Option<Self> {
        json.parse::<serde_json::Number>().is_ok().then(|| Self(json.into()))
    }

    /// The nearest text for a floating point number; `None` if it is not a number.
    #[must_use]
    pub fn from_f64(number: f64) -> Option<Self> {
        if number.is_nan() {
            return None;
        }
        if number.is_infinite() {
            return Some(Self(if number > 0.0 { "1e999" } else { "-1e999" }.into()));
        }
        #[expect(clippy::cast_possible_truncation, reason = "in range and whole: the test before says so")]
        let text = if number.fract() == 0.0 && number.abs() < 9e15 {
            (number as i64).to_string()
        } else {
            format!("{number:?}")
        };
        Some(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest floating point number.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// The whole number, if it is one; `80.0` and `1e3` are.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Ok(whole) = self.0.parse() {
            return Some(whole);
        }
        let number = self.as_f64();
        #[expect(clippy::cast_possible_truncation, reason = "in range and whole: the test before says so")]
        (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(number.to_string().into())
    }
}

/// Keys and values in the order of the text; each key once.
#[derive(Clone, Default)]
pub struct Mapping {
    entries: Vec<(Text, Value)>,
    /// Positions by key, once a walk along the entries would be slower.
    positions: Option<HashMap<Text, u32>>,
}

/// Up to this many keys a walk is as fast as a search.
const WALKED: usize = 16;

impl Mapping {
    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.position(key).map(|n| &self.entries[n].1)
    }

    /// Whether there is such a key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys and values in the order of the text.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Value)> + ExactSizeIterator {
        self.entries.iter().map(|(key, value)| (&**key, value))
    }

    /// The keys in the order of the text.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// Sets `key`, at its old place if it has one, else at the end.
    pub fn insert(&mut self, key: impl Into<Text>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        if let Some(n) = self.position(&key) {
            return Some(std::mem::replace(&mut self.entries[n].1, value));
        }
        if let Some(positions) = &mut self.positions {
            positions.insert(key.clone(), index(self.entries.len()));
        }
        self.entries.push((key, value));
        if self.positions.is_none() && self.entries.len() > WALKED {
            let numbered = self.entries.iter().enumerate();
            self.positions = Some(numbered.map(|(n, (key, _))| (key.clone(), index(n))).collect());
        }
        None
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.position(key)?;
        let (_, value) = self.entries.remove(at);
        *self = std::mem::take(&mut self.entries).into_iter().collect();
        Some(value)
    }

    /// Gives spare room back once no key is to come.
    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        if let Some(positions) = &mut self.positions {
            positions.shrink_to_fit();
        }
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.positions {
            Some(positions) => positions.get(key).map(|n| *n as usize),
            None => self.entries.iter().position(|(it, _)| &**it == key),
        }
    }
}

/// A text of over four thousand million keys does not fit into memory.
fn index(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl PartialEq for Mapping {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Into<Text>> FromIterator<(K, Value)> for Mapping {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Self {
        let mut mapping = Self::default();
        for (key, value) in entries {
            mapping.insert(key, value);
        }
        mapping.shrink();
        mapping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_keeps_order_at_every_size() {
        for size in [0, 1, 15, 16, 17, 18, 100] {
            let keys: Vec<String> = (0..size).map(|n| format!("k{}", (n * 7919) % 1000)).collect();
            let mut mapping: Mapping =
                keys.iter().map(|key| (key.as_str(), Value::from(key.as_str()))).collect();
            assert_eq!(mapping.keys().collect::<Vec<_>>(), keys);
            assert!(keys.iter().all(|key| mapping.get(key) == Some(&Value::from(key.as_str()))));
            assert_eq!(mapping.get("absent"), None);
            if let Some(first) = keys.first() {
                assert!(mapping.insert(first.as_str(), Value::Null).is_some());
                assert_eq!(mapping.len(), size);
                assert_eq!(mapping.remove(first), Some(Value::Null));
                assert_eq!(mapping.keys().collect::<Vec<_>>(), keys[1..]);
            }
        }
    }

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

    #[test]
    fn whole_numbers_are_whole_however_written() {
        let whole = |text: &str| Number::new(text).and_then(|number| number.as_i64());
        assert_eq!(whole("80.0"), Some(80));
        assert_eq!(whole("1e3"), Some(1000));
        assert_eq!(whole("5.5"), None);
        assert_eq!(whole("12345678901234567890"), None);
        assert_eq!(Number::new("0x1F"), None);
    }
}
