//! Profiles of a mock: how preferences are read, requests checked, and errors answered, as by Kong's plugin or by Prism.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{
    super::{EditedRequest, Exchange, HttpResponse},
    answer,
    preferences::MockPreferences,
    settings::MockingConfig,
};
use crate::{
    mock::{
        ChosenAnswer, Mock, MockRefusal, MockRequest, MockResponse, ProblemDocument, Profile, SampleMode,
        Violation,
        validate::{EMPTY_SEGMENT, ValidationScope},
    },
    reply,
};

const VIOLATIONS: HeaderName = HeaderName::from_static("sl-violations");
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Prism's limit for the length of the header, in bytes.
const MAX_VIOLATIONS_BYTES: usize = 8 * 1024 - 100;

/// The profile of one mock, and the settings that apply to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct MockProfile {
    pub(super) kind: Profile,
    /// What is validated of requests.
    pub(super) scope: ValidationScope,
    /// Whether answers are new samples for each request, unless its preferences differ.
    dynamic: bool,
    /// Whether an answer that does not match its schema is an error.
    report_errors: bool,
    /// Whether pages of every origin may read responses.
    pub(super) cors: bool,
}

impl MockProfile {
    pub(super) fn of(config: &MockingConfig) -> Self {
        let messages = config.validate_requests.unwrap_or(false);
        let security = config.validate_security.unwrap_or(messages);
        Self {
            kind: config.profile(),
            scope: ValidationScope { messages, security },
            dynamic: config.dynamic.unwrap_or(false),
            report_errors: config.report_errors.unwrap_or(false),
            cors: config.cors.unwrap_or(false),
        }
    }

    /// Whether requests are validated.
    pub(super) const fn checks_requests(self) -> bool {
        self.scope.messages || self.scope.security
    }

    /// Whether bodies of requests must be read.
    pub(super) const fn reads_bodies(self) -> bool {
        self.scope.messages
    }

    /// The path by which the operation is looked up, if it is not the path of the request: Prism does not ignore empty
    /// segments.
    pub(super) fn lookup_path(self, exchange: &Exchange) -> Option<String> {
        let sent = exchange.head().path();
        if self.kind != Profile::Prism || !sent.contains("//") {
            return None;
        }
        let mut parts: Vec<&str> = sent.split('/').collect();
        let last = parts.len().saturating_sub(1);
        let inner = parts.iter_mut().enumerate().filter(|(n, _)| *n > 0 && *n < last);
        inner.filter(|(_, part)| part.is_empty()).for_each(|(_, part)| *part = EMPTY_SEGMENT);
        Some(parts.join("/"))
    }

    /// Reads the preferences of a request, from its headers and its query.
    pub(super) fn read_preferences(
        self,
        request: EditedRequest<'_>,
    ) -> Result<MockPreferences<'_>, &'static str> {
        let mut preferences = MockPreferences::read(request.fields)?;
        self.add_query_preferences(&mut preferences, request)?;
        Ok(preferences)
    }

