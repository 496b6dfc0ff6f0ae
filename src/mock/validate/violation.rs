//! Violation of a request or response, in the form that clients get.

use serde_json::{Map, Value as Json, json};

use crate::{budget::Exhausted, openapi::validator::KeywordError};

/// Violation of the API description by a request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The steps to its location: `["query", "age"]`, `["body", "items", "0"]`.
    pub location: Vec<String>,
    /// The keyword that is violated, or a status code; some violations have none.
    pub code: Option<ViolationCode>,
    /// The message, in Prism's words.
    pub message: String,
    /// The challenges for `WWW-Authenticate`.
    pub challenges: Vec<String>,
}

/// Code of a violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViolationCode {
    /// A keyword of JSON Schema, or a word that is used like one (`budget`).
    Keyword(String),
    /// An HTTP status code: 400, 401 or 415.
    Status(u16),
}

/// Message that contains a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageSide {
    Request,
    Response,
}

impl Violation {
    /// The violation as JSON: `location`, `severity`, `code` and `message`. `prefix` is the first step of the location.
    #[must_use]
    pub fn to_json(&self, prefix: Option<&str>) -> Json {
        let location: Vec<&str> =
            prefix.into_iter().chain(self.location.iter().map(String::as_str)).collect();
        let mut members = Map::new();
        members.insert("location".to_owned(), location.into());
        members.insert("severity".to_owned(), "Error".into());
        match &self.code {
            Some(ViolationCode::Keyword(keyword)) => {
                drop(members.insert("code".to_owned(), keyword.as_str().into()));
            }
            Some(ViolationCode::Status(status)) => drop(members.insert("code".to_owned(), json!(status))),
            None => (),
        }
        members.insert("message".to_owned(), self.message.as_str().into());
        members.into()
    }

    /// The status code, if the code is one.
    pub(in crate::mock) const fn status(&self) -> Option<u16> {
        match self.code {
            Some(ViolationCode::Status(status)) => Some(status),
            _ => None,
        }
    }

    pub(super) fn with_keyword(location: Vec<String>, code: &str, message: impl Into<String>) -> Self {
        let code = Some(ViolationCode::Keyword(code.to_owned()));
        Self { location, code, message: message.into(), challenges: Vec::new() }
    }

    pub(super) fn with_status(location: Vec<String>, status: u16, message: impl Into<String>) -> Self {
        Self {
            location,
            code: Some(ViolationCode::Status(status)),
            message: message.into(),
            challenges: Vec::new(),
        }
    }

    /// A violation that stands for a validation that exhausted its budget.
    #[must_use]
    pub fn unchecked(location: Vec<String>, exhausted: Exhausted) -> Self {
        Self::with_keyword(location, "budget", format!("The check was not finished: {exhausted}"))
    }

    /// The violation of a value in a part of a message: `body`, `query`, `path`, `header`, `cookie`; `name` is the name
    /// of the parameter.
    pub(super) fn of_value(side: MessageSide, part: &str, name: Option<&str>, error: KeywordError) -> Self {
        let steps: Vec<String> = name.map(str::to_owned).into_iter().chain(error.path).collect();
        let side = match side {
            MessageSide::Request => "Request",
            MessageSide::Response => "Response",
        };
        let kind = if part == "body" { "property" } else { "parameter" };
        let place = if steps.is_empty() { String::new() } else { format!("{kind} {} ", steps.join(".")) };
        let message = format!("{side} {part} {place}{}", error.message);
        let location = std::iter::once(part.to_owned()).chain(steps).collect();
        Self::with_keyword(location, error.keyword, message)
    }
}
