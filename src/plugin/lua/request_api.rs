//! `kong.request`, `kong.service.request`, `ngx.req` and `ngx.var`: the request, and what goes upstream in its place.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header::CONTENT_TYPE};
use mlua::{Error, Lua, LuaString, Result, Table, Value};

use super::{
    api::add,
    call::{LuaCall, current},
    call_budget::charge_text,
    json, request_variables,
    text_api::{decode_args, encode_args},
};

use crate::{
    plugin::{ChosenPeer, ChosenTimeouts},
    uri::Scheme,
};

/// The longest value of a header field that snippets set, or all values of one together, in bytes.
const MAX_FIELD_BYTES: usize = 1 << 20;

/// Values of a query or a form that are read. (`OpenResty`: `ngx.req.get_uri_args`, `max_args`.)
const MAX_ARGS: usize = 100;

pub(super) fn add_to(host: &Table, lua: &Lua) -> Result<()> {
    add_readers(host, lua)?;
    add_writers(host, lua)?;
    request_variables::add_to(host, lua)
}

fn add_readers(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "method", |lua, ()| Ok(current(lua)?.method().map(|method| method.as_str().to_owned())))?;
    add(host, lua, "path", |lua, ()| Ok(current(lua)?.path().to_owned()))?;
    add(host, lua, "raw_path", |lua, ()| {
        let call = current(lua)?;
        let raw = call.exchange.as_ref().map(|exchange| exchange.head().path().to_owned());
        Ok(raw.unwrap_or_else(|| call.path().to_owned()))
    })?;
    add(host, lua, "query", |lua, ()| Ok(current(lua)?.query().map(str::to_owned)))?;
    add(host, lua, "query_args", |lua, max: Option<i64>| {
        let query = current(lua)?.query().unwrap_or_default().to_owned();
        decode_args(lua, query.as_bytes(), limit(max))
    })?;
    add(host, lua, "request_header", |lua, name: LuaString| {
        let Some(name) = field_name(&name) else { return Ok(None) };
        let values = current(lua)?.request_values(&name);
        values.first().map(|value| lua.create_string(value.as_bytes())).transpose()
    })?;
    add(host, lua, "request_headers", |lua, _: Option<i64>| {
        let fields = current(lua)?.request_fields();
        field_table(lua, &fields)
    })?;
    add_body_readers(host, lua)?;
    add_place_readers(host, lua)
}

fn add_body_readers(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "request_body", |lua, ()| {
        let body = current(lua)?.request_body.clone();
        body.filter(|body| !body.is_empty()).map(|body| lua.create_string(&body)).transpose()
    })?;
    add(host, lua, "form_args", |lua, max: Option<i64>| {
        let body = current(lua)?.request_body.clone().unwrap_or_default();
        decode_args(lua, &body, limit(max))
    })?;
    add(host, lua, "parsed_request_body", |lua, _: mlua::MultiValue| {
        let (body, media_type) = {
            let call = current(lua)?;
            let media_type = call.request_values(&CONTENT_TYPE).first().cloned();
            (call.request_body.clone().unwrap_or_default(), media_type)
        };
        let media_type = media_type.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => match json::decode(lua, &body) {
                Ok(value) => Ok((value, Value::Nil, Value::String(lua.create_string(&essence)?))),
                Err(_) => failed(lua, "invalid json body"),
            },
            "application/x-www-form-urlencoded" => {
                let table = decode_args(lua, &body, 1000)?;
                Ok((Value::Table(table), Value::Nil, Value::String(lua.create_string(&essence)?)))
            }
            _ => failed(lua, &format!("unsupported content type '{media_type}'")),
        }
    })
}

