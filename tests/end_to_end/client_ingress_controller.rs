//! Kong's Ingress Controller for gateways without a database, as far as its behaviour is known: it pushes the whole
//! configuration as JSON, reads the hash of the live configuration from `/status`, and reads errors per entity. The
//! tests assert what it needs; the controller itself is not run.

use md5::{Digest, Md5};
use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    gateway::{Gateway, Setup},
};

/// The configuration that the controller generates for one Ingress, in its own form: ids and tags everywhere, nulls
/// for unset fields.
fn generated_config(path: &str) -> Value {
    json!({
        "_format_version": "3.0",
        "services": [{
            "id": "3a1c2f7c-1d2e-5d9d-9d0b-0a0a0a0a0a01", "name": "default.echo.80", "host": "default.echo.80.svc",
            "port": 80, "protocol": "http", "path": "/", "connect_timeout": 60000, "read_timeout": 60000,
            "write_timeout": 60000, "retries": 5, "tags": ["k8s-name:echo", "k8s-namespace:default", "k8s-kind:Service"],
            "plugins": [{"name": "cors", "id": "3a1c2f7c-1d2e-5d9d-9d0b-0a0a0a0a0a02", "enabled": true,
                "protocols": ["grpc", "grpcs", "http", "https"], "config": {"origins": ["*"]}, "tags": ["k8s-name:cors"]}],
            "routes": [{
                "id": "3a1c2f7c-1d2e-5d9d-9d0b-0a0a0a0a0a03", "name": "default.echo.echo..80", "paths": [path],
                "methods": null, "protocols": ["http", "https"], "strip_path": true, "preserve_host": true,
                "regex_priority": 0, "https_redirect_status_code": 426, "path_handling": "v0",
                "tags": ["k8s-name:echo", "k8s-kind:Ingress"], "plugins": [],
            }],
        }],
        "upstreams": [{"id": "3a1c2f7c-1d2e-5d9d-9d0b-0a0a0a0a0a04", "name": "default.echo.80.svc",
            "algorithm": "round-robin", "targets": [{"target": "127.0.0.1:9", "weight": 100}]}],
        "consumers": [{"id": "3a1c2f7c-1d2e-5d9d-9d0b-0a0a0a0a0a05", "username": "kong",
            "keyauth_credentials": [{"key": "k"}], "acls": [{"group": "g"}]}],
        "plugins": [{"name": "rate-limiting", "consumer": "3a1c2f7c-1d2e-5d9d-9d0b-0a0a0a0a0a05",
            "config": {"minute": 5, "policy": "local"}, "protocols": ["http", "https"]}],
    })
}

#[track_caller]
fn push(gateway: &Gateway, text: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("user-agent", "kong-ingress-controller")];
    let url = gateway.admin_url("/config?check_hash=1&flatten_errors=1");
    Client::fresh().send("POST", &url, &headers, Some(text.as_bytes())).unwrap()
}

#[track_caller]
fn hash(gateway: &Gateway) -> String {
    gateway.status()["configuration_hash"].as_str().unwrap().to_owned()
}

fn md5_of(text: &str) -> String {
    let digits = Md5::digest(text).iter().map(|byte| u128::from(*byte)).fold(0, |all, byte| all << 8 | byte);
    format!("{digits:032x}")
}

#[test]
fn the_hash_identifies_the_pushed_configuration() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    let node = gateway.admin("GET", "/").json();
    assert_eq!(node["configuration"]["database"], "off");
    assert_eq!(node["configuration"]["router_flavor"], "traditional_compatible");
    assert_eq!(hash(&gateway), "0".repeat(32), "nothing is there, as after a restart");
    let text = generated_config("/echo").to_string();
    let answer = push(&gateway, &text);
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.json()["services"].as_object().unwrap().len(), 1);
    assert_eq!(hash(&gateway), md5_of(&text));
    let again = push(&gateway, &text);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(gateway.status()["configuration"]["loads"], 2, "the same again is no load");
    assert_eq!(gateway.get("/echo").status, 502);
    // All objects were removed from the cluster; a placeholder remains.
    let rest = json!({"_format_version": "3.0", "upstreams": [{"name": "kong"}]}).to_string();
    assert_eq!(push(&gateway, &rest).status, 201);
    assert_eq!(gateway.get("/echo").status, 404);
    assert_eq!(hash(&gateway), md5_of(&rest));
}

#[test]
fn invalid_objects_are_reported_by_entity() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    let text = generated_config("/echo").to_string();
    push(&gateway, &text);
    let mut wrong = generated_config("echo");
    wrong["services"][0]["plugins"][0]["config"]["max_age"] = "x".into();
    let answer = push(&gateway, &wrong.to_string());
    assert_eq!(answer.status, 400);
    let told = answer.json();
    assert_eq!((&told["code"], &told["name"]), (&json!(14), &json!("invalid declarative configuration")));
    let errors = told["flattened_errors"].as_array().unwrap();
    let about = |kind: &str| errors.iter().find(|error| error["entity_type"] == kind).unwrap();
    let route = about("route");
    assert_eq!(route["entity_tags"], json!(["k8s-name:echo", "k8s-kind:Ingress"]), "they name the object");
    assert_eq!(route["entity_name"], "default.echo.echo..80");
    assert_eq!(
        (&route["errors"][0]["field"], &route["errors"][0]["type"]),
        (&json!("paths.1"), &json!("field"))
    );
    assert_eq!(about("plugin")["errors"][0]["message"], "expected a number");
    assert_eq!(errors.len(), 2, "{told}");
    assert_eq!(hash(&gateway), md5_of(&text), "what was current still is");
}

#[test]
fn single_objects_are_validated() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    for (entity, body, expected) in [
        ("plugins", json!({"name": "cors", "config": {"max_age": "x"}}), 400),
        ("plugins", json!({"name": "cors", "config": {"max_age": 1}}), 200),
        ("routes", json!({"name": "r", "paths": ["/a"], "protocols": ["http"]}), 200),
        ("routes", json!({"name": "r", "paths": ["a"]}), 400),
        ("consumers", json!({"username": "a"}), 200),
        ("vaults", json!({"name": "env", "prefix": "a-b"}), 200),
        ("upstreams", json!({"name": "a b"}), 400),
    ] {
        let answer = gateway.admin_json("POST", &format!("/schemas/{entity}/validate"), body.clone());
        assert_eq!(answer.status, expected, "{entity} {body}: {}", answer.text());
    }
}

#[test]
fn thousands_of_objects_are_pushed() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    let service = |n: usize| json!({"name": format!("s{n}"), "host": "h", "routes": [{"name": format!("r{n}"), "paths": [format!("/p{n}")]}]});
    let all: Vec<Value> = (0..2000).map(service).collect();
    let text = json!({"_format_version": "3.0", "services": all}).to_string();
    assert_eq!(push(&gateway, &text).status, 201);
    assert_eq!(hash(&gateway), md5_of(&text));
}
