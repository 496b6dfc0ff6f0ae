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
//! | `delay` | how long an answer waits |
//! | `dice` | chance, which a seed can repeat |

mod answer;
mod checked;
mod delay;
mod dice;
mod document;
mod manners;
mod open;
mod settings;
mod steer;

use std::{sync::Arc, time::Duration};

use self::{
    delay::Latency,
    dice::{Dice, Source},
    manners::Manners,
    settings::Config,
    steer::Steering,
};
use super::{Def, Exchange, Flow, Plugin, Response, Setup};
use crate::{diag::Diagnostic, mock::Mock};

pub(super) const DEF: Def = Def { name: "mocking", priority: -1, settings: settings::SETTINGS, compile };

fn compile(setup: &Setup<'_>) -> Result<Arc<dyn Plugin>, Vec<Diagnostic>> {
    let config = Config::read(setup)?;
    let api = document::api(&config, setup)?;
    let latency = match config.random_delay {
        true => Latency::Uniform(config.min_delay_time, config.max_delay_time),
        false => Latency::None,
    };
    let dice = config.seed.map_or(Source::Random, Source::seeded);
    let seed = config.seed;
    let manners = Manners::of(&config);
    let mock = Mock::new(Arc::new(api), config.options());
    Ok(Arc::new(Mocking { mock, manners, latency, dice, seed }))
}

struct Mocking {
    mock: Mock,
    manners: Manners,
    latency: Latency,
    dice: Source,
    seed: Option<u64>,
}

impl Plugin for Mocking {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        if let Some(preflight) = Some(&*exchange).filter(|_| self.manners.cors).and_then(open::preflight) {
            return Flow::Respond(preflight);
        }
        if let Some(path) = self.manners.path(exchange) {
            exchange.path = path;
        }
        if self.manners.checks() { self.check(exchange) } else { self.answer(exchange) }
    }

    fn header_filter(&self, exchange: &Exchange, response: &mut Response) {
        if self.manners.cors {
            open::allow(&exchange.head.headers, response.headers_mut());
        }
    }
}

impl Mocking {
    fn answer<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let steering = Steering::read(&exchange.head.headers).and_then(|mut steering| {
            self.manners.steer(&mut steering, exchange)?;
            Ok(steering)
        });
        let steering = match steering {
            Ok(steering) => steering,
            Err(wrong) => return Flow::Respond(self.manners.misunderstood(wrong)),
        };
        let delay = steering.delay.unwrap_or_else(|| self.latency.draw(&mut self.dice.dice()));
        after(delay, self.respond(exchange, &steering))
    }

    fn respond(&self, exchange: &Exchange, steering: &Steering<'_>) -> Response {
        let mut dice = steering.seed.map_or_else(|| self.dice.dice(), Dice::Own);
        let making = self.manners.making(steering.making(self.seed, &mut dice));
        let (method, path) = (&exchange.head.method, exchange.path.as_str());
        let asked = steering.asked(method, path, making);
        let operation = self.mock.find(method, path);
        let chosen = operation.and_then(|it| self.mock.choose(it, &asked, &mut |below| dice.below(below)));
        match chosen {
            Ok(chosen) => {
                let mut response = self.manners.answer(self.mock.make(&chosen, making), &[]);
                if steering.explain {
                    let source = answer::source(self.mock.origin(&chosen));
                    answer::explain(&mut response, &self.mock, chosen.operation, &source);
                }
                response
            }
            Err(refusal) => self.manners.refuse(&refusal, &self.mock, &asked),
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
