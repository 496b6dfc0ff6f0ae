//! Plugin `mocking`: answers from an OpenAPI document instead of the upstream.
//! (Kong: Mocking plugin. `docs/mocking.md` describes what Kong's documentation leaves open.)
//!
//! | file | contents |
//! |---|---|
//! | `settings` | settings of the plugin |
//! | `prism_settings` | settings that `mynah mock` writes |
//! | `document` | the OpenAPI document: a text in the settings, or a file |
//! | `preferences` | preferences of a request, from its headers |
//! | `mock_profile` | behaviour of Kong's plugin and of Prism |
//! | `request_check` | validation of requests |
//! | `prism_cors` | CORS as in Prism |
//! | `responder` | responses, at once or on a thread of the pool |
//! | `answer` | HTTP responses of answers, refusals and errors |
//! | `state` | items that requests create, change and remove |
//! | `templates` | examples that are rendered from the request |
//! | `faults` | injected faults |
//! | `delay` | delays of responses |
//! | `request_rng` | random numbers, repeatable by a seed |

mod answer;
mod delay;
mod document;
mod faults;
mod mock_profile;
mod preferences;
mod prism_cors;
mod prism_settings;
mod request_check;
mod request_rng;
mod responder;
mod settings;
mod state;
mod templates;

pub use prism_settings::PrismSettings;

use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;

use self::{
    delay::ResponseDelay,
    faults::{FaultRates, InjectedFault, RequestedFault},
    mock_profile::MockProfile,
    preferences::MockPreferences,
    request_rng::RngSource,
    responder::{MockOutcome, OwnedRequest, PoolWork, Responder},
    settings::{MockingConfig, PassthroughRule},
    state::MockState,
    templates::ExampleTemplates,
};
use super::{
    EditedRequest, Exchange, ExpectedAnswer, Flow, HttpResponse, Plugin, PluginDef, PluginResult,
    PluginSetup, ResponseOrigin,
};
use crate::{
    body::BodyBuffers,
    budget::{Budget, WorkPool},
    diag::Diagnostic,
    mock::{Mock, MockRefusal, MockRequest, ResponseError, SampleMode},
    openapi::{Api, Operation},
};

/// At most this many shadowed operations are reported.
const MAX_SHADOWED: usize = 20;
/// The largest request body that is read for templates and the state, in bytes.
const MAX_BODY_BYTES: u64 = 1 << 20;

pub(super) const DEF: PluginDef = PluginDef::new("mocking", -1, settings::FIELDS, compile)
    .checks(settings::CHECKS)
    .per_consumer()
    .answers_from(settings::DOCUMENT);

fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let config = MockingConfig::read(setup)?;
    let (api, anchor) = document::read_api(&config, setup)?;
    let templates = config.templates.then(|| ExampleTemplates::new(&api, &anchor)).transpose()?;
    let mock = Arc::new(Mock::new(Arc::new(api), config.options()));
    for n in mock.shadowed_operations().into_iter().take(MAX_SHADOWED) {
        let message = "this operation is never found: a `#` or `?` ends the path, and another operation has this path and method";
        let warning = Diagnostic::warning(mock.api().operations[n].path.clone(), message).key();
        setup.warnings.borrow_mut().push(anchor.attach(warning));
    }
    let profile = MockProfile::of(&config);
    let responder = Arc::new(Responder {
        state: config.stateful.then(|| MockState::new(mock.api())),
        templates,
        mock: Arc::clone(&mock),
        profile,
        rng_source: config.seed.map_or(RngSource::Random, RngSource::seeded),
        seed: config.seed,
    });
    Ok(Arc::new(Mocking {
        passthrough: passthrough_operations(&config, mock.api()),
        responder,
        pool: setup.resources.pool.clone(),
        mock,
        profile,
        delay: config.delay(),
        faults: FaultRates::of(&config),
        buffers: setup.resources.buffers.clone(),
    }))
}

/// Positions of the operations that are passed to the upstream; none if the setting is off.
fn passthrough_operations(config: &MockingConfig, api: &Api) -> Option<HashSet<usize>> {
    let is_marked = |operation: &Operation| {
        let mut marks = operation.extensions.iter().filter(|(name, _)| &**name == "x-mynah-live");
        marks.any(|(_, mark)| mark.value.as_bool() == Some(true))
    };
    let marked = || (0..api.operations.len()).filter(|n| is_marked(&api.operations[*n])).collect();
    (config.passthrough == PassthroughRule::Undefined).then(marked)
}

struct Mocking {
    mock: Arc<Mock>,
    profile: MockProfile,
    responder: Arc<Responder>,
    /// Generates the answers that take too long for the thread of a connection.
    pool: WorkPool,
    /// Positions of the operations that are passed to the upstream; none if the setting is off.
    passthrough: Option<HashSet<usize>>,
    delay: ResponseDelay,
    faults: FaultRates,
    buffers: BodyBuffers,
}

/// A request with its preferences and its operation.
struct MockCall<'a> {
    request: EditedRequest<'a>,
    preferences: MockPreferences<'a>,
    operation: Result<usize, MockRefusal>,
}

