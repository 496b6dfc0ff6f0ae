//! JSON and values of the configuration as values of Lua, and back: `cjson`.

use mlua::{Error, IntoLua, LightUserData, Lua, LuaString, Result, Table, Value};
use serde_json::{Map, Number, Value as Json};

use super::{
    api::add,
    call_budget::{MAX_TEXT, charge, charge_text},
};
use crate::document;

/// How deep values may be nested. (lua-cjson: `encode_max_depth`, `decode_max_depth`.)
const MAX_DEPTH: usize = 128;

/// Values in one text.
const MAX_VALUES: usize = 250_000;

/// The member of a metatable that marks a list, also where it is empty.
const LIST_MARK: (&str, &str) = ("__jsontype", "array");

pub(super) fn add_to(host: &Table, lua: &Lua) -> Result<()> {
    // lua-cjson and OpenResty use one value for null, which is true in conditions.
    host.set("null", null())?;
    add(host, lua, "json_encode", |lua, value: Value| encode(lua, &value))?;
    add(host, lua, "json_decode", |lua, text: LuaString| {
        decode(lua, &text.as_bytes()).map_err(|error| Error::runtime(format!("invalid JSON: {error}")))
    })
}

fn null() -> Value {
    Value::LightUserData(LightUserData(std::ptr::null_mut()))
}

/// Reads a JSON text.
pub(super) fn decode(lua: &Lua, text: &[u8]) -> Result<Value> {
    charge_text(lua, text.len())?;
    let values = count_values(text);
    if values > MAX_VALUES {
        return Err(Error::runtime(format!("more than {MAX_VALUES} values")));
    }
    charge(lua, values)?;
    let json: Json = serde_json::from_slice(text).map_err(|error| Error::runtime(error.to_string()))?;
    from_json(lua, &json)
}

/// At most as many values as a JSON text has: one, and one more after each comma, colon and opening bracket.
fn count_values(text: &[u8]) -> usize {
    let (mut count, mut is_quoted, mut is_escaped) = (1, false, false);
    for byte in text {
        match byte {
            b'"' if !is_escaped => is_quoted = !is_quoted,
            b',' | b':' | b'[' | b'{' if !is_quoted => count += 1,
            _ => (),
        }
        is_escaped = is_quoted && !is_escaped && *byte == b'\\';
    }
    count
}

fn from_json(lua: &Lua, json: &Json) -> Result<Value> {
    Ok(match json {
        Json::Null => null(),
        Json::Bool(truth) => Value::Boolean(*truth),
        Json::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for item in items {
                table.raw_push(from_json(lua, item)?)?;
            }
            Value::Table(table)
        }
        Json::Object(members) => {
            let table = lua.create_table_with_capacity(0, members.len())?;
            for (name, value) in members {
                table.raw_set(name.as_str(), from_json(lua, value)?)?;
            }
            Value::Table(table)
        }
    })
}

/// A value of the configuration; null is left out, as Kong leaves it out of entities.
pub(super) fn from_document(lua: &Lua, value: &document::Value) -> Result<Value> {
    let json = Json::from(value);
    from_entity(lua, &json)
}

fn from_entity(lua: &Lua, json: &Json) -> Result<Value> {
    match json {
        Json::Null => Ok(Value::Nil),
        Json::Object(members) => {
            let table = lua.create_table()?;
            for (name, value) in members {
                table.raw_set(name.as_str(), from_entity(lua, value)?)?;
            }
            table.into_lua(lua)
        }
        other => from_json(lua, other),
    }
}

/// Writes a value as JSON.
pub(super) fn encode(lua: &Lua, value: &Value) -> Result<String> {
    Ok(to_json(lua, value)?.to_string())
}

/// A value as JSON.
pub(super) fn to_json(lua: &Lua, value: &Value) -> Result<Json> {
    nested_json(lua, value, 0, &mut JsonSize::default())
}

/// The size of what is written so far. Tables that stand in several places count in each, or a few of them would make a text
/// without an end.
#[derive(Default)]
struct JsonSize {
    values: usize,
    bytes: usize,
}

impl JsonSize {
    fn add(&mut self, values: usize, bytes: usize) -> Result<()> {
        self.values += values;
        self.bytes += bytes;
        if self.values > MAX_VALUES || self.bytes > MAX_TEXT {
            return Err(Error::runtime("Cannot serialise, too many values, or too long"));
        }
        Ok(())
    }
}

fn nested_json(lua: &Lua, value: &Value, depth: usize, size: &mut JsonSize) -> Result<Json> {
    if depth > MAX_DEPTH {
        return Err(Error::runtime("Cannot serialise, excessive depth"));
    }
    if let Value::String(text) = value {
        let length = text.as_bytes().len();
        charge_text(lua, length)?;
        size.add(1, length)?;
    } else {
        size.add(1, 8)?;
    }
    Ok(match value {
        Value::Nil => Json::Null,
        Value::LightUserData(pointer) if pointer.0.is_null() => Json::Null,
        Value::Boolean(truth) => Json::Bool(*truth),
        Value::Integer(number) => Json::from(*number),
        Value::Number(number) => Json::Number(to_number(*number)?),
        Value::String(text) => Json::String(text.to_string_lossy()),
        Value::Table(table) => from_table(lua, table, depth, size)?,
        other => {
            return Err(Error::runtime(format!(
                "Cannot serialise {}: type not supported",
                other.type_name()
            )));
        }
    })
}

fn to_number(number: f64) -> Result<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        return Ok(Number::from(number as i64));
    }
    Number::from_f64(number).ok_or_else(|| Error::runtime("Cannot serialise number: must not be NaN or Inf"))
}

/// A list if the table has the numbers from 1 as its keys, or is marked as one; else an object.
fn from_table(lua: &Lua, table: &Table, depth: usize, size: &mut JsonSize) -> Result<Json> {
    let is_mark = |metatable: Table| {
        metatable
            .raw_get::<Value>(LIST_MARK.0)
            .is_ok_and(|mark| mark.as_string().is_some_and(|mark| mark == LIST_MARK.1))
    };
    let marked = table.metatable().is_some_and(is_mark);
    let length = table.raw_len();
    let keys = table.pairs::<Value, Value>().take(MAX_VALUES + 1).count();
    charge(lua, keys)?;
    size.add(0, keys.saturating_mul(4))?;
    if marked || (length > 0 && length == keys) {
        let items = table.sequence_values::<Value>().map(|item| nested_json(lua, &item?, depth + 1, size));
        return Ok(Json::Array(items.collect::<Result<_>>()?));
    }
    let mut members = Map::new();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let name = match &key {
            Value::String(text) => text.to_string_lossy(),
            Value::Number(_) | Value::Integer(_) => key.to_string()?,
            other => {
                return Err(Error::runtime(format!(
                    "Cannot serialise table: table key must be a number or string, got {}",
                    other.type_name()
                )));
            }
        };
        size.add(0, name.len())?;
        members.insert(name, nested_json(lua, &value, depth + 1, size)?);
    }
    Ok(Json::Object(members))
}
