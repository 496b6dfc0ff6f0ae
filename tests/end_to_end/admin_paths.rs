//! The paths of the Admin API: their methods, and the answers to unknown paths.

use serde_json::{Value, json};

use crate::{client::Client, gateway::Setup};

const CONFIG: &str = "\
_format_version: \"3.0\"
services:
- name: s
  host: s.example
  routes:
  - name: r
    paths: [/r]
    tags: [t]
consumers:
- username: bob
upstreams:
- name: u
  targets: [{target: 't.example:80'}]
";

const LIST: &str = "GET, HEAD, OPTIONS, POST";
const ONE: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, PUT";
const QUESTION: &str = "GET, HEAD, OPTIONS";

#[test]
fn each_path_has_its_methods() {
    let gateway = Setup::with(CONFIG).run();
    for (path, allowed) in [
        ("/", QUESTION),
        ("/services", LIST),
        ("/services/", LIST),
        ("/services/s", ONE),
        ("/services/s/routes", LIST),
        ("/services/s/routes/r", ONE),
        ("/routes/r/service", "GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/services/s/client_certificate", "GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/plugins", LIST),
        ("/consumers/bob/key-auth", LIST),
        ("/consumers/bob/basic-auth/x", ONE),
        ("/key-auths", LIST),
        ("/acme_storage", LIST),
        ("/filter-chains", LIST),
        ("/upstreams/u/targets/all", LIST),
        ("/upstreams/u/health", QUESTION),
        ("/upstreams/u/targets/t.example:80/healthy", "OPTIONS, PUT"),
        ("/upstreams/u/targets/t.example:80/10.0.0.1:80/unhealthy", "OPTIONS, PUT"),
        ("/config", LIST),
        ("/endpoints", QUESTION),
        ("/status", QUESTION),
        ("/status/dns", QUESTION),
        ("/tags", QUESTION),
        ("/tags/t", QUESTION),
        ("/timers", QUESTION),
        ("/schemas/services", QUESTION),
        ("/schemas/plugins/cors", QUESTION),
        ("/schemas/vaults/env", QUESTION),
        ("/schemas/services/validate", "OPTIONS, POST"),
        ("/schemas/plugins/validate", "OPTIONS, POST"),
        ("/plugins/enabled", QUESTION),
        ("/plugins/schema/cors", QUESTION),
        ("/clustering/data-planes", QUESTION),
        ("/cache", "DELETE, OPTIONS"),
        ("/cache/k", "DELETE, GET, HEAD, OPTIONS"),
        ("/debug/node/log-level", QUESTION),
        ("/debug/node/log-level/debug", "OPTIONS, PUT"),
        ("/debug/cluster/log-level/debug", "OPTIONS, PUT"),
        ("/metrics", QUESTION),
    ] {
        let answer = gateway.admin("OPTIONS", path);
        assert_eq!((answer.status, answer.header("allow")), (204, allowed), "{path}");
        assert_eq!(answer.header("access-control-allow-methods"), allowed, "{path}");
        assert_eq!(answer.header("access-control-allow-headers"), "Content-Type", "{path}");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "FOO"] {
            if !allowed.split(", ").any(|own| own == method) {
                gateway.admin(method, path).assert_message(405, "Method not allowed");
            }
        }
    }
}

#[test]
fn unknown_paths_are_not_found() {
    let gateway = Setup::with(CONFIG).run();
    for path in [
        "/nope",
        "/Services",
        "//services",
        "/services/s/nope",
        "/targets",
        "/consumer_groups",
        "/cache/k",
        "/services/s/routes/r/plugins",
        "/services/nope/routes",
        "/upstreams/nope/health",
        "/services/s/client_certificate",
        "/routes/r/plugins/nope",
    ] {
        gateway.admin("GET", path).assert_message(404, "Not found");
    }
    for (path, message) in [
        ("/schemas/nope", "No entity named 'nope'"),
        ("/schemas/plugins/nope", "No plugin named 'nope'"),
        ("/schemas/vaults/nope", "No vault named 'nope'"),
        ("/plugins/schema/nope", "No plugin named 'nope'"),
        ("/certificates/nope.example", "SNI not found"),
    ] {
        gateway.admin("GET", path).assert_message(404, message);
    }
}

