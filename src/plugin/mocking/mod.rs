//! `mocking`: answers from an OpenAPI document in the upstream's place.
//! (Kong: Mocking plugin; where its documentation is silent, `docs/mocking.md` says what is done here.)
//!
//! | file | what it is about |
//! |---|---|
//! | `settings` | what the settings may say |
//! | `document` | the document: a text in the settings, or a file |
//! | `steer` | what the headers of a request ask for |
//! | `answer` | answers and refusals as responses |
//! | `manners` | whose manners they have: Kong's or Prism's |
//! | `checked` | requests that are checked before they are answered |
//! | `open` | CORS as Prism has it |
//! | `state` | items that requests create, change and remove |
//! | `templates` | examples that are made from the request |
//! | `faults` | what happens in place of an answer, on purpose |
//! | `delay` | how long an answer waits |
//! | `dice` | chance, which a seed can repeat |

mod answer;
mod checked;
mod delay;
mod dice;
mod document;
mod faults;
mod manners;
mod open;
mod settings;
mod state;
mod steer;
mod templates;

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::StatusCode;

use self::{
    delay::Latency,
    dice::{Dice, Source},
    faults::{Fault, Faults},
    manners::Manners,
    settings::{Config, Passthrough},
    state::{Outcome, State, Task},
    steer::Steering,
    templates::{Context, Templates},
};
use super::{Def, EditedRequest, Exchange, Flow, Plugin, Response, Setup};
use crate::{
    body::BodyBuffers,
    budget::WorkPool,
    diag::Diagnostic,
    mock::{Answer, Asked, Chosen, Making, Mock, Refusal},
    openapi::{Api, Operation},
    reply,
};

/// The most bytes of a request's body that are read.
const MOST_BODY: u64 = 1 << 20;

pub(super) const DEF: Def =
    Def { name: "mocking", priority: -1, per_consumer: true, settings: settings::SETTINGS, compile };

fn compile(setup: &Setup<'_>) -> Result<Arc<dyn Plugin>, Vec<Diagnostic>> {
    let config = Config::read(setup)?;
    let (api, placed) = document::api(&config, setup)?;
    let templates = config.templates.then(|| Templates::new(&api, &placed)).transpose()?;
    let mock = Arc::new(Mock::new(Arc::new(api), config.options()));
    Ok(Arc::new(Mocking {
        live: live(&config, mock.api()),
        state: config.stateful.then(|| State::new(mock.api())),
        templates,
        mock,
        manners: Manners::of(&config),
        latency: config.latency(),
        faults: Faults::of(&config),
        dice: config.seed.map_or(Source::Random, Source::seeded),
        seed: config.seed,
        buffers: setup.resources.buffers.clone(),
        pool: setup.pool.clone(),
    }))
}

/// The operations that go to the real service, by position; none if none does.
fn live(config: &Config, api: &Api) -> Option<HashSet<usize>> {
    let marked = |operation: &Operation| {
        let mut marks = operation.extensions.iter().filter(|(name, _)| &**name == "x-mynah-live");
        marks.any(|(_, mark)| mark.value.as_bool() == Some(true))
    };
    let all = || (0..api.operations.len()).filter(|n| marked(&api.operations[*n])).collect();
    (config.passthrough == Passthrough::Undefined).then(all)
}

struct Mocking {
    mock: Arc<Mock>,
    manners: Manners,
    /// The operations that go to the real service, if those go there that the document lacks.
    live: Option<HashSet<usize>>,
    state: Option<State>,
    templates: Option<Templates>,
    latency: Latency,
    faults: Faults,
    dice: Source,
    seed: Option<u64>,
    buffers: BodyBuffers,
    pool: WorkPool,
}

