//! What is wrong with a message, in the form that clients are told.

use serde_json::{Map, Value as Json, json};

use crate::{budget::Exhausted, openapi::validator::KeywordError};

/// One thing that is wrong with a request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The steps to its place: `["query", "age"]`, `["body", "items", "0"]`.
    pub location: Vec<String>,
    /// The keyword that does not hold, or a status code; nothing for what has no name.
    pub code: Option<ViolationCode>,
    /// What is wrong.
    pub message: String,
    /// What `WWW-Authenticate` says about it.
    pub challenges: Vec<String>,
}

/// What kind of thing is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViolationCode {
    /// A keyword of JSON Schema, or a word of that kind.
    Word(String),
    /// A status code of HTTP: 400, 401 or 415.
    Status(u16),
}

/// Which message a value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageSide {
    Request,
    Response,
}

impl Violation {
    /// As JSON: `location`, `severity`, `code` and `message`; `below` stands before its location.
    #[must_use]
    pub fn to_json(&self, below: Option<&str>) -> Json {
        let location: Vec<&str> = below.into_iter().chain(self.location.iter().map(String::as_str)).collect();
        let mut members = Map::new();
        members.insert("location".to_owned(), location.into());
        members.insert("severity".to_owned(), "Error".into());
        match &self.code {
            Some(ViolationCode::Word(word)) => drop(members.insert("code".to_owned(), word.as_str().into())),
            Some(ViolationCode::Status(status)) => drop(members.insert("code".to_owned(), json!(status))),
            None => (),
        }
        members.insert("message".to_owned(), self.message.as_str().into());
        members.into()
    }

    /// The status code that it is, if it is one.
    pub(in crate::mock) const fn status(&self) -> Option<u16> {
        match self.code {
            Some(ViolationCode::Status(status)) => Some(status),
            _ => None,
        }
    }

    pub(super) fn word(location: Vec<String>, code: &str, message: impl Into<String>) -> Self {
        let code = Some(ViolationCode::Word(code.to_owned()));
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

    /// A check that was not made, because it would have taken too much.
    #[must_use]
    pub fn unchecked(location: Vec<String>, why: Exhausted) -> Self {
        Self::word(location, "budget", format!("The check was not finished: {why}"))
    }

    /// A fault of a value in a part of a message: `body`, `query`, `path`, `header`, `cookie`; `name` is that of
    /// the parameter.
    pub(super) fn of(side: MessageSide, part: &str, name: Option<&str>, error: KeywordError) -> Self {
        let steps: Vec<String> = name.map(str::to_owned).into_iter().chain(error.path).collect();
        let side = match side {
            MessageSide::Request => "Request",
            MessageSide::Response => "Response",
        };
        let kind = if part == "body" { "property" } else { "parameter" };
        let place = if steps.is_empty() { String::new() } else { format!("{kind} {} ", steps.join(".")) };
        let message = format!("{side} {part} {place}{}", error.message);
        let location = std::iter::once(part.to_owned()).chain(steps).collect();
        Self::word(location, error.keyword, message)
    }
}
