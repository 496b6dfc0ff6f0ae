//! Responses to requests that are mocked: at once where that is quick, else on a thread of the pool.

use std::{sync::Arc, time::SystemTime};

use http::{HeaderMap, Method, StatusCode};

use super::{
    super::{EditedRequest, HttpResponse},
    MockCall, answer,
    mock_profile::MockProfile,
    request_rng::{RequestRng, RngSource},
    state::{self, MockState, StateTask, TaskOutcome},
    templates::{ExampleTemplates, TemplateContext},
};
use crate::{
    mock::{
        ChosenAnswer, Mock, MockRefusal, MockRequest, MockResponse, OwnedChoice, ResponseError,
        ResponseMaker, SampleMode,
    },
    reply,
};

/// What answers are made from, shared with the threads of the pool.
pub(super) struct Responder {
    pub(super) mock: Arc<Mock>,
    pub(super) manners: MockProfile,
    pub(super) state: Option<MockState>,
    pub(super) templates: Option<ExampleTemplates>,
    pub(super) dice: RngSource,
    pub(super) seed: Option<u64>,
}

/// A request that outlives its exchange.
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

/// What has to be done in the pool for a request.
pub(super) enum Beside {
    /// The body of the request matters.
    WithBody,
    /// It does not.
    WithoutBody,
}

/// A response, or the answer that it will have.
pub(super) enum Made {
    Ready(HttpResponse),
    Chosen(Wanted),
}

/// An answer that is still to be made.
pub(super) struct Wanted {
    pub(super) chosen: OwnedChoice,
    pub(super) sample_mode: SampleMode,
    /// Where it comes from, if that is to be said.
    source: Option<String>,
}

