//! Tests of error answers.

use http_body_util::BodyExt;

use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode, Version,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use super::{ErrorTemplates, negotiated::*};
use crate::{body::Body, request_id::RequestId};

const MESSAGE: &str = "no Route matched with those values";
const BAD_GATEWAY: &str = "An invalid response was received from the upstream server";
const PROXY: ReplyPhase = ReplyPhase::Proxy(ErrorFormat::Plain);

fn id() -> RequestId {
    RequestId::from(0xfeed)
}

fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// The text of an answer, and its Content-Type.
fn read(response: Response<Body>) -> (String, Option<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let content_type = response.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned());
    let body = runtime.block_on(response.into_body().collect()).unwrap().to_bytes();
    (String::from_utf8(body.to_vec()).unwrap(), content_type)
}

/// Checks the answer to a GET with `sent`, with the request's id written `<id>`.
#[track_caller]
fn check(
    sent: &[(&'static str, &str)],
    phase: ReplyPhase,
    message: Option<&str>,
    content_type: &str,
    expected: &str,
) {
    let headers = fields(sent);
    let request =
        ErrorRequest { method: &Method::GET, version: Version::HTTP_11, headers: &headers, templates: None };
    let status = if phase == ReplyPhase::Access { StatusCode::NOT_FOUND } else { StatusCode::BAD_GATEWAY };
    let response = error(&request, phase, status, message, &id());
    assert_eq!(response.status(), status);
    let (text, found) = read(response);
    assert_eq!(found.as_deref(), Some(content_type));
    assert_eq!(text.replace(id().as_str(), "<id>"), expected);
}

fn pretty(message: &str) -> String {
    format!("{{\n  \"message\":\"{message}\",\n  \"request_id\":\"<id>\"\n}}")
}

const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const XML: &str = "application/xml; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

#[test]
fn the_client_chooses_the_format() {
    let html = format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Error</title>\n\
         <h1>Error</h1>\n<p>{MESSAGE}.</p>\n<p>request_id: <id></p>\n"
    );
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <error><message>{MESSAGE}</message><requestid><id></requestid></error>\n"
    );
    let plain = format!("{MESSAGE}\nrequest_id: <id>\n");
    let json = pretty(MESSAGE);
    let table = [
        ("application/json", JSON, &json),
        ("text/html", HTML, &html),
        ("TEXT/HTML", HTML, &html),
        ("text/plain", PLAIN, &plain),
        ("text/*", PLAIN, &plain),
        ("*/*", JSON, &json),
        ("application/*", JSON, &json),
        ("image/png", JSON, &json),
        ("application/problem+json", JSON, &json),
        ("text/xml", JSON, &json),
        ("", JSON, &json),
        ("text/html;q=0.1, application/xml;q=0.9", XML, &xml),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", HTML, &html),
        ("text/html;q=0", JSON, &json),
        ("text/html;q=x", JSON, &json),
        ("text/plain;format=flowed;q=0.5, application/xml;q=0.4", PLAIN, &plain),
    ];
    for (accept, content_type, expected) in table {
        check(&[("accept", accept)], ReplyPhase::Access, Some(MESSAGE), content_type, expected);
    }
}

#[test]
fn without_accept_the_phase_decides() {
    let plain = format!("{BAD_GATEWAY}\nrequest_id: <id>\n");
    check(&[], ReplyPhase::Access, Some(MESSAGE), JSON, &pretty(MESSAGE));
    check(&[], PROXY, None, PLAIN, &plain);
    check(&[], ReplyPhase::Proxy(ErrorFormat::Json), None, JSON, &pretty(BAD_GATEWAY));
    check(&[("content-type", "application/json")], PROXY, None, JSON, &pretty(BAD_GATEWAY));
    check(&[("content-type", "text/plain; charset=ascii")], PROXY, None, PLAIN, &plain);
    check(&[("accept", "*/*"), ("content-type", "text/plain")], PROXY, None, JSON, &pretty(BAD_GATEWAY));
}

#[test]
fn a_client_that_accepts_grpc_alone_gets_an_empty_or_json_body() {
    let accept = [("accept", "application/grpc")];
    check(&accept, ReplyPhase::Access, Some(MESSAGE), "", "");
    check(&accept, PROXY, None, JSON, &format!("{{\"message\":\"{BAD_GATEWAY}\"}}"));
}

#[test]
fn a_message_is_escaped_for_its_format() {
    let message = Some("a \"<b>\" & 'c'\u{1}");
    let escaped = "a &#34;&#60;b&#62;&#34; &#38; &#39;c&#39;";
    check(&[], ReplyPhase::Access, message, JSON, &pretty("a \\\"<b>\\\" & 'c'\\u0001"));
    check(
        &[("accept", "application/xml")],
        ReplyPhase::Access,
        message,
        XML,
        &format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <error><message>{escaped}</message><requestid><id></requestid></error>\n"
        ),
    );
}

