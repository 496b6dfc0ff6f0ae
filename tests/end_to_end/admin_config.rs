//! `GET` and `POST /config`: export and import of the whole configuration.

use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    gateway::{Gateway, Setup},
    pem::{Signed, block},
};

const BEFORE: &str = "_format_version: \"3.0\"\nservices:\n- {name: before, url: http://a.example}\n";
const AFTER: &str =
    "_format_version: \"3.0\"\nservices:\n- {name: after, url: http://a.example, retries: 3}\n";

#[track_caller]
fn post(gateway: &Gateway, query: &str, content_type: &str, body: &str) -> Answer {
    let url = gateway.admin_url(&format!("/config{query}"));
    Client::fresh().send("POST", &url, &[("content-type", content_type)], Some(body.as_bytes())).unwrap()
}

fn services(gateway: &Gateway) -> Vec<String> {
    let list = gateway.admin("GET", "/services").json();
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|service| service["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Checks that a body of this media type is accepted.
#[track_caller]
fn check(content_type: &str, body: &str) {
    let gateway = Setup::with(BEFORE).run();
    let answer = post(&gateway, "", content_type, body);
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = gateway.admin("GET", "/services/after").json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.json()["services"][&id]["retries"], 3);
    assert_eq!(services(&gateway), ["after"]);
    assert_eq!(gateway.status()["configuration"]["loads"], 2);
}

#[test]
fn all_media_types_of_kong_are_accepted() {
    let object = json!({ "_format_version": "3.0", "services": [{ "name": "after", "url": "http://a.example", "retries": 3 }] });
    check("application/json", &object.to_string());
    check("application/json", &json!({ "config": AFTER }).to_string());
    check("application/json; charset=utf-8", &json!({ "config": object.to_string() }).to_string());
    check("text/yaml", AFTER);
    check("application/yaml", AFTER);
    let multipart = format!(
        "--xyz\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nno\r\n--xyz\r\nContent-Disposition: form-data; name=\"config\"; filename=\"kong.yaml\"\r\nContent-Type: application/octet-stream\r\n\r\n{AFTER}\r\n--xyz--\r\n"
    );
    check("multipart/form-data; boundary=xyz", &multipart);
    let escaped = AFTER.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));
    check("application/x-www-form-urlencoded", &format!("config={escaped}"));
}

const LISTS: [&str; 16] = [
    "/services",
    "/routes",
    "/plugins",
    "/consumers",
    "/key-auths",
    "/basic-auths",
    "/acls",
    "/jwts",
    "/hmac-auths",
    "/oauth2",
    "/upstreams",
    "/upstreams/up/targets",
    "/certificates",
    "/snis",
    "/vaults",
    "/keys",
];

/// Checks that loading the export leads to the same entities.
#[track_caller]
fn check_export(setup: Setup) {
    let gateway = setup.run();
    let shown = |path: &str| gateway.admin("GET", path).json();
    let before = LISTS.map(shown);
    let exported = shown("/config");
    let text = exported["config"].as_str().unwrap();
    assert!(text.contains("  tags: ~\n"), "what is unset is said: {text}");
    assert!(text.starts_with("_format_version: '3.0'\n_transform: false\n"), "{text}");
    let answer = post(&gateway, "", "text/yaml", text);
    assert_eq!(answer.status, 201, "{}\n{text}", answer.text());
    assert_eq!(LISTS.map(shown), before, "{text}");
    assert_eq!(shown("/config")["config"], text);
}

