//! Profiles of a mock, Kong's plugin and Prism's server, and Prism's problem documents (RFC 9457).
//!
//! The codes, titles and texts are Prism's, because clients test for them; the URIs are ours.

use http::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};

use super::{MockRefusal, MockRequest, validate::Violation};
use crate::{
    budget::Exhausted,
    openapi::{Operation, StatusKey},
};

/// Product whose behaviour a mock has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// The lowest code; errors are `{"message"}` objects.
    #[default]
    Kong,
    /// The lowest code of success; errors are problem documents; the root element of XML is `<xml>`.
    Prism,
}

/// Prism's status code without a wanted one: the lowest 2xx, else 200 of `2XX`, else 200 of `default`, else the first
/// code of the document.
pub(super) fn default_status(operation: &Operation) -> Option<(u16, usize)> {
    let numbered = || operation.responses.iter().enumerate();
    let lowest = numbered().filter_map(|(n, response)| match response.status {
        StatusKey::Code(code @ 200..=299) => Some((code, n)),
        _ => None,
    });
    let index_of = |key| numbered().find(move |(_, response)| response.status == key).map(|(n, _)| (200, n));
    let first = numbered().next().map(|(n, response)| match response.status {
        StatusKey::Code(code) => (code, n),
        StatusKey::Range(digit) => (u16::from(digit) * 100, n),
        StatusKey::Default => (200, n),
    });
    lowest.min().or_else(|| index_of(StatusKey::Range(2))).or_else(|| index_of(StatusKey::Default)).or(first)
}

/// The codes for a request with violations, best first.
pub(super) fn error_statuses(violations: &[Violation]) -> &'static [u16] {
    let has = |status| violations.iter().any(|violation| violation.status() == Some(status));
    if has(401) {
        &[401]
    } else if has(415) {
        &[415, 422, 400]
    } else if has(400) {
        &[400, 422]
    } else {
        &[422, 400]
    }
}

/// Problem document (RFC 9457).
#[derive(Clone, Debug, PartialEq)]
pub struct ProblemDocument {
    /// The status.
    pub status: StatusCode,
    /// Prism's code, the last part of the type URI.
    pub code: &'static str,
    /// The title of the code.
    pub title: &'static str,
    /// The description of this occurrence.
    pub detail: String,
    /// Further members.
    pub extensions: Map<String, Json>,
    /// The value of `WWW-Authenticate`.
    pub challenge: Option<String>,
    /// The methods of `Allow`.
    pub allowed: Vec<Method>,
}

/// Type URI, without the code.
const TYPE: &str = "urn:mynah:errors#";

const NOT_FOUND: &str = "The server cannot find the requested content";

