//! Access log: one line for each request, written when its response has ended.

use serde_json::Value;

use crate::{
    client::Client,
    eventually,
    gateway::{Gateway, Setup},
    raw::Raw,
    upstream::Upstream,
};

fn start(environment: &[(&str, &str)]) -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://{}', routes: [{{name: r, paths: [/]}}]}}\n",
        upstream.address
    );
    let setup = Setup::with(&config);
    let gateway = environment.iter().fold(setup, |setup, (name, value)| setup.env(name, value)).run();
    (upstream, gateway)
}

/// The first line that contains this text.
#[track_caller]
fn line(gateway: &Gateway, text: &str) -> String {
    eventually(&format!("the log says {text:?}"), || {
        gateway.stdout().lines().find(|line| line.contains(text)).map(str::to_owned)
    })
}

#[test]
fn a_line_has_the_format_of_nginx_with_the_id_and_without_the_query() {
    let (_upstream, gateway) = start(&[]);
    let answer =
        gateway.ask("GET", "/a?key=secret", &[("user-agent", "me"), ("referer", "http://b/?c=secret")]);
    let line = line(&gateway, "GET /a");
    let (size, id) = (answer.text().len(), answer.header("x-kong-request-id"));
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    let end = format!("\"GET /a HTTP/1.1\" 200 {size} \"http://b/\" \"me\" kong_request_id: \"{id}\"");
    assert!(line.ends_with(&end), "{line}");
}

#[test]
fn json_has_the_outcome_of_a_request() {
    let (upstream, gateway) = start(&[("MYNAH_ACCESS_LOG_FORMAT", "json"), ("MYNAH_ACCESS_LOG_QUERY", "on")]);
    gateway.get("/a?b=c");
    let entry: Value = serde_json::from_str(&line(&gateway, "/a?b=c")).unwrap();
    assert_eq!(
        (&entry["status"], &entry["route"], &entry["service"]),
        (&200.into(), &"r".into(), &"s".into())
    );
    assert_eq!(entry["upstream"], upstream.address.to_string());
    for number in ["bytes", "latency", "proxy_latency", "upstream_latency"] {
        assert!(entry[number].is_u64(), "{entry}");
    }
}

#[test]
fn requests_without_a_response_are_logged() {
    let (upstream, gateway) = start(&[]);
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.wait_until("the request arrives", |seen| seen.requests == 1);
    drop(raw);
    line(&gateway, "\"GET /hold HTTP/1.1\" 499 0 ");
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("nonsense\r\n\r\n");
    raw.read_until("Bad request");
    line(&gateway, "] \"\" 400 ");
}

#[test]
fn the_log_goes_to_the_configured_destination() {
    let (_upstream, gateway) = start(&[("KONG_PROXY_ACCESS_LOG", "access.log")]);
    gateway.get("/a");
    let file = gateway.folder.at("access.log");
    let lines = || std::fs::read_to_string(&file).unwrap_or_default();
    eventually("the file has a line", || lines().contains("GET /a").then_some(()));
    assert!(!gateway.stdout().contains("GET /a"));
    std::fs::rename(&file, gateway.folder.at("access.log.1")).unwrap();
    gateway.get("/b");
    eventually("a new file has the next line", || lines().contains("GET /b").then_some(()));
    assert!(!lines().contains("GET /a"));
}

#[test]
fn the_log_can_be_off_and_the_admin_api_has_its_own() {
    let environment = [("KONG_PROXY_ACCESS_LOG", "off"), ("KONG_ADMIN_ACCESS_LOG", "/dev/stdout")];
    let (_upstream, gateway) = start(&environment);
    gateway.get("/a");
    gateway.admin("GET", "/status");
    line(&gateway, "\"GET /status HTTP/1.1\" 200 ");
    assert!(!gateway.stdout().contains("GET /a"));
}

