//! Functions that the gateway provides to snippets, and the tables of `kong` and `ngx` that are made of them.

use mlua::{Function, Lua, Result, Table};

use super::{
    call::Overrun,
    call_budget::{MAX_TEXT, charge, charge_text, stop},
    client_api, json, patterns, regex_api, request_api, response_api, text_api, time_api,
};

/// Lua that makes the sandbox from the functions of the gateway.
const PRELUDE: &str = include_str!("prelude.lua");

/// What the prelude gives back.
pub(super) struct SandboxApi {
    /// Makes the global environment of a snippet.
    pub(super) new_environment: Function,
    /// Makes the function that runs a snippet in each request from its compiled text.
    pub(super) load_snippet: Function,
    /// Runs a snippet for a piece of a body.
    pub(super) filter_body: Function,
    /// Whether a dotted name is there in the sandbox.
    pub(super) is_known: Function,
}

impl SandboxApi {
    pub(super) fn install(lua: &Lua) -> Result<Self> {
        let host = lua.create_table()?;
        host.set("seed", rand::random::<u32>())?;
        add_budget(&host, lua)?;
        request_api::add_to(&host, lua)?;
        client_api::add_to(&host, lua)?;
        response_api::add_to(&host, lua)?;
        json::add_to(&host, lua)?;
        text_api::add_to(&host, lua)?;
        regex_api::add_to(&host, lua)?;
        time_api::add_to(&host, lua)?;
        host.set("patterns", patterns::table(lua)?)?;
        let made =
            lua.load(PRELUDE).set_name("=prelude").call::<(Function, Function, Function, Function)>(host)?;
        let (new_environment, load_snippet, filter_body, is_known) = made;
        Ok(Self { new_environment, load_snippet, filter_body, is_known })
    }
}

/// Functions by which the prelude charges what it does to the call.
fn add_budget(host: &Table, lua: &Lua) -> Result<()> {
    host.set("max_text", MAX_TEXT)?;
    add(host, lua, "charge", |lua, instructions: usize| charge(lua, instructions))?;
    add(host, lua, "charge_text", |lua, length: usize| charge_text(lua, length))?;
    add(host, lua, "stop_over_memory", |lua, ()| -> Result<()> { Err(stop(lua, Overrun::Memory)) })
}

/// Adds a function to the table of the gateway's functions.
pub(super) fn add<F, A, R>(host: &Table, lua: &Lua, name: &str, function: F) -> Result<()>
where
    F: Fn(&Lua, A) -> Result<R> + Send + 'static,
    A: mlua::FromLuaMulti,
    R: mlua::IntoLuaMulti,
{
    host.set(name, lua.create_function(function)?)
}
