//! `/mynah/mock` and `/mynah/cors`: a document is mocked, and a Route opened for pages, by one write each.

use serde_json::{Value, json};

use crate::gateway::{Gateway, Setup};

const CONFIG: &str = "\
# The gateway of the shop.
_format_version: \"3.0\"
services:
- name: other  # stays
  host: other.example
  routes:
  - name: other
    paths: [ /other ]
";

fn spec(title: &str, server: &str, paths: &[&str]) -> String {
    let operation = json!({ "responses": { "200": { "description": "ok", "content":
        { "application/json": { "example": { "of": title } } } } } });
    let paths: serde_json::Map<String, Value> =
        paths.iter().map(|path| ((*path).to_owned(), json!({ "get": operation }))).collect();
    let mut document =
        json!({ "openapi": "3.0.0", "info": { "title": title, "version": "1" }, "paths": paths });
    if !server.is_empty() {
        document["servers"] = json!([{ "url": server }]);
    }
    document.to_string()
}

fn setup() -> Setup {
    Setup::with(CONFIG)
        .file("specs/stock.json", spec("Stock API", "https://api.example/v1", &["/stock/{id}", "/quotes"]))
        .file("specs/plain.json", spec("Plain", "", &["/depot/items", "/depot", "/orders/{id}"]))
        .file("specs/root.json", spec("Root", "", &["/{anything}"]))
}

#[track_caller]
fn mock(gateway: &Gateway, body: Value, status: u16) -> Value {
    let answer = gateway.admin_json("POST", "/mynah/mock", body);
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.json()
}