impl Responder {
    /// What the state has to do for a request.
    fn task(&self, call: &MockCall<'_>) -> Option<StateTask<'_>> {
        let operation = call.operation.as_ref().ok().filter(|_| !call.steering.names_an_answer());
        self.state.as_ref()?.task(&self.mock, *operation?)
    }

    /// Whether a request is answered in the pool whatever the answer is: it changes the state, or is held against
    /// templates, or the first one to a collection.
    pub(super) fn beside(&self, call: &MockCall<'_>) -> Option<Beside> {
        let operation = *call.operation.as_ref().ok()?;
        let state = self.state.as_ref().filter(|_| !call.steering.names_an_answer());
        if let Some(role) = state.and_then(|state| state.role(operation)) {
            if role.reads_a_body() {
                return Some(Beside::WithBody);
            }
            if role == state::OperationRole::Remove || !state.is_some_and(|state| state.is_ready(operation)) {
                return Some(Beside::WithoutBody);
            }
            if state.and_then(|state| state.task(&self.mock, operation)).is_some() {
                return None;
            }
        }
        self.templates.as_ref().filter(|it| it.concern(operation)).map(|_| Beside::WithBody)
    }

    /// A fault, in the words of the document if it has some for this status.
    pub(super) fn fail(&self, status: StatusCode, call: &MockCall<'_>) -> Made {
        let code = status.as_str();
        let asked = MockRequest { status: Some(code), example: None, ..call.asked(SampleMode::default()) };
        let operation = call.operation.clone();
        let chosen = operation.and_then(|it| self.mock.choose(it, &asked, &mut |_| 0));
        match &chosen {
            Ok(chosen) => self.at_once(call, chosen, asked.sample_mode, "fault"),
            Err(_) => Made::Ready(reply::message(
                status,
                status.canonical_reason().unwrap_or("a fault was asked for"),
            )),
        }
    }

    /// The response to a request that needs neither a body nor much time; none if it needs time.
    pub(super) fn respond_at_once(&self, call: &MockCall<'_>) -> Option<Made> {
        let mut dice = call.steering.seed.map_or_else(|| self.dice.dice(), RequestRng::Own);
        let sample_mode = self.manners.sample_mode(call.steering.sample_mode(self.seed, &mut dice));
        let asked = call.asked(sample_mode);
        if let Some(task) = self.task(call) {
            let maker = ResponseMaker { mock: &self.mock, at_once: true };
            let outcome = task.run(maker, &asked, &[]).transpose()?;
            return Some(Made::Ready(self.outcome(call, &asked, outcome)));
        }
        let chosen = call
            .operation
            .clone()
            .and_then(|operation| self.mock.choose(operation, &asked, &mut |below| dice.below(below)));
        Some(match chosen {
            Ok(chosen) => {
                let source = answer::source(self.mock.origin(&chosen));
                self.at_once(call, &chosen, sample_mode, &source)
            }
            Err(refusal) => Made::Ready(self.manners.refuse(&refusal, &self.mock, &asked)),
        })
    }

    fn at_once(
        &self,
        call: &MockCall<'_>,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
        source: &str,
    ) -> Made {
        match self.mock.make_at_once(chosen, sample_mode) {
            Some(Ok(answer)) => Made::Ready(self.explained(call, chosen, source, answer)),
            Some(Err(unmade)) => Made::Ready(answer::unmade(unmade)),
            None => {
                let source = call.steering.explain.then(|| source.to_owned());
                Made::Chosen(Wanted { chosen: chosen.to_owned_choice(), sample_mode, source })
            }
        }
    }

    /// The response with an answer that was made later.
    pub(super) fn finished(
        &self,
        wanted: &Wanted,
        answer: Result<MockResponse, ResponseError>,
    ) -> HttpResponse {
        match answer {
            Ok(answer) => {
                let mut response = self.manners.answer(answer, &[]);
                if let Some(source) = &wanted.source {
                    answer::explain(&mut response, &self.mock, wanted.chosen.chosen().operation, source);
                }
                response
            }
            Err(unmade) => answer::unmade(unmade),
        }
    }

    /// The response to a request, on a thread that may take its time.
    pub(super) fn respond(&self, request: EditedRequest<'_>, body: &[u8]) -> HttpResponse {
        let steering = match self.manners.steering(request) {
            Ok(steering) => steering,
            Err(wrong) => return self.manners.misunderstood(wrong),
        };
        let operation = self.mock.find(request.method, request.path);
        let call = &MockCall { request, steering, operation };
        let mut dice = call.steering.seed.map_or_else(|| self.dice.dice(), RequestRng::Own);
        let sample_mode = self.manners.sample_mode(call.steering.sample_mode(self.seed, &mut dice));
        let asked = call.asked(sample_mode);
        if let Some(task) = self.task(call) {
            let maker = ResponseMaker { mock: &self.mock, at_once: false };
            return match task.run(maker, &asked, body) {
                Ok(Some(outcome)) => self.outcome(call, &asked, Ok(outcome)),
                Ok(None) => answer::unmade(ResponseError::Overloaded),
                Err(refusal) => self.outcome(call, &asked, Err(refusal)),
            };
        }
        let chosen = call
            .operation
            .clone()
            .and_then(|operation| self.mock.choose(operation, &asked, &mut |below| dice.below(below)));
        match chosen {
            Ok(chosen) => self.make(call, &chosen, sample_mode, body, &mut dice),
            Err(refusal) => self.manners.refuse(&refusal, &self.mock, &asked),
        }
    }

    /// The answer that was chosen, its template filled in if it is one.
    fn make(
        &self,
        call: &MockCall<'_>,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
        body: &[u8],
        dice: &mut RequestRng<'_>,
    ) -> HttpResponse {
        let templates = self.templates.as_ref().filter(|it| it.concern(chosen.operation));
        let filled = templates.and_then(|templates| {
            let path = self.mock.path_values(chosen.operation, call.request.path);
            let mut context = TemplateContext::new(call.request, path, body, SystemTime::now(), dice);
            templates.render(chosen, &mut context)
        });
        let answer = match filled {
            None => self.mock.make(chosen, sample_mode),
            Some(Ok(value)) => self.mock.make_with_body(chosen, sample_mode, &value),
            Some(Err(error)) => return answer::template_failed(&error),
        };
        match answer {
            Ok(answer) => self.explained(call, chosen, &answer::source(self.mock.origin(chosen)), answer),
            Err(unmade) => answer::unmade(unmade),
        }
    }

    /// The response of what was done with the state.
    fn outcome(
        &self,
        call: &MockCall<'_>,
        asked: &MockRequest<'_>,
        outcome: Result<TaskOutcome<'_>, MockRefusal>,
    ) -> HttpResponse {
        match outcome {
            Ok(TaskOutcome::Answer(chosen, Ok(answer))) => self.explained(call, &chosen, "state", answer),
            Ok(TaskOutcome::Answer(_, Err(unmade))) => answer::unmade(unmade),
            Ok(TaskOutcome::Refused(status, message)) => reply::message(status, message),
            Err(refusal) => self.manners.refuse(&refusal, &self.mock, asked),
        }
    }

    fn explained(
        &self,
        call: &MockCall<'_>,
        chosen: &ChosenAnswer<'_>,
        source: &str,
        answer: MockResponse,
    ) -> HttpResponse {
        let mut response = self.manners.answer(answer, &[]);
        if call.steering.explain {
            answer::explain(&mut response, &self.mock, chosen.operation, source);
        }
        response
    }
}
