//! Plugin `proxy-cache`: which responses are stored, sent again, shown and dropped.

use std::thread::{self, JoinHandle};

use crate::{
    client::{Answer, Client},
    eventually,
    gateway::{Gateway, Setup},
    raw::Raw,
    scripted::{Script, Scripted},
    upstream::Upstream,
};

/// A configuration with one Service and one Route, and the plugin with these settings.
fn config(port: u16, settings: &str, plugins: &str) -> String {
    format!(
        "_format_version: \"3.0\"\nservices:\n- name: backend\n  url: http://127.0.0.1:{port}\n  routes:\n  \
         - {{name: all, paths: [/], strip_path: false}}\nplugins:\n- name: proxy-cache\n  config: {{strategy: memory, {settings}}}\n{plugins}"
    )
}

fn upstream_gateway(upstream: &Upstream) -> Gateway {
    Setup::with(&config(upstream.address.port(), "", "")).run()
}

/// Sends a GET in a thread of its own.
fn ask(gateway: &Gateway, path: &str) -> JoinHandle<Answer> {
    let url = gateway.url(path);
    thread::spawn(move || Client::fresh().send("GET", &url, &[], None).unwrap())
}

/// The status, and the result of the cache for the request.
fn status_and_result(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.header("x-cache-status"))
}

fn script(fields: &str, body: &str) -> Script {
    Script::all(format!("HTTP/1.1 200 OK\r\n{fields}content-length: {}\r\n\r\n{body}", body.len()))
}

#[test]
fn a_response_is_sent_again_without_the_upstream() {
    let upstream = Upstream::start();
    let gateway = upstream_gateway(&upstream);
    let first = gateway.get("/a?x=1");
    assert_eq!(status_and_result(&first), (200, "Miss"));
    let second = gateway.get("/a?x=1");
    assert_eq!((status_and_result(&second), second.text()), ((200, "Hit"), first.text()));
    assert_eq!(second.header("x-upstream"), "here");
    assert_eq!(second.header("x-cache-key"), first.header("x-cache-key"));
    assert!(second.header("age").parse::<u32>().is_ok());
    // The fields of a proxied response, each once, with another id.
    assert_eq!(second.header("x-kong-upstream-latency"), "0");
    assert_ne!(second.header("x-kong-request-id"), first.header("x-kong-request-id"));
    for name in ["via", "server", "content-type", "content-length", "date", "x-kong-request-id"] {
        assert_eq!(second.headers.get_all(name).iter().count(), 1, "{name}");
    }
    assert!(!second.headers.contains_key("x-kong-response-latency"));
    assert_eq!(upstream.seen().requests, 1);
    let head = gateway.ask("HEAD", "/a?x=1", &[]);
    assert_eq!(status_and_result(&head), (200, "Miss"));
    let again = gateway.ask("HEAD", "/a?x=1", &[]);
    assert_eq!((status_and_result(&again), again.body.len()), ((200, "Hit"), 0));
    assert_eq!(again.header("content-length"), head.header("content-length"));
    assert_eq!(status_and_result(&gateway.post("/a?x=1", &[], b"x")), (200, "Bypass"));
}

#[test]
fn requests_for_the_same_response_wait_for_the_first() {
    let upstream = Upstream::start();
    let gateway = upstream_gateway(&upstream);
    let first = ask(&gateway, "/hold");
    upstream.wait_until("the first request", |seen| seen.requests == 1);
    let others: Vec<_> = (0..20).map(|_| ask(&gateway, "/hold")).collect();
    let connections = |gateway: &Gateway| gateway.status()["server"]["connections_writing"].as_u64();
    // The request for the status is one more.
    eventually("all requests have arrived", || (connections(&gateway) >= Some(21)).then_some(()));
    upstream.release();
    assert_eq!(status_and_result(&first.join().unwrap()), (200, "Miss"));
    for other in others {
        assert_eq!(status_and_result(&other.join().unwrap()), (200, "Hit"));
    }
    assert_eq!(upstream.seen().requests, 1);
}

