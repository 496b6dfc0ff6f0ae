//! Writes of the Admin API: answers are Kong's, `kong.yaml` contains the change, and requests use it at once.

use serde_json::{Value, json};

use crate::gateway::{Gateway, Setup};

const CONFIG: &str = "\
# The gateway of the shop.
_format_version: \"3.0\"

services:
# answers from the stock
- name: stock  # do not rename
  url: http://127.0.0.1:9/anything
  routes:
  - name: history
    paths: [ /stock/historical ]  # as in the tutorial

consumers:
- username: bob
";

const SPEC: &str = r#"{"openapi":"3.0.0","info":{"title":"t","version":"1"},"paths":{"/stock/historical":{"get":
{"responses":{"200":{"description":"ok","content":{"application/json":{"example":{"price":91.92}}}}}}}}}"#;

fn setup() -> Setup {
    Setup::with(CONFIG).file("specs/stock-0.1.json", SPEC)
}

fn saved(gateway: &Gateway) -> String {
    gateway.folder.read("kong.yaml")
}

#[test]
fn the_tutorial_works_as_printed() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").file("specs/stock-0.1.json", SPEC).run();
    let service =
        gateway.admin_form("POST", "/services", "name=Stock-Service&url=http://127.0.0.1:9/anything");
    assert_eq!((service.status, service.json()["path"].as_str()), (201, Some("/anything")));
    let route = gateway.admin_form(
        "POST",
        "/services/Stock-Service/routes",
        "name=getStockQuote&paths=/stock/historical",
    );
    assert_eq!(route.status, 201, "{}", route.text());
    assert_eq!(route.json()["service"]["id"], service.json()["id"]);
    let form = "name=mocking&config.api_specification_filename=stock-0.1.json&config.random_delay=true\
                &config.max_delay_time=0.002&config.min_delay_time=0.001";
    let plugin = gateway.admin_form("POST", "/routes/getStockQuote/plugins", form);
    assert_eq!(plugin.status, 201, "{}", plugin.text());
    assert_eq!(plugin.json()["config"]["random_delay"], true);
    gateway.get("/stock/historical").assert_response(200, "{\"price\":91.92}");
    let cors = gateway.admin_form("POST", "/routes/getStockQuote/plugins", "name=cors&config.origins=*");
    assert_eq!((cors.status, &cors.json()["config"]["origins"]), (201, &json!(["*"])));
    let again = gateway.admin_form("POST", "/routes/getStockQuote/plugins", "name=cors&config.origins=*");
    assert_eq!((again.status, again.json()["code"].as_i64()), (409, Some(5)));
    let id = plugin.json()["id"].as_str().unwrap().to_owned();
    let off = gateway.admin_form("PATCH", &format!("/plugins/{id}"), "name=mocking&enabled=false");
    assert_eq!((off.status, off.json()["enabled"].as_bool()), (200, Some(false)), "{}", off.text());
    assert_ne!(gateway.get("/stock/historical").status, 200);
    assert_eq!(
        saved(&gateway),
        "\
_format_version: \"3.0\"
services:
- name: Stock-Service
  url: http://127.0.0.1:9/anything
  routes:
  - name: getStockQuote
    paths:
    - /stock/historical
    plugins:
    - name: mocking
      enabled: false
      config:
        api_specification_filename: stock-0.1.json
        random_delay: true
        max_delay_time: 0.002
        min_delay_time: 0.001
    - name: cors
      config:
        origins:
        - '*'
"
    );
    assert_eq!(gateway.admin("DELETE", &format!("/plugins/{id}")).status, 204);
    assert!(!saved(&gateway).contains("mocking"));
}

#[test]
fn writes_persist_after_a_restart() {
    let gateway = setup().run();
    for (path, form) in [
        ("/services/stock/routes", "paths=/nameless"),
        ("/routes/history/plugins", "name=request-termination&config.status_code=418"),
        ("/services", "host=a.example"),
        ("/consumers/bob/key-auth", ""),
        ("/consumers/bob/acls", "group=admins"),
        ("/upstreams", "name=up"),
        ("/upstreams/up/targets", "target=127.0.0.1"),
    ] {
        let answer = gateway.admin_form("POST", path, form);
        assert_eq!(answer.status, 201, "{path}: {}", answer.text());
    }
    let lists = [
        "/services",
        "/routes",
        "/plugins",
        "/consumers",
        "/key-auths",
        "/acls",
        "/upstreams",
        "/upstreams/up/targets",
    ];
    let before: Vec<Value> =
        lists.iter().map(|path| without_times(gateway.admin("GET", path).json())).collect();
    let again = Setup::with(&saved(&gateway)).file("specs/stock-0.1.json", SPEC).run();
    let after: Vec<Value> = lists.iter().map(|path| without_times(again.admin("GET", path).json())).collect();
    assert_eq!(before, after);
}

