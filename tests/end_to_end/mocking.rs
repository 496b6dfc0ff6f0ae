//! Plugin `mocking`: the Stock tutorial, request headers that choose the answer, and the sources of documents.

use std::time::{Duration, Instant};

use crate::{eventually, gateway::Gateway, gateway::Setup, upstream::Upstream};

/// The body that the tutorial prints: 279 bytes.
const HISTORICAL: &str = r#"{"meta_data":{"api_name":"historical_stock_price_v2","num_total_data_points":1,"credit_cost":10,"start_date":"yesterday","end_date":"yesterday"},"result_data":{"AAPL":[{"date":"2000-04-23","volume":33,"high":100.75,"low":100.87,"adj_close":275.03,"close":100.03,"open":100.87}]}}"#;

const NO_OPERATION: &str = "Corresponding path and method spec does not exist in API Specification";
const WRONG_DELAY: &str =
    "Invalid value for X-Kong-Mocking-Delay. The delay value should between 0 and 10000ms";

/// The document of the tutorial, and the one of its last part.
const STOCK: &str = include_str!("../../specs/stock-0.1.json");
const PING: &str = r##"
openapi: 3.0.3
info: {title: Ping, version: "1"}
paths:
  /ping:
    get:
      responses:
        "500":
          description: not well
          content: {application/json: {example: {error: boom}}}
        "200":
          description: well
          content: {application/json: {example: {ok: true}}}
    delete:
      responses: {"204": {description: gone}}
  /users:
    get:
      responses:
        "200":
          description: users
          content:
            application/json:
              examples:
                Jessica: {value: {id: 10, name: Hao}}
                Ron: {$ref: "#/components/examples/Ron"}
  /kinds:
    get:
      responses:
        "200":
          description: a text or an object
          content:
            text/plain: {example: hello}
            application/json: {example: [1, 2]}
  /ranges:
    get:
      responses:
        4XX: {description: wrong, content: {application/json: {example: wrong}}}
        default: {description: any, content: {application/json: {example: any}}}
components:
  examples:
    Ron: {value: {id: 20, name: Sasha}}
"##;

