//! HTTP responses of mock answers, refusals and errors.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, StatusCode, header::RETRY_AFTER};

use super::{super::HttpResponse, templates};
use crate::{
    body::{Body, BodyError},
    mock::{AnswerSource, Mock, MockRefusal, MockResponse, ResponseError},
    reply,
};

const PLUGIN: HeaderName = HeaderName::from_static("x-kong-mocking-plugin");
const MOCK: HeaderName = HeaderName::from_static("x-mynah-mock");

/// The response of an answer from the document.
pub(super) fn to_response(answer: MockResponse) -> HttpResponse {
    let MockResponse { status, headers, body, .. } = answer;
    let without_body = matches!(status.as_u16(), 204 | 304);
    let mut response = HttpResponse::new(if without_body { Body::Empty } else { Body::full(body) });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().insert(PLUGIN, HeaderValue::from_static("true"));
    response
}

/// Adds the header that names the operation, the status and the source of an answer.
pub(super) fn add_explanation(response: &mut HttpResponse, mock: &Mock, operation: usize, source: &str) {
    let Some(operation) = mock.api().operations.get(operation) else { return };
    let status = response.status().as_u16();
    let text = format!("{} {}; {status}; {source}", operation.method, operation.template);
    if let Ok(text) = HeaderValue::from_bytes(text.as_bytes()) {
        response.headers_mut().insert(MOCK, text);
    }
}

/// The name of a source in that header.
pub(super) fn source_name(origin: AnswerSource<'_>) -> Cow<'_, str> {
    match origin {
        AnswerSource::Example(Some(key)) => format!("example:{key}").into(),
        AnswerSource::Example(None) => "example".into(),
        AnswerSource::Schema => "schema".into(),
        AnswerSource::Empty => "empty".into(),
    }
}

/// The response if the template of an example fails.
pub(super) fn template_error(error: &minijinja::Error) -> HttpResponse {
    let message = format!("the template of this example failed: {}", templates::error_message(error));
    reply::message(StatusCode::INTERNAL_SERVER_ERROR, &message)
}

/// The response if no answer could be generated.
pub(super) fn generation_error(error: ResponseError) -> HttpResponse {
    let mut response = reply::message(error.status(), &error.to_string());
    if error == ResponseError::Overloaded {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The response to a request whose body could not be read.
pub(super) fn body_error(error: &BodyError) -> HttpResponse {
    let message = error.message().unwrap_or(match error {
        BodyError::TooLarge => "the body is too large for a mock",
        BodyError::ClientTimeout => "the body came too slowly",
        _ => "the body was cut off",
    });
    let mut response = reply::message(error.status(), message);
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The response of a refusal. Messages are those of Kong's public documentation where it has some.
pub(super) fn refusal_response(refusal: &MockRefusal) -> HttpResponse {
    let (status, message) = match refusal {
        MockRefusal::NotFound | MockRefusal::MethodNotAllowed(_) => (
            StatusCode::NOT_FOUND,
            "Corresponding path and method spec does not exist in API Specification".to_owned(),
        ),
        MockRefusal::Broken(reason) => (
            StatusCode::NOT_IMPLEMENTED,
            format!("this operation of the API Specification cannot be used: {reason}"),
        ),
        MockRefusal::NoSuchStatus(code) => {
            (StatusCode::BAD_REQUEST, format!("could not find the status code '{code}'"))
        }
        MockRefusal::NothingIncluded(defined) => (
            StatusCode::NOT_FOUND,
            format!(
                "none of included_status_codes is defined for this operation; defined are: {}",
                defined.join(", ")
            ),
        ),
        MockRefusal::NoSuchExample(id) => {
            (StatusCode::BAD_REQUEST, format!("could not find the example id '{id}'"))
        }
        MockRefusal::NotAcceptable(types) => (
            StatusCode::NOT_ACCEPTABLE,
            format!("none of the accepted media types is available; available are: {}", types.join(", ")),
        ),
    };
    reply::message(status, &message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{super::super::test_support, *};

    #[track_caller]
    fn check(refusal: &MockRefusal, status: u16, message: &str) {
        let response = refusal_response(refusal);
        assert!(!response.headers().contains_key(PLUGIN));
        assert_eq!(response.status().as_u16(), status, "{refusal:?}");
        let body = test_support::json(&test_support::text(response.into_body()));
        assert_eq!(body.get("message").and_then(|message| message.as_str()), Some(message));
    }

    #[test]
    fn refusals_have_the_messages_of_kong() {
        let not_found = "Corresponding path and method spec does not exist in API Specification";
        check(&MockRefusal::NotFound, 404, not_found);
        check(&MockRefusal::MethodNotAllowed(vec![http::Method::GET]), 404, not_found);
        check(&MockRefusal::NoSuchStatus("201".into()), 400, "could not find the status code '201'");
        check(&MockRefusal::NoSuchExample("User3".into()), 400, "could not find the example id 'User3'");
        check(&MockRefusal::NoSuchExample("\"\u{1}".into()), 400, "could not find the example id '\"\u{1}'");
        check(
            &MockRefusal::NothingIncluded(vec!["200".into(), "4XX".into()]),
            404,
            "none of included_status_codes is defined for this operation; defined are: 200, 4XX",
        );
        check(
            &MockRefusal::NotAcceptable(vec!["text/csv".into()]),
            406,
            "none of the accepted media types is available; available are: text/csv",
        );
        check(
            &MockRefusal::Broken("it has no responses".into()),
            501,
            "this operation of the API Specification cannot be used: it has no responses",
        );
    }

    #[test]
    fn a_status_without_a_body_has_none() {
        for (status, expected) in [(200, "text"), (204, ""), (205, "text"), (304, "")] {
            let status = StatusCode::from_u16(status).unwrap();
            let answer = MockResponse {
                status,
                headers: http::HeaderMap::new(),
                body: "text".into(),
                violations: Arc::default(),
            };
            let response = to_response(answer);
            assert_eq!(response.headers()[PLUGIN], "true");
            assert_eq!(test_support::text(response.into_body()), expected, "{status}");
        }
    }
}