fn without_times(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            members.retain(|key, _| !key.ends_with("_at"));
            members.values_mut().for_each(|member| *member = without_times(member.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_times(item.take())),
        _ => (),
    }
    value
}

#[test]
fn a_change_modifies_only_its_own_lines() {
    let gateway = setup().run();
    for (path, form, old, new) in [
        ("/services/stock", "retries=9", "anything\n", "anything\n  retries: 9\n"),
        ("/services/stock", "url=http://127.0.0.1:9/other", "9/anything", "9/other"),
        ("/services/stock", "host=b.example", "http://127.0.0.1:9/other", "http://b.example:9/other"),
        ("/services/stock", "retries=", "  retries: 9\n", ""),
        ("/routes/history", "tags[]=a&tags[]=b", "tutorial\n", "tutorial\n    tags:\n    - a\n    - b\n"),
        ("/routes/history", "paths[]=/x", "[ /stock/historical ]  #", "[/x]  #"),
        ("/routes/history", "tags=", "    tags:\n    - a\n    - b\n", ""),
        ("/consumers/bob", "custom_id=on", "bob\n", "bob\n  custom_id: 'on'\n"),
    ] {
        let before = saved(&gateway);
        let answer = gateway.admin_form("PATCH", path, form);
        assert_eq!(answer.status, 200, "{path} {form}: {}", answer.text());
        assert_eq!(saved(&gateway), before.replace(old, new), "{path} {form}");
    }
    let before = saved(&gateway);
    // Kong Manager sends the whole entity to disable it.
    let mut whole = gateway.admin("GET", "/services/stock").json();
    whole["enabled"] = false.into();
    let id = whole["id"].as_str().unwrap().to_owned();
    let answer = gateway.admin_json("PATCH", &format!("/services/{id}"), whole);
    assert_eq!((answer.status, answer.json()["enabled"].as_bool()), (200, Some(false)), "{}", answer.text());
    assert_eq!(saved(&gateway), before.replace("9/other\n", "9/other\n  enabled: false\n"));
}

#[test]
fn a_renamed_entity_keeps_everything_else() {
    let config = format!("{CONFIG}plugins:\n- name: cors\n  service: stock\n");
    let gateway = Setup::with(&config).run();
    let ids = |path: &str| gateway.admin("GET", path).json()["data"][0]["id"].clone();
    let before = (ids("/services"), ids("/routes"), ids("/plugins"));
    let answer = gateway.admin_form("PATCH", "/services/stock", "name=shop");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((ids("/services"), ids("/routes"), ids("/plugins")), before);
    let text = saved(&gateway);
    assert!(text.contains("- name: shop  # do not rename\n") && text.contains("  service: shop\n"), "{text}");
    assert_eq!(gateway.admin("GET", "/services/stock").status, 404);
    assert_eq!(gateway.admin("GET", "/services/shop/plugins").json()["data"].as_array().unwrap().len(), 1);
}

/// Checks an error object.
#[track_caller]
fn check_error(gateway: &Gateway, request: (&str, &str, Value), status: u16, expected: Value) {
    let (method, path, body) = request;
    let before = saved(gateway);
    let answer = gateway.admin_json(method, path, body);
    assert_eq!((answer.status, answer.json()), (status, expected), "{method} {path}");
    assert_eq!(saved(gateway), before);
}

