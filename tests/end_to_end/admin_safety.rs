//! Safety of the Admin API: hosts, origins, the token, and malformed bodies.

use crate::{
    client::{Answer, Client},
    gateway::{Gateway, Setup},
};

const CONFIG: &str = "_format_version: \"3.0\"\nservices:\n- name: a\n  host: a.example\n";

fn send(
    gateway: &Gateway,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> Answer {
    Client::fresh().send(method, &gateway.admin_url(path), headers, body).unwrap()
}

#[test]
fn foreign_hosts_and_pages_are_refused() {
    let gateway = Setup::with(CONFIG).env("KONG_ADMIN_GUI_URL", "http://manager.example:8002").run();
    let json = ("content-type", "application/json");
    for header in
        [("host", "evil.example"), ("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")]
    {
        let body = Some(br#"{"name":"b","host":"b"}"#.as_slice());
        let answer = send(&gateway, "POST", "/services", &[json, header], body);
        assert_eq!(answer.status, 403, "{header:?}");
        assert_eq!(answer.header("access-control-allow-origin"), "");
        assert_eq!(send(&gateway, "GET", "/services", &[header], None).status, 403, "{header:?}");
    }
    let manager = ("origin", "http://manager.example:8002");
    let answer = send(&gateway, "GET", "/services", &[manager], None);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, manager.1));
    let asked = ("access-control-request-headers", "content-type, x-a");
    let answer = send(&gateway, "OPTIONS", "/services/a", &[manager, asked], None);
    assert_eq!((answer.status, answer.header("access-control-allow-headers")), (204, asked.1));
    assert_eq!(answer.header("access-control-allow-methods"), "DELETE, GET, HEAD, OPTIONS, PATCH, PUT");
    assert_eq!(gateway.admin("GET", "/services").header("access-control-allow-origin"), "");
    assert_eq!(gateway.admin("GET", "/services").json()["data"].as_array().unwrap().len(), 1);
}

#[test]
fn a_configured_token_is_required() {
    let gateway = Setup::with(CONFIG).env("MYNAH_ADMIN_TOKEN", "s3cret").run();
    for (name, value, status) in [
        ("authorization", "Bearer s3cret", 200),
        ("kong-admin-token", "s3cret", 200),
        ("authorization", "bearer s3cret", 200),
        ("authorization", "Bearer s3cre", 401),
        ("authorization", "Basic s3cret", 401),
        ("x-other", "s3cret", 401),
    ] {
        assert_eq!(
            send(&gateway, "GET", "/services", &[(name, value)], None).status,
            status,
            "{name}: {value}"
        );
    }
    assert!(!gateway.log().contains("s3cret"));
}

#[test]
fn invalid_bodies_change_nothing() {
    let gateway = Setup::with(CONFIG).run();
    let json = [("content-type", "application/json")];
    let large = vec![b' '; 11 << 20];
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let many = "a[]=1&".repeat(1100);
    for (headers, body, status) in [
        (json.as_slice(), b"{".as_slice(), 400),
        (&json, b"[1]", 400),
        (&json, b"\"x\"", 400),
        (&json, b"", 400),
        (&json, deep.as_bytes(), 400),
        (&json, &large, 413),
        (&[("content-type", "text/plain")], b"name=b&host=b", 415),
        (&[("content-type", "application/x-www-form-urlencoded")], many.as_bytes(), 400),
        (&[("content-type", "multipart/form-data")], b"x", 400),
    ] {
        let answer = send(&gateway, "POST", "/services", headers, Some(body));
        assert_eq!(answer.status, status, "{:?}", String::from_utf8_lossy(&body[..body.len().min(40)]));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    assert_eq!(gateway.folder.read("kong.yaml"), CONFIG);
}

#[test]
fn schemas_and_queries_are_answered() {
    let gateway = Setup::with(CONFIG).run();
    let schema = gateway.admin("GET", "/schemas/plugins/mocking").json();
    assert!(schema["fields"].to_string().contains("api_specification_filename"));
    assert!(
        gateway.admin("GET", "/schemas/services").json()["fields"]
            .to_string()
            .contains("\"between\":[0,65535]")
    );
    gateway.admin("GET", "/schemas/nope").assert_message(404, "No entity named 'nope'");
    gateway.admin("GET", "/schemas/plugins/nope").assert_message(404, "No plugin named 'nope'");
    let valid = gateway.admin_form("POST", "/schemas/services/validate", "host=a");
    valid.assert_message(200, "schema validation successful");
    assert_eq!(gateway.admin_form("POST", "/schemas/services/validate", "port=x").json()["code"], 2);
    assert!(gateway.admin("GET", "/endpoints").text().contains("\"/services/{services}/routes/{routes}\""));
    assert!(gateway.admin("GET", "/plugins/enabled").text().contains("mocking"));
    assert!(gateway.admin("GET", "/metrics").text().contains("kong_node_info{"));
    gateway.admin("GET", "/debug/node/log-level").assert_message(200, "log level: notice");
}
