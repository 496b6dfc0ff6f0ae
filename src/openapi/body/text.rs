//! Writers of text formats: plain text, YAML, CSV, JSON lines, server-sent events.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};

use super::output::Output;
use crate::{
    budget::Exhausted,
    document::{Mapping, Value},
};

/// A scalar as plain text, every other value as JSON.
pub(super) fn plain_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.to_string(),
        other => other.to_json(),
    }
}

/// Writes a value as YAML.
pub(super) fn write_yaml(value: &Value, out: &mut Output<'_>) -> Result<(), Exhausted> {
    // The YAML library has no bounds, so the bound of its output is charged first: a line is indented `depth` times at
    // most.
    let (bytes, lines, depth) = measure(value, out)?;
    out.reserve(bytes.saturating_mul(2).saturating_add(lines.saturating_mul(2 * depth)))?;
    // JSON is YAML too, if the library refuses the value.
    match serde_yaml::to_string(&YamlText(value)) {
        Ok(text) => out.write_text(&text),
        Err(_) => out.write_json(value),
    }
}

/// Writes one line of JSON per item, for `json-seq` with a record separator before it (RFC 7464, section 2.2).
pub(super) fn write_lines(value: &Value, essence: &str, out: &mut Output<'_>) -> Result<(), Exhausted> {
    let start = if essence.ends_with("json-seq") { "\u{1e}" } else { "" };
    for item in items(value) {
        out.write_text(start)?;
        out.write_json(item)?;
        out.write_text("\n")?;
    }
    Ok(())
}

/// Writes one server-sent event per item (HTML, section 9.2.6).
pub(super) fn write_events(value: &Value, out: &mut Output<'_>) -> Result<(), Exhausted> {
    for item in items(value) {
        for line in out.plain_text(item)?.split('\n') {
            out.write_texts(&["data: ", line, "\n"])?;
        }
        out.write_text("\n")?;
    }
    Ok(())
}

/// Writes one row per item (RFC 4180); the keys of the first object are the header.
pub(super) fn write_csv(value: &Value, out: &mut Output<'_>) -> Result<(), Exhausted> {
    let rows = items(value);
    let header: Vec<&str> =
        rows.first().and_then(Value::as_mapping).into_iter().flat_map(Mapping::keys).collect();
    if !header.is_empty() {
        for (n, key) in header.iter().enumerate() {
            write_cell(n, key, out)?;
        }
        out.write_text("\r\n")?;
    }
    for row in rows {
        match row {
            Value::Mapping(mapping) if !header.is_empty() => {
                for (n, key) in header.iter().enumerate() {
                    let text = mapping.get(key).map(|value| out.plain_text(value)).transpose()?;
                    write_cell(n, &text.unwrap_or_default(), out)?;
                }
            }
            Value::Sequence(cells) => {
                for (n, value) in cells.iter().enumerate() {
                    let text = out.plain_text(value)?;
                    write_cell(n, &text, out)?;
                }
            }
            other => {
                let text = out.plain_text(other)?;
                write_cell(0, &text, out)?;
            }
        }
        out.write_text("\r\n")?;
    }
    Ok(())
}

fn write_cell(n: usize, text: &str, out: &mut Output<'_>) -> Result<(), Exhausted> {
    out.write_text(if n == 0 { "" } else { "," })?;
    if text.contains(['"', ',', '\n', '\r']) {
        out.write_texts(&["\"", &text.replace('"', "\"\""), "\""])
    } else {
        out.write_text(text)
    }
}

/// Bounds of a value as YAML: bytes of text, lines, and depth.
fn measure(value: &Value, out: &mut Output<'_>) -> Result<(usize, usize, usize), Exhausted> {
    let (mut bytes, mut lines, mut deepest) = (0_usize, 0_usize, 1_usize);
    let mut pending = vec![(value, 1_usize)];
    while let Some((value, depth)) = pending.pop() {
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
            Value::Sequence(items) => pending.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Mapping(mapping) => pending.extend(mapping.iter().map(|(_, member)| (member, depth + 1))),
            _ => (),
        }
    }
    Ok((bytes, lines, deepest))
}

fn items(value: &Value) -> &[Value] {
    value.as_sequence().unwrap_or(std::slice::from_ref(value))
}

/// Adapter of a value for the YAML library.
struct YamlText<'a>(&'a Value);

impl Serialize for YamlText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
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
