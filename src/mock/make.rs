//! The making of answers: at once if that is quick, else beside the threads that serve requests.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, StatusCode};

use super::{
    ChosenAnswer, Mock, MockResponse, Profile, SampleMode,
    cached_response::{CachedResponse, Recipe},
    operation::{Kept, ResponseBuilder},
};
use crate::{
    budget::{Budget, Exhausted, Overloaded, WorkLimits, WorkPool},
    document::Value,
    openapi::sample::SamplingMode,
};

/// What is made at once takes about a millisecond at most.
const AT_ONCE: WorkLimits =
    WorkLimits { steps: 4_000, bytes: 64 << 10, depth: 256, time: Duration::from_millis(20) };
/// What is made in the pool. The steps bound it; the time is for machines that are slow beyond measure.
const IN_POOL: WorkLimits =
    WorkLimits { steps: 8_000_000, bytes: 64 << 20, depth: 256, time: Duration::from_secs(20) };

/// Why an answer was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// Too many others are being made.
    Overloaded,
    /// It is larger or takes longer than any answer may.
    Exhausted(Exhausted),
}

/// Makes answers where the caller is: on a thread that serves requests, or on one that may take its time.
#[derive(Clone, Copy, Debug)]
pub struct ResponseMaker<'a> {
    /// What answers are made of.
    pub mock: &'a Mock,
    /// Whether only what takes about a millisecond is made.
    pub at_once: bool,
}

/// A choice that outlives the request it was made for.
#[derive(Clone, Debug)]
pub struct OwnedChoice {
    chosen: ChosenAnswer<'static>,
    concrete: Option<Box<str>>,
}

impl OwnedChoice {
    /// The choice.
    #[must_use]
    pub fn chosen(&self) -> ChosenAnswer<'_> {
        ChosenAnswer { concrete: self.concrete.as_deref(), ..self.chosen }
    }
}

impl ResponseMaker<'_> {
    /// The answer that was chosen; none if that takes longer than it may.
    #[must_use]
    pub fn make(
        self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
    ) -> Option<Result<MockResponse, ResponseError>> {
        if self.at_once {
            self.mock.make_at_once(chosen, sample_mode)
        } else {
            Some(self.mock.make(chosen, sample_mode))
        }
    }

    /// The same, with another value as its body.
    #[must_use]
    pub fn make_with_body(
        self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
        value: &Value,
    ) -> Option<Result<MockResponse, ResponseError>> {
        if self.at_once {
            self.mock.make_with_body_at_once(chosen, sample_mode, value)
        } else {
            Some(self.mock.make_with_body(chosen, sample_mode, value))
        }
    }
}

impl ChosenAnswer<'_> {
    /// The same choice, without the request.
    #[must_use]
    pub fn to_owned_choice(&self) -> OwnedChoice {
        let ChosenAnswer { operation, response, status, media, example, concrete } = *self;
        let chosen = ChosenAnswer { operation, response, status, media, example, concrete: None };
        OwnedChoice { chosen, concrete: concrete.map(Box::from) }
    }
}

impl Mock {
    /// The answer that was chosen, on a thread that may take its time.
    ///
    /// # Errors
    /// It is larger or takes longer than any answer may.
    pub fn make(
        &self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
    ) -> Result<MockResponse, ResponseError> {
        if let Some(ready) = self.ready(chosen, sample_mode) {
            return ready;
        }
        let canned = self.canned(chosen, sample_mode, &Budget::new(IN_POOL));
        Ok(self.kept(canned?, chosen, sample_mode))
    }

    /// The answer that was chosen, if it is there already or made within about a millisecond.
    #[must_use]
    pub fn make_at_once(
        &self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
    ) -> Option<Result<MockResponse, ResponseError>> {
        self.ready(chosen, sample_mode).or_else(|| {
            // To hold an answer against its schema may take longer.
            let is_judged = self.profile() == Profile::Prism && chosen.media.is_some();
            let canned =
                if is_judged { None } else { self.canned(chosen, sample_mode, &Budget::new(AT_ONCE)).ok() };
            canned.map(|canned| Ok(self.kept(canned, chosen, sample_mode)))
        })
    }

