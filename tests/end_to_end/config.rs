//! The declarative configuration: its formats, its YAML, its references; seen through the Admin API.

use serde_json::{Value, json};

use crate::gateway::{Gateway, Setup};

/// A field of the only entity with this name.
#[track_caller]
fn field(gateway: &Gateway, path: &str, name: &str) -> Value {
    gateway.admin("GET", path).json()[name].clone()
}

#[test]
fn every_format_is_read() {
    for (version, path, matches) in [
        ("\"1.1\"", "/re/\\d+$", "/re/1"),
        ("\"2.1\"", "/re/\\d+$", "/re/1"),
        ("\"3.0\"", "~/re/\\d+$", "/re/1"),
    ] {
        let config = format!("_format_version: {version}\nroutes:\n- {{name: r, paths: ['{path}']}}\n");
        let gateway = Setup::with(&config).run();
        assert_eq!([matches, "/re/x"].map(|path| gateway.get(path).status), [503, 404], "{version}");
        assert_eq!(field(&gateway, "/routes/r", "paths"), json!(["~/re/\\d+$"]), "{version}");
    }
}

#[test]
fn json_is_read() {
    let config = r#"{"_format_version": "3.0", "services": [{"name": "a", "url": "http://a.example",
        "routes": [{"name": "r", "paths": ["/r"]}]}]}"#;
    let gateway = Setup::new().file("kong.json", config).env("KONG_DECLARATIVE_CONFIG", "kong.json").run();
    assert_eq!(field(&gateway, "/routes/r", "service")["id"], field(&gateway, "/services/a", "id"));
}

#[test]
fn scalars_are_those_of_yaml_1_1() {
    let config = "\
_format_version: \"3.0\"
services:
- name: a
  host: a.example
  port: 0x50
  enabled: yes
  retries: 0
routes:
- name: r
  paths: [/r]
  strip_path: no
  preserve_host: on
  request_buffering: Off
  response_buffering: FALSE
  headers:
    x-on: ['on']
    on: [plain]
";
    let gateway = Setup::with(config).run();
    assert_eq!(field(&gateway, "/services/a", "port"), 80);
    assert_eq!(field(&gateway, "/services/a", "enabled"), true);
    let route = gateway.admin("GET", "/routes/r").json();
    let switches = ["strip_path", "preserve_host", "request_buffering", "response_buffering"];
    assert_eq!(
        switches.map(|name| route[name].clone()),
        [json!(false), json!(true), json!(false), json!(false)]
    );
    assert_eq!(route["headers"], json!({ "x-on": ["on"], "on": ["plain"] }));
}

#[test]
fn the_last_of_duplicate_keys_counts() {
    let config = "_format_version: \"3.0\"\nservices:\n- name: a\n  host: one.example\n  host: two.example\n";
    let gateway = Setup::with(config).run();
    assert_eq!(field(&gateway, "/services/a", "host"), "two.example");
    gateway.wait_for_log("warning: this key stands twice in one mapping; the last one counts");
    gateway.wait_for_log("kong.yaml:5:3");
}

