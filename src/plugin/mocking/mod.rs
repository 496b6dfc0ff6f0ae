//! `mocking`: answers from an OpenAPI document in the upstream's place.
//! (Kong: Mocking plugin; where its documentation is silent, `docs/mocking.md` says what is done here.)
//!
//! | file | what it is about |
//! |---|---|
//! | `settings` | what the settings may say |
//! | `document` | the document: a text in the settings, or a file |
//! | `steer` | what the headers of a request ask for |
//! | `answer` | answers and refusals as responses |
//! | `faults` | what happens in place of an answer, on purpose |
//! | `delay` | how long an answer waits |
//! | `dice` | chance, which a seed can repeat |

mod answer;
mod delay;
mod dice;
mod document;
mod faults;
mod settings;
mod steer;

use std::{sync::Arc, time::Duration};

use http::StatusCode;

use self::{
    delay::Latency,
    dice::{Dice, Source},
    faults::{Fault, Faults},
    settings::Config,
    steer::Steering,
};
use super::{Def, Exchange, Flow, Plugin, Response, Setup};
use crate::{
    diag::Diagnostic,
    mock::{Making, Mock},
    reply,
};

pub(super) const DEF: Def = Def { name: "mocking", priority: -1, settings: settings::SETTINGS, compile };

fn compile(setup: &Setup<'_>) -> Result<Arc<dyn Plugin>, Vec<Diagnostic>> {
    let config = Config::read(setup)?;
    let api = document::api(&config, setup)?;
    Ok(Arc::new(Mocking {
        mock: Mock::new(Arc::new(api), config.options()),
        latency: config.latency(),
        faults: Faults::of(&config),
        dice: config.seed.map_or(Source::Random, Source::seeded),
        seed: config.seed,
    }))
}

struct Mocking {
    mock: Mock,
    latency: Latency,
    faults: Faults,
    dice: Source,
    seed: Option<u64>,
}

impl Plugin for Mocking {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let steering = match Steering::read(&exchange.head.headers) {
            Ok(steering) => steering,
            Err(wrong) => return Flow::Respond(reply::message(StatusCode::BAD_REQUEST, wrong)),
        };
        let mut dice = self.dice.dice();
        let delay = steering.delay.unwrap_or_else(|| self.latency.draw(&mut dice));
        let response = match self.faults.draw(&mut dice) {
            Some(Fault::Reset) => faults::reset(),
            Some(Fault::Status(status)) => self.fail(status, exchange, &steering),
            None => self.respond(exchange, &steering),
        };
        after(delay, response)
    }
}

impl Mocking {
    /// A fault, in the words of the document if it has some for this status.
    fn fail(&self, status: StatusCode, exchange: &Exchange, steering: &Steering<'_>) -> Response {
        let asked = Steering {
            accept: steering.accept.clone(),
            status: Some(status.as_str().into()),
            ..Steering::default()
        };
        let (method, path, making) = (&exchange.head.method, &exchange.path, Making::default());
        let asked = asked.asked(method, path, making);
        let operation = self.mock.find(method, path);
        let chosen = operation.and_then(|it| self.mock.choose(it, &asked, &mut |_| 0));
        let mut response = match &chosen {
            Ok(chosen) => answer::respond(self.mock.make(chosen, making)),
            Err(_) => reply::message(status, status.canonical_reason().unwrap_or("a fault was asked for")),
        };
        if let (true, Ok(chosen)) = (steering.explain, &chosen) {
            answer::explain(&mut response, &self.mock, chosen.operation, "fault");
        }
        response
    }

    fn respond(&self, exchange: &Exchange, steering: &Steering<'_>) -> Response {
        let mut dice = steering.seed.map_or_else(|| self.dice.dice(), Dice::Own);
        let making = steering.making(self.seed, &mut dice);
        let (method, path) = (&exchange.head.method, exchange.path.as_str());
        let asked = steering.asked(method, path, making);
        let operation = self.mock.find(method, path);
        let chosen = operation.and_then(|it| self.mock.choose(it, &asked, &mut |below| dice.below(below)));
        match chosen {
            Ok(chosen) => {
                let mut response = answer::respond(self.mock.make(&chosen, making));
                if steering.explain {
                    let source = answer::source(self.mock.origin(&chosen));
                    answer::explain(&mut response, &self.mock, chosen.operation, &source);
                }
                response
            }
            Err(refusal) => answer::refuse(&refusal),
        }
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