    /// The answer that was chosen, made in the pool. Those who want the same one wait for it together.
    ///
    /// # Errors
    /// It was not made.
    pub async fn make_in_pool(
        self: &Arc<Self>,
        pool: &WorkPool,
        chosen: &OwnedChoice,
        sample_mode: SampleMode,
    ) -> Result<MockResponse, ResponseError> {
        let make = || async {
            let (mock, chosen) = (Arc::clone(self), chosen.clone());
            let work = move |budget: &Budget| mock.canned(&chosen.chosen(), sample_mode, budget);
            match pool.run(IN_POOL, work).await?.and_then(|canned| canned) {
                Err(why @ (Exhausted::Time | Exhausted::Cancelled)) => Err(ResponseError::Exhausted(why)),
                // The next try would take the same steps.
                made => Ok(made),
            }
        };
        let chosen = chosen.chosen();
        let answer = match self.place(&chosen, sample_mode) {
            Some(place) => {
                let kept = place.get_or_try_init(make).await?.as_ref();
                kept.map(|cached| cached.answer(chosen.status)).map_err(|why| *why)
            }
            None => make().await?.map(|cached| cached.answer(chosen.status)),
        };
        Ok(self.signed(answer?, &chosen))
    }

    /// The answer that was chosen, with another value as its body, on a thread that may take its time.
    ///
    /// # Errors
    /// It is larger than any answer may be.
    pub fn make_with_body(
        &self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
        value: &Value,
    ) -> Result<MockResponse, ResponseError> {
        self.with(chosen, sample_mode, value, IN_POOL)
    }

    /// The same, if it is made within about a millisecond.
    #[must_use]
    pub fn make_with_body_at_once(
        &self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
        value: &Value,
    ) -> Option<Result<MockResponse, ResponseError>> {
        self.with(chosen, sample_mode, value, AT_ONCE).ok().map(Ok)
    }

    fn with(
        &self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
        value: &Value,
        limits: WorkLimits,
    ) -> Result<MockResponse, ResponseError> {
        let budget = Budget::new(limits);
        let recipe = Recipe { api: &self.api, sample_mode, budget: &budget };
        let response = &self.api.operations[chosen.operation].responses[chosen.response];
        Ok(CachedResponse::of_value(recipe, response, chosen, value)?.answer(chosen.status))
    }

    fn canned(
        &self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
        budget: &Budget,
    ) -> Result<CachedResponse, Exhausted> {
        let kitchen =
            ResponseBuilder { api: &self.api, checks: &self.checks, profile: self.options.profile, budget };
        self.operations.cook(&kitchen, chosen, sample_mode)
    }

    fn place(&self, chosen: &ChosenAnswer<'_>, sample_mode: SampleMode) -> Option<&Kept> {
        let usual = self.options.seed.map_or(SamplingMode::Stable, SamplingMode::Seeded);
        self.operations.place(chosen, sample_mode.mode == usual && !sample_mode.skip_examples)
    }

    fn ready(
        &self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
    ) -> Option<Result<MockResponse, ResponseError>> {
        let made = self.place(chosen, sample_mode)?.get()?.as_ref();
        Some(match made {
            Ok(canned) => Ok(self.signed(canned.answer(chosen.status), chosen)),
            Err(why) => Err(ResponseError::Exhausted(*why)),
        })
    }

    /// Keeps an answer for those who ask later, if it is one that is kept.
    fn kept(
        &self,
        canned: CachedResponse,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
    ) -> MockResponse {
        let answer = canned.answer(chosen.status);
        if let Some(place) = self.place(chosen, sample_mode) {
            // Another thread may have been as quick, or be at it: the two are the same.
            let _ = place.set(Ok(canned));
        }
        self.signed(answer, chosen)
    }

    fn signed(&self, mut answer: MockResponse, chosen: &ChosenAnswer<'_>) -> MockResponse {
        if self.options.profile == Profile::Prism && self.api.operations[chosen.operation].deprecated {
            answer.headers.insert(HeaderName::from_static("deprecation"), HeaderValue::from_static("true"));
        }
        answer
    }
}

impl ResponseError {
    /// The status of the response that says so.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Exhausted(Exhausted::Bytes) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl From<Exhausted> for ResponseError {
    fn from(exhausted: Exhausted) -> Self {
        Self::Exhausted(exhausted)
    }
}

impl From<Overloaded> for ResponseError {
    fn from(Overloaded: Overloaded) -> Self {
        Self::Overloaded
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overloaded => f.write_str("too many answers are being made; try again"),
            Self::Exhausted(Exhausted::Bytes) => {
                write!(f, "the answer of the API specification is larger than {} MiB", IN_POOL.bytes >> 20)
            }
            Self::Exhausted(why) => write!(f, "the answer was not made: {why}"),
        }
    }
}
