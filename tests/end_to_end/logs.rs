//! Plugins that log: contents of entries, and delivery of all of them.

use serde_json::{Value, json};

use crate::{
    collector::Collector,
    eventually,
    gateway::{Gateway, Setup},
    raw::Raw,
    upstream::Upstream,
};

fn config(upstream: &str, plugins: &str) -> String {
    format!(
        "\
_format_version: \"3.0\"
services:
- name: shop
  url: http://{upstream}/base
  routes:
  - name: orders
    paths: [/orders]
  - name: closed
    paths: [/closed]
    plugins:
    - name: request-termination
      config: {{status_code: 418, message: closed}}
  - name: members
    paths: [/members]
    plugins: [{{name: key-auth}}]
consumers:
- username: alice
  keyauth_credentials: [{{key: alice-key}}]
plugins:
{plugins}"
    )
}

/// The entries in a file, once it has this number.
#[track_caller]
fn entries(gateway: &Gateway, count: usize) -> Vec<Value> {
    eventually(&format!("{count} entries are written"), || {
        let text = std::fs::read_to_string(gateway.folder.at("requests.log")).ok()?;
        let whole = text.lines().count() >= count && text.ends_with('\n');
        whole.then(|| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    })
}

const FILE: &str = "- name: file-log\n  config: {path: requests.log}\n";

#[test]
fn an_entry_describes_a_request() {
    let upstream = Upstream::start();
    let gateway = Setup::with(&config(&upstream.address.to_string(), FILE)).run();
    let fields = [("authorization", "Bearer secret"), ("x-a", "b")];
    let answer = gateway.post("/orders/1?a=1&a=2&b", &fields, b"three little bytes");
    assert_eq!(answer.status, 200);
    let entry = entries(&gateway, 1).remove(0);
    let port = gateway.address("proxy").rsplit(':').next().unwrap().to_owned();
    for (pointer, expected) in [
        ("/request/method", json!("POST")),
        ("/request/uri", json!("/orders/1?a=1&a=2&b")),
        ("/request/url", json!(format!("http://127.0.0.1:{port}/orders/1?a=1&a=2&b"))),
        ("/request/querystring", json!({"a": ["1", "2"], "b": true})),
        ("/request/headers/authorization", json!("REDACTED")),
        ("/request/headers/x-a", json!("b")),
        ("/request/id", json!(answer.header("x-kong-request-id"))),
        ("/response/status", json!(200)),
        ("/response/headers/content-type", json!(answer.header("content-type"))),
        ("/upstream_uri", json!("/base/1?a=1&a=2&b")),
        ("/upstream_status", json!("200")),
        ("/source", json!("upstream")),
        ("/client_ip", json!("127.0.0.1")),
        ("/route/name", json!("orders")),
        ("/service/name", json!("shop")),
        ("/tries/0/ip", json!("127.0.0.1")),
        ("/tries/0/port", json!(upstream.address.port())),
        ("/tries/0/keepalive", json!(false)),
        ("/workspace_name", json!("default")),
    ] {
        assert_eq!(entry.pointer(pointer), Some(&expected), "{pointer} of {entry:#}");
    }
    let number = |pointer: &str| entry.pointer(pointer).and_then(Value::as_i64).unwrap_or(i64::MIN);
    let body = i64::try_from(answer.body.len()).unwrap();
    assert!(number("/response/size") > body, "head and body: {entry:#}");
    assert!(number("/request/size") > 18 + 60, "head and body: {entry:#}");
    assert!(number("/started_at") > 1_700_000_000_000, "{entry:#}");
    let (total, proxy) = (number("/latencies/request"), number("/latencies/proxy"));
    assert!(proxy >= 0 && number("/latencies/kong") >= 0 && total >= proxy, "{entry:#}");
    assert_eq!(entry["tries"].as_array().unwrap().len(), 1);
    assert!(entry.get("consumer").is_none(), "{entry:#}");
    gateway.get("/orders/2");
    let second = entries(&gateway, 2).remove(1);
    assert_eq!(second.pointer("/tries/0/keepalive"), Some(&json!(true)), "{second:#}");
}

#[test]
fn every_request_has_an_entry() {
    let upstream = Upstream::start();
    let gateway = Setup::with(&config(&upstream.address.to_string(), FILE)).run();
    // An entry may be written shortly after its response, so entries may change their order.
    for (n, path) in ["/closed", "/nowhere", "/members", "/members?apikey=alice-key"].iter().enumerate() {
        gateway.get(path);
        entries(&gateway, n + 1);
    }
    let all = entries(&gateway, 4);
    let summary = |entry: &Value| {
        let text = |pointer: &str| entry.pointer(pointer).map_or("-".to_owned(), ToString::to_string);
        ["/response/status", "/source", "/route/name", "/consumer/username", "/latencies/proxy", "/tries"]
            .map(text)
            .join(" ")
    };
    let summary: Vec<String> = all.iter().map(summary).collect();
    assert_eq!(
        summary[..3],
        ["418 \"kong\" \"closed\" - -1 []", "404 \"kong\" - - -1 []", "401 \"kong\" \"members\" - -1 []",]
    );
    assert!(summary[3].starts_with("200 \"upstream\" \"members\" \"alice\" "), "{}", summary[3]);
    let consumer = &all[3]["consumer"]["id"];
    assert_eq!(&all[3]["authenticated_entity"]["consumer_id"], consumer, "{:#}", all[3]);
    // A client that disconnects before the response.
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("GET /orders/hold HTTP/1.1\r\nHost: a.example\r\n\r\n");
    upstream.wait_until("the request arrives", |seen| seen.requests == 2);
    drop(raw);
    let left = entries(&gateway, 5).remove(4);
    assert_eq!((&left["response"]["status"], &left["route"]["name"]), (&json!(499), &json!("orders")));
}

fn http(address: impl std::fmt::Display, rest: &str) -> String {
    format!("- name: http-log\n  config:\n    http_endpoint: http://user:pass@{address}/log?a=b\n{rest}")
}

#[test]
fn entries_are_sent_one_by_one() {
    let (upstream, collector) = (Upstream::start(), Collector::start(&[]));
    let plugin = http(collector.address, "    method: PUT\n    headers: {x-token: secret}\n");
    let gateway = Setup::with(&config(&upstream.address.to_string(), &plugin)).run();
    gateway.get("/closed");
    collector.takes(1);
    gateway.get("/orders");
    let taken = collector.takes(2);
    let head = &taken[0].head;
    assert!(head.starts_with("PUT /log?a=b HTTP/1.1\r\n"), "{head}");
    for field in ["content-type: application/json", "authorization: Basic dXNlcjpwYXNz", "x-token: secret"] {
        assert!(head.contains(&format!("{field}\r\n")), "{field} in {head}");
    }
    let statuses: Vec<&Value> = taken.iter().map(|request| &request.body["response"]["status"]).collect();
    assert_eq!(statuses, [418, 200]);
    assert_eq!(taken[0].connection, taken[1].connection, "the connection is reused");
}

#[test]
fn rejected_entries_are_sent_again() {
    let (upstream, collector) = (Upstream::start(), Collector::start(&[503, 500]));
    let plugin = http(collector.address, "    queue: {initial_retry_delay: 0.05}\n");
    let gateway = Setup::with(&config(&upstream.address.to_string(), &plugin)).run();
    gateway.get("/closed");
    let taken = collector.takes(3);
    assert_eq!(taken[0].body, taken[2].body);
    gateway.wait_for_log("the server answers 503");
    let log = gateway.log();
    assert!(!log.contains("user:pass") && !log.contains("a=b"), "{log}");
}

#[test]
fn entries_are_delivered_before_the_process_ends() {
    let (upstream, collector) = (Upstream::start(), Collector::start(&[]));
    let queue = "    queue: {max_batch_size: 100, max_coalescing_delay: 600}\n";
    let plugins = format!("{}{FILE}", http(collector.address, queue));
    let gateway = Setup::with(&config(&upstream.address.to_string(), &plugins)).run();
    for _ in 0..3 {
        gateway.get("/closed");
    }
    entries(&gateway, 3);
    // The next version has another plugin instance; the entries of the former one are still delivered.
    gateway.folder.write("kong.yaml", config(&upstream.address.to_string(), FILE));
    gateway.wait_for_log("1 plugin removed (http-log)");
    gateway.get("/closed");
    gateway.signal("TERM");
    assert_eq!(entries(&gateway, 4).len(), 4);
    let outcome = gateway.outcome();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(collector.takes(1)[0].body.as_array().map(Vec::len), Some(3));
}

#[test]
fn the_shutdown_does_not_wait_for_an_unreachable_server() {
    let upstream = Upstream::start();
    let closed_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gateway = Setup::with(&config(&upstream.address.to_string(), &http(closed_port, ""))).run();
    gateway.get("/closed");
    gateway.wait_for_log("a batch of 1 is retried");
    gateway.signal("TERM");
    let outcome = gateway.outcome();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("log entries of plugins that were not delivered: 1"), "{outcome:?}");
}

#[test]
fn invalid_settings_are_errors() {
    let check = |plugin: &str| Setup::with(&config("127.0.0.1:9", plugin)).call(&["check", "kong.yaml"]);
    check("- name: file-log\n").is_refusal("required field missing");
    check("- name: http-log\n  config: {http_endpoint: 'ftp://a/'}\n")
        .is_refusal("its scheme is neither http nor https");
    let noted = check("- name: http-log\n  config: {http_endpoint: 'http://a/', queue_size: 5}\n");
    assert_eq!(noted.code, Some(0), "{noted:?}");
    assert!(noted.stderr.contains("Kong's older name of config.queue.max_batch_size"), "{noted:?}");
}
