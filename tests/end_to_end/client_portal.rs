//! Clients of Kong's developer portal: Insomnia's plugin and kong-portal-cli, by the requests that they send.

use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    gateway::{Gateway, Setup},
};

const SPEC: &str = "\
openapi: 3.0.0
info: {title: Stock, version: '1'}
paths:
  /stock/historical:
    get:
      responses:
        '200':
          description: ok
          content:
            application/json:
              example: {price: 91.92}
";

fn start() -> Gateway {
    Setup::with("_format_version: \"3.0\"\n").env("KONG_PORTAL_GUI_LISTEN", "127.0.0.1:0").run()
}

/// Sends a request as axios does.
#[track_caller]
fn send(gateway: &Gateway, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let headers = [
        ("accept", "application/json, text/plain, */*"),
        ("content-type", "application/json"),
        ("kong-admin-token", ""),
        ("user-agent", "axios/0.27.2"),
    ];
    let text = body.map(Value::to_string);
    Client::fresh()
        .send(method, &gateway.admin_url(path), &headers, text.as_deref().map(str::as_bytes))
        .unwrap()
}

#[test]
fn insomnia_deploys_a_document_and_overwrites_it() {
    let gateway = start();
    let node = send(&gateway, "GET", "/default/kong", None);
    assert_eq!(node.status, 200);
    let configuration = &node.json()["configuration"];
    assert_eq!(configuration["portal_is_legacy"], false);
    assert_eq!(configuration["portal_gui_host"], "127.0.0.1:0");

    let body = json!({ "path": "specs/stock.yaml", "contents": SPEC });
    let created = send(&gateway, "POST", "/default/files", Some(&body));
    assert_eq!(created.status, 201, "{}", created.text());
    assert_eq!(created.json()["path"], "specs/stock.yaml");
    assert_eq!(created.json()["contents"], SPEC);
    assert_eq!(created.json()["lint"]["errors"], 0);
    assert_eq!(gateway.folder.read("specs/stock.yaml"), SPEC);

    // The plugin asks whether to overwrite.
    let again = send(&gateway, "POST", "/default/files", Some(&body));
    assert_eq!((again.status, again.json()["code"].as_i64()), (409, Some(5)), "{}", again.text());
    assert_eq!(again.json()["fields"], json!({ "path": "specs/stock.yaml" }));
    let newer = SPEC.replace("91.92", "92.5");
    let body = json!({ "path": "specs/stock.yaml", "contents": newer });
    let patched = send(&gateway, "PATCH", "/default/files/specs/stock.yaml", Some(&body));
    assert_eq!(patched.status, 200, "{}", patched.text());
    assert_eq!(gateway.folder.read("specs/stock.yaml"), newer);
    assert_eq!(patched.json()["id"], created.json()["id"]);
    assert_ne!(patched.json()["checksum"], created.json()["checksum"]);
}

#[test]
fn kong_portal_cli_fetches_deploys_and_wipes() {
    let gateway = start();
    for name in ["b.yaml", "a.json", "deep/er/c.yml"] {
        let path = format!("specs/{name}");
        let file = json!({ "path": path, "contents": SPEC });
        let answer = send(&gateway, "PUT", &format!("/default/files/{path}"), Some(&file));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    // It follows `next`, which has the workspace, and keeps what it finds.
    let (mut files, mut next) = (Vec::new(), Some("/default/files?size=2".to_owned()));
    while let Some(url) = next {
        let answer = send(&gateway, "GET", &url, None).json();
        files.extend(answer["data"].as_array().unwrap().clone());
        next = answer["next"].as_str().map(str::to_owned);
    }
    let paths: Vec<&str> = files.iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["specs/a.json", "specs/b.yaml", "specs/deep/er/c.yml"]);
    assert_eq!(files[1]["checksum"].as_str().unwrap().len(), 64);
    // Parts of a theme have no place here, and the message says so.
    let part = json!({ "path": "themes/base/partials/nav.html", "contents": "<nav>" });
    let refused = send(&gateway, "PUT", "/default/files/themes/base/partials/nav.html", Some(&part));
    assert_eq!(refused.status, 400);
    assert!(refused.json()["fields"]["path"].as_str().unwrap().contains("not below specs/"));
    for path in paths {
        assert_eq!(send(&gateway, "DELETE", &format!("/default/files/{path}"), None).status, 204);
    }
    assert_eq!(send(&gateway, "GET", "/default/files", None).json()["data"], json!([]));
}