#[test]
fn probes_of_the_status_listener_are_in_no_log_but_its_own() {
    for (log, is_logged) in [("off", false), ("/dev/stdout", true)] {
        let (_upstream, gateway) = start(&[
            ("KONG_STATUS_LISTEN", "127.0.0.1:0"),
            ("KONG_ADMIN_ACCESS_LOG", "/dev/stdout"),
            ("KONG_STATUS_ACCESS_LOG", log),
        ]);
        let probe = format!("http://{}/status/ready", gateway.address("status"));
        assert_eq!(Client::fresh().send("GET", &probe, &[], None).unwrap().status, 200);
        gateway.admin("GET", "/services");
        line(&gateway, "\"GET /services HTTP/1.1\" 200 ");
        assert_eq!(gateway.stdout().contains("GET /status/ready"), is_logged, "{log}");
    }
}

#[test]
fn a_format_of_nginx_is_chosen_by_its_name() {
    let (_upstream, gateway) = start(&[
        (
            "KONG_NGINX_HTTP_LOG_FORMAT",
            r#"short escape=json '{"ip":"$remote_addr","line":"$request","to":"$upstream_addr",' '"agent":"$http_user_agent","none":"$no_such","status":$status,"bytes":$body_bytes_sent,"t":$request_time}'"#,
        ),
        ("KONG_PROXY_ACCESS_LOG", "/dev/stdout short"),
    ]);
    let answer = gateway.ask("GET", "/a?key=secret", &[("user-agent", "a \"quoted\" one")]);
    let told: Value = serde_json::from_str(&line(&gateway, "GET /a")).unwrap();
    assert_eq!((&told["ip"], &told["line"]), (&"127.0.0.1".into(), &"GET /a HTTP/1.1".into()));
    assert_eq!((&told["agent"], &told["none"]), (&"a \"quoted\" one".into(), &"".into()));
    assert_eq!((&told["status"], &told["bytes"]), (&200.into(), &answer.text().len().into()));
    assert!(told["to"].as_str().unwrap().starts_with("127.0.0.1:") && told["t"].is_number(), "{told}");
    gateway.wait_for_log("variables without a value: $no_such");
}

#[test]
fn combined_has_the_format_of_nginx() {
    let (_upstream, gateway) = start(&[("KONG_PROXY_ACCESS_LOG", "/dev/stdout combined")]);
    let size = gateway.ask("GET", "/a", &[("user-agent", "me")]).text().len();
    let line = line(&gateway, "GET /a");
    assert!(line.ends_with(&format!("] \"GET /a HTTP/1.1\" 200 {size} \"-\" \"me\"")), "{line}");
}

#[test]
fn variables_of_connection_client_and_response_have_values() {
    let (_upstream, gateway) = start(&[
        (
            "KONG_NGINX_HTTP_LOG_FORMAT",
            "wide '$remote_user|$scheme|$server_port|$remote_port|$cookie_b|$arg_x|$is_args|$sent_http_content_type|\
             $sent_http_x_none|$upstream_status|$upstream_response_time|$ssl_protocol|$uri'",
        ),
        ("KONG_PROXY_ACCESS_LOG", "/dev/stdout wide"),
        ("MYNAH_ACCESS_LOG_QUERY", "on"),
    ]);
    let fields = [("authorization", "Basic YWxhZGRpbjpvcGVuOnNlc2FtZQ=="), ("cookie", "a=1; b=two")];
    let answer = gateway.ask("GET", "/a?x=1&y=2", &fields);
    let line = line(&gateway, "|/a");
    let values: Vec<&str> = line.split('|').collect();
    let port = gateway.address("proxy").rsplit(':').next().unwrap().to_owned();
    assert_eq!(values[..3], ["aladdin", "http", &*port], "{line}");
    assert!(values[3].parse::<u16>().is_ok_and(|port| port > 0), "{line}");
    assert_eq!(values[4..7], ["two", "1", "?"], "{line}");
    assert_eq!(values[7..10], [answer.header("content-type"), "-", "200"], "{line}");
    assert!(values[10].parse::<f64>().is_ok(), "{line}");
    assert_eq!(values[11..], ["-", "/a"], "{line}");
}
