//! Whose manners the answers have: Kong's plugin by default; Prism's for `mynah mock`. And what both can be told
//! to check of requests.

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
/// A header field should not be longer than this; Prism's limit.
const LONGEST: usize = 8 * 1024 - 100;

/// The manners of one mock.
#[derive(Clone, Copy, Debug)]
pub(super) struct MockProfile {
    pub(super) profile: Profile,
    /// What is checked of requests.
    pub(super) extent: ValidationScope,
    /// Whether answers are samples, new every time, unless a request wants something else.
    dynamic: bool,
    /// Whether an answer that breaks its own schema is an error.
    report_errors: bool,
    /// Whether browsers may read everything.
    pub(super) cors: bool,
}

impl MockProfile {
    pub(super) fn of(config: &MockingConfig) -> Self {
        let profile = config.profile();
        let messages = config.validate_requests.unwrap_or(false);
        let security = config.validate_security.unwrap_or(messages);
        Self {
            profile,
            extent: ValidationScope { messages, security },
            dynamic: config.dynamic.unwrap_or(false),
            report_errors: config.report_errors.unwrap_or(false),
            cors: config.cors.unwrap_or(false),
        }
    }

    /// Whether requests are checked at all.
    pub(super) const fn checks(self) -> bool {
        self.extent.messages || self.extent.security
    }

    /// Whether the body of requests has to be read.
    pub(super) const fn reads_bodies(self) -> bool {
        self.extent.messages
    }

    /// The path by which the operation is looked for: parts that are empty are not overlooked in Prism's profile.
    pub(super) fn path(self, exchange: &Exchange) -> Option<String> {
        let sent = exchange.head().path();
        if self.profile != Profile::Prism || !sent.contains("//") {
            return None;
        }
        let mut parts: Vec<&str> = sent.split('/').collect();
        let last = parts.len().saturating_sub(1);
        let inner = parts.iter_mut().enumerate().filter(|(n, _)| *n > 0 && *n < last);
        inner.filter(|(_, it)| it.is_empty()).for_each(|(_, it)| *it = EMPTY_SEGMENT);
        Some(parts.join("/"))
    }

    /// What a request asks for.
    pub(super) fn steering(self, request: EditedRequest<'_>) -> Result<MockPreferences<'_>, &'static str> {
        let mut steering = MockPreferences::read(request.fields)?;
        self.steer(&mut steering, request)?;
        Ok(steering)
    }