#[test]
fn a_client_that_disconnects_does_not_end_the_shared_request() {
    let upstream = Upstream::start();
    let gateway = upstream_gateway(&upstream);
    let mut leaving = Raw::connect(gateway.address("proxy"));
    leaving.send(&format!("GET /hold HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.address("proxy")));
    upstream.wait_until("the first request", |seen| seen.requests == 1);
    let other = ask(&gateway, "/hold");
    drop(leaving);
    upstream.wait_until("another request in its place", |seen| seen.requests == 2);
    upstream.release();
    upstream.release();
    assert_eq!(status_and_result(&other.join().unwrap()), (200, "Miss"));
}

#[test]
fn a_client_that_disconnects_during_a_response_does_not_end_its_recording() {
    let streamed = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n";
    let scripted =
        Scripted::start(vec![Script::cut(format!("{streamed}{}", "x".repeat(4000)), 200).closing()]);
    let gateway = Setup::with(&config(scripted.port, "", "")).run();
    let mut leaving = Raw::connect(gateway.address("proxy"));
    leaving.send(&format!("GET /0 HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.address("proxy")));
    leaving.read_until("\r\n\r\n");
    drop(leaving);
    // The request waits for the recording.
    let got = gateway.get("/0");
    assert_eq!((status_and_result(&got), got.body.len(), scripted.played(0)), ((200, "Hit"), 4000, 1));
}

#[test]
fn an_incomplete_response_is_not_stored() {
    let broken =
        Script::all("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\nhalf");
    let scripted = Scripted::start(vec![broken]);
    let gateway = Setup::with(&config(scripted.port, "", "")).run();
    for _ in 0..2 {
        assert!(Client::fresh().send("GET", &gateway.url("/0"), &[], None).is_err());
    }
    assert_eq!(scripted.played(0), 2);
}

#[test]
fn other_plugins_handle_cached_responses_like_proxied_ones() {
    let scripted = Scripted::start(vec![script("content-type: application/json\r\n", "{\"n\":1}")]);
    let transformer =
        "- name: response-transformer\n  config:\n    append: {headers: ['x-seen:1'], json: ['seen:1']}\n";
    let gateway = Setup::with(&config(scripted.port, "", transformer)).run();
    for expected in ["Miss", "Hit", "Hit"] {
        let got = gateway.get("/0");
        assert_eq!(status_and_result(&got), (200, expected));
        assert_eq!(got.text(), "{\"n\":1,\"seen\":[\"1\"]}");
        assert_eq!(got.headers.get_all("x-seen").iter().count(), 1);
    }
    assert_eq!(scripted.played(0), 1);
}

#[test]
fn responses_for_one_client_are_not_sent_to_another() {
    let scripted = Scripted::start(vec![
        script("content-type: text/plain\r\nset-cookie: a=b\r\n", "x"),
        script("content-type: text/plain\r\nvary: X-Tenant\r\n", "x"),
        script("content-type: text/plain\r\n", "x"),
    ]);
    let gateway = Setup::with(&config(scripted.port, "", "")).run();
    let ask = |path: &str, field: (&str, &str)| {
        gateway.ask("GET", path, &[field]).header("x-cache-status").to_owned()
    };
    assert_eq!([(); 2].map(|()| ask("/0", ("a", "b"))), ["Bypass", "Bypass"]);
    assert_eq!(["a", "b", "a"].map(|tenant| ask("/1", ("x-tenant", tenant))), ["Miss", "Miss", "Hit"]);
    assert_eq!(["a", "b", "a"].map(|token| ask("/2", ("authorization", token))), ["Miss", "Miss", "Hit"]);
}

#[test]
fn stored_responses_outlive_reloads_that_do_not_change_the_plugin() {
    let scripted = Scripted::start(vec![script("content-type: text/plain\r\n", "x")]);
    let gateway = Setup::with(&config(scripted.port, "", "")).run();
    assert_eq!([(); 2].map(|()| status_and_result(&gateway.get("/0")).1.to_owned()), ["Miss", "Hit"]);
    let reload = |config: &str, loads: u64| {
        gateway.folder.write("kong.yaml", config);
        let loaded = || (gateway.status()["configuration"]["loads"].as_u64() >= Some(loads)).then_some(());
        eventually("the configuration is loaded", loaded);
    };
    reload(&config(scripted.port, "", "- name: correlation-id\n"), 2);
    assert_eq!(status_and_result(&gateway.get("/0")), (200, "Hit"));
    reload(&config(scripted.port, "cache_ttl: 30", ""), 3);
    assert_eq!(status_and_result(&gateway.get("/0")), (200, "Miss"));
}

#[test]
fn the_admin_api_shows_and_drops_stored_responses() {
    let scripted = Scripted::start(vec![script("content-type: text/plain\r\nx-a: 1\r\n", "x"); 2]);
    let gateway = Setup::with(&config(scripted.port, "", "")).run();
    let first = gateway.get("/0");
    let key = first.header("x-cache-key");
    let path = format!("/proxy-cache/{key}");
    let plugins = gateway.admin("GET", "/plugins").json();
    let of_plugin = format!("/proxy-cache/{}/caches/{key}", plugins["data"][0]["id"].as_str().unwrap());
    for path in [&path, &of_plugin] {
        let shown = gateway.admin("GET", path).json();
        assert_eq!(
            (&shown["status"], &shown["body"], &shown["body_len"]),
            (&200.into(), &"x".into(), &1.into())
        );
        assert_eq!((&shown["ttl"], &shown["headers"]["x-a"]), (&300.into(), &"1".into()));
        assert!(shown["timestamp"].as_u64() > Some(1_600_000_000));
    }
    let metric = "mynah_response_cache_bytes";
    let held = |gateway: &Gateway| {
        let text = gateway.admin("GET", "/metrics").text().to_owned();
        let line = text.lines().find(|line| line.starts_with(metric)).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert!(held(&gateway) > 0);
    for dropped in [&path, &of_plugin] {
        assert_eq!(gateway.admin("DELETE", dropped).status, 204);
        assert_eq!(
            [gateway.admin("GET", dropped).status, gateway.admin("DELETE", dropped).status],
            [404, 404]
        );
        assert_eq!(status_and_result(&gateway.get("/0")), (200, "Miss"));
    }
    gateway.get("/1");
    assert_eq!(gateway.admin("DELETE", "/proxy-cache").status, 204);
    assert_eq!(held(&gateway), 0);
    assert_eq!(
        [status_and_result(&gateway.get("/0")).1, status_and_result(&gateway.get("/1")).1],
        ["Miss", "Miss"]
    );
    for (method, path, expected) in [
        ("GET", "/proxy-cache", 405),
        ("GET", "/proxy-cache/other", 404),
        ("GET", &*format!("/proxy-cache/other/caches/{key}"), 404),
        ("GET", &format!("/proxy-cache/00000000-0000-0000-0000-000000000000/caches/{key}"), 404),
        ("POST", &path, 405),
        ("GET", "/proxy-cache/a/b/c", 404),
    ] {
        assert_eq!(gateway.admin(method, path).status, expected, "{method} {path}");
    }
}

#[test]
fn a_response_that_is_too_large_is_forwarded_and_not_stored() {
    let body = "0123456789".repeat(400_000);
    let of_unknown_length =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n{body}");
    let plain = "content-type: text/plain\r\n";
    let scripted =
        Scripted::start(vec![Script::all(of_unknown_length), script(plain, &body), script(plain, "x")]);
    // A response may take an eighth of the memory.
    let gateway = Setup::with(&config(scripted.port, "", "")).env("KONG_MEM_CACHE_SIZE", "16m").run();
    for (path, expected) in [("/0", ["Miss", "Miss"]), ("/1", ["Bypass", "Bypass"]), ("/2", ["Miss", "Hit"])]
    {
        for expected in expected {
            let got = gateway.get(path);
            assert_eq!(status_and_result(&got), (200, expected), "{path}");
            assert!(path == "/2" || got.text() == body, "{path}");
        }
    }
}
