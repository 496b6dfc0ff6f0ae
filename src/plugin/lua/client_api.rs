//! `kong.client`, `kong.router`, `kong.ctx`, `kong.node`, `kong.ip` and `kong.log`: who asks, what was matched, and
//! what a snippet keeps or logs.

use std::{fmt::Write as _, net::IpAddr, sync::Arc};

use http::HeaderValue;
use mlua::{Error, Lua, LuaString, Result, Table, Value};

use super::{
    api::add,
    call::{LuaCall, current},
    call_budget::charge,
    json, request_api,
};
use crate::plugin::{Credential, EditCondition, EntryEdit, RequestIdentity};

/// The version of Kong whose functions these are.
const KONG_VERSION: (&str, u32) = ("3.9.3", 3_009_003);

/// The longest text of one line of the log, in bytes. (nginx: `NGX_MAX_ERROR_STR`.)
const MAX_LINE: usize = 4096;

pub(super) fn add_to(host: &Table, lua: &Lua) -> Result<()> {
    host.set("version", KONG_VERSION.0)?;
    host.set("version_number", KONG_VERSION.1)?;
    add_client(host, lua)?;
    add_context(host, lua)?;
    add_log(host, lua)
}

fn add_client(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "client_ip", |lua, ()| {
        let call = current(lua)?;
        let address = call.exchange.as_ref().map(|exchange| exchange.client.ip());
        Ok(address
            .or_else(|| call.finished.as_ref().map(|finished| finished.client))
            .map(|address| address.to_string()))
    })?;
    // The address of the connection is not kept apart from the one that trusted proxies name.
    host.set("connection_ip", host.get::<mlua::Function>("client_ip")?)?;
    add(host, lua, "client_port", |lua, ()| {
        Ok(current(lua)?.exchange.as_ref().map(|exchange| exchange.client.port()))
    })?;
    add(host, lua, "protocol", |lua, _: Value| Ok(request_api::scheme(&*current(lua)?)))?;
    add(host, lua, "is_trusted", |lua, address: String| {
        let Ok(address) = address.parse::<IpAddr>() else { return Ok(false) };
        Ok(current(lua)?.owner.trusted.iter().any(|network| network.contains(address)))
    })?;
    add_consumer(host, lua)?;
    add(host, lua, "route", |lua, ()| {
        let record = current(lua)?.matched().map(|matched| matched.route_record.clone());
        record.map_or(Ok(Value::Nil), |record| json::from_document(lua, &record))
    })?;
    add(host, lua, "service", |lua, ()| {
        let record = current(lua)?.matched().map(|matched| matched.service_record.clone());
        record
            .filter(|record| !record.is_null())
            .map_or(Ok(Value::Nil), |record| json::from_document(lua, &record))
    })
}

fn add_consumer(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "consumer", |lua, ()| {
        let record = current(lua)?.identity().map(|identity| identity.consumer.record.clone());
        record.map_or(Ok(Value::Nil), |record| json::from_document(lua, &record))
    })?;
    add(host, lua, "credential", |lua, ()| {
        let identity = current(lua)?.identity().cloned();
        let found = identity.and_then(|identity| Some((identity.credential?, identity.consumer)));
        let Some((credential, consumer)) = found else { return Ok(Value::Nil) };
        let table = lua.create_table()?;
        table.set("id", credential.id.as_str())?;
        table.set("consumer_id", consumer.id.as_str())?;
        table.set("key", lua.create_string(credential.identifier.as_bytes())?)?;
        Ok(Value::Table(table))
    })?;
    add(host, lua, "load_consumer", |lua, (name, by_username): (String, Option<bool>)| {
        let record = {
            let call = current(lua)?;
            let found = call.matched().and_then(|matched| matched.consumers.find_by_name(&name));
            found
                .filter(|consumer| by_username.unwrap_or_default() || consumer.id == name)
                .map(|consumer| consumer.record.clone())
        };
        record.map_or(Ok(Value::Nil), |record| json::from_document(lua, &record))
    })?;
    add(host, lua, "authenticate", |lua, (consumer, credential): (Value, Value)| {
        let given = |value: &Value| match value {
            Value::Table(entity) => entity.get::<Option<String>>("id"),
            Value::Nil => Ok(None),
            other => {
                Err(Error::runtime(format!("a consumer must be a table or nil, not {}", other.type_name())))
            }
        };
        let (id, credential) = (given(&consumer)?, given(&credential)?);
        if id.is_none() && credential.is_none() {
            return Err(Error::runtime("either credential or consumer must be provided"));
        }
        let mut call = current(lua)?;
        let exchange = call.request_to_change()?;
        let found = id.and_then(|id| exchange.consumers()?.find_by_name(&id).cloned());
        exchange.identity = match found {
            Some(consumer) => {
                let credential = credential.and_then(|id| {
                    let identifier = HeaderValue::try_from(&id).ok()?;
                    Some(Arc::new(Credential { id, identifier }))
                });
                Some(RequestIdentity { consumer, credential })
            }
            None if consumer.is_nil() => None,
            None => return Err(Error::runtime("the consumer is not one of the configuration")),
        };
        Ok(())
    })
}

