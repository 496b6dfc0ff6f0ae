//! Lua of `pre-function`, `post-function` and of plugins that log: phases, failures, reloads, the sandbox.

use serde_json::{Value, json};

use crate::{
    client::Answer,
    eventually,
    gateway::{Gateway, Setup},
    upstream::Upstream,
};

/// A configuration with one Service; `plugins` stands at the top level.
fn config(upstream: &Upstream, plugins: &str) -> String {
    format!(
        "\
_format_version: \"3.0\"
services:
- name: shop
  url: http://{}/base
  retries: 0
  routes:
  - {{name: orders, paths: [/orders]}}
  - {{name: beta, paths: [/orders], headers: {{x-version: [beta]}}, plugins: [{{name: request-termination, config: {{status_code: 418}}}}]}}
- name: gone
  url: http://127.0.0.1:1
  retries: 0
  routes:
  - {{name: gone, paths: [/gone]}}
plugins:
{plugins}",
        upstream.address
    )
}

/// The snippet of one phase as an entry of `plugins`.
fn function(phase: &str, snippet: &str) -> String {
    format!("- {{name: pre-function, config: {{{phase}: [{}]}}}}\n", Value::from(snippet))
}

#[track_caller]
fn start(upstream: &Upstream, plugins: &str) -> Gateway {
    Setup::with(&config(upstream, plugins)).run()
}

#[track_caller]
fn ask(phase: &str, snippet: &str, path: &str) -> Answer {
    let upstream = Upstream::start();
    start(&upstream, &function(phase, snippet)).get(path)
}

#[test]
fn all_phases_of_a_request_run() {
    let upstream = Upstream::start();
    let plugins = "\
- name: pre-function
  config:
    access:
    - |
      kong.ctx.shared.seen = kong.request.get_header('x-client') or 'none'
      kong.service.request.set_header('X-Sent', 'by-lua')
      kong.log.set_serialize_value('seen.by', 'access')
    header_filter:
    - kong.response.set_header('X-Seen', kong.ctx.shared.seen)
    body_filter:
    - if ngx.arg[1] then ngx.arg[1] = ngx.arg[1]:gsub('by%-lua', 'BY-LUA') end
    log:
    - kong.log.warn('finished ', kong.response.get_status(), ' for ', kong.ctx.shared.seen)
    - kong.log.set_serialize_value('seen.status', kong.response.get_status())
- {name: file-log, config: {path: requests.log}}
";
    let gateway = start(&upstream, plugins);
    let answer = gateway.ask("GET", "/orders/1", &[("x-client", "c1")]);
    assert_eq!((answer.status, answer.header("x-seen")), (200, "c1"));
    assert_eq!(answer.json()["headers"]["x-sent"], "BY-LUA", "{answer:?}");
    gateway.wait_for_log("[pre-function] finished 200 for c1");
    let entry = eventually("the entry is written", || {
        let text = std::fs::read_to_string(gateway.folder.at("requests.log")).ok()?;
        serde_json::from_str::<Value>(text.strip_suffix('\n')?).ok()
    });
    assert_eq!(entry["seen"], json!({"by": "access", "status": 200}));
    assert_eq!(entry["request"]["headers"]["x-sent"], "by-lua");
}

#[test]
fn a_snippet_answers_in_place_of_the_service() {
    let upstream = Upstream::start();
    let snippet = "kong.response.exit(403, {message = 'closed'}, {['X-Why'] = 'night'})";
    let answer = start(&upstream, &function("access", snippet)).get("/orders");
    assert_eq!((answer.status, answer.header("x-why")), (403, "night"));
    assert_eq!(answer.json(), json!({"message": "closed"}));
    assert_eq!(upstream.seen().requests, 0);
}

#[test]
fn a_failure_is_answered_with_500_and_logged() {
    for (snippet, said) in [
        ("local a = {}\nlocal b = a.b.c", "access[0]:2: attempt to index field 'b' (a nil value)"),
        (
            "kong.log.debug('x')\n\nos.execute('true')",
            "access[0]:3: 'os.execute' is not available in this gateway",
        ),
        ("error({code = 1})", ": table: "),
        ("error('own', 0)", ": own"),
        ("\nkong.service.set_target('a', -1)", "access[0]:2: port must be an integer"),
        ("while true do end", "access[0]: the budget of instructions is used up"),
    ] {
        let upstream = Upstream::start();
        let gateway = start(&upstream, &function("access", snippet));
        let answer = gateway.get("/orders");
        assert_eq!(answer.status, 500, "{snippet}: {answer:?}");
        assert!(answer.text().contains("An unexpected error occurred"), "{answer:?}");
        gateway.wait_for_log("pre-function at plugins[0].config: ");
        gateway.wait_for_log(said);
        assert_eq!(upstream.seen().requests, 0, "{snippet}");
    }
}