#[test]
fn queries_of_the_node_are_answered() {
    let gateway = Setup::with(CONFIG).run();
    let node = gateway.admin("GET", "/").json();
    let pid = node["pids"]["master"].clone();
    assert_eq!(node["pids"]["workers"], json!([pid]));
    assert_eq!(node["timers"], json!({"running": 0, "pending": 0}));
    let configuration = &node["configuration"];
    assert_eq!(configuration["admin_listen"], json!(["127.0.0.1:0"]));
    assert_eq!(configuration["loaded_plugins"]["cors"], true);
    assert_eq!(gateway.admin("GET", "/timers").json()["worker"], json!({"id": 0, "count": 1}));
    let fields = gateway.admin("GET", "/schemas/vaults/env").json()["fields"].clone();
    assert!(fields.as_array().unwrap().iter().any(|field| field["config"]["fields"].is_array()), "{fields}");
    for (query, unit, digits) in [
        ("", "MiB", 2),
        ("?unit=k&scale=0", "KiB", 0),
        ("?unit=K", "KiB", 2),
        ("?unit=g&scale=4", "GiB", 4),
        ("?scale=nope", "MiB", 2),
    ] {
        let memory = gateway.admin("GET", &format!("/status{query}")).json()["memory"].clone();
        let size = memory["workers_lua_vms"][0]["http_allocated_gc"].as_str().unwrap().to_owned();
        let (number, named) = size.split_once(' ').unwrap();
        let after = number.split_once('.').map_or(0, |(_, after)| after.len());
        assert_eq!((named, after), (unit, digits), "{query}: {size}");
        assert!(digits == 4 || number.parse::<f64>().unwrap() > 1.0, "{size}");
    }
    gateway
        .admin("GET", "/status?unit=x")
        .assert_message(400, "invalid unit 'x' (expected 'k/K', 'm/M', or 'g/G')");
    gateway.admin("GET", "/status?scale=-1").assert_message(400, "scale must be equal or greater than 0");
}

#[test]
fn the_headers_setting_selects_response_headers() {
    let gateway = Setup::with(CONFIG).run();
    let answer = gateway.admin("GET", "/services");
    assert!(
        answer.header("server").starts_with("mynah/") && !answer.header("x-kong-admin-latency").is_empty()
    );
    let gateway = Setup::with(CONFIG).env("KONG_HEADERS", "off").run();
    let answer = gateway.admin("GET", "/services");
    assert_eq!((answer.header("server"), answer.header("x-kong-admin-latency")), ("", ""));
    let gateway = Setup::with(CONFIG).env("KONG_HEADERS", "X-Kong-Admin-Latency").run();
    let answer = gateway.admin("GET", "/services");
    assert_eq!((answer.header("server"), answer.header("x-kong-admin-latency").is_empty()), ("", false));
}

#[test]
fn each_kind_of_credential_is_created_found_and_removed() {
    let gateway = Setup::with(CONFIG).run();
    for (below, top, body, name) in [
        ("key-auth", "key-auths", json!({}), "key"),
        ("key-auth", "key-auths", json!({"key": "k", "ttl": 0}), "key"),
        ("basic-auth", "basic-auths", json!({"username": "u", "password": "p"}), "username"),
        ("hmac-auth", "hmac-auths", json!({"username": "h"}), "username"),
        ("jwt", "jwts", json!({}), "key"),
        ("oauth2", "oauth2", json!({"name": "app", "redirect_uris": ["http://a.example"]}), "client_id"),
        ("oauth2", "oauth2", json!({"name": "app"}), "client_id"),
        ("acls", "acls", json!({"group": "g"}), "group"),
    ] {
        let list = format!("/consumers/bob/{below}");
        let made = gateway.admin_json("POST", &list, body.clone());
        assert_eq!(made.status, 201, "{list}: {}", made.text());
        let made = made.json();
        let (id, key) = (made["id"].as_str().unwrap(), made[name].as_str().unwrap());
        let path = format!("{list}/{key}");
        assert_eq!(gateway.admin("GET", &path).json(), made);
        assert_eq!(gateway.admin("GET", &format!("/{top}/{id}")).json(), made);
        assert_eq!(gateway.admin("GET", &format!("/{top}/{id}/consumer")).json()["username"], "bob");
        let tagged = gateway.admin_json("PATCH", &path, json!({"tags": ["t"]}));
        assert_eq!((tagged.status, &tagged.json()["id"]), (200, &made["id"]), "{}", tagged.text());
        let unknown = gateway.admin_json("POST", &list, json!({"nope": 1}));
        assert_eq!((unknown.status, &unknown.json()["fields"]["nope"]), (400, &json!("unknown field")));
        if name != "group" {
            let mut again = body;
            again[name] = key.into();
            assert_eq!(gateway.admin_json("POST", &list, again).json()["code"], 5, "{list}");
        }
        assert_eq!(gateway.admin("DELETE", &path).status, 204, "{path}");
        gateway.admin("DELETE", &path).assert_message(404, "Not found");
        assert_eq!(gateway.admin("GET", &list).json()["data"], json!([]));
    }
}

