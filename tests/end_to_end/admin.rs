//! The Admin API: node information, status, and lists of entities.

use serde_json::{Value, json};

use crate::{
    client::Client,
    gateway::{Gateway, Setup},
    raw::Raw,
    upstream::Upstream,
};

const CONFIG: &str = "\
_format_version: \"3.0\"
services:
- name: a
  url: http://a.example:81/p
  tags: [one]
  routes:
  - name: r
    paths: [/r]
    plugins:
    - {name: cors, instance_name: mine}
  - {name: s, paths: [/s]}
- {name: b, host: b.example}
plugins:
- {name: cors}
";

/// The ids that Kong gives these entities.
const ID_OF_A: &str = "72734e2a-702d-5711-b9ef-697178108ad8";
const ID_OF_R: &str = "da7ba03a-f1be-52d4-8a7e-c8f32640689a";
const ID_OF_GLOBAL_CORS: &str = "48ee727e-8b90-5faa-bda1-a3c6bc3c9daa";

/// The names in a list, in order.
#[track_caller]
fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|entity| entity["name"].as_str().unwrap()).collect()
}

#[test]
fn the_root_reports_the_node() {
    let gateway = Setup::with(CONFIG).run();
    let answer = gateway.admin("GET", "/");
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert!(answer.header("x-kong-admin-latency").parse::<u64>().is_ok(), "{answer:?}");
    let node = answer.json();
    assert_eq!((&node["version"], &node["edition"]), (&json!("3.9.3"), &json!("community")));
    assert_eq!(node["mynah"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(node["configuration"]["database"], "off");
    assert_eq!(node["configuration"]["declarative_config"], "kong.yaml");
    assert_eq!(node["plugins"]["enabled_in_cluster"], json!(["cors"]));
    assert_eq!(node["plugins"]["available_on_server"]["mocking"]["priority"], -1);
}

#[test]
fn the_status_reports_the_configuration() {
    let gateway = Setup::with(CONFIG).run();
    let status = gateway.status();
    assert_eq!(status["configuration_hash"].as_str().unwrap().len(), 32);
    let configuration = &status["configuration"];
    assert_eq!(configuration["source"], "kong.yaml");
    assert_eq!((&configuration["loads"], &configuration["failures"]), (&json!(1), &json!(0)));
    assert_eq!(configuration["last_error"], Value::Null);
    assert!(configuration["loaded_at"].as_u64().unwrap() > 1_700_000_000);
    gateway.admin("GET", "/status/ready").assert_message(200, "ready");
}

#[test]
fn an_empty_configuration_is_not_ready() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    gateway
        .admin("GET", "/status/ready")
        .assert_message(503, "no configuration available (empty configuration present)");
    assert_eq!(gateway.status()["configuration_hash"], "0".repeat(32));
}

#[test]
fn a_draining_gateway_is_not_ready() {
    let upstream = Upstream::start();
    let gateway = Setup::with(&CONFIG.replace("a.example:81", &upstream.address.to_string())).run();
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("GET /r/hold HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.wait_until("the request arrives", |seen| seen.requests == 1);
    gateway.admin("GET", "/status/ready").assert_message(200, "ready");
    gateway.signal("TERM");
    gateway.wait_for_log("SIGTERM");
    gateway.admin("GET", "/status/ready").assert_message(503, "draining");
    assert_eq!(gateway.status()["configuration"]["loads"], 1);
    upstream.release();
    assert!(raw.read_to_end().contains("/p/hold"));
    assert_eq!(gateway.outcome().code, Some(0));
}

#[test]
fn lists_contain_the_declared_entities() {
    let gateway = Setup::with(CONFIG).run();
    for (path, expected) in [
        ("/services", vec!["a", "b"]),
        ("/services/", vec!["a", "b"]),
        ("/services/a/routes", vec!["r", "s"]),
        ("/services/b/routes", vec![]),
        ("/services/a/plugins", vec![]),
        ("/routes/r/plugins", vec!["cors"]),
        ("/plugins", vec!["cors", "cors"]),
    ] {
        let list = gateway.admin("GET", path).json();
        let mut found = names(&list);
        found.sort_unstable();
        assert_eq!((found, &list["next"]), (expected, &Value::Null), "{path}");
    }
}

#[test]
fn entities_are_shown_with_all_their_fields() {
    let gateway = Setup::with(CONFIG).run();
    let by_name = gateway.admin("GET", "/services/a").json();
    assert_eq!(by_name, gateway.admin("GET", &format!("/services/{ID_OF_A}")).json());
    for (field, value) in [
        ("id", json!(ID_OF_A)),
        ("protocol", json!("http")),
        ("host", json!("a.example")),
        ("port", json!(81)),
        ("path", json!("/p")),
        ("retries", json!(5)),
        ("connect_timeout", json!(60000)),
        ("write_timeout", json!(60000)),
        ("read_timeout", json!(60000)),
        ("enabled", json!(true)),
        ("tags", json!(["one"])),
    ] {
        assert_eq!(by_name[field], value, "{field}");
    }
    let route = gateway.admin("GET", "/routes/r").json();
    for (field, value) in [
        ("id", json!(ID_OF_R)),
        ("service", json!({"id": ID_OF_A})),
        ("https_redirect_status_code", json!(426)),
        ("path_handling", json!("v0")),
        ("strip_path", json!(true)),
        ("preserve_host", json!(false)),
        ("protocols", json!(["http", "https"])),
        ("methods", Value::Null),
    ] {
        assert_eq!(route[field], value, "{field}");
    }
    assert_eq!(gateway.admin("GET", "/routes/r/service").json(), by_name);
    let plugin = gateway.admin("GET", &format!("/plugins/{ID_OF_GLOBAL_CORS}")).json();
    assert_eq!((&plugin["name"], &plugin["config"]["credentials"]), (&json!("cors"), &json!(false)));
    assert_eq!(gateway.admin("GET", "/plugins/mine").json()["route"]["id"], ID_OF_R);
}

#[test]
fn lists_are_paginated() {
    let many: Vec<String> = (0..250).map(|n| format!("- {{name: s{n}, host: a.example}}\n")).collect();
    let gateway = Setup::with(&format!("_format_version: \"3.0\"\nservices:\n{}", many.concat())).run();
    let mut path = "/services".to_owned();
    let mut found = Vec::new();
    let mut sizes = Vec::new();
    loop {
        let page = gateway.admin("GET", &path).json();
        sizes.push(names(&page).len());
        found.extend(names(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/services?offset={}", page["offset"].as_str().unwrap());
        assert!(next.contains(page["offset"].as_str().unwrap()), "{next}");
    }
    assert_eq!(sizes, [100, 100, 50]);
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 250);
    assert_eq!(names(&gateway.admin("GET", "/services?size=7").json()).len(), 7);
    for (query, message) in [
        ("size=0", "size must be an integer between 1 and 1000"),
        ("size=1001", "size must be an integer between 1 and 1000"),
        ("size=x", "size must be a number"),
    ] {
        gateway.admin("GET", &format!("/services?{query}")).assert_message(400, message);
    }
}

#[test]
fn unknown_paths_and_entities_are_not_found() {
    let gateway = Setup::with(CONFIG).run();
    for path in [
        "/nope",
        "/services/nope",
        "/services/a/nope",
        "/services/nope/routes",
        "/services//a",
        "/consumers/x/y",
    ] {
        gateway.admin("GET", path).assert_message(404, "Not found");
    }
}

/// Checks Kong's refusal of a write.
#[track_caller]
fn check_refused(gateway: &Gateway, method: &str, path: &str, message: &str) {
    let headers = [("content-type", "application/json")];
    let body = if path.contains("routes") { r#"{"paths":["/a"]}"# } else { r#"{"host":"a"}"# };
    let answer =
        Client::fresh().send(method, &gateway.admin_url(path), &headers, Some(body.as_bytes())).unwrap();
    let said = answer.json();
    assert_eq!((answer.status, said["message"].as_str()), (405, Some(message)), "{method} {path}: {said}");
    assert_eq!((said["code"].as_i64(), said["name"].as_str()), (Some(12), Some("operation unsupported")));
}

#[test]
fn disabled_writes_are_refused_as_by_kong_without_a_database() {
    let gateway = Setup::with(CONFIG).env("KONG_ADMIN_WRITES", "off").run();
    let without = "when not using a database";
    check_refused(&gateway, "POST", "/services", &format!("cannot create 'services' entities {without}"));
    check_refused(
        &gateway,
        "POST",
        "/services/a/routes",
        &format!("cannot create 'routes' entities {without}"),
    );
    check_refused(
        &gateway,
        "PATCH",
        "/services/a",
        &format!("cannot update 'services' entities by 'name' {without}"),
    );
    let by_id = format!("/services/{ID_OF_A}");
    check_refused(&gateway, "DELETE", &by_id, &format!("cannot remove 'services' entities {without}"));
    check_refused(&gateway, "PUT", &by_id, &format!("cannot create or update 'services' entities {without}"));
    assert_eq!(gateway.admin("GET", "/services/a").status, 200);
}

#[test]
fn head_and_options_are_answered() {
    let gateway = Setup::with(CONFIG).run();
    for path in ["/", "/status", "/services", "/services/a"] {
        let (get, head) = (gateway.admin("GET", path), gateway.admin("HEAD", path));
        head.assert_response(200, "");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        let options = gateway.admin("OPTIONS", path);
        let allowed = match path {
            "/services" => "GET, HEAD, OPTIONS, POST",
            "/services/a" => "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
            _ => "GET, HEAD, OPTIONS",
        };
        assert_eq!((options.status, options.header("allow")), (204, allowed), "{path}");
    }
    assert_eq!(gateway.admin("OPTIONS", "/config").header("allow"), "GET, HEAD, OPTIONS, POST");
    gateway.admin("OPTIONS", "/nope").assert_message(404, "Not found");
}
