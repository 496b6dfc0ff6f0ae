//! Attempts to break the sandbox: its budgets, what outlives a call, and what one snippet can change for others.

use std::sync::Arc;

use super::{LuaInterpreters, PRE_FUNCTION};
use crate::plugin::{Exchange, Plugin, test_support};

/// Plugins that run in the same interpreter.
#[derive(Default)]
struct SharedInterpreter(LuaInterpreters);

impl SharedInterpreter {
    #[track_caller]
    fn plugin(&self, phase: &str, snippet: &str) -> Arc<dyn Plugin> {
        let text = serde_json::Value::from(snippet).to_string();
        let mut settings = test_support::config(&PRE_FUNCTION, &format!("{{{phase}: [{text}]}}"));
        settings.resources.lua = self.0.clone();
        (PRE_FUNCTION.compile)(&settings.setup()).unwrap_or_else(|_| panic!("not compiled: {snippet}"))
    }

    /// What a snippet answers in the access phase: `status body`.
    #[track_caller]
    fn answer(&self, snippet: &str) -> String {
        ask(&*self.plugin("access", snippet), &mut test_support::request("GET /a"))
    }
}

fn ask(plugin: &dyn Plugin, exchange: &mut Exchange) -> String {
    test_support::access(plugin, exchange).map_or_else(
        || "continues".to_owned(),
        |response| format!("{} {}", response.status().as_u16(), test_support::text(response.into_body())),
    )
}

/// Checks that each snippet ends with an error, and that its interpreter works afterwards.
#[track_caller]
fn all_end(snippets: &[&str]) {
    for snippet in snippets {
        let shared = SharedInterpreter::default();
        let answer = shared.answer(snippet);
        assert!(answer.starts_with("500 "), "{snippet}: {answer:.100}");
        let next = shared.answer("kong.response.exit(200, ('x'):rep(3))");
        assert_eq!(next, "200 xxx", "after {snippet}");
    }
}

#[test]
fn no_error_handler_outlives_the_budget_of_instructions() {
    all_end(&[
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        // The handler runs where the error is raised: in the hook that interrupts nothing.
        "xpcall(function() while true do end end, function() while true do end end)",
        "xpcall(error, function() while true do end end)",
        "local function f() xpcall(f, f) end while true do f() end",
        "error(setmetatable({}, {__tostring = function() while true do end end}))",
        "pcall(error, setmetatable({}, {__tostring = function() while true do end end})) while true do end",
        "tostring(setmetatable({}, {__tostring = function() while true do end end}))",
        "kong.log.err(setmetatable({}, {__tostring = function() while true do end end}))",
        "local t = {} t[1] = t ngx.print(t)",
        "kong.log.inspect(setmetatable({}, {__tostring = function() while true do end end})) while true do end",
        "local t = setmetatable({}, {__index = function(t, k) return t[k] end}) return t.x",
        "local t = setmetatable({}, {__eq = function() while true do end end}) \
         local u = setmetatable({}, getmetatable(t)) return t == u",
    ]);
}

#[test]
fn coroutines_share_the_budget() {
    all_end(&[
        "local co = coroutine.wrap(function() while true do end end) co()",
        "local co = coroutine.create(function() while true do end end) coroutine.resume(co) while true do end",
        // Each of them ends before its instructions are counted.
        "while true do coroutine.wrap(function() for i = 1, 200 do end end)() end",
        "while true do coroutine.resume(coroutine.create(function() for i = 1, 200 do end end)) end",
        "local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
        "local function f() return coroutine.wrap(f)() end f()",
        "local function f() return coroutine.resume(coroutine.create(f)) end while true do f() end",
    ]);
}

#[test]
fn functions_that_work_for_long_are_part_of_the_budget() {
    all_end(&[
        "while true do local s = ('x'):rep(1e6) end",
        "string.rep('', 1e12) while true do end",
        "string.rep('', '1e12') while true do end",
        "string.rep('x', 1e12)",
        "local s = ('x'):rep(1e7) while true do local t = s .. 'y' end",
        "local s = ('x'):rep(1e7) while true do s:upper() end",
        "local s = ('x'):rep(1e7) while true do s:find('y', 1, true) end",
        "local s = ('9'):rep(1e6) while true do tonumber(s) end",
        "local s = ('x'):rep(1e6) while true do ngx.md5(s) end",
        "local s = ('x'):rep(1e6) while true do ngx.encode_base64(s) end",
        "local s = ('x'):rep(1e5) while true do ngx.re.find(s, 'y') end",
        "local s = ('ab'):rep(40) while true do ngx.re.find(s, '(a|b|ab)*(?>c)') end",
        "local i = 0 while true do i = i + 1 ngx.re.find('x', 'a' .. i .. '{1,50}') end",
        "local s = string.rep('a', 30000) s:find('.-.-.-.-.-b')",
        "local s = string.rep('a', 300) while true do pcall(string.find, s, '.-.-b') end",
        // Long sets, captures and patterns.
        "local s = ('a'):rep(1e4) s:gsub('[' .. ('b'):rep(1e5) .. ']', '')",
        "local s = ('a'):rep(1e5) s:find('(a*)-%1%1%1b')",
        "local t = {} for i = 1, 2e5 do t[i] = i % 7 end while true do table.sort(t) end",
        "while true do for i = 1, 100 do ngx.decode_args(('a=b&'):rep(1e4), 0) end end",
        "while true do cjson = require('cjson').decode('[' .. ('1,'):rep(1e4) .. '1]') end",
        "while true do kong.log.debug('x') end",
    ]);
}

