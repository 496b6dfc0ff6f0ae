//! JSON parser, by `serde_json`: ten times as fast as the YAML parser on the same text.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    fmt,
};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Dialect, Document, Mapping, Number, SharedText, SyntaxError, Value};

/// The key under which `serde_json` passes a number with its digits (its feature `arbitrary_precision`).
const NUMBER: &str = "$serde_json::private::Number";

pub(super) fn read(text: &str, dialect: Dialect) -> Result<Document, SyntaxError> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader = serde_json::Deserializer::from_str(&text[start..]);
    let keys = KeyInterner::of(dialect);
    match NodeSeed(&keys).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => {
            // The paths of duplicate keys need a second pass as YAML; duplicates are rare.
            let parse_as_yaml =
                |has_duplicates: bool| has_duplicates.then(|| super::read_yaml(text).ok()).flatten();
            let duplicates =
                parse_as_yaml(keys.twice.get()).map(|document| document.duplicates).unwrap_or_default();
            Ok(Document { value, duplicates, tagged: Vec::new(), next: None })
        }
        Err(error) => {
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            Err(SyntaxError { byte: start + offset(&text[start..], error.line(), error.column()), message })
        }
    }
}

/// Byte offset of a position of `serde_json`, which counts lines from one, and bytes within a line.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut byte = (start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        NodeSeed(&KeyInterner::of(Dialect::Kong)).deserialize(deserializer)
    }
}

/// The keys so far: a large document has few different ones, so equal ones share their text.
struct KeyInterner {
    known: RefCell<HashSet<SharedText>>,
    /// Whether an object has a duplicate key.
    twice: Cell<bool>,
    dialect: Dialect,
    /// The number of further nodes that are allowed.
    left: Cell<u64>,
}

impl KeyInterner {
    fn of(dialect: Dialect) -> Self {
        let (known, twice) = (RefCell::default(), Cell::default());
        Self { known, twice, dialect, left: Cell::new(dialect.max_nodes()) }
    }

    /// Counts a node.
    fn count<E: Error>(&self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| E::custom(self.dialect.too_many_nodes()))?;
        self.left.set(left);
        Ok(())
    }

    fn share(&self, key: &str) -> SharedText {
        let mut keys = self.known.borrow_mut();
        if let Some(known) = keys.get(key) {
            return known.clone();
        }
        let new = SharedText::from(key);
        keys.insert(new.clone());
        new
    }
}

/// Deserializer of a node.
#[derive(Clone, Copy)]
struct NodeSeed<'a>(&'a KeyInterner);

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Deserializer of a key.
struct KeySeed<'a>(&'a KeyInterner);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = SharedText;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<SharedText, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = SharedText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<SharedText, E> {
        Ok(self.0.share(key))
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(Number::from(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            self.0.count()?;
            all.push(item);
        }
        Ok(Value::Sequence(all.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut mapping = Mapping::default();
        while let Some(key) = members.next_key_seed(KeySeed(self.0))? {
            if &*key == NUMBER {
                let text: String = members.next_value()?;
                return Number::new(&text)
                    .map(Value::Number)
                    .ok_or_else(|| A::Error::custom("invalid number"));
            }
            self.0.count()?;
            if mapping.insert(key, members.next_value_seed(self)?).is_some() {
                self.0.twice.set(true);
            }
        }
        mapping.shrink();
        Ok(mapping.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // `serde_json` normalizes exponents: `1E3` becomes `1e+3`. All other digits stay as they are.
    #[test]
    fn order_and_digits_are_kept() {
        let text = r#"{"z":1.50,"a":[12345678901234567890,1e+3,-0.0],"10":{},"9":"\ud83c\udf89"}"#;
        assert_eq!(read(text, Dialect::Kong).unwrap().value.to_json(), text.replace("\\ud83c\\udf89", "🎉"));
    }

    #[test]
    fn the_last_of_duplicate_keys_counts_and_is_reported() {
        let document = read(r#"{"s":[{"a":1,"b":2,"a":3}]}"#, Dialect::Kong).unwrap();
        assert_eq!(document.value.to_json(), r#"{"s":[{"a":3,"b":2}]}"#);
        assert_eq!(document.duplicates, [crate::document::NodePath::root().key("s").index(0).key("a")]);
    }

    #[test]
    fn nodes_are_counted() {
        let most = usize::try_from(Dialect::Kong.max_nodes()).unwrap();
        let text = |n: usize| format!("[{}0]", "0,".repeat(n - 1));
        assert!(read(&text(most), Dialect::Kong).is_ok());
        let error = read(&text(most + 1), Dialect::Kong).unwrap_err();
        assert_eq!(error.message, "this document has more than 2000000 nodes, which is the limit");
        assert!(read(&text(most + 1), Dialect::Specification).is_ok());
    }

    #[test]
    fn errors_have_an_offset() {
        let error = read("{\n  \"a\": 1\n  \"b\": 2\n}", Dialect::Kong).unwrap_err();
        assert_eq!((error.byte, error.message.as_str()), (13, "expected `,` or `}`"));
        assert!(read(&"[".repeat(100_000), Dialect::Kong).is_err(), "depth is bounded");
        assert_eq!(read("\u{feff}{}", Dialect::Kong).unwrap().value.to_json(), "{}");
    }
}
