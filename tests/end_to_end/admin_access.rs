//! Access rules of the Admin API and the status listener: accepted hosts and pages, whatever the listen address.

use crate::{
    client::Answer,
    gateway::{Gateway, Setup},
    raw::Raw,
};

const CONFIG: &str = "_format_version: \"3.0\"\nservices:\n- {name: s, url: 'http://127.0.0.1:1'}\n";

/// A gateway whose Admin API listens on all addresses.
fn run(setup: Setup) -> Gateway {
    setup.start(&[
        "run",
        "--proxy-listen",
        "127.0.0.1:0",
        "--admin-listen",
        "0.0.0.0:0",
        "--status-listen",
        "127.0.0.1:0",
    ])
}

/// The address of a listener on all addresses, as reached over the loopback interface.
fn loopback_address(gateway: &Gateway, name: &str) -> String {
    gateway.address(name).replace("0.0.0.0", "127.0.0.1")
}

fn exchange(address: &str, request: &str) -> String {
    let mut raw = Raw::connect(address);
    raw.send(&request.replace('\n', "\r\n"));
    raw.read_to_end()
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or(answer)
}

#[test]
fn a_page_that_uses_dns_rebinding_is_refused() {
    let gateway = run(Setup::with(CONFIG).env("KONG_ADMIN_ALLOWED_HOSTS", "gw.example, *.corp.example"));
    let admin = loopback_address(&gateway, "admin");
    let body = r#"{"name":"b","host":"b"}"#;
    let write = |host: &str, more: &str| {
        let length = body.len();
        let head = format!("POST /services HTTP/1.1\nHost: {host}\nContent-Type: application/json\n{more}");
        exchange(&admin, &format!("{head}Content-Length: {length}\nConnection: close\n\n{body}"))
    };
    for (host, origin) in [
        ("evil.example:8001", "Origin: http://evil.example:8001\n"),
        ("evil.example", "Origin: http://evil.example\n"),
        ("evil.example", ""),
        ("127.0.0.1.evil.example", ""),
        ("gw.example", "Origin: http://evil.example\n"),
        ("gw.example", "Origin: null\n"),
        ("gw.example", "Origin: http://gw.example\nOrigin: http://evil.example\n"),
    ] {
        let answer = write(host, origin);
        assert_eq!(status(&answer), "403", "{host} {origin}: {answer}");
        assert!(!answer.contains("access-control-allow-origin"), "{answer}");
    }
    for twice in ["Host: 127.0.0.1\n", "Host: evil.example\n"] {
        assert_eq!(status(&write("127.0.0.1", twice)), "400");
    }
    for target in ["http://evil.example/services", "http://127.0.0.1:1/services"] {
        let request = format!("GET {target} HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n");
        assert_eq!(status(&exchange(&admin, &request)), "400", "{target}");
    }
    assert_eq!(gateway.folder.read("kong.yaml"), CONFIG);
    for host in ["gw.example:8001", "a.corp.example", "127.0.0.1", "localhost:8001"] {
        let answer =
            exchange(&admin, &format!("GET /services HTTP/1.1\nHost: {host}\nConnection: close\n\n"));
        assert_eq!(status(&answer), "200", "{host}: {answer}");
    }
}

#[test]
fn answers_carry_headers_that_keep_pages_out() {
    let gateway = run(Setup::with(CONFIG));
    for (name, path) in
        [("admin", "/services"), ("admin", "/nowhere"), ("status", "/status"), ("status", "/services")]
    {
        let request = format!("GET {path} HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n");
        let answer = exchange(&loopback_address(&gateway, name), &request).to_ascii_lowercase();
        for field in [
            "x-frame-options: deny",
            "content-security-policy: default-src 'none'; frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "cross-origin-resource-policy: same-origin",
            "cache-control: no-store",
        ] {
            assert!(
                answer.contains(&format!("\r\n{field}\r\n")),
                "{name} {path}: {field} is not in {answer}"
            );
        }
    }
}

#[test]
fn the_status_listener_accepts_probes_and_refuses_pages() {
    let gateway = run(Setup::with(CONFIG));
    let at = loopback_address(&gateway, "status");
    for (head, expected) in [
        ("HTTP/1.0\n", "200"),
        ("HTTP/1.1\nHost: 127.0.0.1:8100\n", "200"),
        ("HTTP/1.1\nHost: evil.example\n", "403"),
        ("HTTP/1.1\nHost: 127.0.0.1\nOrigin: http://evil.example\n", "403"),
        ("HTTP/1.1\nHost: 127.0.0.1\nSec-Fetch-Site: cross-site\n", "403"),
        ("HTTP/1.1\nHost: 127.0.0.1\nHost: evil.example\n", "400"),
    ] {
        let answer = exchange(&at, &format!("GET /status {head}Connection: close\n\n"));
        assert_eq!(status(&answer), expected, "{head}: {answer}");
    }
}

#[test]
fn an_open_admin_address_without_a_token_is_warned_about() {
    let warning = "is open to every client that reaches this address";
    let gateway = run(Setup::with(CONFIG));
    gateway.wait_for_log(&format!("WARN the Admin API on 0.0.0.0:0 {warning}"));
    let gateway = run(Setup::with(CONFIG).env("MYNAH_ADMIN_TOKEN", "s3cret"));
    assert!(!gateway.log().contains(warning), "{}", gateway.log());
    assert!(!Setup::with(CONFIG).run().log().contains(warning));
}

#[test]
fn the_configured_body_size_is_enforced() {
    let gateway = Setup::with(CONFIG).env("KONG_NGINX_ADMIN_CLIENT_MAX_BODY_SIZE", "1k").run();
    let large = format!("name=b&host=b&path=/{}", "x".repeat(1100));
    let refused = |answer: Answer| assert_eq!(answer.status, 413);
    refused(gateway.admin_form("POST", "/services", &large));
    refused(gateway.admin_form("POST", "/config", &large));
    assert_eq!(gateway.admin_form("POST", "/services", "name=b&host=b").status, 201);
}
