//! `mocking`: answers from an OpenAPI document in the upstream's place.
//! (Kong: Mocking plugin; where its documentation is silent, `docs/mocking.md` says what is done here.)
//!
//! | file | what it is about |
//! |---|---|
//! | `settings` | what the settings may say |
//! | `document` | the document: a text in the settings, or a file |
//! | `steer` | what the headers of a request ask for |
//! | `answer` | answers and refusals as responses |
//! | `delay` | how long an answer waits |
//! | `dice` | chance, which a seed can repeat |

mod answer;
mod delay;
mod dice;
mod document;
mod settings;
mod steer;

use std::{sync::Arc, time::Duration};

use http::StatusCode;

use self::{
    delay::Latency,
    dice::{Dice, Source},
    settings::Config,
    steer::Steering,
};
use super::{Def, Exchange, Flow, Plugin, Response, Setup};
use crate::{
    diag::Diagnostic,
    mock::{Asked, Making, Mock, Options},
    reply,
};

pub(super) const DEF: Def = Def { name: "mocking", priority: -1, settings: settings::SETTINGS, compile };

fn compile(setup: &Setup<'_>) -> Result<Arc<dyn Plugin>, Vec<Diagnostic>> {
    let config = Config::read(setup)?;
    let api = document::api(&config, setup)?;
    let latency = match config.random_delay {
        true => Latency::Uniform(config.min_delay_time, config.max_delay_time),
        false => Latency::None,
    };
    let options = Options {
        included_status_codes: config.included_status_codes.unwrap_or_default(),
        random_status_code: config.random_status_code,
        random_examples: config.random_examples,
        include_base_path: config.include_base_path,
        custom_base_path: config.custom_base_path,
    };
    Ok(Arc::new(Mocking { mock: Mock::new(Arc::new(api), options), latency, dice: Source::Random }))
}

struct Mocking {
    mock: Mock,
    latency: Latency,
    dice: Source,
}

impl Plugin for Mocking {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let mut dice = self.dice.dice();
        let steering = match Steering::read(&exchange.head.headers) {
            Ok(steering) => steering,
            Err(message) => return Flow::Respond(reply::message(StatusCode::BAD_REQUEST, message)),
        };
        let delay = steering.delay.unwrap_or_else(|| self.latency.draw(&mut dice));
        after(delay, self.respond(exchange, &steering, &mut dice))
    }
}

impl Mocking {
    fn respond(&self, exchange: &Exchange, steering: &Steering<'_>, dice: &mut Dice<'_>) -> Response {
        let asked = Asked {
            method: &exchange.head.method,
            path: &exchange.path,
            accept: steering.accept.as_deref(),
            status: steering.status.as_deref(),
            example: steering.example.as_deref(),
            making: Making::default(),
        };
        match self.mock.answer(&asked, &mut |below| dice.below(below)) {
            Ok(answer) => answer::respond(answer),
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