fn add_place_readers(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "uri_captures", |lua, ()| {
        let captures =
            current(lua)?.exchange.as_ref().map(|exchange| exchange.captures.clone()).unwrap_or_default();
        let (named, unnamed) = (lua.create_table()?, lua.create_table()?);
        for (name, text) in captures {
            if !name.is_empty() {
                named.set(name, text.as_str())?;
            }
            unnamed.push(text)?;
        }
        let table = lua.create_table()?;
        table.set("named", named)?;
        table.set("unnamed", unnamed)?;
        Ok(table)
    })?;
    add(host, lua, "http_version", |lua, ()| {
        let call = current(lua)?;
        let version = call.exchange.as_ref().map_or(Version::HTTP_11, |exchange| exchange.head().version());
        Ok(match version {
            Version::HTTP_10 => 1.0,
            Version::HTTP_2 => 2.0,
            _ => 1.1,
        })
    })?;
    add(host, lua, "host", |lua, ()| Ok(current(lua)?.place().host))?;
    add(host, lua, "port", |lua, ()| Ok(current(lua)?.place().port))?;
    add(host, lua, "scheme", |lua, ()| Ok(scheme(&*current(lua)?)))?;
    add(host, lua, "forwarded_scheme", |lua, ()| {
        let call = current(lua)?;
        Ok(forwarded(&call, "x-forwarded-proto").unwrap_or_else(|| scheme(&call).to_owned()))
    })?;
    add(host, lua, "forwarded_host", |lua, ()| {
        let call = current(lua)?;
        Ok(forwarded(&call, "x-forwarded-host").unwrap_or_else(|| call.place().host))
    })?;
    add(host, lua, "forwarded_port", |lua, ()| {
        let call = current(lua)?;
        let port = forwarded(&call, "x-forwarded-port").and_then(|port| port.parse().ok());
        Ok(port.unwrap_or_else(|| call.place().port))
    })?;
    add(host, lua, "forwarded_path", |lua, ()| {
        let call = current(lua)?;
        Ok(forwarded(&call, "x-forwarded-path").unwrap_or_else(|| call.path().to_owned()))
    })?;
    add(host, lua, "forwarded_prefix", |lua, ()| Ok(forwarded(&*current(lua)?, "x-forwarded-prefix")))
}