impl ProblemDocument {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, code, title, detail, extensions: Map::new(), challenge: None, allowed: Vec::new() }
    }

    /// The problem of a refusal; `media_type` is the negotiated one, if there was a negotiation.
    #[must_use]
    pub fn from_refusal(refusal: &MockRefusal, request: &MockRequest<'_>, media_type: Option<&str>) -> Self {
        let path = request.path;
        match refusal {
            MockRefusal::NotFound => Self::new(
                StatusCode::NOT_FOUND,
                "NO_PATH_MATCHED_ERROR",
                "Route not resolved, no path matched",
                format!("The route {path} hasn't been found in the specification file"),
            ),
            MockRefusal::MethodNotAllowed(allowed) => Self {
                allowed: allowed.clone(),
                ..Self::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "NO_METHOD_MATCHED_ERROR",
                    "Route resolved, but no method matched",
                    format!(
                        "The route {path} has been matched, but it does not have \"{}\" method defined",
                        request.method.as_str().to_ascii_lowercase()
                    ),
                )
            },
            MockRefusal::Broken(reason) => Self::new(
                StatusCode::NOT_IMPLEMENTED,
                "OPERATION_BROKEN",
                "The document cannot be used here",
                reason.as_str(),
            ),
            MockRefusal::NoSuchStatus(code) => Self::new(
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                NOT_FOUND,
                format!("Requested status code {code} is not defined in the document."),
            ),
            MockRefusal::NothingIncluded(_) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "NO_RESPONSE_RESPONSE_DEFINED",
                "No response defined for the selected operation",
                "The operation has no response that could be answered.",
            ),
            MockRefusal::NoSuchExample(id) => Self::new(
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                NOT_FOUND,
                format!(
                    "Response for contentType: {} and exampleKey: {id} does not exist.",
                    media_type.unwrap_or_default()
                ),
            ),
            MockRefusal::NotAcceptable(_) => Self::new(
                StatusCode::NOT_ACCEPTABLE,
                "NOT_ACCEPTABLE",
                "The server cannot produce a representation for your accept header",
                format!("Unable to find content for {}", request.accept.unwrap_or_default()),
            ),
        }
    }

    /// The problem of a request that is not valid. With `all`, violations are always listed; Prism lists none for 401
    /// and 415.
    #[must_use]
    pub fn from_violations(violations: &[Violation], all: bool) -> Self {
        let mut problem = match error_statuses(violations)[0] {
            401 => Self::unauthorized(violations),
            415 => {
                let detail = violations.iter().find(|violation| violation.status() == Some(415));
                let detail = detail.map(|violation| violation.message.clone()).unwrap_or_default();
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                Self::new(status, "INVALID_CONTENT_TYPE", "Invalid content type", detail)
            }
            400 => {
                let detail = "The body of your request cannot be read.";
                Self::new(StatusCode::BAD_REQUEST, "INVALID_BODY", "Invalid request", detail)
            }
            _ => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "UNPROCESSABLE_ENTITY",
                "Invalid request",
                "Your request is not valid and no HTTP validation response was found in the spec, so Prism is generating this error for you.",
            ),
        };
        if all || matches!(problem.status.as_u16(), 400 | 422) {
            problem.add_violations(violations, None);
        }
        if all {
            problem.detail = String::from("Your request does not do what the API specification asks for.");
        }
        problem
    }

    fn unauthorized(violations: &[Violation]) -> Self {
        let challenges: Vec<&str> =
            violations.iter().flat_map(|violation| &violation.challenges).map(String::as_str).collect();
        let challenge = (!challenges.is_empty()).then(|| challenges.join(","));
        let mut problem = Self::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "Invalid security scheme used",
            "Your request does not fullfil the security requirements and no HTTP unauthorized response was found in the spec, so Prism is generating this error for you.",
        );
        if let Some(challenge) = &challenge {
            problem.extensions.insert("headers".to_owned(), json!({ "WWW-Authenticate": challenge }));
        }
        problem.challenge = challenge;
        problem
    }

    /// The problem of a response that is not valid by its own schema, with Prism's `--errors`.
    #[must_use]
    pub fn from_response_violations(violations: &[Violation]) -> Self {
        let mut problem = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "VIOLATIONS",
            "Request/Response not valid",
            "Your request/response is not valid and the --errors flag is set, so Prism is generating this error for you.",
        );
        problem.add_violations(violations, Some("response"));
        problem
    }

    /// The problem of a preference that cannot be parsed.
    #[must_use]
    pub fn invalid_preference(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "UNPROCESSABLE_ENTITY", "Invalid request", detail)
    }

    /// The problem of a request whose validation exhausts its budget. Both profiles refuse it, because an unchecked
    /// request does not count as valid.
    #[must_use]
    pub fn unchecked_request(exhausted: Exhausted) -> Self {
        let mut problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "REQUEST_TOO_COMPLEX",
            "Invalid request",
            "Checking your request would take more work than is allowed, so it was not finished.",
        );
        problem.add_violations(&[Violation::unchecked(Vec::new(), exhausted)], None);
        problem
    }

    /// The problem of a request that cannot be validated now, because the pool is full.
    #[must_use]
    pub fn overloaded() -> Self {
        let detail = "Too many requests are being checked. Send yours again later.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_CHECKS", "Overloaded", detail)
    }

    /// The problem of a body that is larger than the bound.
    #[must_use]
    pub fn too_large() -> Self {
        let detail = "The body of your request is too large to be checked.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", "Invalid request", detail)
    }

    fn add_violations(&mut self, violations: &[Violation], prefix: Option<&str>) {
        let list: Vec<Json> = violations.iter().map(|violation| violation.to_json(prefix)).collect();
        self.extensions.insert("validation".to_owned(), list.into());
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut members = Map::new();
        members.insert("type".to_owned(), format!("{TYPE}{}", self.code).into());
        members.insert("title".to_owned(), self.title.into());
        members.insert("status".to_owned(), self.status.as_u16().into());
        members.insert("detail".to_owned(), self.detail.as_str().into());
        members.extend(self.extensions.clone());
        members.into()
    }
}