#[test]
fn list_queries_are_checked() {
    let gateway = Setup::with(CONFIG).run();
    for query in
        ["size=1", "size=1000", "size=1e2", "size=2.0", "size=5&size=5", "name=x&sort_desc=1", "tags=nope"]
    {
        assert_eq!(gateway.admin("GET", &format!("/services?{query}")).status, 200, "{query}");
    }
    let whole = "size must be an integer between 1 and 1000";
    for (query, code, message) in [
        ("size=0", 9, whole),
        ("size=1001", 9, whole),
        ("size=-1", 9, whole),
        ("size=1.5", 9, whole),
        ("size=abc", 9, "size must be a number"),
        ("size=", 9, "size must be a number"),
        ("offset=!!", 7, "'!!' is not a valid offset: bad base64 encoding"),
        ("tags=", 11, "invalid option (tags: cannot be null)"),
        ("tags=a,b/c", 11, "invalid option (tags: invalid filter syntax)"),
        ("tags=a,b,c,d,e,f", 11, "invalid option (tags: cannot query more than 5 tags)"),
    ] {
        let answer = gateway.admin("GET", &format!("/services?{query}"));
        let told: Value = answer.json();
        assert_eq!(
            (answer.status, &told["code"], &told["message"]),
            (400, &json!(code), &json!(message)),
            "{query}"
        );
    }
}

#[test]
fn a_reference_is_the_id_or_name_of_an_existing_entity() {
    let gateway = Setup::with(CONFIG).run();
    for (service, code, expected) in [
        (json!("s"), 2, json!({"id": "missing primary key"})),
        (json!({}), 2, json!({"id": "missing primary key"})),
        (json!({"id": "s"}), 2, json!({"id": "expected a valid UUID"})),
        (json!({"id": 5}), 2, json!({"id": "expected a string"})),
        (json!({"nope": "s"}), 2, json!({"nope": "unknown field"})),
    ] {
        let answer = gateway.admin_json("POST", "/routes", json!({"paths": ["/a"], "service": service}));
        let told = answer.json();
        assert_eq!(
            (answer.status, &told["code"], &told["fields"]["service"]),
            (400, &json!(code), &expected)
        );
    }
    let answer =
        gateway.admin_json("POST", "/schemas/routes/validate", json!({"paths": ["/a"], "service": "s"}));
    assert_eq!(answer.json()["fields"]["service"], json!({"id": "missing primary key"}));
    let answer = gateway.admin_json("POST", "/schemas/routes/validate", json!({"paths": ["~/(?!x)"]}));
    let told = answer.json();
    assert!(
        told["fields"]["@entity"][0].as_str().unwrap().starts_with("Router Expression failed validation"),
        "{told}"
    );
}

#[test]
fn a_child_is_not_found_under_another_parent() {
    let gateway =
        Setup::with(&CONFIG.replace("consumers:", "- {name: other, host: o.example}\nconsumers:")).run();
    let id = gateway.admin("GET", "/routes/r").json()["id"].as_str().unwrap().to_owned();
    for key in ["r", &id] {
        for method in ["GET", "PUT", "PATCH", "DELETE"] {
            let path = format!("/services/other/routes/{key}");
            gateway.admin_json(method, &path, json!({"paths": ["/x"]})).assert_message(404, "Not found");
        }
    }
    // The body of a DELETE is ignored.
    let headers = [("content-type", "application/json")];
    let answer =
        Client::fresh().send("DELETE", &gateway.admin_url("/routes/r"), &headers, Some(b"")).unwrap();
    assert_eq!(answer.status, 204);
}
