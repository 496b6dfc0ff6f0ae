//! The text of the configuration as a whole, checked and written; OpenAPI documents that are linted before they are saved.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    eventually,
    gateway::{Gateway, Setup},
};

const CONFIG: &str = "\
_format_version: \"3.0\"
services:
- name: shop # ours
  host: shop.example
";

fn send(gateway: &Gateway, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    Client::fresh().send(method, &gateway.admin_url(path), headers, Some(body)).unwrap()
}

fn put(gateway: &Gateway, etag: &str, text: &str) -> Answer {
    send(gateway, "PUT", "/mynah/file", &[("if-match", etag)], text.as_bytes())
}

#[track_caller]
fn etag(gateway: &Gateway) -> String {
    let answer = gateway.admin("GET", "/mynah/file");
    assert_eq!(answer.header("etag"), answer.json()["etag"].as_str().unwrap());
    answer.header("etag").to_owned()
}

#[test]
fn a_text_is_checked_and_compared_with_the_live_one() {
    let gateway = Setup::with(CONFIG).run();
    let good = CONFIG.replace("shop.example", "store.example");
    let checked = send(&gateway, "POST", "/mynah/check", &[], good.as_bytes()).json();
    assert_eq!(
        (&checked["errors"], &checked["entities"]),
        (&0.into(), &json!({ "services": 1 })),
        "{checked}"
    );
    let kinds: Vec<_> =
        checked["diff"].as_array().unwrap().iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["same", "same", "same", "removed", "added"]);
    assert!(checked["changes"].as_str().unwrap().contains("shop"), "{checked}");
    let bad = CONFIG.replace("host:", "hots:");
    let checked = send(&gateway, "POST", "/mynah/check", &[], bad.as_bytes());
    assert_eq!(checked.status, 200);
    let checked = checked.json();
    // The words are those of `mynah check`.
    gateway.folder.write("bad.yaml", &bad);
    let outcome = Setup::new().file("kong.yaml", &bad).call(&["check", "--format", "json", "kong.yaml"]);
    let mut said: Value = serde_json::from_str(&outcome.stdout).unwrap();
    for diagnostic in said.as_array_mut().unwrap() {
        diagnostic["file"] = checked["diagnostics"][0]["file"].clone();
    }
    assert_eq!(checked["diagnostics"], said);
    assert_eq!(checked["errors"], 2);
    assert_eq!(checked["diagnostics"][0]["source"][0]["text"], "  hots: shop.example");
    assert_eq!(gateway.admin("GET", "/services/shop").json()["host"], "shop.example");
    send(&gateway, "POST", "/mynah/check", &[], b"\xff")
        .assert_message(400, "the body is not UTF-8 from byte 0 on");
}

#[test]
fn a_whole_text_is_written_if_its_version_is_known() {
    let gateway = Setup::with(CONFIG).run();
    let before = gateway.admin("GET", "/mynah/file").json();
    assert_eq!((&before["text"], &before["writable"]), (&CONFIG.into(), &true.into()));
    let first = etag(&gateway);
    let new = CONFIG.replace("shop.example", "store.example");
    for (etag, status) in [("", 412), ("\"other\"", 412)] {
        assert_eq!(put(&gateway, etag, &new).status, status);
    }
    assert_eq!(send(&gateway, "PUT", "/mynah/file", &[], new.as_bytes()).status, 428);
    let refused = put(&gateway, &first, "services: [");
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["diagnostics"][0]["severity"], "error");
    let tried = send(&gateway, "PUT", "/mynah/file?dry_run=true", &[("if-match", &first)], new.as_bytes());
    assert_eq!(tried.status, 200, "{}", tried.text());
    assert_eq!(gateway.folder.read("kong.yaml"), CONFIG);
    let written = put(&gateway, &first, &new);
    assert_eq!(written.status, 200, "{}", written.text());
    assert_eq!(written.json()["diff"], tried.json()["diff"]);
    assert_eq!(gateway.folder.read("kong.yaml"), new);
    assert_eq!(gateway.admin("GET", "/services/shop").json()["host"], "store.example");
    assert_eq!(written.header("etag"), etag(&gateway));
    assert_eq!(put(&gateway, &first, CONFIG).status, 412);
    assert_eq!(gateway.admin("POST", "/mynah/undo").status, 200);
    assert_eq!(gateway.folder.read("kong.yaml"), CONFIG);
}

#[test]
fn a_broken_save_is_repaired_by_a_whole_text() {
    let gateway = Setup::with(CONFIG).run();
    let broken = CONFIG.replace("host:", "hots:");
    gateway.folder.write("kong.yaml", &broken);
    eventually("it is refused", || {
        (!gateway.status()["configuration"]["last_error"].is_null()).then_some(())
    });
    let file = gateway.admin("GET", "/mynah/file").json();
    assert_eq!((&file["text"], &file["is_live"]), (&broken.as_str().into(), &false.into()));
    let repaired = CONFIG.replace("shop.example", "store.example");
    let written = put(&gateway, &etag(&gateway), &repaired);
    assert_eq!(written.status, 200, "{}", written.text());
    assert_eq!(gateway.folder.read("kong.yaml"), repaired);
    assert_eq!(gateway.status()["configuration"]["last_error"], Value::Null);
    assert_eq!(gateway.admin("GET", "/services/shop").json()["host"], "store.example");
    // The text before had errors, so it does not come back.
    let undone = gateway.admin("POST", "/mynah/undo");
    assert_eq!(undone.status, 400, "{}", undone.text());
    assert_eq!(gateway.folder.read("kong.yaml"), repaired);
}

