//! Tests of snippets: each phase, the values that they read and change, and the bounds of the sandbox.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body as _, Frame};

use super::{POST_FUNCTION, PRE_FUNCTION};
use crate::{
    body::{Body, BodyError},
    plugin::{Exchange, HttpResponse, Plugin, test_support},
};

const REQUEST: &str = "POST /a/b?x=1&y=two%20words&flag\nApikey: key-1\nX-Many: 1\nX-Many: 2\nHost: api.test:8000\n\
                       Authorization: Bearer abc";

fn function(phase: &str, snippet: &str) -> Arc<dyn Plugin> {
    let text = serde_json::Value::from(snippet).to_string();
    test_support::plugin(&PRE_FUNCTION, &format!("{{{phase}: [{text}]}}"))
}

/// What a snippet answers in the access phase: `status body`.
#[track_caller]
fn answer(request: &str, snippet: &str) -> String {
    let mut exchange = test_support::request(request);
    let response = test_support::access(&*function("access", snippet), &mut exchange);
    response.map_or_else(
        || "continues".to_owned(),
        |response| format!("{} {}", response.status().as_u16(), test_support::text(response.into_body())),
    )
}

/// What an expression is in the access phase.
#[track_caller]
fn value(expression: &str) -> String {
    let snippet = format!("local v = {expression}; kong.response.exit(200, tostring(v))");
    answer(REQUEST, &snippet).strip_prefix("200 ").unwrap_or("failed").to_owned()
}

