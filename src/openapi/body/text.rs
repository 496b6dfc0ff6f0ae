//! Notations that are lines of text: plain ones, YAML, CSV, JSON by lines, server-sent events.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};

use crate::document::{Mapping, Value};

/// The value as plain text; what is no scalar as JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.to_string(),
        other => other.to_json(),
    }
}

/// The value as YAML.
pub(super) fn yaml(value: &Value) -> String {
    // JSON is YAML, should the writer ever refuse.
    serde_yaml::to_string(&Yaml(value)).unwrap_or_else(|_| value.to_json())
}

/// One line of JSON per item; for `json-seq` each behind a record separator (RFC 7464, section 2.2).
pub(super) fn lines(value: &Value, essence: &str) -> String {
    let start = if essence.ends_with("json-seq") { "\u{1e}" } else { "" };
    let mut out = String::new();
    for item in items(value) {
        out.push_str(start);
        item.write_json(&mut out);
        out.push('\n');
    }
    out
}

/// One event per item (HTML, section 9.2.6).
pub(super) fn events(value: &Value) -> String {
    let mut out = String::new();
    for item in items(value) {
        for line in plain(item).split('\n') {
            out.push_str("data: ");
            out.push_str(line);
            out.push('\n');
        }
        out.push('\n');
    }
    out
}

/// Rows of a table (RFC 4180); the keys of the first object head it.
pub(super) fn csv(value: &Value) -> String {
    let rows = items(value);
    let head: Vec<&str> =
        rows.first().and_then(Value::as_mapping).into_iter().flat_map(Mapping::keys).collect();
    let mut out = String::new();
    if !head.is_empty() {
        line(&mut out, head.iter().map(|key| (*key).to_owned()));
    }
    for row in rows {
        match row {
            Value::Mapping(mapping) if !head.is_empty() => {
                line(&mut out, head.iter().map(|key| mapping.get(key).map(plain).unwrap_or_default()));
            }
            Value::Sequence(cells) => line(&mut out, cells.iter().map(plain)),
            other => line(&mut out, std::iter::once(plain(other))),
        }
    }
    out
}

fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells
        .map(|cell| {
            let special = cell.contains(['"', ',', '\n', '\r']);
            if special { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
        })
        .collect();
    out.push_str(&cells.join(","));
    out.push_str("\r\n");
}

fn items(value: &Value) -> &[Value] {
    value.as_sequence().unwrap_or(std::slice::from_ref(value))
}

struct Yaml<'a>(&'a Value);

impl Serialize for Yaml<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(it) => serializer.serialize_bool(*it),
            Value::Number(number) => match number.as_str().parse::<i64>() {
                Ok(whole) => serializer.serialize_i64(whole),
                Err(_) => serializer.serialize_f64(number.as_f64()),
            },
            Value::String(text) => serializer.serialize_str(text),
            Value::Sequence(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(&Yaml(item)))?;
                list.end()
            }
            Value::Mapping(mapping) => {
                let mut map = serializer.serialize_map(Some(mapping.len()))?;
                mapping.iter().try_for_each(|(key, it)| map.serialize_entry(key, &Yaml(it)))?;
                map.end()
            }
        }
    }
}