impl Plugin for Mocking {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        exchange.response_origin = ResponseOrigin::Mock;
        if let Some(preflight) =
            Some(&*exchange).filter(|_| self.profile.cors).and_then(prism_cors::preflight_response)
        {
            return Flow::Respond(preflight);
        }
        if let Some(path) = self.profile.lookup_path(exchange) {
            exchange.path = path;
        }
        let passes = || self.passes_through(&self.mock.find(exchange.upstream_method(), &exchange.path));
        if self.profile.checks_requests() && !passes() {
            self.check_request(exchange)
        } else {
            self.answer(exchange)
        }
    }

    fn header_filter(&self, exchange: &mut Exchange, response: &mut HttpResponse) {
        if self.profile.cors {
            prism_cors::add_headers(exchange.head().fields(), response.headers_mut());
        }
    }

    fn unreachable_path(&self, prefixes: &mut dyn FnMut() -> Vec<Vec<u8>>) -> Option<String> {
        let prefixes = prefixes();
        if prefixes.is_empty() || prefixes.iter().any(|prefix| self.mock.may_match(prefix)) {
            return None;
        }
        self.mock.first_path().map(|path| format!("`{path}`"))
    }

    fn expected_answer(&self, exchange: &mut Exchange) -> Option<ExpectedAnswer> {
        if let Some(path) = self.profile.lookup_path(exchange) {
            exchange.path = path;
        }
        let (request, _) = exchange.request_and_body();
        let operation = self.mock.find(request.method, request.path);
        if self.passes_through(&operation) {
            return None;
        }
        Some(match self.profile.read_preferences(request) {
            Ok(MockPreferences { fault: Some(RequestedFault::Present(fault)), .. }) => ExpectedAnswer {
                status: match fault {
                    InjectedFault::Reset => faults::NO_RESPONSE,
                    InjectedFault::Status(status) => status.as_u16(),
                },
                origin: "mocking: the fault that the request asks for".to_owned(),
            },
            Ok(preferences) => self.responder.expected_answer(&MockCall { request, preferences, operation }),
            Err(message) => ExpectedAnswer {
                status: self.profile.invalid_request(message).status().as_u16(),
                origin: "mocking: a preference of the request is not valid".to_owned(),
            },
        })
    }

    fn reset_state(&self) {
        self.responder.state.iter().for_each(MockState::forget);
    }
}

impl Mocking {
    /// Answers a request, or passes it to the upstream.
    fn answer<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let (request, body) = exchange.request_and_body();
        let operation = self.mock.find(request.method, request.path);
        if self.passes_through(&operation) {
            return Flow::Continue;
        }
        let preferences = match self.profile.read_preferences(request) {
            Ok(preferences) => preferences,
            Err(message) => return Flow::Respond(self.profile.invalid_request(message)),
        };
        let mut rng = self.responder.rng_source.rng();
        let delay = preferences.delay.unwrap_or_else(|| self.delay.draw(&mut rng));
        let call = MockCall { request, preferences, operation };
        let fault = match call.preferences.fault {
            Some(RequestedFault::Absent) => None,
            Some(RequestedFault::Present(fault)) => Some(fault),
            None => self.faults.draw(&mut rng),
        };
        match fault {
            Some(InjectedFault::Reset) => return respond_after(delay, faults::reset_response()),
            Some(InjectedFault::Status(status)) => {
                return self.respond_when_made(delay, self.responder.fault_response(status, &call));
            }
            None => (),
        }
        match self.responder.pool_work(&call) {
            None => match self.responder.respond_at_once(&call) {
                Some(outcome) => self.respond_when_made(delay, outcome),
                None => Flow::Later(Box::pin(async move {
                    respond_after(delay, self.respond_later(&call, Bytes::new()).await)
                })),
            },
            Some(PoolWork::WithoutBody) => Flow::Later(Box::pin(async move {
                respond_after(delay, self.respond_later(&call, Bytes::new()).await)
            })),
            Some(PoolWork::WithBody) => Flow::Later(Box::pin(async move {
                let response = match self.buffers.read_whole(std::mem::take(body), MAX_BODY_BYTES).await {
                    Ok(body) => self.respond_later(&call, body).await,
                    Err(error) => answer::body_error(&error),
                };
                respond_after(delay, response)
            })),
        }
    }

    /// Responds after a delay, and once the answer is generated.
    fn respond_when_made(&self, delay: Duration, outcome: MockOutcome) -> Flow<'_> {
        match outcome {
            MockOutcome::Ready(response) => respond_after(delay, response),
            MockOutcome::Pending(pending) => Flow::Later(Box::pin(async move {
                let answer = self.mock.make_in_pool(&self.pool, &pending.chosen, pending.sample_mode).await;
                respond_after(delay, self.responder.finish(&pending, answer))
            })),
        }
    }

    /// The response to a request, generated in the pool.
    async fn respond_later(&self, call: &MockCall<'_>, body: Bytes) -> HttpResponse {
        let (responder, request) = (Arc::clone(&self.responder), OwnedRequest::of(call.request));
        let work = move |_: &Budget| responder.respond(request.edited(), &body);
        match self.pool.run(state::LIMITS, work).await {
            Ok(Ok(response)) => response,
            Ok(Err(why)) => answer::generation_error(ResponseError::Exhausted(why)),
            Err(overloaded) => answer::generation_error(overloaded.into()),
        }
    }

    /// Whether a request is passed to the upstream.
    fn passes_through(&self, operation: &Result<usize, MockRefusal>) -> bool {
        let Some(passthrough) = &self.passthrough else { return false };
        operation.as_ref().map_or(true, |operation| passthrough.contains(operation))
    }
}

impl MockCall<'_> {
    /// The request with its preferences, for the choice of an answer.
    fn mock_request(&self, sample_mode: SampleMode) -> MockRequest<'_> {
        self.preferences.mock_request(self.request.method, self.request.path, sample_mode)
    }
}

/// Responds after a delay.
fn respond_after<'a>(delay: Duration, response: HttpResponse) -> Flow<'a> {
    if delay.is_zero() {
        return Flow::Respond(response);
    }
    Flow::Later(Box::pin(async move {
        tokio::time::sleep(delay).await;
        Flow::Respond(response)
    }))
}

#[cfg(test)]
mod tests;
