//! JSON and values of the configuration as values of Lua, and back: `cjson`.

use mlua::{Error, IntoLua, LightUserData, Lua, LuaString, Result, Table, Value};
use serde_json::{Map, Number, Value as Json};

use super::api::add;
use crate::document;

/// How deep values may be nested. (lua-cjson: `encode_max_depth`, `decode_max_depth`.)
const MAX_DEPTH: usize = 128;

pub(super) fn add_to(host: &Table, lua: &Lua) -> Result<()> {
    // lua-cjson and OpenResty use one value for null, which is true in conditions.
    host.set("null", null())?;
    let array = lua.create_table()?;
    lua.set_named_registry_value("array_mt", &array)?;
    host.set("array_mt", &array)?;
    host.set("empty_array_mt", &array)?;
    let empty = lua.create_table()?;
    empty.set_metatable(Some(array))?;
    host.set("empty_array", empty)?;
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
    let json: Json = serde_json::from_slice(text).map_err(|error| Error::runtime(error.to_string()))?;
    from_json(lua, &json)
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
    nested_json(lua, value, 0)
}

fn nested_json(lua: &Lua, value: &Value, depth: usize) -> Result<Json> {
    if depth > MAX_DEPTH {
        return Err(Error::runtime("Cannot serialise, excessive depth"));
    }
    Ok(match value {
        Value::Nil => Json::Null,
        Value::LightUserData(pointer) if pointer.0.is_null() => Json::Null,
        Value::Boolean(truth) => Json::Bool(*truth),
        Value::Integer(number) => Json::from(*number),
        Value::Number(number) => Json::Number(to_number(*number)?),
        Value::String(text) => Json::String(text.to_string_lossy()),
        Value::Table(table) => from_table(lua, table, depth)?,
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
fn from_table(lua: &Lua, table: &Table, depth: usize) -> Result<Json> {
    let array: Value = lua.named_registry_value("array_mt")?;
    let marked = table.metatable().is_some_and(|metatable| Value::Table(metatable) == array);
    let length = table.raw_len();
    let keys = table.pairs::<Value, Value>().count();
    if marked || (length > 0 && length == keys) {
        let items = table.sequence_values::<Value>().map(|item| nested_json(lua, &item?, depth + 1));
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
        members.insert(name, nested_json(lua, &value, depth + 1)?);
    }
    Ok(Json::Object(members))
}