#[test]
fn texts_that_cannot_be_written_say_why() {
    let gateway = Setup::with(CONFIG).env("KONG_ADMIN_WRITES", "off").run();
    assert_eq!(gateway.admin("GET", "/mynah/file").json()["why_not"], "KONG_ADMIN_WRITES is off");
    assert_eq!(put(&gateway, &etag(&gateway), CONFIG).status, 405);
    let folder = Setup::new()
        .file("parts/a.yaml", "_format_version: \"3.0\"\nservices: [{name: a, host: a.example}]\n")
        .file("parts/b.yaml", "_format_version: \"3.0\"\nservices: [{name: b, host: b.example}]\n")
        .env("KONG_DECLARATIVE_CONFIG", "parts")
        .run();
    let file = folder.admin("GET", "/mynah/file").json();
    assert_eq!(file["writable"], false);
    assert!(file["why_not"].as_str().unwrap().contains("several files"), "{file}");
    assert_eq!(put(&folder, &etag(&folder), CONFIG).status, 405);
    let gateway = Setup::with(CONFIG).run();
    fs::set_permissions(gateway.folder.at("kong.yaml"), fs::Permissions::from_mode(0o400)).unwrap();
    // Root may write every file.
    if fs::OpenOptions::new().write(true).open(gateway.folder.at("kong.yaml")).is_err() {
        assert_eq!(gateway.admin("GET", "/mynah/file").json()["writable"], false);
        assert_eq!(put(&gateway, "*", CONFIG).status, 405);
    }
}

#[test]
fn a_text_without_a_file_is_written_in_memory() {
    let gateway = Setup::new().env("KONG_DECLARATIVE_CONFIG_STRING", CONFIG).run();
    let file = gateway.admin("GET", "/mynah/file").json();
    assert_eq!((&file["path"], &file["text"]), (&Value::Null, &CONFIG.trim_end().into()));
    let written = put(&gateway, &etag(&gateway), &CONFIG.replace("shop.example", "store.example"));
    assert_eq!(written.status, 200, "{}", written.text());
    assert_eq!(gateway.admin("GET", "/services/shop").json()["host"], "store.example");
    assert_eq!(gateway.admin("POST", "/mynah/undo").status, 200);
    assert_eq!(gateway.admin("GET", "/services/shop").json()["host"], "shop.example");
}

const DOCUMENT: &str = "\
openapi: 3.0.3
info: {title: Stock, version: 0.1.0, description: prices}
paths:
  /stock:
    get:
      operationId: getStock
      summary: the price of a stock
      responses:
        '200':
          description: ok
          content:
            application/json:
              example: {price: 1}
        '404': {$ref: 'shared.yaml#/missing'}
    post:
      responses:
        '201': {description: made}
";

#[test]
fn a_document_is_linted_and_summarized() {
    let gateway = Setup::with(CONFIG).file("specs/shared.yaml", "missing: {description: none}\n").run();
    let linted = send(&gateway, "POST", "/mynah/lint", &[], DOCUMENT.as_bytes()).json();
    assert_eq!(linted["errors"], 0, "{linted}");
    let summary = &linted["summary"];
    assert_eq!(summary["title"], "Stock");
    assert_eq!((&summary["version"], &summary["description"]), (&"0.1.0".into(), &"prices".into()));
    assert!(summary["format"].as_str().unwrap().contains("3.0"), "{summary}");
    let operations = summary["operations"].as_array().unwrap();
    assert_eq!(operations.len(), 2);
    assert_eq!((&operations[0]["method"], &operations[0]["path"]), (&"GET".into(), &"/stock".into()));
    assert_eq!(operations[0]["summary"], "the price of a stock");
    assert_eq!((&operations[0]["has_example"], &operations[1]["has_example"]), (&true.into(), &false.into()));
    let statuses: Vec<_> =
        operations[0]["responses"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, ["200", "404"]);
}

#[test]
fn faults_of_a_document_have_their_places() {
    let gateway = Setup::with(CONFIG).run();
    let linted = send(&gateway, "POST", "/mynah/lint?path=stock.yaml", &[], DOCUMENT.as_bytes()).json();
    assert_eq!(linted["errors"], 1, "{linted}");
    let fault = &linted["diagnostics"][0];
    assert_eq!((&fault["file"], &fault["line"]), (&"stock.yaml".into(), &14.into()));
    assert!(fault["length"].as_u64().unwrap() > 5, "{fault}");
    let linted = send(&gateway, "POST", "/mynah/lint", &[], b"openapi: [").json();
    assert_eq!((&linted["errors"], &linted["summary"]), (&1.into(), &Value::Null));
    for path in ["../secret.yaml", "/etc/passwd", "a/../../b"] {
        let answer = send(&gateway, "POST", &format!("/mynah/lint?path={path}"), &[], DOCUMENT.as_bytes());
        assert_eq!(answer.status, 400, "{path}");
    }
    // References do not leave the folder of documents.
    let leaving = DOCUMENT.replace("shared.yaml", "../kong.yaml");
    let linted = send(&gateway, "POST", "/mynah/lint", &[], leaving.as_bytes()).json();
    assert_eq!(linted["errors"], 1, "{linted}");
    assert!(!linted.to_string().contains("shop.example"));
}
