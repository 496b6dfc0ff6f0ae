//! `mocking`: answers from an OpenAPI document in the upstream's place.
//! (Kong: Mocking plugin; where its documentation is silent, `docs/mocking.md` says what is done here.)
//!
//! | file | what it is about |
//! |---|---|
//! | `settings` | what the settings may say |
//! | `document` | the document: a text in the settings, or a file |
//! | `preferences` | what the headers of a request ask for |
//! | `answer` | answers and refusals as responses |
//! | `prism_settings` | the settings that `mynah mock` writes |
//! | `mock_profile` | whose manners they have: Kong's or Prism's |
//! | `checked` | requests that are checked before they are answered |
//! | `open` | CORS as Prism has it |
//! | `responder` | responses: at once, or on a thread of the pool |
//! | `state` | items that requests create, change and remove |
//! | `templates` | examples that are made from the request |
//! | `faults` | what happens in place of an answer, on purpose |
//! | `delay` | how long an answer waits |
//! | `request_rng` | chance, which a seed can repeat |

mod answer;
mod checked;
mod delay;
mod document;
mod faults;
mod mock_profile;
mod open;
mod preferences;
mod prism_settings;
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
    faults::{FaultRates, InjectedFault},
    mock_profile::MockProfile,
    preferences::MockPreferences,
    request_rng::RngSource,
    responder::{Beside, Made, OwnedRequest, Responder},
    settings::{MockingConfig, PassthroughRule},
    state::MockState,
    templates::ExampleTemplates,
};
use super::{EditedRequest, Exchange, Flow, HttpResponse, Plugin, PluginDef, PluginResult, PluginSetup};
use crate::{
    body::BodyBuffers,
    budget::{Budget, WorkPool},
    diag::Diagnostic,
    mock::{Mock, MockRefusal, MockRequest, ResponseError, SampleMode},
    openapi::{Api, Operation},
};

/// The most operations that are named because they are never found.
const MOST_SHADOWED: usize = 20;
/// The most bytes of a request's body that are read.
const MOST_BODY: u64 = 1 << 20;

pub(super) const DEF: PluginDef = PluginDef::new("mocking", -1, settings::FIELDS, compile)
    .checks(settings::CHECKS)
    .per_consumer()
    .answers_from(settings::DOCUMENT);

fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let config = MockingConfig::read(setup)?;
    let (api, placed) = document::api(&config, setup)?;
    let templates = config.templates.then(|| ExampleTemplates::new(&api, &placed)).transpose()?;
    let mock = Arc::new(Mock::new(Arc::new(api), config.options()));
    for n in mock.shadowed_operations().into_iter().take(MOST_SHADOWED) {
        let message = "this operation is never found: what follows a `#` or `?` is no part of a path, and another operation has this path and method";
        let warning = Diagnostic::warning(mock.api().operations[n].path.clone(), message).key();
        setup.warnings.borrow_mut().push(placed.place(warning));
    }
    let manners = MockProfile::of(&config);
    let responder = Arc::new(Responder {
        state: config.stateful.then(|| MockState::new(mock.api())),
        templates,
        mock: Arc::clone(&mock),
        manners,
        dice: config.seed.map_or(RngSource::Random, RngSource::seeded),
        seed: config.seed,
    });
    Ok(Arc::new(Mocking {
        live: live(&config, mock.api()),
        responder,
        pool: setup.resources.pool.clone(),
        mock,
        manners,
        latency: config.latency(),
        faults: FaultRates::of(&config),
        buffers: setup.resources.buffers.clone(),
    }))
}

/// The operations that go to the real service, by position; none if none does.
fn live(config: &MockingConfig, api: &Api) -> Option<HashSet<usize>> {
    let marked = |operation: &Operation| {
        let mut marks = operation.extensions.iter().filter(|(name, _)| &**name == "x-mynah-live");
        marks.any(|(_, mark)| mark.value.as_bool() == Some(true))
    };
    let all = || (0..api.operations.len()).filter(|n| marked(&api.operations[*n])).collect();
    (config.passthrough == PassthroughRule::Undefined).then(all)
}

struct Mocking {
    mock: Arc<Mock>,
    manners: MockProfile,
    responder: Arc<Responder>,
    /// Where answers are made that take longer than a request may keep others waiting.
    pool: WorkPool,
    /// The operations that go to the real service, if those go there that the document lacks.
    live: Option<HashSet<usize>>,
    latency: ResponseDelay,
    faults: FaultRates,
    buffers: BodyBuffers,
}