#[test]
fn memory_is_bounded_inside_and_outside_of_lua() {
    all_end(&[
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local s = 'x' while true do s = s .. s end",
        "while true do local s = 'x' pcall(function() while true do s = s .. s end end) end",
        "table.concat({string.rep('x', 1.5e7), string.rep('y', 1.5e7), string.rep('z', 1.5e7), string.rep('z', 1.5e7)})",
        "local t = {} while true do t[#t + 1] = ('x'):rep(1e6):gmatch('x') end",
        "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
        // Results that are made outside of Lua.
        "('x'):rep(1e5):gsub('.', ('y'):rep(1e5))",
        "('x'):rep(1e5):gsub('x*', ('%0'):rep(1e5))",
        "('x'):rep(1e5):gsub('.', function() return ('y'):rep(1e5) end)",
        "ngx.re.gsub(('x'):rep(1e5), '.', ('y'):rep(1e5))",
        "ngx.re.gsub(('x'):rep(1e5), 'x+', ('$0'):rep(1e5))",
        "local s = ('x'):rep(1e6) while true do ngx.print(s) end",
        "local s, t = ('x'):rep(1e6), {} for i = 1, 1e5 do t[i] = s end ngx.encode_args({a = t})",
        "local s, t = ('x'):rep(1e6), {} for i = 1, 1e5 do t[i] = s end require('cjson').encode(t)",
        "local s, t = ('x'):rep(1e6), {} for i = 1, 1e5 do t[i] = s end kong.response.set_header('a', t)",
        "local t = {} for i = 1, 40 do t = {t, t} end require('cjson').encode(t)",
        "local t = {} for i = 1, 40 do t = {t, t} end kong.response.exit(200, t)",
        "local t = {} for i = 1, 40 do t = {t, t} end kong.log.set_serialize_value('a', t)",
        "local t = {} t[1] = t require('cjson').encode(t)",
        "require('cjson').decode(('['):rep(1e6))",
        "require('cjson').decode('[' .. ('0,'):rep(1e6) .. '0]')",
        "for i = 1, 1e5 do kong.log.set_serialize_value('a' .. i, ('x'):rep(1000)) end",
        "for i = 1, 1e5 do kong.response.add_header('a', 'b') end",
        "for i = 1, 1e5 do kong.service.request.add_header('a', 'b') end",
        "for i = 1, 1e5 do kong.service.request.set_header('a' .. i, 'b') end",
        "kong.response.exit(200, ('x'):rep(1e7) .. ('x'):rep(1e7))",
    ]);
}

#[test]
fn nesting_is_bounded() {
    all_end(&[
        "local function f() f() end f()",
        "local function f() return ('x'):gsub('x', f) end f() error('end')",
        "local function f() return ngx.re.gsub('x', 'x', f) end f() error('end')",
        "local function f(a, b) table.sort({2, 1}, f) return false end f() error('end')",
        "local function f() pcall(f) end f() error('end')",
        "local mt = {} mt.__index = function(t, k) return setmetatable({}, mt)[k] end return setmetatable({}, mt).x",
        "local mt = {} mt.__tostring = function(t) return tostring(setmetatable({}, mt)) end return tostring(setmetatable({}, mt)) .. ''",
        "ngx.re.find('x', ('('):rep(1e4) .. 'x' .. (')'):rep(1e4)) error('end')",
        "('x'):find(('('):rep(1e4))",
    ]);
}

#[test]
fn there_is_no_way_to_code_or_to_the_metatable_of_texts() {
    all_end(&[
        "load('return 1')",
        "loadstring('return 1')",
        "string.dump(print)",
        "('x').dump(print)",
        "getfenv(1)",
        "setfenv(1, {})",
        "newproxy(true)",
        "collectgarbage('stop')",
        "module('x')",
        "getmetatable('').__index = nil",
        "setmetatable('', {})",
        "getmetatable(_G).__index = nil",
        "setmetatable(_G, nil)",
        "getmetatable(kong).__index = nil",
        "setmetatable(kong.request, {})",
        "getmetatable(ngx.header).__index = nil",
        "getmetatable(kong.request.get_headers()).__index = nil",
        "setmetatable(kong.request.get_headers(), {})",
        "require('string')",
        "require('../../etc/passwd')",
    ]);
}

