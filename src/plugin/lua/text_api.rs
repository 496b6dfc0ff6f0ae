//! Encodings and digests of `ngx`: base64, arguments of queries and forms, URI escapes, MD5, SHA-1, and `bit`.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use mlua::{Error, Lua, LuaString, Result, Table, Value};
use ring::hmac;

use super::{
    api::add,
    call_budget::{MAX_TEXT, charge, charge_text},
};
use crate::base64_codec;

/// Adds a function of one text, whose length is charged.
fn add_text<R: mlua::IntoLuaMulti + 'static>(
    host: &Table,
    lua: &Lua,
    name: &str,
    function: impl Fn(&Lua, &[u8]) -> Result<R> + Send + 'static,
) -> Result<()> {
    add(host, lua, name, move |lua, text: LuaString| {
        let text = text.as_bytes();
        charge_text(lua, text.len())?;
        function(lua, &text)
    })
}

pub(super) fn add_to(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "encode_base64", |lua, (text, no_padding): (LuaString, Option<bool>)| {
        charge_text(lua, text.as_bytes().len())?;
        let encoded = base64_codec::encode(text.as_bytes());
        Ok(if no_padding.unwrap_or_default() { encoded.trim_end_matches('=').to_owned() } else { encoded })
    })?;
    add_text(host, lua, "decode_base64", |lua, text| {
        let decoded = std::str::from_utf8(text).ok().and_then(base64_codec::decode_any_padding);
        decoded.map(|decoded| lua.create_string(decoded)).transpose()
    })?;
    add_text(host, lua, "escape_uri", |_, text| Ok(escape(text)))?;
    add_text(host, lua, "unescape_uri", |lua, text| lua.create_string(unescape(text)))?;
    add(host, lua, "encode_args", |lua, table: Table| encode_args(lua, &table))?;
    add(host, lua, "decode_args", |lua, (text, max): (LuaString, Option<usize>)| {
        decode_args(lua, &text.as_bytes(), max.unwrap_or(100))
    })?;
    add_text(host, lua, "md5", |_, text| Ok(hexadecimal(&Md5::digest(text))))?;
    add_text(host, lua, "md5_bin", |lua, text| lua.create_string(Md5::digest(text)))?;
    add_text(host, lua, "sha1_bin", |lua, text| {
        lua.create_string(sha1_smol::Sha1::from(text).digest().bytes())
    })?;
    add(host, lua, "hmac_sha1", |lua, (key, text): (LuaString, LuaString)| {
        charge_text(lua, key.as_bytes().len().max(text.as_bytes().len()))?;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key.as_bytes());
        lua.create_string(hmac::sign(&key, &text.as_bytes()).as_ref())
    })?;
    add_text(host, lua, "crc32", |_, text| Ok(crc32(text)))?;
    add_text(host, lua, "quote_sql", |_, text| {
        let escaped = String::from_utf8_lossy(text).replace('\\', "\\\\").replace('\'', "\\'");
        Ok(format!("'{escaped}'"))
    })?;
    host.set("bit", bit_library(lua)?)
}