/// A request, as far as it has been understood.
struct Call<'a> {
    request: EditedRequest<'a>,
    steering: Steering<'a>,
    operation: Result<usize, Refusal>,
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

    fn header_filter(&self, exchange: &Exchange, response: &mut Response) {
        if self.manners.cors {
            open::allow(exchange.head().fields(), response.headers_mut());
        }
    }

    fn out_of_reach(&self, beginnings: &mut dyn FnMut() -> Vec<Vec<u8>>) -> Option<String> {
        let beginnings = beginnings();
        if beginnings.is_empty() || beginnings.iter().any(|it| self.mock.may_find(it)) {
            return None;
        }
        self.mock.first_path().map(|path| format!("`{path}`"))
    }

    fn forget(&self) {
        self.state.iter().for_each(State::forget);
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
        let mut dice = self.dice.dice();
        let delay = steering.delay.unwrap_or_else(|| self.latency.draw(&mut dice));
        let call = Call { request, steering, operation };
        match self.faults.draw(&mut dice) {
            Some(Fault::Reset) => after(delay, faults::reset()),
            Some(Fault::Status(status)) => after(delay, self.fail(status, &call)),
            None if self.reads_bodies(&call) => Flow::Later(Box::pin(async move {
                let response = match self.buffers.read_whole(std::mem::take(body), MOST_BODY).await {
                    Ok(body) => self.respond(&call, &body),
                    Err(error) => answer::unread(&error),
                };
                after(delay, response)
            })),
            None => after(delay, self.respond(&call, &Bytes::new())),
        }
    }

    fn is_live(&self, operation: &Result<usize, Refusal>) -> bool {
        self.live.as_ref().is_some_and(|live| operation.as_ref().map_or(true, |it| live.contains(it)))
    }

    /// What the state has to do for a request.
    fn task(&self, call: &Call<'_>) -> Option<Task<'_>> {
        let operation = call.operation.as_ref().ok().filter(|_| !call.steering.names_an_answer());
        self.state.as_ref()?.task(&self.mock, *operation?)
    }

    /// Whether the answer depends on the body of the request.
    fn reads_bodies(&self, call: &Call<'_>) -> bool {
        let templates = || {
            self.templates.as_ref().zip(call.operation.as_ref().ok()).is_some_and(|(it, n)| it.concern(*n))
        };
        self.task(call).map_or_else(templates, |task| task.role.reads_a_body())
    }

    /// A fault, in the words of the document if it has some for this status.
    fn fail(&self, status: StatusCode, call: &Call<'_>) -> Response {
        let code = status.as_str();
        let asked = Asked { status: Some(code), example: None, ..call.asked(Making::default()) };
        let operation = call.operation.clone();
        let chosen = operation.and_then(|it| self.mock.choose(it, &asked, &mut |_| 0));
        match &chosen {
            Ok(chosen) => self.explained(call, chosen, "fault", self.mock.make(chosen, asked.making)),
            Err(_) => reply::message(status, status.canonical_reason().unwrap_or("a fault was asked for")),
        }
    }

    fn respond(&self, call: &Call<'_>, body: &Bytes) -> Response {
        let mut dice = call.steering.seed.map_or_else(|| self.dice.dice(), Dice::Own);
        let making = self.manners.making(call.steering.making(self.seed, &mut dice));
        let asked = call.asked(making);
        let result = match self.task(call) {
            Some(task) => self.keep(task, call, &asked, body),
            None => call.operation.clone().and_then(|operation| {
                let chosen = self.mock.choose(operation, &asked, &mut |below| dice.below(below))?;
                Ok(self.make(call, &chosen, making, body, &mut dice))
            }),
        };
        result.unwrap_or_else(|refusal| self.manners.refuse(&refusal, &self.mock, &asked))
    }

    /// The answer that was chosen, its template filled in if it is one.
    fn make(
        &self,
        call: &Call<'_>,
        chosen: &Chosen<'_>,
        making: Making,
        body: &[u8],
        dice: &mut Dice<'_>,
    ) -> Response {
        let templates = self.templates.as_ref().filter(|it| it.concern(chosen.operation));
        let filled = templates.and_then(|templates| {
            let path = self.mock.path_values(chosen.operation, call.request.path);
            let mut context = Context::new(call.request, path, body, SystemTime::now(), dice);
            templates.render(chosen, &mut context)
        });
        let answer = match filled {
            None => self.mock.make(chosen, making),
            Some(Ok(value)) => self.mock.make_with(chosen, making, &value),
            Some(Err(error)) => return answer::template_failed(&error),
        };
        self.explained(call, chosen, &answer::source(self.mock.origin(chosen)), answer)
    }

    /// Does with the state what a request asks for.
    fn keep(
        &self,
        task: Task<'_>,
        call: &Call<'_>,
        asked: &Asked<'_>,
        body: &Bytes,
    ) -> Result<Response, Refusal> {
        match task.run(&self.mock, asked, body)? {
            Outcome::Answer(chosen, answer) => Ok(self.explained(call, &chosen, "state", answer)),
            Outcome::Refused(status, message) => Ok(reply::message(status, message)),
        }
    }

    fn explained(&self, call: &Call<'_>, chosen: &Chosen<'_>, source: &str, answer: Answer) -> Response {
        let mut response = self.manners.answer(answer, &[]);
        if call.steering.explain {
            answer::explain(&mut response, &self.mock, chosen.operation, source);
        }
        response
    }
}

impl Call<'_> {
    /// The request, as the choice of an answer sees it.
    fn asked(&self, making: Making) -> Asked<'_> {
        self.steering.asked(self.request.method, self.request.path, making)
    }
}

/// A response that waits on the runtime, if it has to wait.
fn after<'a>(delay: Duration, response: Response) -> Flow<'a> {
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
