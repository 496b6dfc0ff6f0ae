//! Compact rows of collections, and the place of one entity in the file.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    gateway::{Gateway, Setup},
};

const CONFIG: &str = "\
# the shop
_format_version: \"3.0\"
services:
- name: shop
  url: http://shop.example/api
  tags: [red]
  routes:
  - name: items # what is sold
    hosts: [shop.example]
    paths: [/Items, /things]
    tags: [red, blue]
    plugins:
    - name: rate-limiting
      config: {minute: 5}

  - {name: mocked, paths: [/mocked], plugins: [{name: mocking, config: {api_specification: '{\"openapi\": \"3.0.0\", \"info\": {\"title\": a, \"version\": \"1\"}, \"paths\": {}}'}}]}
- name: closed
  host: closed.example
  enabled: false
  routes:
  - name: gone
    paths: [/gone]
routes:
- name: alone
  paths: [/alone]
  plugins:
  - {name: cors, enabled: false}
upstreams:
- name: pool
  targets: [{target: 't.example:80'}, {target: 'u.example:80'}]
consumers:
- username: bob
  custom_id: b-7
";

#[track_caller]
fn rows(gateway: &Gateway, path: &str) -> Value {
    let answer = gateway.admin("GET", &format!("/mynah/rows/{path}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The first cells of the rows.
fn names(list: &Value) -> Vec<&str> {
    list["rows"].as_array().unwrap().iter().map(|row| row[0].as_str().unwrap_or_default()).collect()
}

fn cell<'a>(list: &'a Value, row: usize, column: &str) -> &'a Value {
    let columns = list["columns"].as_array().unwrap();
    &list["rows"][row][columns.iter().position(|one| one == column).unwrap()]
}

#[test]
fn rows_have_what_lists_show() {
    let gateway = Setup::with(CONFIG).run();
    let routes = rows(&gateway, "routes");
    assert_eq!(
        routes["columns"],
        json!(["name", "id", "hosts", "paths", "methods", "service", "state", "tags"])
    );
    assert_eq!(names(&routes), ["items", "mocked", "gone", "alone"]);
    assert_eq!((&routes["total"], &routes["matched"], &routes["from"]), (&4.into(), &4.into(), &0.into()));
    assert_eq!(cell(&routes, 0, "paths"), &json!(["/Items", "/things"]));
    assert_eq!(cell(&routes, 0, "id"), &gateway.admin("GET", "/routes/items").json()["id"]);
    let states: Vec<_> = (0..4).map(|row| cell(&routes, row, "state")).collect();
    assert_eq!(states, ["live", "mocked", "off", "none"]);
    assert_eq!(cell(&routes, 0, "service"), "shop");
    let services = rows(&gateway, "services");
    assert_eq!(cell(&services, 0, "routes"), 2);
    assert_eq!((cell(&services, 0, "state"), cell(&services, 1, "state")), (&"live".into(), &"off".into()));
    assert_eq!(cell(&services, 0, "path"), "/api");
    let plugins = rows(&gateway, "plugins");
    assert_eq!(names(&plugins), ["rate-limiting", "mocking", "cors"]);
    assert_eq!((cell(&plugins, 2, "route"), cell(&plugins, 2, "state")), (&"alone".into(), &"off".into()));
    let upstreams = rows(&gateway, "upstreams");
    assert_eq!((names(&upstreams), cell(&upstreams, 0, "targets")), (vec!["pool"], &2.into()));
    assert_eq!(cell(&rows(&gateway, "consumers"), 0, "custom_id"), "b-7");
    assert_eq!(cell(&rows(&gateway, "targets"), 1, "upstream"), "pool");
    assert_eq!(gateway.admin("GET", "/mynah/rows/nothing").status, 404);
}

#[test]
fn rows_are_searched_in_names_hosts_and_paths() {
    let gateway = Setup::with(CONFIG).run();
    for (query, expected) in [
        ("q=ITEM", &["items"][..]),
        ("q=shop.ex", &["items"]),
        ("q=/THINGS", &["items"]),
        ("q=closed", &["gone"]),
        ("q=nowhere", &[]),
        ("state=mocked", &["mocked"]),
        ("state=off", &["gone"]),
        ("tag=blue", &["items"]),
        ("tag=blu", &[]),
        ("tag=red&state=mocked", &[]),
        ("from=1&count=2", &["mocked", "gone"]),
        ("from=9", &[]),
        ("count=0", &[]),
        ("q=o&from=1&count=1", &["mocked"]),
    ] {
        assert_eq!(names(&rows(&gateway, &format!("routes?{query}"))), expected, "{query}");
    }
    for (query, message) in [
        ("state=broken", "state must be one of: live, mocked, off, none, quarantined"),
        ("count=1001", "count must be a whole number from 0 to 1000"),
        ("generation=x", "generation must be a whole number from 0 to 18446744073709551615"),
    ] {
        gateway.admin("GET", &format!("/mynah/rows/routes?{query}")).assert_message(400, message);
    }
}

#[test]
fn rows_are_of_one_generation() {
    let gateway = Setup::with(CONFIG).run();
    let path = "/mynah/rows/routes?generation=1&count=2";
    let first = gateway.admin("GET", path);
    let etag = first.header("etag").to_owned();
    let ask = |etag: &str| -> Answer {
        let headers = [("if-none-match", etag)];
        Client::fresh().send("GET", &gateway.admin_url(path), &headers, None).unwrap()
    };
    assert_eq!(ask(&etag).status, 304);
    assert_eq!(ask("\"other\"").status, 200);
    let other = gateway.admin("GET", "/mynah/rows/routes?generation=1&count=3");
    assert_ne!(other.header("etag"), etag);
    assert_eq!(gateway.admin_json("PATCH", "/services/shop", json!({ "retries": 2 })).status, 200);
    let gone = ask(&etag);
    assert_eq!((gone.status, &gone.json()["generation"]), (410, &2.into()));
}

#[test]
fn entities_in_quarantine_have_rows() {
    let config = CONFIG.replace("minute: 5", "minuet: 5");
    let gateway = Setup::with(&config).env("KONG_DECLARATIVE_CONFIG_ON_ERROR", "quarantine").run();
    let plugins = rows(&gateway, "plugins?state=quarantined");
    assert_eq!(names(&plugins), ["rate-limiting"], "{plugins}");
    assert_eq!((&plugins["matched"], &plugins["total"]), (&1.into(), &3.into()));
}

#[test]
fn large_collections_are_read_in_parts_of_at_most_a_megabyte() {
    let mut config =
        String::from("_format_version: \"3.0\"\nservices:\n- name: s\n  host: s.example\n  routes:\n");
    for n in 0..3000 {
        let paths: Vec<String> = (0..20).map(|path| format!("/{n}/{path}/{}", "x".repeat(60))).collect();
        let _ = writeln!(config, "  - {{name: r{n}, paths: [{}]}}", paths.join(", "));
    }
    let gateway = Setup::with(&config).run();
    let answer = gateway.admin("GET", "/mynah/rows/routes?count=1000");
    assert!(answer.body.len() < 1_000_000, "{}", answer.body.len());
    let (mut from, mut seen) = (0, Vec::new());
    while from < 3000 {
        let part = rows(&gateway, &format!("routes?generation=1&from={from}&count=1000"));
        let part: Vec<String> = names(&part).into_iter().map(str::to_owned).collect();
        assert!(!part.is_empty());
        from += part.len();
        seen.extend(part);
    }
    assert_eq!(seen, (0..3000).map(|n| format!("r{n}")).collect::<Vec<_>>());
    assert_eq!(cell(&rows(&gateway, "routes?count=1"), 0, "paths")[16], "… 4 more");
}

#[test]
fn an_entity_has_its_lines_and_the_origin_of_its_fields() {
    let gateway = Setup::with(CONFIG).run();
    let source = |path: &str| {
        let answer = gateway.admin("GET", &format!("/mynah/source/{path}"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    };
    let route = source("routes/items");
    assert_eq!((&route["first_line"], &route["last_line"]), (&8.into(), &14.into()), "{route}");
    let lines: Vec<&str> = CONFIG.lines().collect();
    assert_eq!(route["text"], lines[7..14].join("\n"));
    assert_eq!(route["path"], "services[0].routes[0]");
    assert!(route["file"].as_str().unwrap().ends_with("kong.yaml"));
    assert_eq!(route["written"], json!(["name", "hosts", "paths", "tags"]));
    assert!(route["defaults"].as_array().unwrap().contains(&"strip_path".into()), "{route}");
    let service = source("services/shop");
    assert_eq!(service["written"], json!(["url", "name", "tags"]), "{service}");
    assert!(!service["defaults"].as_array().unwrap().contains(&"host".into()), "{service}");
    let id = gateway.admin("GET", "/routes/items/plugins").json()["data"][0]["id"].clone();
    let plugin = source(&format!("plugins/{}", id.as_str().unwrap()));
    let written: Vec<_> = plugin["written"].as_array().unwrap().iter().collect();
    assert_eq!(written, ["name", "config.minute"], "{plugin}");
    assert!(plugin["defaults"].as_array().unwrap().contains(&"config.policy".into()), "{plugin}");
    let flow = source("routes/mocked");
    assert_eq!((&flow["first_line"], &flow["last_line"]), (&16.into(), &16.into()), "{flow}");
    for path in ["routes/nowhere", "nothing/items"] {
        assert_eq!(gateway.admin("GET", &format!("/mynah/source/{path}")).status, 404, "{path}");
    }
}

#[test]
fn an_entity_of_several_files_has_its_file() {
    let gateway = Setup::new()
        .file("parts/a.yaml", "_format_version: \"3.0\"\nservices: [{name: a, host: a.example}]\n")
        .file("parts/b.yaml", "_format_version: \"3.0\"\nservices:\n- name: b\n  host: b.example\n")
        .env("KONG_DECLARATIVE_CONFIG", "parts")
        .run();
    let source = gateway.admin("GET", "/mynah/source/services/b").json();
    assert!(source["file"].as_str().unwrap().ends_with("b.yaml"), "{source}");
    assert_eq!((&source["first_line"], &source["text"]), (&3.into(), &"- name: b\n  host: b.example".into()));
    assert_eq!(source["written"], json!(["name", "host"]));
}