    /// Adds the preferences of the query, which Prism reads, to those of the headers.
    fn add_query_preferences(
        self,
        preferences: &mut MockPreferences<'_>,
        request: EditedRequest<'_>,
    ) -> Result<(), &'static str> {
        if self.kind != Profile::Prism {
            return Ok(());
        }
        let query = request.query.filter(|query| query.contains("__"));
        // Prism ignores the query if there is a `Prefer` header.
        let query = query.filter(|_| !request.fields.contains_key(PREFER));
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "__code" if preferences.status.is_none() => {
                    preferences.status = Some(value.into_owned().into());
                }
                "__example" if preferences.example.is_none() => {
                    preferences.example = Some(value.into_owned().into());
                }
                "__dynamic" => {
                    let message = "__dynamic is neither true nor false";
                    preferences.dynamic = Some(value.parse().map_err(|_| message)?);
                }
                "__seed" if preferences.seed.is_none() => {
                    preferences.seed = Some(value.parse().map_err(|_| "__seed is not a whole number")?);
                }
                _ => (),
            }
        }
        let is_code = |code: &Cow<'_, str>| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
        if preferences.status.as_ref().is_some_and(|code| !is_code(code)) {
            return Err("a status code has three digits");
        }
        preferences.skip_examples = preferences.dynamic.unwrap_or(self.dynamic);
        Ok(())
    }

    /// The mode of samples with what this profile changes.
    pub(super) fn sample_mode(self, sample_mode: SampleMode) -> SampleMode {
        SampleMode { charset: sample_mode.charset && self.kind == Profile::Kong, ..sample_mode }
    }

    /// The response to a request whose preferences or body cannot be read.
    pub(super) fn invalid_request(self, message: &str) -> HttpResponse {
        match self.kind {
            Profile::Kong => reply::message(StatusCode::BAD_REQUEST, message),
            Profile::Prism => problem_response(&ProblemDocument::invalid_preference(message)),
        }
    }

    /// The response of an answer. `violations` are those of the request.
    pub(super) fn respond(self, answer: MockResponse, violations: &[Violation]) -> HttpResponse {
        if self.kind == Profile::Kong {
            return answer::to_response(answer);
        }
        let answer_violations = answer.violations.clone();
        let mut response = if self.report_errors && !answer_violations.is_empty() {
            problem_response(&ProblemDocument::from_response_violations(&answer_violations))
        } else {
            answer::to_response(answer)
        };
        add_violations_header(&mut response, violations, &answer_violations);
        response
    }

    /// The response of a refusal.
    pub(super) fn refuse(
        self,
        refusal: &MockRefusal,
        mock: &Mock,
        request: &MockRequest<'_>,
    ) -> HttpResponse {
        if self.kind == Profile::Kong {
            return answer::refusal_response(refusal);
        }
        let media_type = matches!(refusal, MockRefusal::NoSuchExample(_)).then(|| {
            let operation = mock.find(request.method, request.path).ok()?;
            let chosen =
                mock.choose(operation, &MockRequest { example: None, ..*request }, &mut |_| 0).ok()?;
            media_type(mock, &chosen)
        });
        problem_response(&ProblemDocument::from_refusal(refusal, request, media_type.flatten()))
    }

    /// The response to an invalid request: in Prism's profile the document's own if it has one, else a problem document.
    ///
    /// # Errors
    /// The document's own response, which is still to be generated.
    pub(super) fn violation_response(
        self,
        mock: &Mock,
        operation: usize,
        violations: &[Violation],
        request: &MockRequest<'_>,
    ) -> Result<HttpResponse, ChosenAnswer<'static>> {
        if self.kind == Profile::Kong {
            return Ok(problem_response(&ProblemDocument::from_violations(violations, true)));
        }
        Ok(match mock.choose_violation_response(operation, violations, request) {
            Ok(Some(chosen)) => return Err(chosen),
            Ok(None) => {
                let mut response = problem_response(&ProblemDocument::from_violations(violations, false));
                add_violations_header(&mut response, violations, &[]);
                response
            }
            Err(refusal) => {
                let found = mock.choose_violation_response(
                    operation,
                    violations,
                    &MockRequest { example: None, ..*request },
                );
                let media_type = found.ok().flatten().and_then(|chosen| media_type(mock, &chosen));
                problem_response(&ProblemDocument::from_refusal(&refusal, request, media_type))
            }
        })
    }
}

fn media_type<'a>(mock: &'a Mock, chosen: &ChosenAnswer<'_>) -> Option<&'a str> {
    let operation = mock.api().operations.get(chosen.operation)?;
    Some(operation.responses.get(chosen.response)?.media.get(chosen.media?)?.media_type.as_str())
}

/// Adds the header that lists the violations of the request and of the answer.
fn add_violations_header(response: &mut HttpResponse, of_request: &[Violation], of_answer: &[Violation]) {
    if of_request.is_empty() && of_answer.is_empty() {
        return;
    }
    let of_request = of_request.iter().map(|violation| violation.to_json(Some("request")));
    let of_answer = of_answer.iter().map(|violation| violation.to_json(Some("response")));
    let all: Vec<_> = of_request.chain(of_answer).collect();
    let mut text: String = serde_json::Value::from(all)
        .to_string()
        .chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .collect();
    if text.len() > MAX_VIOLATIONS_BYTES {
        text.truncate(MAX_VIOLATIONS_BYTES);
        text.insert_str(0, "Too many violations! ");
    }
    if let Ok(text) = HeaderValue::try_from(text) {
        response.headers_mut().insert(VIOLATIONS, text);
    }
}

/// The response to a request that cannot be validated because the pool is full.
pub(super) fn overloaded_response() -> HttpResponse {
    let mut response = problem_response(&ProblemDocument::overloaded());
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The response of a problem document.
pub(super) fn problem_response(problem: &ProblemDocument) -> HttpResponse {
    let mut response = reply::json(problem.status, problem.to_json().to_string());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(challenge) = problem.challenge.as_deref().and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    if !problem.allowed.is_empty() {
        let names: Vec<&str> = problem.allowed.iter().map(http::Method::as_str).collect();
        if let Ok(names) = HeaderValue::try_from(names.join(", ")) {
            headers.insert(header::ALLOW, names);
        }
    }
    response
}