#[expect(clippy::too_many_lines, reason = "one entry for each function")]
fn add_writers(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "set_target", |lua, (name, port): (String, Value)| {
        let port = whole_number(&port, 0, 65_535)
            .map(|port| port as u16)
            .ok_or_else(|| Error::runtime("port must be an integer between 0 and 65535"))?;
        if name.is_empty() {
            return Err(Error::runtime("host must not be empty"));
        }
        let mut call = current(lua)?;
        let chosen = call.request_to_change()?.chosen_destination.get_or_insert_default();
        chosen.peer = Some(ChosenPeer::Host(name, port));
        Ok(true)
    })?;
    add(host, lua, "set_upstream", |lua, name: String| {
        let mut call = current(lua)?;
        let chosen = call.request_to_change()?.chosen_destination.get_or_insert_default();
        chosen.peer = Some(ChosenPeer::Upstream(name));
        Ok(true)
    })?;
    add(host, lua, "set_retries", |lua, retries: Value| {
        let retries = whole_number(&retries, 0, 32_767)
            .ok_or_else(|| Error::runtime("retries must be an integer between 0 and 32767"))?;
        let mut call = current(lua)?;
        call.request_to_change()?.chosen_destination.get_or_insert_default().retries = Some(retries);
        Ok(())
    })?;
    add(host, lua, "set_timeouts", |lua, (connect, write, read): (Value, Value, Value)| {
        let time = |name: &str, value: &Value| {
            whole_number(value, 1, i32::MAX as u32 - 1)
                .map(|milliseconds| Duration::from_millis(milliseconds.into()))
                .ok_or_else(|| Error::runtime(format!("{name} must be an integer between 1 and 2147483646")))
        };
        let times = ChosenTimeouts {
            connect: time("connect_timeout", &connect)?,
            write: time("write_timeout", &write)?,
            read: time("read_timeout", &read)?,
        };
        let mut call = current(lua)?;
        call.request_to_change()?.chosen_destination.get_or_insert_default().timeouts = Some(times);
        Ok(())
    })?;
    add(host, lua, "set_tls_verify", |lua, verifies: bool| {
        let mut call = current(lua)?;
        call.request_to_change()?.chosen_destination.get_or_insert_default().tls_verify = Some(verifies);
        Ok(true)
    })?;
    add(host, lua, "set_scheme", |lua, name: String| {
        let scheme = match name.as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(Error::runtime(format!("invalid scheme: {name}"))),
        };
        let mut call = current(lua)?;
        call.request_to_change()?.chosen_destination.get_or_insert_default().scheme = Some(scheme);
        Ok(())
    })?;
    add(host, lua, "set_method", |lua, name: String| {
        let method = Method::from_bytes(name.as_bytes()).map_err(|_| Error::runtime("invalid method"))?;
        current(lua)?.request_to_change()?.upstream.set_method(method);
        Ok(())
    })?;
    add(host, lua, "set_path", |lua, (path, _): (String, Value)| {
        if !path.starts_with('/') {
            return Err(Error::runtime("path must start with /"));
        }
        current(lua)?.request_to_change()?.upstream.set_path(&path);
        Ok(())
    })?;
    add(host, lua, "set_query", |lua, query: String| {
        current(lua)?.request_to_change()?.upstream.set_query(&query);
        Ok(())
    })?;
    add(host, lua, "set_request_header", |lua, (name, value): (LuaString, Value)| {
        let name = to_field_name(&name)?;
        let values = to_field_values(&value)?;
        let mut call = current(lua)?;
        keep(&call, &name, &values)?;
        let upstream = &mut call.request_to_change()?.upstream;
        let mut values = values.into_iter();
        match values.next() {
            Some(first) => upstream.set_field(name.clone(), first),
            None => upstream.remove_field(name.clone()),
        }
        for value in values {
            upstream.append_field(name.clone(), value);
        }
        Ok(())
    })?;
    add(host, lua, "add_request_header", |lua, (name, value): (LuaString, Value)| {
        let name = to_field_name(&name)?;
        let values = to_field_values(&value)?;
        let mut call = current(lua)?;
        keep(&call, &name, &values)?;
        let upstream = &mut call.request_to_change()?.upstream;
        for value in values {
            upstream.append_field(name.clone(), value);
        }
        Ok(())
    })?;
    add(host, lua, "clear_request_header", |lua, name: LuaString| {
        if let Some(name) = field_name(&name) {
            current(lua)?.request_to_change()?.upstream.remove_field(name);
        }
        Ok(())
    })?;
    add(host, lua, "set_request_body", |lua, body: LuaString| set_body(lua, body.as_bytes().to_vec()))?;
    add(host, lua, "set_parsed_request_body", |lua, (args, media_type): (Value, Option<String>)| {
        let known = current(lua)?.request_values(&CONTENT_TYPE).first().cloned();
        let known = known.as_ref().and_then(|value| value.to_str().ok()).map(str::to_owned);
        let chosen = media_type.or(known).unwrap_or_else(|| "application/json".to_owned());
        let essence = chosen.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let body = match (essence.as_str(), &args) {
            ("application/json", _) => json::encode(lua, &args)?.into_bytes(),
            ("application/x-www-form-urlencoded", Value::Table(table)) => {
                encode_args(lua, table)?.into_bytes()
            }
            _ => return Err(Error::runtime(format!("unsupported content type '{chosen}'"))),
        };
        set_body(lua, body)?;
        let value = HeaderValue::try_from(chosen).map_err(|_| Error::runtime("invalid content type"))?;
        current(lua)?.request_to_change()?.upstream.set_field(CONTENT_TYPE, value);
        Ok(true)
    })
}

/// A whole number within bounds.
fn whole_number(value: &Value, least: u32, most: u32) -> Option<u32> {
    let number = match value {
        Value::Integer(number) => *number as f64,
        Value::Number(number) => *number,
        _ => return None,
    };
    let is_valid = number.fract() == 0.0 && (f64::from(least)..=f64::from(most)).contains(&number);
    is_valid.then_some(number as u32)
}

/// Counts the values of a field that a snippet sets.
fn keep(call: &LuaCall, name: &HeaderName, values: &[HeaderValue]) -> Result<()> {
    values.iter().try_for_each(|value| call.state.keep(name.as_str().len() + value.len()))
}

fn set_body(lua: &Lua, body: Vec<u8>) -> Result<()> {
    charge_text(lua, body.len())?;
    let mut call = current(lua)?;
    let body = bytes::Bytes::from(body);
    call.request_to_change()?.set_body(body.clone());
    call.request_body = Some(body);
    Ok(())
}

