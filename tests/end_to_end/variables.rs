//! Values from the environment in `kong.yaml`: their types, errors about missing variables, and writes that keep references.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::json;

use crate::gateway::{Gateway, Setup};

const CONFIG: &str = "\
_format_version: \"3.0\"
services:
- name: a
  url: http://${HOST}:${PORT}/base   # where it lives
  retries: ${RETRIES:-3}
  tags: [&env '${STAGE}', x]
consumers:
- username: anon
  keyauth_credentials:
  - key: $ANON_KEY
  tags: [*env]
";

const SECRET: &str = "s3cret: [x]";

fn setup(config: &str) -> Setup {
    Setup::with(config)
        .env("HOST", "up.example")
        .env("PORT", "8081")
        .env("STAGE", "on")
        .env("ANON_KEY", SECRET)
        .env("MYNAH_ENV_SUBSTITUTION", "on")
}

fn saved(gateway: &Gateway) -> String {
    gateway.folder.read("kong.yaml")
}

#[test]
fn values_come_from_the_environment() {
    let gateway = setup(CONFIG).run();
    let service = gateway.admin("GET", "/services/a").json();
    assert_eq!((&service["host"], &service["port"]), (&json!("up.example"), &json!(8081)));
    assert_eq!((&service["retries"], &service["tags"]), (&json!(3), &json!(["on", "x"])));
    assert_eq!(gateway.admin("GET", "/consumers/anon/key-auth").json()["data"][0]["key"], SECRET);
    assert_eq!(gateway.admin("GET", "/consumers/anon").json()["tags"], json!(["on"]));
}

#[test]
fn credentials_may_look_like_numbers_or_truth_values() {
    let config = "_format_version: \"3.0\"
services:
- {name: a, url: 'http://127.0.0.1:1/', routes: [{paths: [/], plugins: [{name: basic-auth}]}], retries: $N}
consumers:
- username: $NAME
  basicauth_credentials:
  - username: ${NAME}
    password: $PASSWORD
plugins: [{name: request-termination, config: {status_code: $STATUS, message: $PASSWORD}}]
";
    for password in ["123456", "0123", "yes", "null", "1e3", "2024-01-01", "~", "0x1F", "12:30"] {
        let gateway = Setup::with(config)
            .env("NAME", "007")
            .env("PASSWORD", password)
            .env("STATUS", "418")
            .env("N", "3")
            .env("KONG_ENV_SUBSTITUTION", "on")
            .run();
        let credentials = BASE64_STANDARD.encode(format!("007:{password}"));
        let answer = gateway.ask("GET", "/", &[("Authorization", &format!("Basic {credentials}"))]);
        assert_eq!((answer.status, answer.json()["message"].clone()), (418, json!(password)), "{password}");
    }
}

#[test]
fn without_the_setting_references_are_plain_texts() {
    let text =
        "_format_version: \"3.0\"\nconsumers: [{username: 'a-${STAGE}', keyauth_credentials: [{key: $K}]}]\n";
    let gateway = Setup::with(text).env("STAGE", "x").run();
    assert_eq!(gateway.admin("GET", "/key-auths").json()["data"][0]["key"], "$K");
}

#[test]
fn a_missing_variable_is_reported_with_its_position() {
    let check = |text: &str, expected: &str| {
        let checked = setup(&format!("{CONFIG}{text}")).call(&["check", "kong.yaml"]);
        checked.is_refusal(expected);
        assert!(!checked.stderr.contains("s3cret"), "{}", checked.stderr);
    };
    check("routes:\n- name: r\n  paths: [/a, '${NOWHERE}']\n", "environment variable 'NOWHERE' is not set");
    check("routes:\n- name: r\n  paths: [/a, '${NOWHERE}']\n", "--> kong.yaml:14:15");
    check("routes:\n- name: r\n  paths: ['/a${b.c}']\n", "`${b.c}` names no variable");
    // A diagnostic contains the type and the position of a secret, not its value.
    check("_comment: {a: $ANON_KEY}\n", "expected a string");
    check("upstreams:\n- name: u\n  slots: $ANON_KEY\n", "expected an integer");
}

