//! Responses to mocked requests: at once if that is quick, else on a thread of the pool.

use std::{sync::Arc, time::SystemTime};

use http::{HeaderMap, Method, StatusCode};

use super::{
    super::{EditedRequest, ExpectedAnswer, HttpResponse},
    MockCall, answer,
    mock_profile::MockProfile,
    request_rng::{RequestRng, RngSource},
    state::{self, MockState, StateTask, TaskOutcome},
    templates::{ExampleTemplates, TemplateContext},
};
use crate::{
    mock::{
        AnswerSource, ChosenAnswer, Mock, MockRefusal, MockRequest, MockResponse, OwnedChoice, ResponseError,
        ResponseMaker, SampleMode,
    },
    reply,
};

/// What responses are generated from, shared with the threads of the pool.
pub(super) struct Responder {
    pub(super) mock: Arc<Mock>,
    pub(super) profile: MockProfile,
    pub(super) state: Option<MockState>,
    pub(super) templates: Option<ExampleTemplates>,
    pub(super) rng_source: RngSource,
    pub(super) seed: Option<u64>,
}

/// A request with its own data, for a thread of the pool.
pub(super) struct OwnedRequest {
    method: Method,
    path: String,
    query: Option<String>,
    fields: HeaderMap,
}

impl OwnedRequest {
    pub(super) fn of(request: EditedRequest<'_>) -> Self {
        let EditedRequest { method, path, query, fields } = request;
        Self {
            method: method.clone(),
            path: path.to_owned(),
            query: query.map(str::to_owned),
            fields: fields.clone(),
        }
    }

    pub(super) fn edited(&self) -> EditedRequest<'_> {
        let Self { method, path, query, fields } = self;
        EditedRequest { method, path, query: query.as_deref(), fields }
    }
}

/// A response that is generated in the pool.
pub(super) enum PoolWork {
    /// The body of the request is needed.
    WithBody,
    /// The body is not needed.
    WithoutBody,
}

/// A response, or the answer that is still to be generated for it.
pub(super) enum MockOutcome {
    Ready(HttpResponse),
    Pending(PendingAnswer),
}

/// A chosen answer that is still to be generated.
pub(super) struct PendingAnswer {
    pub(super) chosen: OwnedChoice,
    pub(super) sample_mode: SampleMode,
    /// Its source, if the response names it.
    source: Option<String>,
}