#[test]
fn the_export_can_be_loaded_again() {
    let config = "\
_format_version: \"3.0\"
services:
- name: a
  url: http://a.example:81/p
  tags: ['on', '1', 'null']
  routes:
  - name: r
    paths: [/r, '~/\\d+$']
    headers: {x-a: ['yes']}
    regex_priority: 3
    plugins:
    - {name: cors, config: {origins: ['*'], max_age: 1.5, credentials: true}}
";
    check_export(Setup::with(config));
    let signed = Signed::self_signed("a.example");
    let (cert, key) = (block(&signed.certificate, 4), block(&signed.key, 4));
    let config = format!(
        "\
_format_version: \"3.0\"
upstreams:
- name: up
  targets: [{{target: a.example, weight: 5}}]
consumers:
- username: bob
  keyauth_credentials: [{{key: k}}]
  basicauth_credentials: [{{username: u, password: p}}]
  acls: [{{group: g}}]
  jwt_secrets: [{{key: j, secret: s}}]
  hmacauth_credentials: [{{username: h, secret: s}}]
  oauth2_credentials: [{{name: app, redirect_uris: [http://x.example]}}]
vaults:
- {{name: env, prefix: my-env, config: {{prefix: X_}}}}
key_sets:
- name: ks
  keys: [{{name: k, kid: '1', jwk: '{{\"kty\":\"OKP\",\"kid\":\"1\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}}'}}]
certificates:
- cert: {cert}
  key: {key}
  snis: [{{name: a.example}}]
"
    );
    check_export(Setup::with(&config));
    check_export(
        Setup::with(include_str!("../../kong.yaml.example"))
            .file("specs/petstore-3.0.json", include_str!("../../specs/petstore-3.0.json")),
    );
}

#[test]
fn a_posted_configuration_is_served_at_once() {
    let gateway = Setup::with(BEFORE).run();
    assert_eq!(gateway.get("/r").status, 404);
    let config = "_format_version: \"3.0\"\nroutes:\n- {name: r, paths: [/r]}\n";
    assert_eq!(post(&gateway, "", "text/yaml", config).status, 201);
    assert_eq!(gateway.get("/r").status, 503);
}

#[test]
fn check_hash_skips_an_identical_configuration() {
    let gateway = Setup::with(BEFORE).run();
    let again = post(&gateway, "?check_hash=1", "text/yaml", BEFORE);
    again.assert_response(304, "");
    assert_eq!(gateway.status()["configuration"]["loads"], 1);
    assert_eq!(post(&gateway, "?check_hash=1", "text/yaml", AFTER).status, 201);
    assert_eq!(post(&gateway, "", "text/yaml", AFTER).status, 201);
    assert_eq!(gateway.status()["configuration"]["loads"], 3);
}

#[test]
fn an_invalid_configuration_changes_nothing() {
    let gateway = Setup::with(BEFORE).run();
    let hash = gateway.status()["configuration_hash"].clone();
    let wrong = "_format_version: \"3.0\"\nservices:\n- {name: c, hots: x}\n";
    let answer = post(&gateway, "?diagnostics=1", "text/yaml", wrong);
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(post(&gateway, "", "text/yaml", wrong).json()["diagnostics"].is_null(), "Kong has no such key");
    let told = answer.json();
    assert_eq!((&told["code"], &told["name"]), (&json!(14), &json!("invalid declarative configuration")));
    assert_eq!(told["diagnostics"][0]["line"], 3);
    assert!(told["diagnostics"][0]["help"] == "did you mean `host`?", "{told}");
    for (content_type, body) in [
        ("text/yaml", "services: ["),
        ("application/json", "{"),
        ("application/json", "{}"),
        ("application/json", "[1]"),
        ("multipart/form-data; boundary=xyz", "--xyz--\r\n"),
        ("multipart/form-data", "x"),
        ("application/x-www-form-urlencoded", "other=1"),
    ] {
        assert_eq!(post(&gateway, "", content_type, body).status, 400, "{content_type}: {body}");
    }
    assert_eq!(post(&gateway, "", "image/png", "x").status, 415);
    assert_eq!(services(&gateway), ["before"]);
    assert_eq!(gateway.status()["configuration_hash"], hash);
}

#[test]
fn an_empty_configuration_is_valid() {
    let gateway = Setup::with(BEFORE).run();
    let answer = post(&gateway, "", "text/yaml", "_format_version: \"3.0\"\n");
    assert_eq!((answer.status, answer.json()), (201, json!({})));
    assert_eq!(gateway.admin("GET", "/status/ready").status, 503);
    assert_eq!(gateway.admin("GET", "/services").json()["data"], Value::Array(Vec::new()));
}