/// CRC-32 of IEEE 802.3. (`OpenResty`: `ngx.crc32_long`.)
fn crc32(text: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(text);
    crc.sum()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Escapes all but unreserved characters. (`OpenResty`: `ngx.escape_uri`.)
fn escape(text: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            escaped.push(char::from(*byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// Undoes escapes; a plus sign stands for a blank.
fn unescape(text: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_encoding::percent_decode(&text).collect()
}

/// A table as the arguments of a query. (`OpenResty`: `ngx.encode_args`.)
pub(super) fn encode_args(lua: &Lua, table: &Table) -> Result<String> {
    let mut pairs: Vec<String> = Vec::new();
    let mut size = 0_usize;
    for pair in table.pairs::<LuaString, Value>() {
        let (name, value) = pair?;
        let name = escape(&name.as_bytes());
        let mut add_one = |value: &Value| {
            let length = name.len() + value.as_string().map_or(0, |text| text.as_bytes().len());
            size = size.saturating_add(length).saturating_add(16);
            if size > MAX_TEXT {
                return Err(Error::runtime("the arguments are too long"));
            }
            charge(lua, 8 + length / 16)?;
            match value {
                Value::Boolean(true) => pairs.push(name.clone()),
                Value::Boolean(false) | Value::Nil => (),
                Value::String(text) => pairs.push(format!("{name}={}", escape(&text.as_bytes()))),
                Value::Integer(_) | Value::Number(_) => pairs.push(format!("{name}={}", value.to_string()?)),
                other => {
                    return Err(Error::runtime(format!(
                        "attempt to use {} as query arg value",
                        other.type_name()
                    )));
                }
            }
            Ok(())
        };
        match &value {
            Value::Table(list) => list.sequence_values::<Value>().try_for_each(|item| add_one(&item?))?,
            value => add_one(value)?,
        }
    }
    // Tables have no order; this one is the same each time.
    pairs.sort_unstable();
    Ok(pairs.join("&"))
}

/// Arguments as a table: a name without `=` is true, a name that stands several times has a list.
/// (`OpenResty`: `ngx.req.get_uri_args`.)
pub(super) fn decode_args(lua: &Lua, text: &[u8], max: usize) -> Result<Table> {
    charge_text(lua, text.len())?;
    let table = lua.create_table()?;
    let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty() && pair[0] != b'=');
    for pair in pairs.take(max) {
        charge(lua, 8)?;
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(equals) => {
                (&pair[..equals], Value::String(lua.create_string(unescape(&pair[equals + 1..]))?))
            }
            None => (pair, Value::Boolean(true)),
        };
        let name = lua.create_string(unescape(name))?;
        match table.raw_get::<Value>(&name)? {
            Value::Nil => table.raw_set(name, value)?,
            Value::Table(list) => list.raw_push(value)?,
            first => table.raw_set(name, lua.create_sequence_from([first, value])?)?,
        }
    }
    Ok(table)
}

/// The functions of `LuaJIT`'s `bit` that have no equal in Lua 5.1, on 32 bits.
fn bit_library(lua: &Lua) -> Result<Table> {
    let bit = lua.create_table()?;
    let number = |value: f64| (value.rem_euclid(4_294_967_296.0)) as u32;
    let signed = |bits: u32| f64::from(bits.cast_signed());
    add(&bit, lua, "tobit", move |_, value: f64| Ok(signed(number(value))))?;
    add(&bit, lua, "bnot", move |_, value: f64| Ok(signed(!number(value))))?;
    add(&bit, lua, "band", move |_, values: mlua::Variadic<f64>| {
        Ok(signed(values.iter().fold(u32::MAX, |bits, value| bits & number(*value))))
    })?;
    add(&bit, lua, "bor", move |_, values: mlua::Variadic<f64>| {
        Ok(signed(values.iter().fold(0, |bits, value| bits | number(*value))))
    })?;
    add(&bit, lua, "bxor", move |_, values: mlua::Variadic<f64>| {
        Ok(signed(values.iter().fold(0, |bits, value| bits ^ number(*value))))
    })?;
    add(&bit, lua, "lshift", move |_, (value, by): (f64, u32)| Ok(signed(number(value) << (by & 31))))?;
    add(&bit, lua, "rshift", move |_, (value, by): (f64, u32)| Ok(signed(number(value) >> (by & 31))))?;
    add(&bit, lua, "arshift", move |_, (value, by): (f64, u32)| {
        Ok(f64::from(number(value).cast_signed() >> (by & 31)))
    })?;
    add(&bit, lua, "rol", move |_, (value, by): (f64, u32)| Ok(signed(number(value).rotate_left(by & 31))))?;
    add(&bit, lua, "ror", move |_, (value, by): (f64, u32)| Ok(signed(number(value).rotate_right(by & 31))))?;
    add(&bit, lua, "tohex", move |_, value: f64| Ok(format!("{:08x}", number(value))))?;
    Ok(bit)
}