pub(super) fn client_ip(call: &LuaCall) -> Option<String> {
    let exchange = call.exchange.as_ref().map(|exchange| exchange.client.ip());
    exchange
        .or_else(|| call.finished.as_ref().map(|finished| finished.client))
        .map(|address| address.to_string())
}

pub(super) fn scheme(call: &LuaCall) -> &'static str {
    if call.place().tls { "https" } else { "http" }
}

/// The value of a forwarding field, if the peer of the connection is trusted. (Kong: `trusted_ips`.)
fn forwarded(call: &LuaCall, name: &'static str) -> Option<String> {
    let head = call.exchange.as_ref()?.head();
    let value = head.is_trusted().then(|| head.field(name)).flatten()?;
    value.to_str().ok().map(str::to_owned)
}

fn limit(max: Option<i64>) -> usize {
    match max {
        // Zero removes the limit; the room of the head or body bounds it all the same.
        Some(0) => usize::MAX,
        Some(max) => usize::try_from(max).unwrap_or(MAX_ARGS),
        None => MAX_ARGS,
    }
}

/// The name of a field; `None` if no field can have it. Underscores stand for hyphens, as in the names of variables.
pub(super) fn field_name(name: &LuaString) -> Option<HeaderName> {
    HeaderName::from_bytes(&name.as_bytes()).ok()
}

pub(super) fn to_field_name(name: &LuaString) -> Result<HeaderName> {
    field_name(name).ok_or_else(|| Error::runtime("invalid header name"))
}

/// The values of a field: a text, a number, a truth value, or a list of these.
pub(super) fn to_field_values(value: &Value) -> Result<Vec<HeaderValue>> {
    let mut size = 0;
    let mut one = |value: &Value| {
        let bytes = match value {
            Value::String(text) => text.as_bytes().to_vec(),
            Value::Number(_) | Value::Integer(_) | Value::Boolean(_) => value.to_string()?.into_bytes(),
            other => {
                return Err(Error::runtime(format!(
                    "header value must be a string, number or boolean, got {}",
                    other.type_name()
                )));
            }
        };
        size += bytes.len() + 64;
        if size > MAX_FIELD_BYTES {
            return Err(Error::runtime("header value is too long"));
        }
        HeaderValue::from_bytes(bytes.trim_ascii()).map_err(|_| Error::runtime("invalid header value"))
    };
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::Table(table) => table.sequence_values::<Value>().map(|item| one(&item?)).collect(),
        value => Ok(vec![one(value)?]),
    }
}

/// Fields as a table: names in lower case, a list where a field has several values; a name is found in any case and
/// with underscores for hyphens. (`OpenResty`: `ngx.req.get_headers`.)
pub(super) fn field_table(lua: &Lua, fields: &HeaderMap) -> Result<Table> {
    let table = lua.create_table()?;
    for name in fields.keys() {
        let mut values = fields.get_all(name).iter();
        let first = values.next().map(|value| lua.create_string(value.as_bytes())).transpose()?;
        let rest: Vec<_> = values.map(|value| lua.create_string(value.as_bytes())).collect::<Result<_>>()?;
        if rest.is_empty() {
            table.set(name.as_str(), first)?;
        } else {
            let list = lua.create_sequence_from(first.into_iter().chain(rest))?;
            table.set(name.as_str(), list)?;
        }
    }
    let metatable = match lua.named_registry_value::<Value>("field_table")? {
        Value::Table(metatable) => metatable,
        _ => {
            let metatable = lua.create_table()?;
            // All requests share it.
            metatable.set("__metatable", false)?;
            let index = lua.create_function(|_, (table, key): (Table, Value)| match key {
                Value::String(key) => {
                    let name =
                        String::from_utf8_lossy(&key.as_bytes()).to_ascii_lowercase().replace('_', "-");
                    table.raw_get::<Value>(name)
                }
                _ => Ok(Value::Nil),
            })?;
            metatable.set("__index", index)?;
            lua.set_named_registry_value("field_table", &metatable)?;
            metatable
        }
    };
    table.set_metatable(Some(metatable))?;
    Ok(table)
}

/// `nil` and a message.
fn failed(lua: &Lua, message: &str) -> Result<(Value, Value, Value)> {
    Ok((Value::Nil, Value::String(lua.create_string(message)?), Value::Nil))
}
