//! Diffs of writes before they are made, the log of changes, and undo.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    eventually,
    gateway::{Gateway, Setup},
};

const CONFIG: &str = "\
# the shop
_format_version: \"3.0\"
services:
- name: shop   # ours
  host: shop.example
  routes:
  - name: items
    paths: [/items]
    plugins:
    - {name: key-auth, enabled: true}
  - name: orders
    paths:
    - /orders
consumers:
- username: bob # a friend
  keyauth_credentials: [{key: k}]
upstreams:
- name: pool
  targets: [{target: 't.example:80'}]
routes:
- name: alone
  paths: [/alone]
";

/// Every kind of write, and the status of its answer.
const WRITES: &[(&str, &str, &str, u16)] = &[
    ("PATCH", "/services/shop", r#"{"retries": 2}"#, 200),
    ("PATCH", "/services/shop", r#"{"url": "http://other.example:81/x"}"#, 200),
    ("POST", "/services", r#"{"name": "new", "host": "new.example"}"#, 201),
    ("POST", "/services/shop/routes", r#"{"name": "baskets", "paths": ["/b"]}"#, 201),
    ("POST", "/routes/orders/plugins", r#"{"name": "cors"}"#, 201),
    ("PUT", "/consumers/ann", r#"{"custom_id": "7"}"#, 200),
    ("PUT", "/routes/alone/service", r#"{"name": "parent", "host": "parent.example"}"#, 200),
    ("PATCH", "/routes/orders", r#"{"name": "purchases", "methods": ["GET"]}"#, 200),
    ("PATCH", "/routes/orders/service", r#"{"enabled": false}"#, 200),
    ("PUT", "/upstreams/pool/targets/t.example:80", r#"{"weight": 7}"#, 200),
    ("PATCH", "/services/shop", "{}", 200),
    ("DELETE", "/routes/orders", "", 204),
    ("DELETE", "/routes/nowhere", "", 204),
    ("DELETE", "/consumers/bob", "", 204),
];

fn send(gateway: &Gateway, method: &str, path: &str, body: &str) -> Answer {
    let headers = [("content-type", "application/json")];
    let body = (!body.is_empty()).then_some(body.as_bytes());
    Client::fresh().send(method, &gateway.admin_url(path), &headers, body).unwrap()
}

/// The lines of a diff, as `diff -u` shows them.
fn unified(diff: &Value) -> Vec<String> {
    let sign = |line: &Value| match line["kind"].as_str().unwrap() {
        "same" => ' ',
        "removed" => '-',
        _ => '+',
    };
    let lines = diff.as_array().unwrap().iter();
    lines.map(|line| format!("{}{}", sign(line), line["text"].as_str().unwrap())).collect()
}

#[track_caller]
fn last_change(gateway: &Gateway) -> Value {
    let all = gateway.admin("GET", "/mynah/changes").json();
    gateway.admin("GET", &format!("/mynah/changes/{}", all["data"][0]["number"])).json()
}

#[test]
fn a_dry_run_shows_what_the_write_does_and_undo_takes_it_back() {
    let gateway = Setup::with(CONFIG).run();
    for (method, path, body, status) in WRITES {
        let generation = gateway.status()["configuration"]["generation"].clone();
        let tried = send(&gateway, method, &format!("{path}?dry_run=true"), body);
        assert_eq!(tried.status, 200, "{method} {path}: {}", tried.text());
        let tried = tried.json();
        assert_eq!(gateway.folder.read("kong.yaml"), CONFIG, "{method} {path}");
        assert_eq!(gateway.status()["configuration"]["generation"], generation);
        let made = send(&gateway, method, path, body);
        assert_eq!(made.status, *status, "{method} {path}: {}", made.text());
        if gateway.folder.read("kong.yaml") == CONFIG {
            assert_eq!(tried["diff"], json!([]), "{method} {path}");
            continue;
        }
        let changes: Vec<String> = unified(&tried["diff"]);
        assert!(changes.iter().any(|line| !line.starts_with(' ')), "{method} {path}: {changes:?}");
        // A new parent takes two writes, and two steps of undo.
        let writes = if path.ends_with("alone/service") { 2 } else { 1 };
        if writes == 1 {
            assert_eq!(changes, unified(&last_change(&gateway)["diff"]), "{method} {path}");
        }
        if *status != 204 {
            let mut entity = made.json();
            for changing in ["created_at", "updated_at"] {
                entity[changing] = tried["entity"][changing].clone();
            }
            assert_eq!(tried["entity"], entity, "{method} {path}");
        }
        for _ in 0..writes {
            let undone = gateway.admin("POST", "/mynah/undo");
            assert_eq!(undone.status, 200, "{method} {path}: {}", undone.text());
        }
        assert_eq!(gateway.folder.read("kong.yaml"), CONFIG, "{method} {path}");
    }
    gateway
        .admin("POST", "/mynah/undo")
        .assert_message(409, "the Admin API has made no change that can be undone");
}

#[test]
fn a_dry_run_has_the_errors_of_the_write() {
    let gateway = Setup::with(CONFIG).run();
    for (method, path, body) in [
        ("POST", "/services", r#"{"name": "a"}"#),
        ("POST", "/services", r#"{"name": "shop", "host": "a"}"#),
        ("PATCH", "/services/shop", r#"{"port": "x"}"#),
        ("PATCH", "/services/nowhere", "{}"),
        ("POST", "/routes/nowhere/plugins", r#"{"name": "cors"}"#),
        ("POST", "/plugins", r#"{"name": "mocking", "config": {"api_specification_filename": "none.json"}}"#),
        ("DELETE", "/services/shop", ""),
        ("DELETE", "/services", ""),
    ] {
        let tried = send(&gateway, method, &format!("{path}?dry_run=true"), body);
        let made = send(&gateway, method, path, body);
        assert_eq!((tried.status, tried.text()), (made.status, made.text()), "{method} {path}");
        assert!(made.status >= 400, "{method} {path}: {}", made.text());
    }
    assert_eq!(gateway.folder.read("kong.yaml"), CONFIG);
}

#[test]
fn a_misspelt_dry_run_writes_nothing() {
    let gateway = Setup::with(CONFIG).run();
    for path in ["/services/shop?dry_run=ture", "/services/shop?dry_run=true&dry_run=no"] {
        gateway.admin("DELETE", path).assert_message(400, "dry_run must be true or false");
    }
    let answer = send(&gateway, "POST", "/config?dry_run=true", "{}");
    answer.assert_message(400, "POST /mynah/check tries a configuration");
    assert_eq!(gateway.folder.read("kong.yaml"), CONFIG);
}

#[test]
fn read_only_files_and_settings_refuse_dry_runs_and_undo() {
    let gateway = Setup::with(CONFIG).run();
    assert_eq!(send(&gateway, "PATCH", "/services/shop", r#"{"retries": 2}"#).status, 200);
    fs::set_permissions(gateway.folder.at("kong.yaml"), fs::Permissions::from_mode(0o400)).unwrap();
    // Root may write every file.
    if fs::OpenOptions::new().write(true).open(gateway.folder.at("kong.yaml")).is_err() {
        for answer in [
            send(&gateway, "PATCH", "/services/shop?dry_run=true", r#"{"retries": 3}"#),
            gateway.admin("POST", "/mynah/undo?dry_run=true"),
            gateway.admin("POST", "/mynah/undo"),
        ] {
            assert_eq!(answer.status, 405, "{}", answer.text());
            assert!(answer.json()["why"].as_str().unwrap().contains("kong.yaml"));
        }
    }
    let gateway = Setup::with(CONFIG).env("KONG_ADMIN_WRITES", "off").run();
    assert_eq!(send(&gateway, "PATCH", "/services/shop?dry_run=true", r#"{"retries": 3}"#).status, 405);
    assert_eq!(gateway.admin("POST", "/mynah/undo").status, 405);
}

#[test]
fn changes_are_listed_with_their_causes() {
    let gateway = Setup::with(CONFIG).run();
    assert_eq!(send(&gateway, "PATCH", "/services/shop", r#"{"retries": 2}"#).status, 200);
    let written = gateway.folder.read("kong.yaml");
    gateway
        .folder
        .write("kong.yaml", written.replace("a friend", "a good friend").replace("/items", "/things"));
    let cause = |gateway: &Gateway| {
        let all = gateway.admin("GET", "/mynah/changes").json();
        all["data"][0]["cause"].clone()
    };
    eventually("the file is loaded", || (cause(&gateway) == "file").then_some(()));
    gateway.folder.write("kong.yaml", written.replace("host: shop", "hots: shop"));
    let refused = eventually("the file is refused", || {
        Some(last_change(&gateway)).filter(|change| change["outcome"] == "refused")
    });
    assert_eq!(refused["errors"], 2, "{refused}");
    let marked = &refused["diagnostics"][0];
    assert_eq!(marked["source"], json!([{ "line": 5, "text": "  hots: shop.example" }]), "{refused}");
    assert_eq!((&marked["column"], &marked["length"]), (&3.into(), &4.into()));
    assert!(unified(&refused["diff"]).contains(&"+  hots: shop.example".to_owned()), "{refused}");
    let status = gateway.status();
    assert_eq!(status["configuration"]["last_error"]["diagnostics"], refused["diagnostics"]);
    let all = gateway.admin("GET", "/mynah/changes").json();
    let list: Vec<_> = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (change["cause"].as_str().unwrap(), change["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(
        list,
        [("file", "refused"), ("file", "published"), ("admin", "published"), ("start", "published")]
    );
    assert_eq!(all["data"][1]["generation"], 3);
    assert!(all["data"][1]["summary"].as_str().unwrap().contains("items"), "{all}");
    assert_eq!(gateway.admin("GET", "/mynah/changes/99").status, 404);
    assert_eq!(gateway.admin("POST", "/mynah/changes").status, 405);
}

#[test]
fn undo_never_overwrites_what_was_saved_since() {
    let gateway = Setup::with(CONFIG).run();
    assert_eq!(send(&gateway, "PATCH", "/services/shop", r#"{"retries": 2}"#).status, 200);
    assert_eq!(gateway.admin("GET", "/mynah/changes").json()["undo"], 2);
    let text = format!("{}# edited\n", gateway.folder.read("kong.yaml"));
    gateway.folder.write("kong.yaml", &text);
    for query in ["?dry_run=true", ""] {
        gateway.admin("POST", &format!("/mynah/undo{query}")).assert_message(
            409,
            "change 2 cannot be undone: the configuration was changed since by change 3 (file)",
        );
    }
    assert_eq!(gateway.folder.read("kong.yaml"), text);
    assert_eq!(gateway.admin("GET", "/mynah/changes").json()["undo"], Value::Null);
    // As soon as the text is that of the write again, it can be undone.
    gateway.folder.write("kong.yaml", text.replace("# edited\n", ""));
    let tried = gateway.admin("POST", "/mynah/undo?dry_run=true");
    assert_eq!(tried.status, 200, "{}", tried.text());
    assert_eq!(unified(&tried.json()["diff"]).iter().filter(|line| line.starts_with('-')).count(), 1);
    assert_eq!(gateway.folder.read("kong.yaml"), text.replace("# edited\n", ""));
    assert_eq!(gateway.admin("POST", "/mynah/undo").json()["undone"], 2);
    assert_eq!(gateway.folder.read("kong.yaml"), CONFIG);
}

#[test]
fn what_was_posted_is_edited_and_undone_in_memory() {
    let gateway = Setup::with(CONFIG).run();
    let posted = json!({ "config": "_format_version: \"3.0\"\nservices:\n- {name: a, host: a.example}\n" });
    assert_eq!(gateway.admin_json("POST", "/config", posted).status, 201);
    assert_eq!(gateway.admin("POST", "/mynah/undo").status, 409);
    assert_eq!(send(&gateway, "PATCH", "/services/a", r#"{"retries": 2}"#).status, 200);
    assert_eq!(gateway.admin("POST", "/mynah/undo").status, 200);
    assert_eq!(gateway.admin("GET", "/services/a").json()["retries"], 5);
    assert_eq!(gateway.folder.read("kong.yaml"), CONFIG);
}
