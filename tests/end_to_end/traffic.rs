//! `/mynah/traffic`, `/mynah/exchanges` and `/mynah/events`: what the gateway has answered, for those who watch it.

use serde_json::{Value, json};

use crate::{
    eventually,
    gateway::{Gateway, Setup},
    raw::Raw,
    targets::Target,
};

fn gateway(target: &Target) -> Gateway {
    Setup::with(&format!(
        "\
_format_version: \"3.0\"
services:
- name: shop
  url: http://{}
  routes:
  - {{name: items, paths: [/items]}}
  - name: mocked
    paths: [/mocked]
    plugins:
    - name: mocking
      config:
        api_specification: '{{\"openapi\": \"3.0.0\", \"info\": {{\"title\": a, \"version\": \"1\"}}, \"paths\": {{\"/mocked\": {{\"get\": {{\"responses\": {{\"200\": {{\"description\": ok}}}}}}}}}}}}'
  - name: closed
    paths: [/closed]
    plugins: [{{name: request-termination}}]
",
        target.address
    ))
    .run()
}

/// Sends requests until one is recorded: recording begins with the first request for exchanges.
#[track_caller]
fn exchanges(gateway: &Gateway, query: &str) -> Vec<Value> {
    let answer = gateway.admin("GET", &format!("/mynah/exchanges{query}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"].as_array().unwrap().clone()
}

#[test]
fn the_numbers_of_the_last_seconds_tell_mocks_from_upstreams() {
    let target = Target::start("shop");
    let gateway = gateway(&target);
    for path in ["/items", "/items", "/mocked", "/closed", "/nowhere"] {
        gateway.get(path);
    }
    eventually("all requests are counted", || {
        let traffic = gateway.admin("GET", "/mynah/traffic").json();
        let sum = |key: &str| -> u64 {
            traffic["seconds"].as_array().unwrap().iter().map(|second| second[key].as_u64().unwrap()).sum()
        };
        (sum("mock") == 1 && sum("upstream") == 2 && sum("gateway") == 2).then_some(())
    });
    let traffic = gateway.admin("GET", "/mynah/traffic?seconds=600").json();
    let routes: Vec<_> =
        traffic["routes"].as_array().unwrap().iter().map(|one| one["route"].clone()).collect();
    assert_eq!(routes[0], "items");
    for route in ["mocked", "closed", ""] {
        assert!(routes.contains(&route.into()), "{routes:?}");
    }
    let items = gateway.admin("GET", "/mynah/traffic?route=items").json();
    assert!(items["seconds"].as_array().unwrap().iter().all(|second| second["mock"] == 0));
    let statuses = &traffic["routes"][0]["statuses"];
    assert_eq!(*statuses, json!({ "200": 2 }));
}

#[test]
fn exchanges_are_recorded_while_they_are_watched() {
    let target = Target::start("shop");
    let gateway = gateway(&target);
    gateway.get("/items/unwatched");
    assert_eq!(exchanges(&gateway, ""), [] as [Value; 0]);
    let secrets = [("authorization", "Basic c2VjcmV0"), ("x-color", "blue")];
    gateway.ask("GET", "/items/7?a=b", &secrets);
    gateway.get("/mocked");
    let all = eventually("both are recorded", || {
        let all = exchanges(&gateway, "");
        (all.len() == 2).then_some(all)
    });
    let kinds: Vec<_> = all.iter().map(|one| (one["kind"].clone(), one["route"].clone())).collect();
    assert_eq!(kinds, [("mock".into(), "mocked".into()), ("upstream".into(), "items".into())]);
    assert!(all[1]["url"].as_str().unwrap().ends_with("/items/7?a=b"), "{all:?}");
    assert_eq!(exchanges(&gateway, "?kind=mock&q=MOCKED&status=2").len(), 1);
    assert_eq!(exchanges(&gateway, &format!("?after={}", all[1]["number"])).len(), 1);
    let detail = gateway.admin("GET", &format!("/mynah/exchanges/{}", all[1]["number"])).json();
    let fields = detail["request"]["headers"].as_array().unwrap();
    assert!(fields.contains(&json!(["x-color", "blue"])), "{fields:?}");
    assert!(fields.contains(&json!(["authorization", "(hidden)"])), "{fields:?}");
    assert_eq!(detail["upstream"]["status"], 200);
    assert_eq!(detail["upstream"]["attempts"].as_array().unwrap().len(), 1);
}

#[test]
fn queries_are_checked() {
    let target = Target::start("shop");
    let gateway = gateway(&target);
    for (path, message) in [
        ("/mynah/traffic?seconds=-1", "seconds must be a whole number from 0 to 600"),
        ("/mynah/exchanges?kind=other", "kind must be one of: mock, upstream, gateway"),
        ("/mynah/exchanges?count=501", "count must be a whole number from 0 to 500"),
        ("/mynah/events?topics=news", "unknown topic: news; the topics are config, traffic, exchanges"),
    ] {
        gateway.admin("GET", path).assert_message(400, message);
    }
    assert_eq!(gateway.admin("GET", "/mynah/exchanges/99").status, 404);
    assert_eq!(gateway.admin("POST", "/mynah/events").status, 405);
}

#[test]
fn a_stream_reports_saved_files_and_traffic() {
    let target = Target::start("shop");
    let gateway = gateway(&target);
    let mut stream = Raw::connect(gateway.address("admin"));
    stream.send("GET /mynah/events?topics=config,traffic,exchanges HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.read_until("content-type: text/event-stream");
    stream.read_until("event: config\ndata: {");
    stream.read_until("\"generation\":1");
    gateway.get("/mocked");
    stream.read_until("event: exchanges\ndata: {\"last\":1}");
    stream.read_until("\"mock\":1");
    gateway.folder.write("kong.yaml", "_format_version: \"3.0\"\nservices: 7\n");
    stream.read_until("\"error\":\"");
    gateway.folder.write("kong.yaml", "_format_version: \"3.0\"\n");
    stream.read_until("\"generation\":2");
}

#[test]
fn an_open_stream_does_not_delay_the_end() {
    let target = Target::start("shop");
    let gateway = gateway(&target);
    let mut stream = Raw::connect(gateway.address("admin"));
    stream.send("GET /mynah/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.read_until("event: config");
    gateway.signal("TERM");
    let outcome = gateway.outcome();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(!outcome.stderr.contains("cut off"), "{outcome:?}");
}