#[test]
fn what_a_snippet_changes_is_its_own() {
    let shared = SharedInterpreter::default();
    for change in [
        "leaked = 1",
        "_G.leaked = 1",
        "rawset(_G, 'leaked', 1)",
        "string.leaked = 1",
        "string.upper = nil",
        "rawset(string, 'upper', function() return 'changed' end)",
        "table.insert = nil",
        "tostring = nil",
        "math.leaked = 1",
        "kong.leaked = 1",
        "kong.request.get_method = function() return 'changed' end",
        "rawset(kong.request, 'get_method', function() return 'changed' end)",
        "kong.response.exit = nil",
        "rawset(kong.ctx, 'leaked', 1)",
        "rawset(ngx, 'leaked', 1)",
        "rawset(ngx.var, 'uri', 'changed')",
        "table.insert(kong, 'leaked')",
        "rawset(ngx, 'OK', 'changed')",
        "require('cjson').encode = nil",
        "require('cjson').array_mt.__index = function() return 'changed' end",
        "require('cjson').empty_array[1] = 'leaked'",
        "require('bit').band = nil",
        "kong.ctx.shared.leaked = 1",
        "kong.ctx.plugin.leaked = 1",
        "ngx.ctx.leaked = 1",
        "kong.configuration.leaked = 1",
    ] {
        assert_eq!(shared.answer(change), "continues", "{change}");
        let seen = shared.answer(
            "local cjson = require('cjson') \
             kong.response.exit(200, cjson.encode({ \
               tostring(leaked), tostring(rawget(_G, 'leaked')), tostring(string.leaked), ('a'):upper(), string.upper('b'), \
               type(table.insert), type(math.leaked), tostring(rawget(kong, 'leaked')), kong.request.get_method(), \
               tostring(kong.ctx.leaked), tostring(rawget(ngx, 'leaked')), ngx.var.uri, tostring(kong[1]), ngx.OK, \
               tostring(setmetatable({}, cjson.array_mt).x), #cjson.empty_array, require('bit').band(3, 1), \
               tostring(kong.ctx.shared.leaked), tostring(kong.ctx.plugin.leaked), tostring(ngx.ctx.leaked), \
               tostring(rawget(kong.configuration, 'leaked'))}))",
        );
        assert_eq!(
            seen,
            "200 [\"nil\",\"nil\",\"nil\",\"A\",\"B\",\"function\",\"nil\",\"nil\",\"GET\",\"nil\",\"nil\",\"/a\",\"nil\",0,\
             \"nil\",0,1,\"nil\",\"nil\",\"nil\",\"nil\"]",
            "{change}"
        );
    }
}

#[test]
fn a_request_does_not_see_the_context_of_another() {
    let shared = SharedInterpreter::default();
    let plugin = shared.plugin(
        "access",
        "local before = kong.ctx.shared.n kong.ctx.shared.n = 1 kong.response.exit(200, tostring(before))",
    );
    let mut first = test_support::request("GET /a");
    assert_eq!(ask(&*plugin, &mut first), "200 nil");
    assert_eq!(ask(&*plugin, &mut test_support::request("GET /a")), "200 nil");
    assert_eq!(ask(&*plugin, &mut first), "200 1", "it has its own");
}

#[test]
fn an_interpreter_without_memory_is_replaced() {
    let shared = SharedInterpreter::default();
    let hoard = shared.plugin(
        "access",
        "kept = kept or {} kept[#kept + 1] = ('x'):rep(9e6) .. #kept kong.response.exit(200, tostring(#kept))",
    );
    let mut early = test_support::request("GET /a");
    assert_eq!(shared_context(&shared, &mut early), "200 nil");
    let answers: Vec<String> = (0..12).map(|_| ask(&*hoard, &mut test_support::request("GET /a"))).collect();
    assert!(answers.iter().skip(1).any(|answer| answer == "200 1"), "it begins anew: {answers:?}");
    let answer = shared_context(&shared, &mut early);
    assert!(answer.starts_with("500 "), "what the request kept is lost: {answer}");
    assert_eq!(shared.answer("kong.response.exit(200, 'works')"), "200 works");
}

/// Reads and sets a value of the context of a request.
fn shared_context(shared: &SharedInterpreter, exchange: &mut Exchange) -> String {
    let snippet =
        "local before = kong.ctx.shared.n kong.ctx.shared.n = 1 kong.response.exit(200, tostring(before))";
    ask(&*shared.plugin("access", snippet), exchange)
}