#[test]
fn failures_after_the_response_head_are_only_logged() {
    for phase in ["header_filter", "log"] {
        let upstream = Upstream::start();
        let gateway = start(&upstream, &function(phase, "local x = nil; x()"));
        assert_eq!(gateway.get("/orders").status, 200, "{phase}");
        gateway.wait_for_log(&format!("{phase}[0]:1: attempt to call"));
    }
}

#[test]
fn a_reload_replaces_a_snippet() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, &function("access", "kong.response.exit(200, 'one')"));
    assert_eq!(gateway.get("/orders").text(), "one");
    gateway
        .folder
        .write("kong.yaml", config(&upstream, &function("access", "kong.response.exit(200, 'two')")));
    eventually("the new snippet runs", || (gateway.get("/orders").text() == "two").then_some(()));
    // An invalid snippet changes nothing.
    gateway.folder.write("kong.yaml", config(&upstream, &function("access", "kong.response.exit(200")));
    gateway.wait_for_log("invalid Lua in line 1: ')' expected near");
    assert_eq!(gateway.get("/orders").text(), "two");
}

#[test]
fn a_snippet_reads_the_source_of_the_response() {
    let upstream = Upstream::start();
    let snippet = "kong.response.set_header('X-Source', kong.response.get_source() .. ' ' .. \
                   tostring(kong.service.response.get_status()) .. ' ' .. \
                   tostring(kong.service.response.get_header('x-upstream')))";
    let gateway = start(&upstream, &function("header_filter", snippet));
    for (path, fields, expected) in [
        ("/orders", &[][..], "service 200 here"),
        ("/orders", &[("x-version", "beta")], "exit nil nil"),
        ("/nowhere", &[], "exit nil nil"),
        ("/gone", &[], "error nil nil"),
    ] {
        assert_eq!(gateway.ask("GET", path, fields).header("x-source"), expected, "{path}");
    }
}

#[test]
fn the_phase_rewrite_comes_before_the_router() {
    let snippet = "if kong.request.get_query_arg('v') == '2' then ngx.req.set_header('X-Version', 'beta') end \
                   if kong.request.get_path() == '/closed' then kong.response.exit(410, 'closed') end";
    let upstream = Upstream::start();
    let gateway = start(&upstream, &function("rewrite", snippet));
    assert_eq!(gateway.get("/orders").status, 200);
    assert_eq!(gateway.get("/orders?v=2").status, 418, "another Route");
    assert_eq!(gateway.get("/closed").status, 410, "no Route is needed");
    assert_eq!(gateway.get("/other").status, 404);
    let bound = "- {name: pre-function, route: orders, config: {rewrite: ['kong.response.exit(410)']}}\n";
    let gateway = start(&upstream, bound);
    gateway.wait_for_log("this is not run: the phase rewrite comes before the router");
    assert_eq!(gateway.get("/orders").status, 200);
}

#[test]
fn a_snippet_chooses_the_destination() {
    let (upstream, other) = (Upstream::start(), Upstream::start());
    let port = other.address.port();
    let snippet = format!(
        "local to = kong.request.get_query_arg('to') \
         if to == 'host' then kong.service.set_target('127.0.0.1', {port}) end \
         if to == 'upstream' then kong.service.set_upstream('pool') end \
         if to == 'nowhere' then kong.service.set_upstream('nowhere') end"
    );
    let text = config(&upstream, &function("access", &snippet));
    let text = format!("{text}upstreams:\n- {{name: pool, targets: [{{target: '127.0.0.1:{port}'}}]}}\n");
    let gateway = Setup::with(&text).run();
    for (path, first, second) in
        [("/orders", 1, 0), ("/orders?to=host", 1, 1), ("/orders?to=upstream", 1, 2), ("/orders", 2, 2)]
    {
        let answer = gateway.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert!(answer.json()["target"].as_str().unwrap().starts_with("/base"), "{answer:?}");
        assert_eq!((upstream.seen().requests, other.seen().requests), (first, second), "{path}");
    }
    assert_eq!(gateway.get("/orders?to=host").json()["headers"]["host"], format!("127.0.0.1:{port}"));
    assert_eq!(gateway.get("/orders?to=nowhere").status, 503);
    gateway.wait_for_log("a plugin chose the Upstream 'nowhere', which does not exist");
}