#[test]
fn a_document_is_mocked_below_its_base_path_by_one_write() {
    let gateway = setup().run();
    let dry = mock(&gateway, json!({ "document": "stock.json", "dry_run": true }), 200);
    assert_eq!(gateway.folder.read("kong.yaml"), CONFIG);
    let made = mock(&gateway, json!({ "document": "stock.json" }), 201);
    assert_eq!(
        (&made["service"]["name"], &dry["service"]["name"]),
        (&json!("stock-api"), &json!("stock-api"))
    );
    assert_eq!(made["routes"][0]["paths"], json!(["/v1"]));
    let names: Vec<&str> =
        made["plugins"].as_array().unwrap().iter().map(|plugin| plugin["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["cors", "mocking"]);
    assert_eq!(made["taken"], json!([]));
    let saved = gateway.folder.read("kong.yaml");
    assert_eq!(
        saved,
        format!(
            "{CONFIG}\
- name: stock-api
  url: https://api.example/v1
  routes:
  - name: stock-api
    paths:
    - /v1
    plugins:
    - name: cors
      config:
        origins:
        - '*'
        exposed_headers:
        - x-kong-mocking-plugin
        - x-mynah-mock
        - x-kong-request-id
    - name: mocking
      config:
        api_specification_filename: stock.json
        include_base_path: true
"
        )
    );
    let added = dry["diff"].as_array().unwrap().iter().filter(|line| line["kind"] == "added").count();
    assert_eq!(added, 19, "{}", dry["diff"]);
    let path = made["try"]["path"].as_str().unwrap();
    let answer = gateway.ask("GET", path, &[("origin", "http://portal.example")]);
    answer.assert_response(200, "{\"of\":\"Stock API\"}");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("access-control-expose-headers").contains("x-mynah-mock"));
    // One undo takes all of it back.
    let undone = gateway.admin("POST", "/mynah/undo");
    assert_eq!(undone.status, 200, "{}", undone.text());
    assert_eq!(gateway.folder.read("kong.yaml"), CONFIG);
}

#[test]
fn a_document_without_a_base_path_is_served_at_its_own_paths() {
    let gateway = setup().run();
    let made = mock(&gateway, json!({ "document": "specs/plain.json", "name": "mine" }), 201);
    assert_eq!(made["service"]["name"], "mine");
    assert_eq!(made["routes"][0]["paths"], json!(["/depot", "/orders"]));
    for path in ["/depot", "/depot/items", "/orders/7"] {
        gateway.get(path).assert_response(200, "{\"of\":\"Plain\"}");
    }
    let all = mock(&gateway, json!({ "document": "file/root.json" }), 201);
    assert_eq!(all["routes"][0]["paths"], json!(["/"]));
    gateway.get("/something").assert_response(200, "{\"of\":\"Root\"}");
    gateway.get("/depot").assert_response(200, "{\"of\":\"Plain\"}");
}

#[test]
fn a_path_of_the_request_takes_the_place_of_the_base_path() {
    let gateway = setup().run();
    let made = mock(&gateway, json!({ "document": "stock.json", "path": "/shop/" }), 201);
    assert_eq!(made["routes"][0]["paths"], json!(["/shop"]));
    gateway.get("/shop/quotes").assert_response(200, "{\"of\":\"Stock API\"}");
    // Without the mock, the service gets what its document says.
    let id = made["plugins"][1]["id"].as_str().unwrap();
    assert_eq!(gateway.admin_form("PATCH", &format!("/plugins/{id}"), "enabled=false").status, 200);
    let explained = gateway.admin("GET", "/debug/explain?url=/shop/quotes").json();
    assert_eq!(explained["upstream"]["request"], "GET api.example:443/v1/quotes", "{explained}");
}

#[test]
fn conflicts_and_faults_are_named() {
    let gateway = setup().file("specs/broken.yaml", "openapi: [").run();
    mock(&gateway, json!({ "document": "stock.json" }), 201);
    let before = gateway.folder.read("kong.yaml");
    for (body, status, parts) in [
        (
            json!({ "document": "stock.json" }),
            409,
            &[
                "serves stock.json already",
                "a service is named 'stock-api'",
                "a route is named 'stock-api'",
                "the route 'stock-api' has the path /v1",
            ][..],
        ),
        (
            json!({ "document": "plain.json", "path": "/other" }),
            409,
            &["the route 'other' has the path /other"],
        ),
        (json!({ "document": "plain.json", "name": "other" }), 409, &["a service is named 'other'"]),
        (json!({ "document": "plain.json", "name": "a b" }), 400, &["name"]),
        (json!({ "document": "plain.json", "path": "x" }), 400, &["must begin with a slash"]),
        (json!({ "document": "plain.json", "path": "/" }), 400, &["must begin with a slash"]),
        (json!({ "document": "plain.json", "nmae": "x" }), 400, &["nmae: unknown field"]),
        (json!({ "document": "../kong.yaml" }), 400, &["document"]),
        (json!({ "document": "missing.yaml" }), 404, &["missing.yaml"]),
        (json!({ "document": "broken.yaml" }), 400, &["broken.yaml"]),
        (json!({}), 400, &["document: required field missing"]),
    ] {
        let answer = gateway.admin_json("POST", "/mynah/mock", body.clone());
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        for part in parts {
            assert!(answer.text().contains(part), "{body}: {}", answer.text());
        }
    }
    assert_eq!(gateway.folder.read("kong.yaml"), before);
    let off = setup().env("KONG_ADMIN_WRITES", "off").run();
    assert_eq!(off.admin_json("POST", "/mynah/mock", json!({ "document": "stock.json" })).status, 405);
}

#[test]
fn operations_that_another_route_takes_are_listed() {
    let config = "_format_version: \"3.0\"\nservices:\n- name: a\n  host: a.example\n  routes:\n  - name: regex\n    paths: [\"~/v1/quotes$\"]\n";
    let gateway = setup().file("kong.yaml", config).run();
    let made = mock(&gateway, json!({ "document": "stock.json" }), 201);
    assert_eq!(made["taken"], json!([{ "method": "GET", "path": "/v1/quotes", "route": "regex" }]));
}

#[test]
fn cors_is_added_to_a_route_or_completed() {
    const EXPOSED: &str = "x-kong-mocking-plugin,x-mynah-mock,x-kong-request-id";
    let gateway = Setup::with(
        "_format_version: \"3.0\"\nservices:\n- name: a\n  host: 127.0.0.1\n  plugins:\n  - name: cors\n    config:\n      \
         exposed_headers: [x-own]  # ours\n  routes:\n  - name: of-service\n    paths: [/a]\n- name: b\n  host: 127.0.0.1\n  \
         routes:\n  - name: none\n    paths: [/b]\n",
    )
    .run();
    let exposed = |path: &str| {
        let answer = gateway.ask("GET", path, &[("origin", "http://portal.example")]);
        answer.header("access-control-expose-headers").to_owned()
    };
    let dry = gateway.admin_json("POST", "/mynah/cors?dry_run=true", json!({ "route": "none" }));
    assert_eq!((dry.status, exposed("/b")), (200, String::new()), "{}", dry.text());
    assert!(dry.json()["diff"].is_array());
    for (route, status, path, expected) in [
        ("none", 201, "/b", EXPOSED.to_owned()),
        ("none", 200, "/b", EXPOSED.to_owned()),
        ("of-service", 200, "/a", format!("x-own,{EXPOSED}")),
    ] {
        let answer = gateway.admin_json("POST", "/mynah/cors", json!({ "route": route }));
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(exposed(path).replace(' ', ""), expected);
    }
    assert_eq!(gateway.folder.read("kong.yaml").matches("name: cors").count(), 2);
    assert_eq!(gateway.admin_json("POST", "/mynah/cors", json!({ "route": "nope" })).status, 404);
    assert_eq!(gateway.admin_json("POST", "/mynah/cors", json!({})).status, 400);
}
