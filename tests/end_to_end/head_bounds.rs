//! Bounds of the heads of responses and requests are settings, and the log names them.

use crate::{
    eventually,
    gateway::Setup,
    raw::Raw,
    scripted::{Script, Scripted},
};

/// A response with this number of fields, whose head has about this number of bytes.
fn response(fields: usize, bytes: usize) -> Script {
    let value = "v".repeat(bytes / fields);
    let fields: Vec<String> = (0..fields).map(|field| format!("x-{field}: {value}\r\n")).collect();
    let fields = fields.concat();
    Script::cut(format!("HTTP/1.1 200 OK\r\n{fields}content-length: 2\r\n\r\nok"), 1 << 20)
}

#[test]
fn the_head_of_a_response_has_bounds_that_settings_change() {
    const SIZE: &str = "the bound of nginx_proxy_proxy_buffer_size (KONG_NGINX_PROXY_PROXY_BUFFER_SIZE)";
    const FIELDS: &str = "the bound of max_response_headers (KONG_MAX_RESPONSE_HEADERS)";
    let scripts = vec![response(150, 1000), response(10, 100_000), response(1500, 3000)];
    let service = Scripted::start(scripts);
    for (settings, expected) in [
        (&[][..], [None, Some(SIZE), Some(FIELDS)]),
        (&[("KONG_NGINX_PROXY_PROXY_BUFFER_SIZE", "160k")], [None, None, Some(FIELDS)]),
        (&[("KONG_NGINX_PROXY_PROXY_BUFFERS", "64 160k")], [None, None, Some(FIELDS)]),
        (
            &[("KONG_NGINX_HTTP_PROXY_BUFFER_SIZE", "2m"), ("KONG_MAX_RESPONSE_HEADERS", "2000")],
            [None, None, None],
        ),
        // One of the buffers has 8 KiB.
        (&[("KONG_NGINX_PROXY_PROXY_BUFFER_SIZE", "1k")], [None, Some(SIZE), Some(SIZE)]),
        (&[("KONG_MAX_RESPONSE_HEADERS", "100")], [Some(FIELDS), Some(SIZE), Some(FIELDS)]),
    ] {
        let mut setup = Setup::with(&service.config("retries: 0"));
        for (name, value) in settings {
            setup = setup.env(name, value);
        }
        let gateway = setup.run();
        for (number, expected) in expected.into_iter().enumerate() {
            let path = format!("/{number}");
            let mut client = Raw::connect(gateway.address("proxy"));
            client.send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
            let (answer, status) = (client.read_to_end(), if expected.is_some() { 502 } else { 200 });
            let line = answer.lines().next().unwrap();
            assert!(line.contains(&status.to_string()), "{settings:?} {path}: {line} {}", gateway.log());
            if let Some(message) = expected {
                let line = format!("GET {path}: upstream");
                let logged = eventually("the line is logged", || {
                    gateway.log().lines().find(|logged| logged.contains(&line)).map(str::to_owned)
                });
                assert!(logged.contains(message), "{settings:?}: {logged}");
            }
        }
    }
}

#[test]
fn the_log_names_the_bound_that_a_request_exceeds() {
    let gateway = Setup::with("_format_version: \"3.0\"\n")
        .env("KONG_NGINX_HTTP_LARGE_CLIENT_HEADER_BUFFERS", "4 2k")
        .env("KONG_NGINX_HTTP_CLIENT_MAX_BODY_SIZE", "10")
        .run();
    let long = "x".repeat(3000);
    assert_eq!(gateway.get(&format!("/{long}")).status, 414);
    gateway.wait_for_log(
        "its target has 3001 bytes; the size in nginx_http_large_client_header_buffers allows 2048",
    );
    assert_eq!(gateway.ask("GET", "/a", &[("x-long", &long)]).status, 400);
    gateway.wait_for_log("GET /a: the request was refused: its field x-long has 3006 bytes;");
    let fields: Vec<(String, String)> = (0..6).map(|n| (format!("x-{n}"), "x".repeat(1900))).collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(gateway.ask("GET", "/b", &fields).status, 400);
    gateway.wait_for_log("number and size in nginx_http_large_client_header_buffers allow 8192 together");
    assert_eq!(gateway.post("/c", &[], &[b'x'; 11]).status, 413);
    gateway.wait_for_log("POST /c: the request was refused: its Content-Length is 11; nginx_http_client_max_body_size allows 10");
    let many: Vec<(String, &str)> = (0..200).map(|n| (format!("x-{n}"), "1")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (&**name, *value)).collect();
    assert_eq!(gateway.ask("GET", "/d", &many).status, 400);
    gateway.wait_for_log("or more than 100 fields (max_headers)");
}