#[test]
fn a_snippet_replaces_a_response_of_the_service() {
    let upstream = Upstream::start();
    let snippet = "if kong.request.get_query_arg('closed') then \
                   return kong.response.exit(503, {message = 'closed'}, {['Retry-After'] = '60'}) end \
                   kong.response.set_header('X-After', 'open')";
    let gateway = start(&upstream, &function("header_filter", snippet));
    let open = gateway.get("/orders");
    assert_eq!((open.status, open.header("x-after")), (200, "open"));
    let closed = gateway.get("/orders?closed");
    assert_eq!((closed.status, closed.header("retry-after")), (503, "60"));
    assert_eq!(closed.json(), json!({"message": "closed"}));
    assert_eq!(closed.header("content-length"), closed.body.len().to_string());
    assert_eq!(closed.header("x-upstream"), "here", "other fields stay");
    let empty = start(&upstream, &function("header_filter", "kong.response.exit(418)")).get("/orders");
    assert_eq!((empty.status, empty.body.len(), empty.header("content-length")), (418, 0, "0"));
}

#[test]
fn a_snippet_sets_timeouts_and_retries() {
    let upstream = Upstream::start();
    let snippet = "kong.service.set_retries(0) kong.service.set_timeouts(1000, 1000, 50)";
    let gateway = start(&upstream, &function("access", snippet));
    let answer = gateway.get("/orders/hold");
    assert_eq!(answer.status, 504, "{answer:?}");
    upstream.release();
    assert_eq!(ask("access", "kong.service.set_timeouts(0, 1, 1)", "/orders").status, 500);
    assert_eq!(ask("access", "kong.service.set_retries(32768)", "/orders").status, 500);
}

#[test]
fn lua_computes_values_of_log_entries() {
    let upstream = Upstream::start();
    let plugins = "\
- name: file-log
  config:
    path: requests.log
    custom_fields_by_lua:
      tenant: return kong.request.get_header('x-tenant')
      route: return nil
      response.slow: return kong.response.get_status() >= 500
      broken: return nothing.here
";
    let gateway = start(&upstream, plugins);
    assert_eq!(gateway.ask("GET", "/orders", &[("x-tenant", "t1")]).status, 200);
    let entry = eventually("the entry is written", || {
        let text = std::fs::read_to_string(gateway.folder.at("requests.log")).ok()?;
        serde_json::from_str::<Value>(text.strip_suffix('\n')?).ok()
    });
    assert_eq!((&entry["tenant"], &entry["response"]["slow"]), (&json!("t1"), &json!(false)));
    assert!(entry.get("route").is_none() && entry.get("broken").is_none(), "{entry:#}");
    gateway.wait_for_log(
        "file-log at plugins[0].config: custom_fields_by_lua.broken:1: attempt to index global 'nothing'",
    );
}

#[test]
fn lua_can_be_turned_off() {
    let upstream = Upstream::start();
    let text = config(&upstream, &function("access", "local x = 1"));
    let off = Setup::with(&text).env("KONG_UNTRUSTED_LUA", "off");
    off.call(&["check", "kong.yaml"]).is_refusal("Lua is turned off: untrusted_lua is `off`");
    off.call(&["run"]).is_refusal("Lua is turned off: untrusted_lua is `off`");
    let fields = "- {name: file-log, config: {path: a, custom_fields_by_lua: {a: return 1}}}\n";
    let off = Setup::with(&config(&upstream, fields)).env("KONG_UNTRUSTED_LUA", "off");
    off.call(&["check", "kong.yaml"]).is_refusal("Lua is turned off");
    let on = Setup::with(&text).env("KONG_UNTRUSTED_LUA", "on").run();
    on.wait_for_log("untrusted_lua is on, but Lua runs in the sandbox all the same");
}

#[test]
fn unknown_names_in_a_snippet_are_warnings_at_load() {
    let upstream = Upstream::start();
    let snippet = "if false then os.execute('true') end";
    let checked = Setup::with(&config(&upstream, &function("access", snippet))).call(&["check", "kong.yaml"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.stderr.contains("'os.execute' is not available here"), "{checked:?}");
    assert_eq!(ask("access", snippet, "/orders").status, 200);
}