    /// Adds what the query asks for, as Prism's does, to what the headers do.
    fn steer(
        self,
        steering: &mut MockPreferences<'_>,
        request: EditedRequest<'_>,
    ) -> Result<(), &'static str> {
        if self.profile != Profile::Prism {
            return Ok(());
        }
        let query = request.query.filter(|it| it.contains("__"));
        // Prism heeds one of the two.
        let query = query.filter(|_| !request.fields.contains_key(PREFER));
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "__code" if steering.status.is_none() => steering.status = Some(value.into_owned().into()),
                "__example" if steering.example.is_none() => {
                    steering.example = Some(value.into_owned().into());
                }
                "__dynamic" => {
                    let wrong = "__dynamic is neither true nor false";
                    steering.dynamic = Some(value.parse().map_err(|_| wrong)?);
                }
                "__seed" if steering.seed.is_none() => {
                    steering.seed = Some(value.parse().map_err(|_| "__seed is no whole number")?);
                }
                _ => (),
            }
        }
        let is_code = |it: &Cow<'_, str>| it.len() == 3 && it.bytes().all(|it| it.is_ascii_digit());
        if steering.status.as_ref().is_some_and(|it| !is_code(it)) {
            return Err("a status code has three digits");
        }
        steering.fresh = steering.dynamic.unwrap_or(self.dynamic);
        Ok(())
    }

    /// Samples and bodies as this profile makes them.
    pub(super) fn sample_mode(self, sample_mode: SampleMode) -> SampleMode {
        SampleMode { charset: sample_mode.charset && self.profile == Profile::Kong, ..sample_mode }
    }

    /// A wish that cannot be understood.
    pub(super) fn misunderstood(self, wrong: &str) -> HttpResponse {
        match self.profile {
            Profile::Kong => reply::message(StatusCode::BAD_REQUEST, wrong),
            Profile::Prism => respond(&ProblemDocument::invalid_preference(wrong)),
        }
    }

    /// An answer as a response; `objections` are those to the request.
    pub(super) fn answer(self, answer: MockResponse, objections: &[Violation]) -> HttpResponse {
        if self.profile == Profile::Kong {
            return answer::respond(answer);
        }
        let flaws = answer.violations.clone();
        let mut response = if self.report_errors && !flaws.is_empty() {
            respond(&ProblemDocument::from_response_violations(&flaws))
        } else {
            answer::respond(answer)
        };
        tell(&mut response, objections, &flaws);
        response
    }

    /// Why there is no answer.
    pub(super) fn refuse(self, refusal: &MockRefusal, mock: &Mock, asked: &MockRequest<'_>) -> HttpResponse {
        if self.profile == Profile::Kong {
            return answer::refuse(refusal);
        }
        let media_type = matches!(refusal, MockRefusal::NoSuchExample(_)).then(|| {
            let operation = mock.find(asked.method, asked.path).ok()?;
            let chosen = mock.choose(operation, &MockRequest { example: None, ..*asked }, &mut |_| 0).ok()?;
            media_type(mock, &chosen)
        });
        respond(&ProblemDocument::from_refusal(refusal, asked, media_type.flatten()))
    }

    /// What a request with violations gets: what the document has for it in Prism's profile, or a problem.
    ///
    /// # Errors
    /// What the document has is still to be made.
    pub(super) fn object(
        self,
        mock: &Mock,
        operation: usize,
        violations: &[Violation],
        asked: &MockRequest<'_>,
    ) -> Result<HttpResponse, ChosenAnswer<'static>> {
        if self.profile == Profile::Kong {
            return Ok(respond(&ProblemDocument::from_violations(violations, true)));
        }
        Ok(match mock.choose_violation_response(operation, violations, asked) {
            Ok(Some(chosen)) => return Err(chosen),
            Ok(None) => {
                let mut response = respond(&ProblemDocument::from_violations(violations, false));
                tell(&mut response, violations, &[]);
                response
            }
            Err(refusal) => {
                let found = mock.choose_violation_response(
                    operation,
                    violations,
                    &MockRequest { example: None, ..*asked },
                );
                let media_type = found.ok().flatten().and_then(|it| media_type(mock, &it));
                respond(&ProblemDocument::from_refusal(&refusal, asked, media_type))
            }
        })
    }
}

fn media_type<'a>(mock: &'a Mock, chosen: &ChosenAnswer<'_>) -> Option<&'a str> {
    let operation = mock.api().operations.get(chosen.operation)?;
    Some(operation.responses.get(chosen.response)?.media.get(chosen.media?)?.media_type.as_str())
}

/// Says in a header what is wrong with the request and with the answer.
fn tell(response: &mut HttpResponse, objections: &[Violation], flaws: &[Violation]) {
    if objections.is_empty() && flaws.is_empty() {
        return;
    }
    let objections = objections.iter().map(|it| it.to_json(Some("request")));
    let all: Vec<_> = objections.chain(flaws.iter().map(|it| it.to_json(Some("response")))).collect();
    let mut text: String = serde_json::Value::from(all)
        .to_string()
        .chars()
        .map(|it| if it.is_ascii_graphic() || it == ' ' { it } else { '?' })
        .collect();
    if text.len() > LONGEST {
        text.truncate(LONGEST);
        text.insert_str(0, "Too many violations! ");
    }
    if let Ok(text) = HeaderValue::try_from(text) {
        response.headers_mut().insert(VIOLATIONS, text);
    }
}

/// The answer to a request that cannot be checked now.
pub(super) fn overloaded() -> HttpResponse {
    let mut response = respond(&ProblemDocument::overloaded());
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A problem as a response.
pub(super) fn respond(problem: &ProblemDocument) -> HttpResponse {
    let mut response = reply::json(problem.status, problem.to_json().to_string());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(challenge) = problem.challenge.as_deref().and_then(|it| HeaderValue::try_from(it).ok()) {
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