fn add_context(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "shared_context", |lua, ()| {
        let state = current(lua)?.state.clone();
        state.shared(lua)
    })?;
    add(host, lua, "plugin_context", |lua, ()| current(lua)?.plugin_context(lua))?;
    add(host, lua, "phase", |lua, ()| Ok(current(lua)?.phase.name()))?;
    add(host, lua, "is_stopped", |lua, ()| {
        Ok(lua.app_data_ref::<LuaCall>().is_some_and(|call| call.stop.is_some()))
    })?;
    add(host, lua, "node_id", |lua, ()| Ok(current(lua)?.owner.node.to_string()))?;
    add(host, lua, "hostname", |_, ()| {
        Ok(rustix::system::uname().nodename().to_string_lossy().into_owned())
    })?;
    add(host, lua, "pid", |_, ()| Ok(std::process::id()))
}

fn add_log(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "log", |lua, (level, text): (Value, LuaString)| {
        // A line takes a system call, or room in a queue.
        charge(lua, 500)?;
        let plugin = lua.app_data_ref::<LuaCall>().map_or("lua", |call| call.owner.name);
        write_log(&level, plugin, &shown(&text.as_bytes()));
        Ok(())
    })?;
    add(host, lua, "inspect", |lua, values: mlua::MultiValue| {
        charge(lua, 500)?;
        let mut text = String::new();
        for value in values {
            if !text.is_empty() {
                text.push(' ');
            }
            inspect(&value, 0, &mut text);
        }
        Ok(text)
    })?;
    add(host, lua, "set_log_value", |lua, (path, value, options): (String, Value, Option<Table>)| {
        let mode = options.map(|options| options.get::<Option<String>>("mode")).transpose()?.flatten();
        let condition = match mode.as_deref().unwrap_or("set") {
            "set" => EditCondition::Always,
            "add" => EditCondition::Absent,
            "replace" => EditCondition::Present,
            other => {
                return Err(Error::runtime(format!("mode must be 'set', 'add' or 'replace', not '{other}'")));
            }
        };
        let value = (!value.is_nil()).then(|| json::to_json(lua, &value)).transpose()?;
        let size = path.len() + value.as_ref().map_or(0, |value| value.to_string().len());
        current(lua)?.state.keep(size)?;
        current(lua)?.state.entry_edits().push(EntryEdit { path, value, condition });
        Ok(())
    })?;
    add(host, lua, "log_entry", |lua, _: Value| {
        let entry = current(lua)?.finished.as_ref().and_then(|finished| finished.entry.clone());
        let entry =
            entry.ok_or_else(|| Error::runtime("function cannot be called in this phase (only in: log)"))?;
        json::decode(lua, &entry)
    })
}

/// The beginning of a text that fits into a line.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(MAX_LINE)]).into_owned()
}

/// Writes a line into the log of the gateway, at a level of nginx by name or number.
fn write_log(level: &Value, plugin: &str, text: &str) {
    let level = match level {
        Value::String(name) => name.to_string_lossy(),
        number => match number.as_i64().unwrap_or(6) {
            0..=4 => "err".to_owned(),
            5 => "warn".to_owned(),
            6 => "notice".to_owned(),
            7 => "info".to_owned(),
            _ => "debug".to_owned(),
        },
    };
    match level.as_str() {
        "emerg" | "alert" | "crit" | "err" => tracing::error!("[{plugin}] {text}"),
        "warn" => tracing::warn!("[{plugin}] {text}"),
        "notice" | "info" => tracing::info!("[{plugin}] {text}"),
        _ => tracing::debug!("[{plugin}] {text}"),
    }
}

fn inspect(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Table(table) if depth < 8 => {
            text.push('{');
            for (n, pair) in table.pairs::<Value, Value>().flatten().enumerate() {
                if text.len() > MAX_LINE {
                    break;
                }
                text.push_str(if n == 0 { " " } else { ", " });
                inspect(&pair.0, depth + 1, text);
                text.push_str(" = ");
                inspect(&pair.1, depth + 1, text);
            }
            text.push_str(" }");
        }
        Value::String(string) => drop(write!(text, "{:?}", shown(&string.as_bytes()))),
        Value::Boolean(_) | Value::Integer(_) | Value::Number(_) | Value::Nil => {
            text.push_str(&value.to_string().unwrap_or_default());
        }
        other => text.push_str(other.type_name()),
    }
}