#[test]
fn the_user_says_what_errors_look_like() {
    let mut templates = ErrorTemplates::default();
    let texts = [
        (ErrorFormat::Json, "{\"error\": {\"text\": \"%s\", \"id\": \"%s\"}}", JSON),
        (ErrorFormat::Html, "<p style='width: 100%'>%s</p>%s", HTML),
        (ErrorFormat::Xml, "<e><m>%s</m><i>%s</i></e>", XML),
        (ErrorFormat::Plain, "%s!", PLAIN),
    ];
    for (format, text, _) in texts {
        templates.set(format, text).unwrap();
    }
    let expected = [
        "{\"error\": {\"text\": \"a \\\"<b>\\\"\", \"id\": \"<id>\"}}",
        "<p style='width: 100%'>a &#34;&#60;b&#62;&#34;</p><id>",
        "<e><m>a &#34;&#60;b&#62;&#34;</m><i><id></i></e>",
        "a \"<b>\"!",
    ];
    for ((_, _, content_type), expected) in texts.into_iter().zip(expected) {
        let headers = fields(&[("accept", content_type)]);
        let request = ErrorRequest {
            method: &Method::GET,
            version: Version::HTTP_11,
            headers: &headers,
            templates: Some(&templates),
        };
        let response = error(&request, PROXY, StatusCode::BAD_GATEWAY, Some("a \"<b>\""), &id());
        let (text, found) = read(response);
        assert_eq!(text.replace(id().as_str(), "<id>"), expected);
        assert_eq!(found.as_deref(), Some(content_type));
    }
    let headers = HeaderMap::new();
    let request = ErrorRequest {
        method: &Method::GET,
        version: Version::HTTP_11,
        headers: &headers,
        templates: Some(&templates),
    };
    let (text, _) = read(exit(&request, StatusCode::BAD_GATEWAY, ExitBody::Message("x")));
    assert_eq!(text, "{\"message\":\"x\"}", "who answers with an exit has chosen its words");
}

#[test]
fn head_gets_the_length_of_the_body_that_get_would_have_had() {
    let headers = HeaderMap::new();
    let request =
        ErrorRequest { method: &Method::HEAD, version: Version::HTTP_11, headers: &headers, templates: None };
    let response = error(&request, ReplyPhase::Access, StatusCode::NOT_FOUND, Some(MESSAGE), &id());
    let length = pretty(MESSAGE).replace("<id>", id().as_str()).len();
    assert_eq!(response.headers()[CONTENT_LENGTH], length.to_string());
    assert_eq!(read(response), (String::new(), Some(JSON.to_owned())));
}

#[test]
fn a_grpc_request_gets_its_status_in_the_fields() {
    let headers = fields(&[("content-type", "application/grpc+proto")]);
    let request =
        ErrorRequest { method: &Method::POST, version: Version::HTTP_2, headers: &headers, templates: None };
    let table = [(400, 3), (401, 16), (402, 3), (403, 7), (404, 5), (409, 6), (418, 3), (429, 8), (499, 1)];
    for (status, code) in table.into_iter().chain([(500, 13), (501, 12), (502, 13), (503, 14), (504, 4)]) {
        let status = StatusCode::from_u16(status).unwrap();
        let response = error(&request, ReplyPhase::Access, status, Some("50 % ü"), &id());
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["grpc-status"], code.to_string());
        assert_eq!(response.headers()["grpc-message"], "50 %25 %C3%BC");
        assert_eq!(read(response), (String::new(), Some("application/grpc".to_owned())));
    }
    let old = ErrorRequest { version: Version::HTTP_11, ..request };
    let response = error(&old, ReplyPhase::Access, StatusCode::UPGRADE_REQUIRED, Some("x"), &id());
    assert_eq!(read(response).1.as_deref(), Some(JSON));
}

#[test]
fn an_exit_is_compact_or_raw() {
    let headers = fields(&[("accept", "text/html")]);
    let request =
        ErrorRequest { method: &Method::GET, version: Version::HTTP_11, headers: &headers, templates: None };
    let answer = |exit_body| read(exit(&request, StatusCode::SERVICE_UNAVAILABLE, exit_body));
    let json = Some(JSON.to_owned());
    assert_eq!(
        answer(ExitBody::Message("Service unavailable")),
        ("{\"message\":\"Service unavailable\"}".into(), json)
    );
    assert_eq!(answer(ExitBody::Raw(None, "hello".into())), ("hello".into(), None));
    let typed = ExitBody::Raw(Some(HeaderValue::from_static("text/plain")), "x".into());
    assert_eq!(answer(typed), ("x".into(), Some("text/plain".into())));
    assert_eq!(answer(ExitBody::Empty), (String::new(), None));
}

#[test]
fn a_page_says_its_status() {
    let headers = HeaderMap::new();
    let request =
        ErrorRequest { method: &Method::GET, version: Version::HTTP_11, headers: &headers, templates: None };
    let table = [
        (301, "301 Moved Permanently", "text/html"),
        (302, "302 Found", "text/html"),
        (308, "308 Permanent Redirect", "text/html; charset=UTF-8"),
        (505, "505 HTTP Version Not Supported", "text/html; charset=UTF-8"),
    ];
    for (status, title, content_type) in table {
        let (text, found) = read(page(&request, StatusCode::from_u16(status).unwrap()));
        let expected = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
             </body>\r\n</html>\r\n"
        );
        assert_eq!((text, found.as_deref()), (expected, Some(content_type)));
    }
}

#[test]
fn a_status_without_a_text_is_the_upstream_s() {
    let text = |status| default_message(StatusCode::from_u16(status).unwrap());
    assert_eq!(text(494), "Request header or cookie too large");
    assert_eq!(text(508), "The upstream server responded with 508");
}