#[test]
fn errors_are_those_of_kong() {
    let gateway = setup().run();
    check_error(
        &gateway,
        ("POST", "/services", json!({})),
        400,
        json!({"code": 2, "name": "schema violation", "message": "schema violation (host: required field missing)",
               "fields": {"host": "required field missing"}}),
    );
    check_error(
        &gateway,
        ("POST", "/services", json!({"host": "a", "retries": -1, "foo": 1, "port": "80"})),
        400,
        json!({"code": 2, "name": "schema violation",
               "message": "3 schema violations (foo: unknown field; port: expected an integer; retries: value should be between 0 and 32767)",
               "fields": {"retries": "value should be between 0 and 32767", "foo": "unknown field", "port": "expected an integer"}}),
    );
    check_error(
        &gateway,
        ("POST", "/services", json!({"host": "a", "name": "stock"})),
        409,
        json!({"code": 5, "name": "unique constraint violation",
               "message": "UNIQUE violation detected on '{name=\"stock\"}'", "fields": {"name": "stock"}}),
    );
    let id = "11111111-1111-4111-8111-111111111111";
    check_error(
        &gateway,
        ("POST", "/routes", json!({"paths": ["/a"], "service": {"id": id}})),
        400,
        json!({"code": 4, "name": "foreign key violation", "fields": {"service": {"id": id}},
               "message": format!("the foreign key '{{id=\"{id}\"}}' does not reference an existing 'services' entity.")}),
    );
    let unresolved =
        "the foreign key cannot be resolved with '{name=\"nope\"}' for an existing 'services' entity";
    check_error(
        &gateway,
        ("POST", "/routes", json!({"paths": ["/a"], "service": {"name": "nope"}})),
        400,
        json!({"code": 13, "name": "foreign keys unresolved", "fields": {"service": {"name": unresolved}},
               "message": format!("foreign key unresolved (service.name: {unresolved})")}),
    );
    check_error(
        &gateway,
        ("POST", "/routes", json!({"paths": ["/a"], "service": "stock"})),
        400,
        json!({"code": 2, "name": "schema violation", "fields": {"service": {"id": "missing primary key"}},
               "message": "schema violation (service.id: missing primary key)"}),
    );
}

#[test]
fn unknown_and_referenced_entities_are_not_removed() {
    let gateway = setup().run();
    check_error(
        &gateway,
        ("PATCH", "/routes/nope", json!({"paths": ["/z"]})),
        404,
        json!({"code": 6, "name": "not found", "fields": {"name": "nope"},
               "message": "could not find the entity with '{name=\"nope\"}'"}),
    );
    check_error(
        &gateway,
        ("DELETE", "/services/stock", json!({})),
        400,
        json!({"code": 4, "name": "foreign key violation", "fields": {"@referenced_by": "routes"},
               "message": "an existing 'routes' entity references this 'services' entity"}),
    );
    check_error(
        &gateway,
        (
            "POST",
            "/routes/history/plugins",
            json!({"name": "mocking", "config": {"api_specification_filename": "no.json"}}),
        ),
        400,
        gateway
            .admin_json(
                "POST",
                "/routes/history/plugins",
                json!({"name": "mocking", "config": {"api_specification_filename": "no.json"}}),
            )
            .json(),
    );
    gateway
        .admin_json("POST", "/services/nope/plugins", json!({"name": "cors"}))
        .assert_message(404, "Not found");
    gateway.admin_json("PATCH", "/plugins/nope", json!({"enabled": false})).assert_message(404, "Not found");
    gateway.admin_json("POST", "/services/stock", json!({})).assert_message(405, "Method not allowed");
    assert_eq!(gateway.admin("DELETE", "/routes/nope").status, 204);
    assert_eq!(gateway.admin("GET", "/services/a%20b").json()["code"], 10);
}

#[test]
fn put_creates_and_replaces() {
    let gateway = setup().run();
    let created = gateway.admin_json("PUT", "/routes/new", json!({"paths": ["/n"], "name": "other"}));
    assert_eq!((created.status, created.json()["name"].as_str()), (200, Some("new")), "{}", created.text());
    let replaced = gateway.admin_json("PUT", "/routes/new", json!({"methods": ["GET"]}));
    assert_eq!((replaced.status, &replaced.json()["paths"]), (200, &Value::Null), "{}", replaced.text());
    assert_eq!(replaced.json()["id"], created.json()["id"]);
    let id = "33333333-3333-4333-8333-333333333333";
    let by_id = gateway.admin_json("PUT", &format!("/routes/{id}"), json!({"name": "byid", "paths": ["/z"]}));
    assert_eq!((by_id.status, by_id.json()["id"].as_str()), (200, Some(id)), "{}", by_id.text());
    let nested = gateway.admin_form("PUT", "/services/stock/routes/nested", "paths=/nn");
    assert_eq!(nested.status, 200, "{}", nested.text());
    assert_eq!(gateway.admin("GET", "/services/stock/routes/nested").status, 200);
    assert_eq!(gateway.admin("GET", "/services/stock/routes/new").status, 404);
    gateway.admin("DELETE", "/services/stock/routes/new").assert_message(404, "Not found");
    let linked = gateway.admin_form("PUT", "/routes/new/service", "host=newsvc");
    assert_eq!((linked.status, linked.json()["host"].as_str()), (200, Some("newsvc")), "{}", linked.text());
    assert_eq!(gateway.admin("GET", "/routes/new/service").json()["id"], linked.json()["id"]);
    let patched = gateway.admin_form("PATCH", "/routes/new/service", "retries=9");
    assert_eq!((patched.status, patched.json()["retries"].as_i64()), (200, Some(9)), "{}", patched.text());
}

