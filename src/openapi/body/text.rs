//! Notations that are lines of text: plain ones, YAML, CSV, JSON by lines, server-sent events.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};

use super::output::Output;
use crate::{
    budget::Exhausted,
    document::{Mapping, Value},
};

/// The value as plain text; what is no scalar as JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.to_string(),
        other => other.to_json(),
    }
}

/// The value as YAML.
pub(super) fn yaml(value: &Value, out: &mut Output<'_>) -> Result<(), Exhausted> {
    // Its writer has no bounds of its own: a tree of this depth is indented so often at most.
    let (bytes, lines, depth) = extent(value, out)?;
    out.reserve(bytes.saturating_mul(2).saturating_add(lines.saturating_mul(2 * depth)))?;
    // JSON is YAML, should the writer ever refuse.
    match serde_yaml::to_string(&YamlText(value)) {
        Ok(text) => out.text(&text),
        Err(_) => out.json(value),
    }
}

/// One line of JSON per item; for `json-seq` each behind a record separator (RFC 7464, section 2.2).
pub(super) fn lines(value: &Value, essence: &str, out: &mut Output<'_>) -> Result<(), Exhausted> {
    let start = if essence.ends_with("json-seq") { "\u{1e}" } else { "" };
    for item in items(value) {
        out.text(start)?;
        out.json(item)?;
        out.text("\n")?;
    }
    Ok(())
}

/// One event per item (HTML, section 9.2.6).
pub(super) fn events(value: &Value, out: &mut Output<'_>) -> Result<(), Exhausted> {
    for item in items(value) {
        for line in out.plain_of(item)?.split('\n') {
            out.texts(&["data: ", line, "\n"])?;
        }
        out.text("\n")?;
    }
    Ok(())
}

/// Rows of a table (RFC 4180); the keys of the first object head it.
pub(super) fn csv(value: &Value, out: &mut Output<'_>) -> Result<(), Exhausted> {
    let rows = items(value);
    let head: Vec<&str> =
        rows.first().and_then(Value::as_mapping).into_iter().flat_map(Mapping::keys).collect();
    if !head.is_empty() {
        for (n, key) in head.iter().enumerate() {
            cell(n, key, out)?;
        }
        out.text("\r\n")?;
    }
    for row in rows {
        match row {
            Value::Mapping(mapping) if !head.is_empty() => {
                for (n, key) in head.iter().enumerate() {
                    let text = mapping.get(key).map(|value| out.plain_of(value)).transpose()?;
                    cell(n, &text.unwrap_or_default(), out)?;
                }
            }
            Value::Sequence(cells) => {
                for (n, it) in cells.iter().enumerate() {
                    let text = out.plain_of(it)?;
                    cell(n, &text, out)?;
                }
            }
            other => {
                let text = out.plain_of(other)?;
                cell(0, &text, out)?;
            }
        }
        out.text("\r\n")?;
    }
    Ok(())
}

fn cell(n: usize, text: &str, out: &mut Output<'_>) -> Result<(), Exhausted> {
    out.text(if n == 0 { "" } else { "," })?;
    if text.contains(['"', ',', '\n', '\r']) {
        out.texts(&["\"", &text.replace('"', "\"\""), "\""])
    } else {
        out.text(text)
    }
}

/// How many bytes of text a value has, how many lines it may be written in, and how deep it is.
fn extent(value: &Value, out: &mut Output<'_>) -> Result<(usize, usize, usize), Exhausted> {
    let (mut bytes, mut lines, mut deepest) = (0_usize, 0_usize, 1_usize);
    let mut open = vec![(value, 1_usize)];
    while let Some((value, depth)) = open.pop() {
        deepest = deepest.max(depth);
        let own = match value {
            Value::String(text) => {
                lines += text.bytes().filter(|byte| *byte == b'\n').count();
                text.len() + 4
            }
            Value::Number(number) => number.as_str().len() + 2,
            Value::Mapping(mapping) => mapping.iter().map(|(key, _)| key.len() + 4).sum(),
            _ => 8,
        };
        lines += 1;
        bytes += own;
        out.reserve(bytes)?;
        match value {
            Value::Sequence(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Mapping(mapping) => open.extend(mapping.iter().map(|(_, member)| (member, depth + 1))),
            _ => (),
        }
    }
    Ok((bytes, lines, deepest))
}

fn items(value: &Value) -> &[Value] {
    value.as_sequence().unwrap_or(std::slice::from_ref(value))
}

struct YamlText<'a>(&'a Value);

impl Serialize for YamlText<'_> {
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
                items.iter().try_for_each(|item| list.serialize_element(&YamlText(item)))?;
                list.end()
            }
            Value::Mapping(mapping) => {
                let mut map = serializer.serialize_map(Some(mapping.len()))?;
                mapping.iter().try_for_each(|(key, member)| map.serialize_entry(key, &YamlText(member)))?;
                map.end()
            }
        }
    }
}