/// The route of the tutorial, with these settings of the plugin and this service behind it.
fn tutorial(plugin: &str, url: &str) -> String {
    format!(
        "\
_format_version: \"3.0\"
services:
- name: Stock-Service
  url: {url}
  routes:
  - name: getStockQuote
    paths: [/stock, /ping, /users, /kinds, /ranges]
    strip_path: false
    plugins:
    - {{name: cors, config: {{origins: [\"*\"]}}}}
    - {{name: mocking, {plugin}}}
"
    )
}

fn file(name: &str) -> String {
    tutorial(&format!("config: {{api_specification_filename: {name}}}"), "http://127.0.0.1:1")
}

#[track_caller]
fn ping() -> Gateway {
    Setup::with(&file("ping.yaml")).file("specs/ping.yaml", PING).run()
}

#[track_caller]
fn check_stock(gateway: &Gateway) {
    let answer = gateway.ask("GET", "/stock/historical?tickers=AAPL", &[("accept", "application/json")]);
    answer.assert_response(200, HISTORICAL);
    let expected = [
        ("access-control-allow-origin", "*"),
        ("content-length", "279"),
        ("content-type", "application/json; charset=utf-8"),
        ("x-kong-mocking-plugin", "true"),
    ];
    assert_eq!(expected.map(|(name, _)| (name, answer.header(name))), expected);
    assert!(answer.header("x-kong-response-latency").parse::<u64>().is_ok(), "{answer:?}");
    for name in ["x-kong-upstream-latency", "x-kong-proxy-latency", "via"] {
        assert_eq!(answer.header(name), "", "{name}: no upstream was asked");
    }
}

#[test]
fn the_tutorial_works() {
    let upstream = Upstream::start();
    let url = format!("http://{}/anything", upstream.address);
    let plugin = "config: {api_specification_filename: stock-0.1.json}";
    let gateway = Setup::with(&tutorial(plugin, &url)).file("specs/stock-0.1.json", STOCK).run();
    check_stock(&gateway);
    let closing = gateway.get("/stock/closing?tickers=AAPL").json();
    assert_eq!(closing["meta_data"]["api_name"], "closing_stock_price_v1");
    assert_eq!(upstream.seen().connections, 0);

    gateway.folder.write("kong.yaml", tutorial(&format!("enabled: false, {plugin}"), &url));
    let answer = eventually("the service is reached", || {
        let answer = gateway.get("/stock/historical?tickers=AAPL");
        (answer.header("x-kong-mocking-plugin") != "true").then_some(answer)
    });
    assert_eq!(answer.json()["target"], "/anything/stock/historical?tickers=AAPL");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}

#[test]
fn a_document_may_be_inline_in_the_configuration() {
    let json = serde_json::Value::from(STOCK).to_string();
    let gateway =
        Setup::with(&tutorial(&format!("config: {{api_specification: {json}}}"), "http://a.example")).run();
    check_stock(&gateway);
    let yaml = serde_json::Value::from(PING).to_string();
    let gateway =
        Setup::with(&tutorial(&format!("config: {{api_specification: {yaml}}}"), "http://a.example")).run();
    gateway.get("/ping").assert_response(200, r#"{"ok":true}"#);
}

#[test]
fn the_example_configuration_works() {
    let gateway = Setup::with(include_str!("../../kong.yaml.example"))
        .file("specs/petstore-3.0.json", include_str!("../../specs/petstore-3.0.json"))
        .run();
    check_stock(&gateway);
    let answer = gateway.get("/store/inventory");
    assert_eq!((answer.status, answer.header("x-kong-mocking-plugin")), (200, "true"));
}

#[test]
fn a_header_chooses_the_status() {
    let gateway = ping();
    let with = |path: &str, code: &str| gateway.ask("GET", path, &[("X-Kong-Mocking-Status-Code", code)]);
    gateway.get("/ping").assert_response(200, r#"{"ok":true}"#);
    with("/ping", "500").assert_response(500, r#"{"error":"boom"}"#);
    with("/ping", "200").assert_response(200, r#"{"ok":true}"#);
    for code in ["201", "abc", "99", "1000", ""] {
        let answer = with("/ping", code);
        answer.assert_message(400, &format!("could not find the status code '{code}'"));
        assert_eq!(answer.header("x-kong-mocking-plugin"), "");
    }
    gateway.get("/ranges").assert_response(400, r#""wrong""#);
    with("/ranges", "418").assert_response(418, r#""wrong""#);
    with("/ranges", "201").assert_response(201, r#""any""#);
    gateway.ask("DELETE", "/ping", &[]).assert_response(204, "");
}

#[test]
fn a_header_chooses_the_example() {
    let gateway = ping();
    let with = |id: &str| gateway.ask("GET", "/users", &[("X-Kong-Mocking-Example-Id", id)]);
    gateway.get("/users").assert_response(200, r#"{"id":10,"name":"Hao"}"#);
    with("Jessica").assert_response(200, r#"{"id":10,"name":"Hao"}"#);
    with("Ron").assert_response(200, r#"{"id":20,"name":"Sasha"}"#);
    with("Sasha").assert_response(200, r#"{"id":20,"name":"Sasha"}"#);
    with("User3").assert_message(400, "could not find the example id 'User3'");
}

#[test]
fn a_header_delays_the_answer() {
    let gateway = ping();
    let with = |delay: &str| gateway.ask("GET", "/ping", &[("X-Kong-Mocking-Delay", delay)]);
    let started = Instant::now();
    with("300").assert_response(200, r#"{"ok":true}"#);
    assert!(started.elapsed() >= Duration::from_millis(300));
    with("0").assert_response(200, r#"{"ok":true}"#);
    for wrong in ["-1", "10001", "abc", "1.5", "+1", "", "99999999999999999999999"] {
        with(wrong).assert_message(400, WRONG_DELAY);
    }
}

#[test]
fn random_delays_keep_their_lower_bound() {
    let plugin = "config: {api_specification_filename: ping.yaml, random_delay: true, min_delay_time: 0.2, max_delay_time: 0.3}";
    let gateway = Setup::with(&tutorial(plugin, "http://a.example")).file("specs/ping.yaml", PING).run();
    for _ in 0..3 {
        let started = Instant::now();
        gateway.get("/ping").assert_response(200, r#"{"ok":true}"#);
        assert!(started.elapsed() >= Duration::from_millis(200));
    }
}

#[test]
fn accept_chooses_the_media_type() {
    let gateway = ping();
    let with = |accept: &str| gateway.ask("GET", "/kinds", &[("accept", accept)]);
    let json = "application/json; charset=utf-8";
    for (accept, content_type, body) in [
        ("text/plain", "text/plain", "hello"),
        ("application/json", json, "[1,2]"),
        ("*/*", json, "[1,2]"),
        ("application/json;q=0.1, text/*;q=0.9", "text/plain", "hello"),
    ] {
        let answer = with(accept);
        answer.assert_response(200, body);
        assert_eq!(
            answer.header("content-type").split(';').next(),
            content_type.split(';').next(),
            "{accept}"
        );
    }
    assert_eq!(with("image/png").status, 406);
}

#[test]
fn head_is_answered_as_get_without_its_body() {
    let gateway = ping();
    let answer = gateway.ask("HEAD", "/ping", &[]);
    answer.assert_response(200, "");
    assert_eq!(answer.header("content-length"), r#"{"ok":true}"#.len().to_string());
    assert_eq!(answer.header("x-kong-mocking-plugin"), "true");
}

#[test]
fn an_undocumented_path_is_not_found() {
    let gateway = ping();
    for (method, path) in [("GET", "/ping/x"), ("PUT", "/ping"), ("GET", "/stock/historical")] {
        let answer = gateway.ask(method, path, &[]);
        answer.assert_message(404, NO_OPERATION);
        assert_eq!(answer.header("x-kong-mocking-plugin"), "");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "a page can read the reason");
    }
}

#[test]
fn status_codes_can_be_restricted() {
    let plugin = "config: {api_specification_filename: ping.yaml, included_status_codes: [500, 503]}";
    let gateway = Setup::with(&tutorial(plugin, "http://a.example")).file("specs/ping.yaml", PING).run();
    gateway.get("/ping").assert_response(500, r#"{"error":"boom"}"#);
    gateway
        .ask("GET", "/ping", &[("X-Kong-Mocking-Status-Code", "200")])
        .assert_message(400, "could not find the status code '200'");
    let nothing = gateway.get("/users");
    assert_eq!(nothing.status, 404);
    assert!(nothing.text().contains("200"), "the message names the defined status codes: {nothing:?}");
}

#[test]
fn file_names_cannot_leave_the_folder_of_specs() {
    let outside = |name: &str, link: bool| {
        let setup = Setup::with(&file(name)).file("ping.yaml", PING).file("specs/other.yaml", PING);
        if link {
            std::os::unix::fs::symlink("../ping.yaml", setup.folder.at("specs/link.yaml")).unwrap();
        }
        setup.call(&["run", "--proxy-listen", "127.0.0.1:0"])
    };
    outside("../ping.yaml", false).is_refusal("it is outside the folder of specs");
    outside("/etc/hostname", false).is_refusal("it is outside the folder of specs");
    outside("link.yaml", true).is_refusal("it is outside the folder of specs");
    outside("nowhere.yaml", false).is_refusal("cannot read 'nowhere.yaml'");
}

#[test]
fn the_folder_of_specs_can_be_chosen() {
    let setup = || Setup::with(&file("ping.yaml")).file("apis/ping.yaml", PING);
    let listen = ["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "off"];
    let gateway = setup().start(&[&listen[..], &["--specs", "apis"]].concat());
    gateway.get("/ping").assert_response(200, r#"{"ok":true}"#);
    let gateway = setup().env("KONG_SPECS_DIR", "apis").start(&listen);
    gateway.get("/ping").assert_response(200, r#"{"ok":true}"#);
}
