//! Whose manners a mock has: Kong's plugin, or Prism's server; and Prism's words for what goes wrong.
//! (RFC 9457; the codes, titles and texts are Prism's, the URIs are ours.)

use http::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};

use super::{MockRefusal, MockRequest, validate::Violation};
use crate::{
    budget::Exhausted,
    openapi::{Operation, StatusKey},
};

/// Whose manners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// The lowest code, `{"message"}` errors.
    #[default]
    Kong,
    /// The lowest success, problem documents, XML below `<xml>`.
    Prism,
}

/// The code that is answered if none is asked for: the lowest 2xx, `2XX` and then `default` as 200, the first.
pub(super) fn usual_status(operation: &Operation) -> Option<(u16, usize)> {
    let numbered = || operation.responses.iter().enumerate();
    let lowest = numbered().filter_map(|(n, response)| match response.status {
        StatusKey::Code(code @ 200..=299) => Some((code, n)),
        _ => None,
    });
    let of = |key| numbered().find(move |(_, response)| response.status == key).map(|(n, _)| (200, n));
    let first = numbered().next().map(|(n, response)| match response.status {
        StatusKey::Code(code) => (code, n),
        StatusKey::Range(digit) => (u16::from(digit) * 100, n),
        StatusKey::Default => (200, n),
    });
    lowest.min().or_else(|| of(StatusKey::Range(2))).or_else(|| of(StatusKey::Default)).or(first)
}

/// The codes that may answer a request with violations, best first.
pub(super) fn expected(violations: &[Violation]) -> &'static [u16] {
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

/// A problem document.
#[derive(Clone, Debug, PartialEq)]
pub struct ProblemDocument {
    /// The status.
    pub status: StatusCode,
    /// What kind of problem: Prism's code, which ends the URI of its type.
    pub code: &'static str,
    /// The kind in words.
    pub title: &'static str,
    /// What went wrong with this request.
    pub detail: String,
    /// Further members.
    pub more: Map<String, Json>,
    /// `WWW-Authenticate`.
    pub challenge: Option<String>,
    /// `Allow`.
    pub allowed: Vec<Method>,
}

/// Ends in one of Prism's codes.
const TYPE: &str = "urn:mynah:errors#";

const NOT_FOUND: &str = "The server cannot find the requested content";

impl ProblemDocument {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, code, title, detail, more: Map::new(), challenge: None, allowed: Vec::new() }
    }

    /// Why there is no answer; `media_type` is the one that was to be answered, if it came to that.
    #[must_use]
    pub fn from_refusal(refusal: &MockRefusal, asked: &MockRequest<'_>, media_type: Option<&str>) -> Self {
        let path = asked.path;
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
                        asked.method.as_str().to_ascii_lowercase()
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
                format!("Unable to find content for {}", asked.accept.unwrap_or_default()),
            ),
        }
    }

    /// A request that breaks its operation's rules. `all` says whether every violation is listed whatever they are;
    /// Prism lists none of those that end in 401 or 415.
    #[must_use]
    pub fn from_violations(violations: &[Violation], all: bool) -> Self {
        let mut problem = match expected(violations)[0] {
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
            problem.list(violations, None);
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
            problem.more.insert("headers".to_owned(), json!({ "WWW-Authenticate": challenge }));
        }
        problem.challenge = challenge;
        problem
    }

    /// An answer that breaks its own schema, where that counts as an error.
    #[must_use]
    pub fn from_response_violations(violations: &[Violation]) -> Self {
        let mut problem = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "VIOLATIONS",
            "Request/Response not valid",
            "Your request/response is not valid and the --errors flag is set, so Prism is generating this error for you.",
        );
        problem.list(violations, Some("response"));
        problem
    }

    /// A wish that cannot be understood.
    #[must_use]
    pub fn invalid_preference(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "UNPROCESSABLE_ENTITY", "Invalid request", detail)
    }

    /// A request that has not been checked, because that would have taken too much. It is refused in both profiles:
    /// what is not checked is not valid.
    #[must_use]
    pub fn unchecked_request(why: Exhausted) -> Self {
        let mut problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "REQUEST_TOO_COMPLEX",
            "Invalid request",
            "Checking your request would take more work than is allowed, so it was not finished.",
        );
        problem.list(&[Violation::unchecked(Vec::new(), why)], None);
        problem
    }

    /// A request that cannot be checked now, because too many others are.
    #[must_use]
    pub fn overloaded() -> Self {
        let detail = "Too many requests are being checked. Send yours again later.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_CHECKS", "Overloaded", detail)
    }

    /// A body that is larger than what is read.
    #[must_use]
    pub fn too_large() -> Self {
        let detail = "The body of your request is too large to be checked.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", "Invalid request", detail)
    }

    fn list(&mut self, violations: &[Violation], below: Option<&str>) {
        let list: Vec<Json> = violations.iter().map(|violation| violation.to_json(below)).collect();
        self.more.insert("validation".to_owned(), list.into());
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut members = Map::new();
        members.insert("type".to_owned(), format!("{TYPE}{}", self.code).into());
        members.insert("title".to_owned(), self.title.into());
        members.insert("status".to_owned(), self.status.as_u16().into());
        members.insert("detail".to_owned(), self.detail.as_str().into());
        members.extend(self.more.clone());
        members.into()
    }
}