#[test]
fn lists_are_paginated_and_filtered_by_tags() {
    let gateway = setup().run();
    for n in 0..5 {
        let tag = if n < 3 { "low" } else { "high" };
        let answer =
            gateway.admin_form("POST", "/services", &format!("host=h&name=s{n}&tags[]=all&tags[]={tag}"));
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    let mut path = "/services?size=2&tags=all&size=2".to_owned();
    let mut names = Vec::new();
    loop {
        let page = gateway.admin("GET", &path).json();
        let all = page["data"].as_array().unwrap().clone();
        assert!(all.len() <= 2);
        names.extend(all.iter().map(|service| service["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = next.to_owned();
    }
    names.sort();
    assert_eq!(names, ["s0", "s1", "s2", "s3", "s4"]);
    let count = |path: &str| gateway.admin("GET", path).json()["data"].as_array().map(Vec::len);
    assert_eq!(count("/services?tags=all,low"), Some(3));
    assert_eq!(count("/services?tags=high/low"), Some(5));
    assert_eq!(count("/services?tags=none"), Some(0));
    assert_eq!(count("/tags/low"), Some(3));
    assert_eq!(count("/tags"), Some(10));
    for (query, code) in [
        ("tags=a,b/c", 11),
        ("tags=", 11),
        ("tags=a,b,c,d,e,f", 11),
        ("size=0", 9),
        ("size=x", 9),
        ("offset=%21", 7),
    ] {
        let answer = gateway.admin("GET", &format!("/services?{query}"));
        assert_eq!((answer.status, answer.json()["code"].as_i64()), (400, Some(code)), "{query}");
    }
}

/// The algorithm and the input of the hash agree after every write, as Kong's do: what a request gives decides.
#[test]
fn the_algorithm_of_an_upstream_follows_what_is_hashed() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    let check = |method: &str, given: &Value, expected: (&str, &str)| {
        let path = if method == "POST" { "/upstreams" } else { "/upstreams/u" };
        let answer = gateway.admin_json(method, path, given.clone());
        assert!(answer.status < 300, "{method} {given} {answer:?}");
        let record = gateway.admin("GET", "/upstreams/u").json();
        assert_eq!(
            (&record["algorithm"], &record["hash_on"]),
            (&json!(expected.0), &json!(expected.1)),
            "{given}"
        );
    };
    let hashing = json!({ "name": "u", "algorithm": "consistent-hashing" });
    check("POST", &hashing, ("consistent-hashing", "none"));
    check("PATCH", &json!({ "slots": 20 }), ("consistent-hashing", "none"));
    check("PUT", &json!({ "algorithm": "consistent-hashing", "hash_on": "none" }), ("round-robin", "none"));
    check("PATCH", &json!({ "hash_on": "ip" }), ("consistent-hashing", "ip"));
    check("PATCH", &json!({ "slots": 30 }), ("consistent-hashing", "ip"));
    check("PATCH", &json!({ "algorithm": "latency" }), ("latency", "none"));
    check("PATCH", &json!({ "hash_on": "path" }), ("consistent-hashing", "path"));
    check("PATCH", &json!({ "hash_on": "none" }), ("round-robin", "none"));
    check(
        "PUT",
        &json!({ "algorithm": "least-connections", "hash_on": "ip" }),
        ("least-connections", "none"),
    );
    check(
        "PUT",
        &json!({ "algorithm": "round-robin", "hash_on": "consumer" }),
        ("consistent-hashing", "consumer"),
    );
    check("PUT", &json!({ "algorithm": "round-robin", "hash_on": null }), ("round-robin", "none"));
    let answer =
        gateway.admin_json("PATCH", "/upstreams/u", json!({ "hash_on": "path", "hash_fallback": "path" }));
    let message = "expected one of: none, consumer, ip, header, cookie, query_arg, ip, uri_capture";
    assert_eq!(answer.json()["fields"]["hash_fallback"], message);
}