impl Responder {
    /// What the request does with the state, if anything.
    fn state_task(&self, call: &MockCall<'_>) -> Option<StateTask<'_>> {
        let operation = call.operation.as_ref().ok().filter(|_| !call.preferences.selects_answer());
        self.state.as_ref()?.task(&self.mock, *operation?)
    }

    /// Whether the request is answered in the pool, whatever the answer is: if it changes the state, is the first one to a
    /// collection, or has an answer from a template.
    pub(super) fn pool_work(&self, call: &MockCall<'_>) -> Option<PoolWork> {
        let operation = *call.operation.as_ref().ok()?;
        let state = self.state.as_ref().filter(|_| !call.preferences.selects_answer());
        if let Some(role) = state.and_then(|state| state.role(operation)) {
            if role.needs_body() {
                return Some(PoolWork::WithBody);
            }
            if role == state::OperationRole::Remove || !state.is_some_and(|state| state.is_ready(operation)) {
                return Some(PoolWork::WithoutBody);
            }
            if state.and_then(|state| state.task(&self.mock, operation)).is_some() {
                return None;
            }
        }
        self.templates.as_ref().filter(|templates| templates.covers(operation)).map(|_| PoolWork::WithBody)
    }

    /// The response of an injected fault: the document's own if it has one for this status.
    pub(super) fn fault_response(&self, status: StatusCode, call: &MockCall<'_>) -> MockOutcome {
        let code = status.as_str();
        let request =
            MockRequest { status: Some(code), example: None, ..call.mock_request(SampleMode::default()) };
        let operation = call.operation.clone();
        let chosen = operation.and_then(|operation| self.mock.choose(operation, &request, &mut |_| 0));
        match &chosen {
            Ok(chosen) => self.make_at_once(call, chosen, request.sample_mode, "fault"),
            Err(_) => MockOutcome::Ready(reply::message(
                status,
                status.canonical_reason().unwrap_or("injected fault"),
            )),
        }
    }

    /// The response to a request that needs no body; none if the state is locked or the answer takes too long.
    pub(super) fn respond_at_once(&self, call: &MockCall<'_>) -> Option<MockOutcome> {
        let mut rng = call.preferences.seed.map_or_else(|| self.rng_source.rng(), RequestRng::Seeded);
        let sample_mode = self.profile.sample_mode(call.preferences.sample_mode(self.seed, &mut rng));
        let request = call.mock_request(sample_mode);
        if let Some(task) = self.state_task(call) {
            let maker = ResponseMaker { mock: &self.mock, at_once: true };
            let outcome = task.run(maker, &request, &[]).transpose()?;
            return Some(MockOutcome::Ready(self.state_response(call, &request, outcome)));
        }
        let chosen = call
            .operation
            .clone()
            .and_then(|operation| self.mock.choose(operation, &request, &mut |below| rng.below(below)));
        Some(match chosen {
            Ok(chosen) => {
                let source = answer::source_name(self.mock.origin(&chosen));
                self.make_at_once(call, &chosen, sample_mode, &source)
            }
            Err(refusal) => MockOutcome::Ready(self.profile.refuse(&refusal, &self.mock, &request)),
        })
    }

    /// The answer to a request, without its content.
    pub(super) fn expected_answer(&self, call: &MockCall<'_>) -> ExpectedAnswer {
        let request = call.mock_request(SampleMode::default());
        let operation = call.operation.clone().ok().and_then(|n| self.mock.api().operations.get(n));
        let name = operation.map_or_else(
            || "no operation of the document".to_owned(),
            |operation| format!("{} {} of the document", operation.method, operation.template),
        );
        if self.state_task(call).is_some() {
            let origin = format!("mocking: {name}, from the items that requests have created");
            return ExpectedAnswer { status: StatusCode::OK.as_u16(), origin };
        }
        let chosen = call.operation.clone().and_then(|n| self.mock.choose(n, &request, &mut |_| 0));
        match chosen {
            Ok(chosen) => {
                let source = match self.mock.origin(&chosen) {
                    AnswerSource::Example(Some(key)) => format!("its example {key}"),
                    AnswerSource::Example(None) => "its example".to_owned(),
                    AnswerSource::Schema => "a sample of its schema".to_owned(),
                    AnswerSource::Empty => "an empty body".to_owned(),
                };
                ExpectedAnswer {
                    status: chosen.status.as_u16(),
                    origin: format!("mocking: {name}, {source}"),
                }
            }
            Err(refusal) => {
                let status = self.profile.refuse(&refusal, &self.mock, &request).status().as_u16();
                ExpectedAnswer { status, origin: format!("mocking: {name}: {refusal:?}") }
            }
        }
    }

    /// Generates a chosen answer if that is quick.
    fn make_at_once(
        &self,
        call: &MockCall<'_>,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
        source: &str,
    ) -> MockOutcome {
        match self.mock.make_at_once(chosen, sample_mode) {
            Some(Ok(answer)) => MockOutcome::Ready(self.respond_explained(call, chosen, source, answer)),
            Some(Err(error)) => MockOutcome::Ready(answer::generation_error(error)),
            None => {
                let source = call.preferences.explain.then(|| source.to_owned());
                MockOutcome::Pending(PendingAnswer { chosen: chosen.to_owned_choice(), sample_mode, source })
            }
        }
    }

    /// The response of an answer that was generated in the pool.
    pub(super) fn finish(
        &self,
        pending: &PendingAnswer,
        answer: Result<MockResponse, ResponseError>,
    ) -> HttpResponse {
        match answer {
            Ok(answer) => {
                let mut response = self.profile.respond(answer, &[]);
                if let Some(source) = &pending.source {
                    answer::add_explanation(
                        &mut response,
                        &self.mock,
                        pending.chosen.chosen().operation,
                        source,
                    );
                }
                response
            }
            Err(error) => answer::generation_error(error),
        }
    }

    /// The response to a request, on a thread of the pool.
    pub(super) fn respond(&self, request: EditedRequest<'_>, body: &[u8]) -> HttpResponse {
        let preferences = match self.profile.read_preferences(request) {
            Ok(preferences) => preferences,
            Err(message) => return self.profile.invalid_request(message),
        };
        let operation = self.mock.find(request.method, request.path);
        let call = &MockCall { request, preferences, operation };
        let mut rng = call.preferences.seed.map_or_else(|| self.rng_source.rng(), RequestRng::Seeded);
        let sample_mode = self.profile.sample_mode(call.preferences.sample_mode(self.seed, &mut rng));
        let request = call.mock_request(sample_mode);
        if let Some(task) = self.state_task(call) {
            let maker = ResponseMaker { mock: &self.mock, at_once: false };
            return match task.run(maker, &request, body) {
                Ok(Some(outcome)) => self.state_response(call, &request, Ok(outcome)),
                Ok(None) => answer::generation_error(ResponseError::Overloaded),
                Err(refusal) => self.state_response(call, &request, Err(refusal)),
            };
        }
        let chosen = call
            .operation
            .clone()
            .and_then(|operation| self.mock.choose(operation, &request, &mut |below| rng.below(below)));
        match chosen {
            Ok(chosen) => self.make(call, &chosen, sample_mode, body, &mut rng),
            Err(refusal) => self.profile.refuse(&refusal, &self.mock, &request),
        }
    }

    /// Generates a chosen answer, from its template if it has one.
    fn make(
        &self,
        call: &MockCall<'_>,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
        body: &[u8],
        rng: &mut RequestRng<'_>,
    ) -> HttpResponse {
        let templates = self.templates.as_ref().filter(|templates| templates.covers(chosen.operation));
        let rendered = templates.and_then(|templates| {
            let path = self.mock.path_values(chosen.operation, call.request.path);
            let mut context = TemplateContext::new(call.request, path, body, SystemTime::now(), rng);
            templates.render(chosen, &mut context)
        });
        let answer = match rendered {
            None => self.mock.make(chosen, sample_mode),
            Some(Ok(value)) => self.mock.make_with_body(chosen, sample_mode, &value),
            Some(Err(error)) => return answer::template_error(&error),
        };
        match answer {
            Ok(answer) => {
                self.respond_explained(call, chosen, &answer::source_name(self.mock.origin(chosen)), answer)
            }
            Err(error) => answer::generation_error(error),
        }
    }

    /// The response of an operation on the state.
    fn state_response(
        &self,
        call: &MockCall<'_>,
        request: &MockRequest<'_>,
        outcome: Result<TaskOutcome<'_>, MockRefusal>,
    ) -> HttpResponse {
        match outcome {
            Ok(TaskOutcome::Answer(chosen, Ok(answer))) => {
                self.respond_explained(call, &chosen, "state", answer)
            }
            Ok(TaskOutcome::Answer(_, Err(error))) => answer::generation_error(error),
            Ok(TaskOutcome::Refused(status, message)) => reply::message(status, message),
            Err(refusal) => self.profile.refuse(&refusal, &self.mock, request),
        }
    }

    /// The response of an answer, with the header that names its source if the request asks for it.
    fn respond_explained(
        &self,
        call: &MockCall<'_>,
        chosen: &ChosenAnswer<'_>,
        source: &str,
        answer: MockResponse,
    ) -> HttpResponse {
        let mut response = self.profile.respond(answer, &[]);
        if call.preferences.explain {
            answer::add_explanation(&mut response, &self.mock, chosen.operation, source);
        }
        response
    }
}