/// A request, as far as it has been understood.
struct MockCall<'a> {
    request: EditedRequest<'a>,
    steering: MockPreferences<'a>,
    operation: Result<usize, MockRefusal>,
}

impl Plugin for Mocking {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        if let Some(preflight) = Some(&*exchange).filter(|_| self.manners.cors).and_then(open::preflight) {
            return Flow::Respond(preflight);
        }
        if let Some(path) = self.manners.path(exchange) {
            exchange.path = path;
        }
        let live = || self.is_live(&self.mock.find(exchange.upstream_method(), &exchange.path));
        if self.manners.checks() && !live() { self.check(exchange) } else { self.answer(exchange) }
    }

    fn header_filter(&self, exchange: &Exchange, response: &mut HttpResponse) {
        if self.manners.cors {
            open::allow(exchange.head().fields(), response.headers_mut());
        }
    }

    fn unreachable_path(&self, beginnings: &mut dyn FnMut() -> Vec<Vec<u8>>) -> Option<String> {
        let beginnings = beginnings();
        if beginnings.is_empty() || beginnings.iter().any(|it| self.mock.may_match(it)) {
            return None;
        }
        self.mock.first_path().map(|path| format!("`{path}`"))
    }

    fn forget(&self) {
        self.responder.state.iter().for_each(MockState::forget);
    }
}

impl Mocking {
    fn answer<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let (request, body) = exchange.split();
        let operation = self.mock.find(request.method, request.path);
        if self.is_live(&operation) {
            return Flow::Continue;
        }
        let steering = match self.manners.steering(request) {
            Ok(steering) => steering,
            Err(wrong) => return Flow::Respond(self.manners.misunderstood(wrong)),
        };
        let mut dice = self.responder.dice.dice();
        let delay = steering.delay.unwrap_or_else(|| self.latency.draw(&mut dice));
        let call = MockCall { request, steering, operation };
        match self.faults.draw(&mut dice) {
            Some(InjectedFault::Reset) => return after(delay, faults::reset()),
            Some(InjectedFault::Status(status)) => {
                return self.made(delay, self.responder.fail(status, &call));
            }
            None => (),
        }
        match self.responder.beside(&call) {
            None => match self.responder.respond_at_once(&call) {
                Some(made) => self.made(delay, made),
                None => Flow::Later(Box::pin(async move {
                    after(delay, self.respond_later(&call, Bytes::new()).await)
                })),
            },
            Some(Beside::WithoutBody) => {
                Flow::Later(Box::pin(
                    async move { after(delay, self.respond_later(&call, Bytes::new()).await) },
                ))
            }
            Some(Beside::WithBody) => Flow::Later(Box::pin(async move {
                let response = match self.buffers.read_whole(std::mem::take(body), MOST_BODY).await {
                    Ok(body) => self.respond_later(&call, body).await,
                    Err(error) => answer::unread(&error),
                };
                after(delay, response)
            })),
        }
    }

    /// A response, once its answer is made.
    fn made(&self, delay: Duration, made: Made) -> Flow<'_> {
        match made {
            Made::Ready(response) => after(delay, response),
            Made::Chosen(wanted) => Flow::Later(Box::pin(async move {
                let answer = self.mock.make_in_pool(&self.pool, &wanted.chosen, wanted.sample_mode).await;
                after(delay, self.responder.finished(&wanted, answer))
            })),
        }
    }

    /// The response to a request, made in the pool.
    async fn respond_later(&self, call: &MockCall<'_>, body: Bytes) -> HttpResponse {
        let (responder, request) = (Arc::clone(&self.responder), OwnedRequest::of(call.request));
        let work = move |_: &Budget| responder.respond(request.edited(), &body);
        match self.pool.run(state::LIMITS, work).await {
            Ok(Ok(response)) => response,
            Ok(Err(why)) => answer::unmade(ResponseError::Exhausted(why)),
            Err(overloaded) => answer::unmade(overloaded.into()),
        }
    }

    fn is_live(&self, operation: &Result<usize, MockRefusal>) -> bool {
        self.live.as_ref().is_some_and(|live| operation.as_ref().map_or(true, |it| live.contains(it)))
    }
}

impl MockCall<'_> {
    /// The request, as the choice of an answer sees it.
    fn asked(&self, sample_mode: SampleMode) -> MockRequest<'_> {
        self.steering.asked(self.request.method, self.request.path, sample_mode)
    }
}

/// A response that waits on the runtime, if it has to wait.
fn after<'a>(delay: Duration, response: HttpResponse) -> Flow<'a> {
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