#[test]
fn references_are_by_name_or_id_or_place() {
    let id = "5d8f10b2-7b44-4f87-8a8c-0a3f6ad9a1c1";
    let config = format!(
        "\
_format_version: \"3.0\"
services:
- name: nested
  url: http://a.example
  routes:
  - name: inside
    paths: [/inside]
    plugins: [{{name: cors, instance_name: c1}}]
  plugins: [{{name: cors, instance_name: c2}}]
- {{name: named, id: {id}, url: http://b.example}}
routes:
- {{name: by-name, paths: [/by-name], service: named}}
- {{name: by-id, paths: [/by-id], service: {id}}}
plugins:
- {{name: cors, instance_name: c3, route: by-name}}
- {{name: cors, instance_name: c4, service: named}}
- {{name: cors, instance_name: c5}}
"
    );
    let gateway = Setup::with(&config).run();
    let nested = field(&gateway, "/services/nested", "id");
    assert_eq!(field(&gateway, "/routes/inside", "service")["id"], nested);
    assert_eq!(field(&gateway, "/routes/by-name", "service")["id"], id);
    assert_eq!(field(&gateway, "/routes/by-id", "service")["id"], id);
    assert_eq!(field(&gateway, "/plugins/c1", "route")["id"], field(&gateway, "/routes/inside", "id"));
    assert_eq!(field(&gateway, "/plugins/c2", "service")["id"], nested);
    assert_eq!(field(&gateway, "/plugins/c3", "route")["id"], field(&gateway, "/routes/by-name", "id"));
    assert_eq!(field(&gateway, "/plugins/c4", "service")["id"], id);
    assert_eq!(field(&gateway, "/plugins/c5", "route"), Value::Null);
}

#[test]
fn anchors_merge_keys_blocks_and_comments_are_read() {
    let config = "\
_format_version: \"3.0\"   # quoted, or 3.0 is a number
_info: {select_tags: [x]}
x-defaults: &defaults
  connect_timeout: 1000
  retries: 1
";
    let refused = Setup::with(config).call(&["check", "kong.yaml"]);
    refused.is_refusal("unknown field");
    let config = "\
# a comment
_format_version: \"3.0\"   # another
services:
- &one
  name: a
  host: a.example
  connect_timeout: 1000
  tags: &tags [x, y]
- <<: *one
  name: b
  host: >-
    b.example
  tags: *tags
";
    let gateway = Setup::with(config).run();
    assert_eq!(field(&gateway, "/services/b", "connect_timeout"), 1000);
    assert_eq!(field(&gateway, "/services/b", "host"), "b.example");
    assert_eq!(field(&gateway, "/services/b", "tags"), json!(["x", "y"]));
}

#[test]
fn ids_are_the_same_every_time() {
    let config = "\
_format_version: \"3.0\"
services:
- name: a
  host: a.example
  routes: [{paths: [/one]}, {paths: [/two]}, {name: r, paths: [/three]}]
plugins: [{name: cors}]
";
    let ids = || {
        let gateway = Setup::with(config).run();
        ["/services", "/routes", "/plugins"].map(|path| {
            let list = gateway.admin("GET", path).json();
            list["data"].as_array().unwrap().iter().map(|entity| entity["id"].clone()).collect::<Vec<_>>()
        })
    };
    let first = ids();
    assert_eq!(first, ids());
    assert_eq!(first[0], ["72734e2a-702d-5711-b9ef-697178108ad8"]);
    assert!(first[1].contains(&json!("da7ba03a-f1be-52d4-8a7e-c8f32640689a")), "{first:?}");
    assert_eq!(first[2], ["48ee727e-8b90-5faa-bda1-a3c6bc3c9daa"]);
}

#[test]
fn disabled_entities_have_no_effect() {
    let config = "\
_format_version: \"3.0\"
services:
- {name: a, url: http://a.example, enabled: false, routes: [{name: r, paths: [/r]}]}
routes:
- {name: s, paths: [/s]}
plugins:
- {name: cors, enabled: false}
";
    let gateway = Setup::with(config).run();
    assert_eq!(gateway.get("/r").status, 404);
    let answer = gateway.get("/s");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (503, ""));
    assert_eq!(field(&gateway, "/plugins/48ee727e-8b90-5faa-bda1-a3c6bc3c9daa", "enabled"), false);
}

#[test]
fn the_narrowest_plugin_of_a_name_counts() {
    let cors = |origin: &str| format!("{{name: cors, config: {{origins: ['https://{origin}.example']}}}}");
    let config = format!(
        "\
_format_version: \"3.0\"
services:
- name: a
  url: http://127.0.0.1:1
  retries: 0
  plugins: [{}]
  routes:
  - {{name: r, paths: [/r], plugins: [{}]}}
  - {{name: s, paths: [/s]}}
routes:
- {{name: t, paths: [/t]}}
plugins: [{}]
",
        cors("service"),
        cors("route"),
        cors("global")
    );
    let gateway = Setup::with(&config).run();
    for (path, origin) in [("/r", "route"), ("/s", "service"), ("/t", "global"), ("/nowhere", "global")] {
        let answer = gateway.get(path);
        assert_eq!(
            answer.header("access-control-allow-origin"),
            format!("https://{origin}.example"),
            "{path}"
        );
    }
}

#[test]
fn a_version_alone_is_valid() {
    for config in
        ["_format_version: \"3.0\"\n", "{\"_format_version\": \"1.1\"}", "# nothing\n_format_version: '2.1'"]
    {
        let gateway = Setup::with(config).run();
        assert!(
            gateway.greeting.ends_with("; 0 services, 0 routes, 0 plugins from kong.yaml"),
            "{}",
            gateway.greeting
        );
        assert_eq!(gateway.get("/").status, 404);
    }
}