#[test]
fn references_in_requests_are_plain_texts() {
    let gateway = setup("_format_version: \"3.0\"\n").run();
    let config =
        json!({ "_format_version": "3.0", "services": [{ "name": "m", "host": "h", "tags": ["${HOST}"] }] });
    assert_eq!(gateway.admin_json("POST", "/config", config).status, 201);
    assert_eq!(gateway.admin("GET", "/services/m").json()["tags"], json!(["${HOST}"]));
    // A write edits that text, in which references are plain texts, too.
    assert_eq!(gateway.admin_form("PATCH", "/services/m", "retries=1").json()["tags"], json!(["${HOST}"]));
}

#[test]
fn writes_keep_environment_references() {
    let gateway = setup(CONFIG).run();
    assert_eq!(gateway.admin_form("PATCH", "/services/a", "connect_timeout=5").status, 200);
    assert_eq!(gateway.admin_form("POST", "/services/a/routes", "name=r&paths=/r").status, 201);
    assert_eq!(gateway.admin_form("PATCH", "/consumers/anon", "custom_id=c").status, 200);
    let text = saved(&gateway);
    for kept in
        ["url: http://${HOST}:${PORT}/base   # where it lives", "retries: ${RETRIES:-3}", "key: $ANON_KEY"]
    {
        assert!(text.contains(kept), "{kept} is not in\n{text}");
    }
    assert!(!text.contains("s3cret") && !text.contains("up.example"), "{text}");
    // An alias that has to be expanded is written with the reference of its anchor.
    assert_eq!(gateway.admin_json("PATCH", "/services/a", json!({ "tags": ["y"] })).status, 200);
    assert_eq!(gateway.admin("GET", "/consumers/anon").json()["tags"], json!(["on"]));
    assert!(saved(&gateway).contains("${STAGE}"), "{}", saved(&gateway));
}

#[test]
fn a_written_value_is_not_expanded() {
    let gateway = setup(CONFIG).run();
    let tags = json!(["${HOST}", "$HOST", "$$HOST", "$host", "a$"]);
    let body = json!({ "name": "b", "host": "b.example", "tags": tags });
    let made = gateway.admin_json("POST", "/services", body);
    assert_eq!((made.status, &made.json()["tags"]), (201, &tags));
    assert_eq!(gateway.admin("GET", "/services/b").json()["tags"], tags);
    assert!(saved(&gateway).contains("$${HOST}"), "{}", saved(&gateway));
    // A record that was read can be sent back.
    let whole = gateway.admin("GET", "/services/a").json();
    let before = saved(&gateway);
    assert_eq!(gateway.admin_json("PATCH", "/services/a", whole).status, 200);
    assert_eq!(saved(&gateway), before);
}

#[test]
fn writes_keep_environment_references_of_deck() {
    let text = "\
_format_version: \"3.0\"
services:
- name: a
  host: \"${{ env \"DECK_HOST\" }}\"
  port: ${{ env \"DECK_PORT\" }}
  tags: [${{ env \"DECK_HOST\" }}] # kept
";
    let gateway = Setup::with(text).env("DECK_HOST", "up.example").env("DECK_PORT", "8081").run();
    assert_eq!(gateway.admin("GET", "/services/a").json()["port"], 8081);
    assert_eq!(gateway.admin_form("PATCH", "/services/a", "retries=1").status, 200);
    assert_eq!(gateway.admin_form("POST", "/services/a/routes", "name=r&paths=/r").status, 201);
    let expected = text.replace(
        "[${{ env \"DECK_HOST\" }}] # kept\n",
        "[${{ env \"DECK_HOST\" }}] # kept\n  retries: 1\n  routes:\n  - name: r\n    paths:\n    - /r\n",
    );
    assert_eq!(saved(&gateway), expected);
    let refused = Setup::with(text).env("DECK_PORT", "8081").call(&["check", "kong.yaml"]);
    refused.is_refusal("environment variable 'DECK_HOST' present in state file but not set");
    refused.is_refusal("--> kong.yaml:4:9");
}
