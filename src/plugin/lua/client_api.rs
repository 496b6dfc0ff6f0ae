//! `kong.client`, `kong.router`, `kong.ctx`, `kong.node`, `kong.ip` and `kong.log`: who asks, what was matched, and
//! what a snippet keeps or logs.

use std::fmt::Write as _;

use mlua::{Error, Lua, Result, Table, Value};

use super::{api::add, call::current, json};
use crate::plugin::{EditCondition, EntryEdit};

/// The version of Kong whose functions these are.
const KONG_VERSION: (&str, u32) = ("3.9.3", 3_009_003);

/// The longest text that `kong.log.inspect` makes, in bytes.
const MAX_INSPECTED: usize = 4096;

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
    add(host, lua, "protocol", |lua, _: Value| {
        Ok(current(lua)?.exchange.as_ref().map(|exchange| if exchange.tls { "https" } else { "http" }))
    })?;
    add(host, lua, "is_trusted", |lua, _: String| {
        Ok(current(lua)?.exchange.as_ref().is_some_and(|exchange| exchange.head().is_trusted()))
    })?;
    add(host, lua, "consumer", |lua, ()| {
        let record = {
            let call = current(lua)?;
            let identity = call.exchange.as_ref().and_then(|exchange| exchange.identity.as_ref());
            identity.map(|identity| identity.consumer.record.clone())
        };
        record.map_or(Ok(Value::Nil), |record| json::from_document(lua, &record))
    })?;
    add(host, lua, "credential", |lua, ()| {
        let credential = {
            let call = current(lua)?;
            let identity = call.exchange.as_ref().and_then(|exchange| exchange.identity.clone());
            identity.and_then(|identity| Some((identity.credential?, identity.consumer)))
        };
        let Some((credential, consumer)) = credential else { return Ok(Value::Nil) };
        let table = lua.create_table()?;
        table.set("id", credential.id.as_str())?;
        table.set("consumer_id", consumer.id.as_str())?;
        table.set("key", lua.create_string(credential.identifier.as_bytes())?)?;
        Ok(Value::Table(table))
    })?;
    add(host, lua, "route", |lua, ()| {
        let record = current(lua)?
            .exchange
            .as_ref()
            .and_then(|exchange| Some(exchange.matched.as_ref()?.route_record.clone()));
        record.map_or(Ok(Value::Nil), |record| json::from_document(lua, &record))
    })?;
    add(host, lua, "service", |lua, ()| {
        let record = current(lua)?
            .exchange
            .as_ref()
            .and_then(|exchange| Some(exchange.matched.as_ref()?.service_record.clone()));
        record
            .filter(|record| !record.is_null())
            .map_or(Ok(Value::Nil), |record| json::from_document(lua, &record))
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
        Ok(lua.app_data_ref::<super::call::LuaCall>().is_some_and(|call| call.stop.is_some()))
    })?;
    add(host, lua, "node_id", |_, ()| Ok(std::process::id().to_string()))?;
    add(host, lua, "hostname", |_, ()| {
        Ok(rustix::system::uname().nodename().to_string_lossy().into_owned())
    })?;
    add(host, lua, "pid", |_, ()| Ok(std::process::id()))
}

fn add_log(host: &Table, lua: &Lua) -> Result<()> {
    add(host, lua, "log", |lua, (level, text): (Value, String)| {
        let plugin = lua.app_data_ref::<super::call::LuaCall>().map_or("lua", |call| call.owner.name);
        write_log(&level, plugin, &text);
        Ok(())
    })?;
    add(host, lua, "inspect", |_, values: mlua::MultiValue| {
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
    if text.len() > MAX_INSPECTED {
        return;
    }
    match value {
        Value::Table(table) if depth < 8 => {
            text.push('{');
            for (n, pair) in table.pairs::<Value, Value>().flatten().enumerate() {
                text.push_str(if n == 0 { " " } else { ", " });
                inspect(&pair.0, depth + 1, text);
                text.push_str(" = ");
                inspect(&pair.1, depth + 1, text);
            }
            text.push_str(" }");
        }
        Value::String(string) => drop(write!(text, "{:?}", string.to_string_lossy())),
        other => text.push_str(&other.to_string().unwrap_or_else(|_| other.type_name().to_owned())),
    }
}
