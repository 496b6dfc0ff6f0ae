//! aio-kong, a Python client library: the requests of its `apply_json` and its paginator, in order.

use serde_json::{Value, json};

use crate::gateway::{Gateway, Setup};

#[track_caller]
fn send(gateway: &Gateway, method: &str, path: &str, body: Value, status: u16) -> Value {
    let answer = gateway.admin_json(method, path, body);
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    answer.json()
}

/// The entity, if it exists.
#[track_caller]
fn find(gateway: &Gateway, path: &str) -> Option<Value> {
    let answer = gateway.admin("GET", path);
    assert!(matches!(answer.status, 200 | 404), "{path}: {}", answer.text());
    (answer.status == 200).then(|| answer.json())
}

/// Creates or updates an entity as `apply_json` does.
#[track_caller]
fn apply(gateway: &Gateway, collection: &str, name: &str, body: Value) -> Value {
    let own = format!("{collection}/{name}");
    match find(gateway, &own) {
        Some(_) => send(gateway, "PATCH", &own, body, 200),
        None => send(gateway, "POST", collection, body, 201),
    }
}

#[test]
fn a_configuration_can_be_applied_twice() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    for round in 0..2 {
        let service = apply(
            &gateway,
            "/services",
            "foo",
            json!({"name": "foo", "host": "127.0.0.1", "port": 9, "tags": ["a"]}),
        );
        let below = format!("/services/{}", service["id"].as_str().unwrap());
        for route in find(&gateway, &format!("{below}/routes")).unwrap()["data"].as_array().unwrap() {
            let id = route["id"].as_str().unwrap();
            for plugin in
                find(&gateway, &format!("/routes/{id}/plugins")).unwrap()["data"].as_array().unwrap()
            {
                let plugin = format!("/plugins/{}", plugin["id"].as_str().unwrap());
                assert_eq!(gateway.admin("DELETE", &plugin).status, 204);
            }
            assert_eq!(gateway.admin("DELETE", &format!("/routes/{id}")).status, 204);
        }
        let form = json!({"name": "foo-r", "hosts": ["foo.com"], "paths": ["/foo"], "strip_path": false});
        let route = send(&gateway, "POST", &format!("{below}/routes"), form, 201);
        let plugins = format!("/routes/{}/plugins", route["id"].as_str().unwrap());
        send(&gateway, "POST", &plugins, json!({"name": "key-auth"}), 201);
        let global = find(&gateway, "/plugins").unwrap();
        let cors = global["data"].as_array().unwrap().iter().find(|plugin| plugin["name"] == "cors").cloned();
        assert_eq!(cors.is_some(), round == 1);
        let (method, path, status) = match cors {
            Some(cors) => ("PATCH", format!("/plugins/{}", cors["id"].as_str().unwrap()), 200),
            None => ("POST", "/plugins".to_owned(), 201),
        };
        send(&gateway, method, &path, json!({"name": "cors"}), status);
        let consumer = apply(&gateway, "/consumers", "alice", json!({"username": "alice"}));
        let below = format!("/consumers/{}", consumer["id"].as_str().unwrap());
        let groups = find(&gateway, &format!("{below}/acls")).unwrap();
        if groups["data"] == json!([]) {
            send(&gateway, "POST", &format!("{below}/acls"), json!({"group": "g"}), 201);
        }
        let keys = find(&gateway, &format!("{below}/key-auth")).unwrap();
        let (method, path, status) = match keys["data"][0]["id"].as_str() {
            Some(id) => ("PATCH", format!("{below}/key-auth/{id}"), 200),
            None => ("POST", format!("{below}/key-auth"), 201),
        };
        send(&gateway, method, &path, json!({"key": "k"}), status);
        assert_eq!(gateway.ask("GET", "/foo", &[("host", "foo.com")]).status, 401);
        assert_eq!(gateway.ask("GET", "/foo", &[("host", "foo.com"), ("apikey", "k")]).status, 502);
    }
}

#[test]
fn the_paginator_repeats_the_size() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    for n in 0..7 {
        send(&gateway, "POST", "/services", json!({"name": format!("p{n}"), "host": "h"}), 201);
    }
    let (mut names, mut next, mut pages) = (Vec::new(), "/services?size=3".to_owned(), 0);
    loop {
        let page = find(&gateway, &next).unwrap();
        names.extend(
            page["data"].as_array().unwrap().iter().map(|entity| entity["name"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        match page["next"].as_str() {
            Some(path) => next = format!("{path}&size=3"),
            None => break,
        }
    }
    names.sort();
    assert_eq!(pages, 3);
    assert_eq!(names, ["p0", "p1", "p2", "p3", "p4", "p5", "p6"]);
}
