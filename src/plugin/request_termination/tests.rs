//! Tests of default responses, as recorded from Kong, and of settings.

use http::header::CONTENT_TYPE;

use super::*;
use crate::plugin::test_support;

/// The status, media type and body of the answer; none if the request goes on.
fn run(config: &str, request: &str) -> Option<(u16, String, String)> {
    let plugin = test_support::plugin(&DEF, config);
    let response = test_support::access(&*plugin, &mut test_support::request(request))?;
    let media_type =
        response.headers().get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap()).to_owned();
    Some((response.status().as_u16(), media_type, test_support::text(response.into_body())))
}

#[test]
fn each_status_has_its_default_response() {
    let table = test_support::json(include_str!("../../../tests/kong-cases/request-termination-status.json"));
    for case in table.get("cases").unwrap().items() {
        let text = |key: &str| case.get(key).and_then(Value::as_str).unwrap_or_default();
        let Some(status) = text("status_line").strip_prefix("HTTP/1.1 ") else { continue };
        let (status, code) = (status[..3].parse().unwrap(), case.get("code").unwrap().to_json());
        // Different from Kong: 416 has the title of RFC 9110, not nginx's older one.
        let body = text("body").replace("416 Requested Range", "416 Range");
        let body = body.replace("<id>", "00000000000000000000000000000007");
        let expected = Some((status, text("content_type").to_owned(), body));
        assert_eq!(run(&format!("{{status_code: {code}}}"), "GET /"), expected, "{code}");
    }
}

#[track_caller]
fn check(config: &str, request: &str, expected: Option<(u16, &str, &str)>) {
    let expected =
        expected.map(|(status, media_type, body)| (status, media_type.to_owned(), body.to_owned()));
    assert_eq!(run(config, request), expected, "{config} {request}");
}

const JSON: &str = "application/json; charset=utf-8";

#[test]
fn a_message_or_a_body_may_be_given() {
    check("{}", "GET /", Some((503, JSON, r#"{"message":"Service unavailable"}"#)));
    check("{status_code: 403, message: 'no \"pe'}", "GET /", Some((403, JSON, r#"{"message":"no \"pe"}"#)));
    check("{status_code: 200, body: hello}", "GET /", Some((200, "", "hello")));
    let plain = "{status_code: 500, body: x, content_type: text/plain}";
    check(plain, "GET /", Some((500, "text/plain; charset=UTF-8", "x")));
    let json = "{status_code: 200, body: '{}', content_type: application/json}";
    check(json, "GET /", Some((200, "application/json", "{}")));
}

#[test]
fn a_request_without_the_trigger_continues() {
    let config = "{trigger: X-Go, status_code: 418, message: tea}";
    let tea = Some((418, JSON, r#"{"message":"tea"}"#));
    check(config, "GET /", None);
    check(config, "GET /\nx-go: ", tea);
    check(config, "GET /?a=b&X-Go", tea);
    check(config, "GET /?x-go=1", None);
}

#[test]
fn an_echo_shows_the_request() {
    let request = "POST /a?b=1&b=2&c\nHost: shop.test:8000\nContent-Type: application/json\nX-A: 1\nX-A: 2\n\n{\"q\":1.50}";
    let (status, media_type, body) = run("{echo: true}", request).unwrap();
    assert_eq!((status, media_type.as_str()), (503, JSON));
    let body = serde_json::from_str::<serde_json::Value>(&body).unwrap();
    let node = &body["kong"];
    assert_eq!(node["worker_pid"], std::process::id());
    assert!(Uuid::parse_str(node["node_id"].as_str().unwrap()).is_ok());
    assert!(!node["hostname"].as_str().unwrap().is_empty());
    let body = serde_json::json!({
        "message": body["message"],
        "request": body["request"],
        "matched_route": body["matched_route"],
        "matched_service": body["matched_service"],
    });
    let expected = concat!(
        r#"{"message":"Service unavailable","request":{"scheme":"http","host":"shop.test","port":8000,"#,
        r#""headers":{"host":"shop.test:8000","content-type":"application/json","x-a":["1","2"]},"#,
        r#""query":{"b":["1","2"],"c":true},"body":{"q":1.50},"raw_body":"{\"q\":1.50}","#,
        r#""method":"POST","path":"/a","uri_captures":{"named":{},"unnamed":[]}},"matched_route":null,"matched_service":null}"#,
    );
    assert_eq!(body.to_string(), expected);
}

#[test]
fn an_echo_shows_captures() {
    let plugin = test_support::plugin(&DEF, "{echo: true}");
    let mut exchange = test_support::request("GET /a/42/x");
    exchange.captures = vec![("id".to_owned(), "42".to_owned()), (String::new(), "x".to_owned())];
    let response = test_support::access(&*plugin, &mut exchange).unwrap();
    let body: serde_json::Value = serde_json::from_str(&test_support::text(response.into_body())).unwrap();
    let expected = serde_json::json!({"named": {"id": "42"}, "unnamed": ["42", "x"]});
    assert_eq!(body["request"]["uri_captures"], expected);
}

#[test]
fn settings_are_checked() {
    for (config, expected) in [
        ("{status_code: 600}", "config.status_code: value should be between 100 and 599"),
        ("{message: a, body: b}", "config: message cannot be used with content_type or body"),
        ("{content_type: b}", "config: content_type requires a body"),
        ("{echo: true, body: b}", "config: echo cannot be used with content_type and body"),
    ] {
        assert_eq!(test_support::diagnostics(&DEF, config), [expected], "{config}");
    }
}