#[test]
fn a_snippet_reads_the_request() {
    for (expression, expected) in [
        ("kong.request.get_method()", "POST"),
        ("kong.request.get_path()", "/a/b"),
        ("kong.request.get_raw_query()", "x=1&y=two%20words&flag"),
        ("kong.request.get_path_with_query()", "/a/b?x=1&y=two%20words&flag"),
        ("kong.request.get_query_arg('y')", "two words"),
        ("kong.request.get_query_arg('flag')", "true"),
        ("kong.request.get_query().x", "1"),
        ("kong.request.get_header('apikey')", "key-1"),
        ("kong.request.get_header('APIKEY')", "key-1"),
        ("kong.request.get_header('missing')", "nil"),
        ("kong.request.get_headers()['x-many'][2]", "2"),
        ("kong.request.get_headers().X_Many[1]", "1"),
        ("kong.request.get_host()", "api.test"),
        ("kong.request.get_port()", "8000"),
        ("kong.request.get_scheme()", "http"),
        ("kong.request.get_http_version()", "1.1"),
        ("ngx.req.get_method()", "POST"),
        ("ngx.req.get_headers()['authorization']", "Bearer abc"),
        ("ngx.req.get_uri_args().y", "two words"),
        ("ngx.var.request_method", "POST"),
        ("ngx.var.uri", "/a/b"),
        ("ngx.var.request_uri", "/a/b?x=1&y=two%20words&flag"),
        ("ngx.var.http_apikey", "key-1"),
        ("ngx.var.arg_x", "1"),
        ("ngx.var.args", "x=1&y=two%20words&flag"),
        ("ngx.var.host", "api.test"),
        ("ngx.var.nothing_like_this", "nil"),
        ("ngx.var.server_port", "8000"),
        ("ngx.var.request", "POST /a/b?x=1&y=two%20words&flag HTTP/1.1"),
        ("ngx.var.proxy_add_x_forwarded_for", "192.0.2.7"),
        ("tonumber(ngx.var.request_time) ~= nil", "true"),
        ("ngx.var.is_args", "?"),
        ("kong.ip.is_trusted('192.0.2.7')", "false"),
        ("#kong.node.get_id()", "36"),
        ("kong.configuration.database", "off"),
        ("kong.table.merge({a = 1}, {b = 2}).b", "2"),
        ("kong.client.load_consumer('unknown')", "nil"),
        ("ngx.get_phase()", "access"),
        ("type(kong.client.get_forwarded_ip())", "string"),
        ("kong.client.get_consumer()", "nil"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn a_snippet_has_the_tools_of_openresty() {
    for (expression, expected) in [
        ("ngx.encode_base64('user:pass')", "dXNlcjpwYXNz"),
        ("ngx.decode_base64('dXNlcjpwYXNz')", "user:pass"),
        ("ngx.decode_base64('dXNlcjpwYXM')", "user:pas"),
        ("ngx.escape_uri('a b/c')", "a%20b%2Fc"),
        ("ngx.unescape_uri('a%20b+c')", "a b c"),
        ("ngx.encode_args({a = 1, b = 'x y', c = true, d = false})", "a=1&b=x%20y&c"),
        ("ngx.decode_args('a=1&a=2').a[2]", "2"),
        ("ngx.md5('hello')", "5d41402abc4b2a76b9719d911017c592"),
        ("#ngx.sha1_bin('hello')", "20"),
        ("ngx.re.match('id-42', '(\\\\w+)-(\\\\d+)')[2]", "42"),
        ("ngx.re.match('id-42', 'X', 'jo')", "nil"),
        ("ngx.re.find('hello world', 'WORLD', 'i')", "7"),
        ("ngx.re.gsub('a1b2', '(\\\\d)', '<$1>')", "a<1>b<2>"),
        ("ngx.re.sub('a1b2', '[0-9]', 'x')", "axb2"),
        ("ngx.re.match('id-42', '(?<kind>\\\\w+)-(?<n>\\\\d+)').kind", "id"),
        ("ngx.re.match('a1b2', '\\\\d', 'jo', {pos = 3})[0]", "2"),
        ("ngx.re.match('ab', 'b', 'a')", "nil"),
        (
            "select(2, ngx.re.match('ab', '('))",
            "invalid regular expression '(': Parsing error at position 1: Opening parenthesis without closing parenthesis",
        ),
        ("select(2, ngx.re.find('Bearer abc', 'Bearer (.+)', 'jo', nil, 1))", "10"),
        ("require('ngx.re').split('a, b,c', ', *')[2]", "b"),
        ("require('cjson').encode(require('cjson').empty_array)", "[]"),
        ("require('cjson').encode(setmetatable({}, require('cjson').array_mt))", "[]"),
        ("ngx.crc32_long('hello')", "907060870"),
        ("ngx.http_time(0)", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("ngx.cookie_time(1290079655)", "Thu, 18-Nov-10 11:27:35 GMT"),
        ("ngx.parse_http_time('Thu, 18 Nov 2010 11:27:35 GMT')", "1290079655"),
        ("require('cjson').encode({1, 2, {a = 'b'}})", "[1,2,{\"a\":\"b\"}]"),
        ("require('cjson.safe').decode('{\"a\":[1,null]}').a[1]", "1"),
        ("require('cjson.safe').decode('nonsense')", "nil"),
        ("require('cjson').decode('null') == ngx.null", "true"),
        ("bit.band(12, 10)", "8"),
        ("('a.b.c'):gsub('%.', '-')", "a-b-c"),
        ("('Bearer abc'):match('^Bearer%s+(%S+)$')", "abc"),
        ("('x=1, y=2'):find('y', 1, true)", "6"),
        ("select('#', ('abc'):find('(b)'))", "3"),
        ("('%d'):rep(3)", "%d%d%d"),
        ("string.format('%05.1f|%s', 3.14159, 'x')", "003.1|x"),
        ("('THE (quick) fox'):find('%((%a+)%)')", "5"),
        ("('[[x]]'):match('%b[]')", "[[x]]"),
        ("('THE (quick) fox'):gsub('%f[%a]%a+', string.lower)", "the (quick) fox"),
        ("('k = v'):gsub('(%w+) = (%w+)', '%2 = %1')", "v = k"),
        ("('$name is'):gsub('%$(%w+)', {name = 'Lua'})", "Lua is"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn a_snippet_answers_the_request() {
    for (snippet, expected) in [
        ("kong.response.exit(403, {message = 'no'})", "403 {\"message\":\"no\"}"),
        ("kong.response.exit(204)", "204 "),
        ("kong.response.exit(200, 'text', {['X-A'] = 'b'})", "200 text"),
        ("return kong.response.exit(418, 'tea')", "418 tea"),
        (
            "pcall(function() kong.response.exit(401, 'inside') end) kong.response.exit(200, 'after')",
            "401 inside",
        ),
        ("coroutine.wrap(function() kong.response.exit(401, 'inside') end)()", "401 inside"),
        ("ngx.status = 401 ngx.say('who') ngx.exit(401)", "401 who\n"),
        ("ngx.print('a', 1, true)", "200 a1true"),
        ("ngx.exit(ngx.OK)", "continues"),
        ("local x = 1", "continues"),
        ("return function() kong.response.exit(200, 'inner') end", "200 inner"),
    ] {
        assert_eq!(answer(REQUEST, snippet), expected, "{snippet}");
    }
    let error = answer(REQUEST, "kong.response.error(429, 'slow down')");
    assert!(error.starts_with("429 {\n  \"message\":\"slow down\""), "{error}");
    let redirect = answer(REQUEST, "ngx.redirect('https://a.test/', 301)");
    assert!(redirect.starts_with("301 "), "{redirect}");
}

#[test]
fn a_snippet_that_returns_a_function_is_loaded_once() {
    let plugin = function(
        "access",
        "local n = 0 return function() n = n + 1 kong.response.exit(200, tostring(n)) end",
    );
    let texts: Vec<String> = (0..3)
        .map(|_| {
            let response = test_support::access(&*plugin, &mut test_support::request(REQUEST));
            test_support::text(response.unwrap().into_body())
        })
        .collect();
    assert_eq!(texts, ["1", "2", "3"]);
}

fn after(snippet: &str) -> Exchange {
    let mut exchange = test_support::request(REQUEST);
    assert!(test_support::access(&*function("access", snippet), &mut exchange).is_none(), "{snippet}");
    exchange
}

#[test]
fn a_snippet_changes_the_request() {
    let sent = |snippet: &str, name: &str| {
        let fields: HeaderMap = after(snippet).edited_fields().into_owned();
        let values = fields.get_all(name);
        values.iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>().join(",")
    };
    assert_eq!(sent("kong.service.request.set_header('X-New', 'v')", "x-new"), "v");
    assert_eq!(sent("kong.service.request.set_header('X-New', {'a', 'b'})", "x-new"), "a,b");
    assert_eq!(sent("kong.service.request.add_header('X-Many', 3)", "x-many"), "1,2,3");
    assert_eq!(sent("kong.service.request.set_headers({['X-Many'] = true})", "x-many"), "true");
    assert_eq!(sent("kong.service.request.clear_header('Authorization')", "authorization"), "");
    assert_eq!(sent("ngx.req.set_header('X-Many', nil)", "x-many"), "");
    assert_eq!(after("kong.service.request.set_path('/new')").upstream.path(), Some("/new"));
    assert_eq!(after("kong.service.request.set_query({a = 'b c'})").upstream_query(), Some("a=b%20c"));
    assert_eq!(after("kong.service.request.set_method('PUT')").upstream_method(), "PUT");
    assert_eq!(after("ngx.var.upstream_uri = '/other?q=1'").upstream.path(), Some("/other"));
    let mut exchange = after("kong.service.request.set_raw_body('new body')");
    assert_eq!(test_support::text(std::mem::take(&mut exchange.body)), "new body");
    assert_eq!(exchange.upstream.content_length(), Some(8));
    let read_back =
        "kong.service.request.set_header('X-A', '1') kong.response.exit(200, kong.request.get_header('x-a'))";
    assert_eq!(answer(REQUEST, read_back), "200 1");
}

#[test]
fn a_snippet_authenticates_a_consumer() {
    let snippet = "local alice = kong.client.load_consumer('alice', true) \
                   assert(kong.client.load_consumer('alice') == nil) \
                   kong.client.authenticate({id = 'a1'}, {id = 'k1'}) \
                   kong.response.exit(200, alice.username .. kong.client.get_consumer().username .. \
                                           kong.client.get_credential().id)";
    let mut exchange = test_support::request(REQUEST);
    exchange.matched = Some(test_support::matched());
    let response = test_support::access(&*function("access", snippet), &mut exchange).unwrap();
    assert_eq!(test_support::text(response.into_body()), "alicealicek1");
    assert_eq!(exchange.identity.as_ref().map(|identity| identity.consumer.id.as_str()), Some("a1"));
    for wrong in ["kong.client.authenticate()", "kong.client.authenticate({id = 'stranger'})"] {
        let response = test_support::access(&*function("access", wrong), &mut exchange).unwrap();
        assert_eq!(response.status(), 500, "{wrong}");
    }
}

#[test]
fn a_snippet_chooses_timeouts_retries_and_verification() {
    let exchange = after(
        "kong.service.set_timeouts(1, 2, 3) kong.service.set_retries(4) kong.service.set_tls_verify(true)",
    );
    let chosen = exchange.chosen_destination.unwrap();
    let times = chosen
        .timeouts
        .map(|times| (times.connect.as_millis(), times.write.as_millis(), times.read.as_millis()));
    assert_eq!((times, chosen.retries, chosen.tls_verify), (Some((1, 2, 3)), Some(4), Some(true)));
    for wrong in [
        "kong.service.set_timeouts(0, 1, 1)",
        "kong.service.set_timeouts(1, 1)",
        "kong.service.set_retries(-1)",
        "kong.service.set_retries(1.5)",
    ] {
        let answer = answer(REQUEST, wrong);
        assert!(answer.starts_with("500 "), "{wrong}: {answer}");
    }
}

#[test]
fn an_empty_field_is_removed_as_supabase_does() {
    let snippet = "if kong.request.get_header('sb-api-key') == '' then kong.service.request.clear_header('sb-api-key') end";
    let mut exchange = test_support::request("GET /\nsb-api-key:");
    let text = serde_json::Value::from(snippet).to_string();
    let plugin = test_support::plugin(&POST_FUNCTION, &format!("{{access: [{text}]}}"));
    assert!(test_support::access(&*plugin, &mut exchange).is_none());
    assert!(!exchange.edited_fields().contains_key("sb-api-key"));
}

#[test]
fn the_body_of_a_request_is_read_only_where_a_snippet_asks_for_it() {
    let read = |snippet: &str, media_type: &'static str, body: &str| {
        let mut exchange = test_support::request(&format!("POST /\nContent-Type: {media_type}"));
        exchange.body = test_support::pieces(body);
        let response = test_support::access(&*function("access", snippet), &mut exchange).unwrap();
        assert_eq!(test_support::text(std::mem::take(&mut exchange.body)), body, "the upstream gets it, too");
        test_support::text(response.into_body())
    };
    let exit = |expression: &str| format!("kong.response.exit(200, tostring({expression}))");
    assert_eq!(read(&exit("kong.request.get_raw_body()"), "text/plain", "hello"), "hello");
    assert_eq!(read(&exit("kong.request.get_body().a.b"), "application/json", "{\"a\":{\"b\":7}}"), "7");
    assert_eq!(read(&exit("kong.request.get_body().a"), "application/x-www-form-urlencoded", "a=b+c"), "b c");
    assert_eq!(read(&exit("ngx.req.get_post_args().a"), "application/x-www-form-urlencoded", "a=1"), "1");
    let ngx = "ngx.req.read_body() kong.response.exit(200, ngx.req.get_body_data())";
    assert_eq!(read(ngx, "text/plain", "data"), "data");
}

fn filtered(plugin: &dyn Plugin, exchange: &mut Exchange, body: Body) -> HttpResponse {
    let mut response = HttpResponse::new(body);
    response.headers_mut().insert("content-length", HeaderValue::from_static("11"));
    response.headers_mut().insert("server", HeaderValue::from_static("upstream"));
    plugin.header_filter(exchange, &mut response);
    response
}

#[test]
fn a_snippet_changes_the_response() {
    let check = |phase: &str, snippet: &str, expected: &[&str]| {
        let mut exchange = test_support::request(REQUEST);
        let plugin = function(phase, snippet);
        assert!(test_support::access(&*plugin, &mut exchange).is_none());
        let response = filtered(&*plugin, &mut exchange, Body::full("hello world"));
        let mut lines = vec![response.status().as_u16().to_string()];
        lines.extend(test_support::headers(response.headers()));
        lines.retain(|line| !line.starts_with("content-length"));
        assert_eq!(lines, expected, "{snippet}");
    };
    check("header_filter", "kong.response.set_header('X-A', 'b')", &["200", "server: upstream", "x-a: b"]);
    check(
        "header_filter",
        "ngx.header['X-A'] = {'b', 'c'}",
        &["200", "server: upstream", "x-a: b", "x-a: c"],
    );
    check("header_filter", "ngx.header.server = nil", &["200"]);
    check("header_filter", "kong.response.clear_header('Server')", &["200"]);
    check("header_filter", "kong.response.set_status(503)", &["503", "server: upstream"]);
    check("header_filter", "ngx.status = 404", &["404", "server: upstream"]);
    check("access", "kong.response.set_header('X-Early', '1')", &["200", "server: upstream", "x-early: 1"]);
    check(
        "header_filter",
        "kong.response.set_header('X-Seen', kong.response.get_status() .. kong.response.get_header('server'))",
        &["200", "server: upstream", "x-seen: 200upstream"],
    );
}

#[test]
fn a_snippet_changes_the_body_of_the_response() {
    let check = |snippet: &str, expected: &str| {
        let mut exchange = test_support::request(REQUEST);
        let plugin = function("body_filter", snippet);
        let response = filtered(&*plugin, &mut exchange, test_support::pieces("hello world"));
        assert!(!response.headers().contains_key("content-length"));
        assert_eq!(test_support::text(response.into_body()), expected, "{snippet}");
    };
    check("ngx.arg[1] = ngx.arg[1]:upper()", "HELLO WORLD");
    check("if ngx.arg[2] then ngx.arg[1] = '!' end", "hello world!");
    check(
        "ngx.ctx.all = (ngx.ctx.all or '') .. ngx.arg[1] ngx.arg[1] = nil \
         if ngx.arg[2] then ngx.arg[1] = #ngx.ctx.all .. ' bytes' end",
        "11 bytes",
    );
    check(
        "local body = kong.response.get_raw_body() if body then kong.response.set_raw_body(body:reverse()) end",
        "dlrow olleh",
    );
}

/// A body of these frames, the last one first.
struct Frames(Vec<Frame<Bytes>>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(self.0.pop().map(Ok))
    }
}

#[test]
fn trailers_follow_a_body_that_a_snippet_changes() {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let source = Frames(vec![Frame::trailers(trailers), Frame::data(Bytes::from_static(b"data"))]);
    let plugin = function("body_filter", "if ngx.arg[2] then ngx.arg[1] = '!' end");
    let mut body = filtered(&*plugin, &mut test_support::request(REQUEST), Body::boxed(source)).into_body();
    let mut context = Context::from_waker(Waker::noop());
    let mut seen = Vec::new();
    while let Poll::Ready(Some(frame)) = Pin::new(&mut body).poll_frame(&mut context) {
        seen.push(match frame.unwrap().into_data() {
            Ok(data) => String::from_utf8(data.to_vec()).unwrap(),
            Err(frame) => format!("{:?}", frame.into_trailers().unwrap()),
        });
    }
    assert_eq!(seen, ["data", "!", "{\"grpc-status\": \"0\"}"]);
}

#[test]
fn the_phases_of_a_request_share_a_context() {
    let text = "{access: ['kong.ctx.shared.a = 1 kong.ctx.plugin.b = {c = 2}'], \
                header_filter: ['kong.response.set_header(\"X-Ctx\", kong.ctx.shared.a + kong.ctx.plugin.b.c)']}";
    let plugin = test_support::plugin(&PRE_FUNCTION, text);
    let mut exchange = test_support::request(REQUEST);
    assert!(test_support::access(&*plugin, &mut exchange).is_none());
    let response = filtered(&*plugin, &mut exchange, Body::Empty);
    assert_eq!(response.headers()["x-ctx"], "3");
    let mut other = test_support::request(REQUEST);
    let plugin = function("access", "kong.response.exit(200, tostring(kong.ctx.shared.a))");
    let response = test_support::access(&*plugin, &mut other).unwrap();
    assert_eq!(test_support::text(response.into_body()), "nil", "another request has its own");
}

#[test]
fn the_sandbox_has_no_way_out() {
    for snippet in [
        "os.execute('true')",
        "os.exit(1)",
        "io.open('/etc/passwd')",
        "require('os')",
        "require('resty.http')",
        "debug.getinfo(1)",
        "loadstring('return 1')()",
        "load('return 1')()",
        "dofile('/etc/passwd')",
        "getfenv(1)",
        "collectgarbage('stop')",
        "package.loadlib('x', 'y')",
        "kong.db.consumers:select()",
        "kong.service.set_target('127.0.0.1', -1)",
        "kong.service.request.set_scheme('ftp')",
        "kong.cluster.get_id()",
        "ngx.sleep(10)",
        "ngx.location.capture('/')",
        "ngx.timer.at(0, print)",
        "local s = getmetatable('').__index s.upper = nil",
        "error('own')",
        "nothing.here = 1",
    ] {
        let answer = answer(REQUEST, snippet);
        assert!(
            answer.starts_with("500 {\n  \"message\":\"An unexpected error occurred\""),
            "{snippet}: {answer}"
        );
    }
    assert_eq!(value("pcall(function() return _G.os.execute end)"), "false");
}

#[test]
fn a_call_has_a_budget_of_instructions_memory_and_steps_of_patterns() {
    for snippet in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local co = coroutine.wrap(function() while true do end end) co()",
        "local function f() return f() end f()",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local s = 'x' while true do s = s .. s end",
        "string.rep('x', 1e9)",
        "local s = string.rep('a', 30000) s:find('.-.-.-.-.-b')",
        "pcall(function() string.rep('a', 30000):match('(a*)*(a*)*.-.-b') end) while true do end",
        "local function f() f() end f()",
        "table.concat({string.rep('x', 2e7), string.rep('y', 2e7), string.rep('z', 3e7)})",
    ] {
        let answer = answer(REQUEST, snippet);
        assert!(answer.starts_with("500 "), "{snippet}: {answer}");
    }
    assert_eq!(answer(REQUEST, "kong.response.exit(200, 'still works')"), "200 still works");
}

#[test]
fn a_snippet_cannot_change_what_others_see() {
    let plugin = function("access", "string.upper = nil; tostring = nil; leaked = 1");
    assert!(test_support::access(&*plugin, &mut test_support::request(REQUEST)).is_none());
    assert_eq!(value("leaked"), "nil");
    assert_eq!(value("('a'):upper()"), "A");
}

#[test]
fn mistakes_are_found_at_load() {
    let diagnostics = |config: &str| test_support::diagnostics(&PRE_FUNCTION, config);
    assert_eq!(
        diagnostics("{access: ['local x = 1', \"local a = 1\\nif a then\"]}"),
        ["config.access[1] » : invalid Lua in line 2: 'end' expected near '<eof>'"],
    );
    assert_eq!(
        diagnostics("{}"),
        ["config: at least one of these fields must be non-empty: 'config.certificate', 'config.rewrite', \
          'config.access', 'config.header_filter', 'config.body_filter', 'config.log'"],
    );
    let setup = test_support::config(
        &PRE_FUNCTION,
        "{access: [\"-- os.execute\\nlocal x = 'io.open'\\nos.execute('x') kong.request.get_path() kong.cache.get()\"]}",
    );
    assert!((PRE_FUNCTION.compile)(&setup.setup()).is_ok());
    let warnings = test_support::draw(&setup.warnings.borrow());
    let texts: Vec<&str> = warnings.iter().filter_map(|warning| warning.split('\'').nth(1)).collect();
    assert_eq!(texts, ["os.execute", "kong.cache.get"]);
}
