//! Making of responses: on the thread of the request if it is quick, else in a pool of threads.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, StatusCode};

use super::{
    ChosenAnswer, Mock, MockResponse, Profile, SampleMode,
    cached_response::{CachedResponse, ResponseContext},
    operations::{ResponseBuilder, ResponseCell},
};
use crate::{
    budget::{Budget, Exhausted, Overloaded, WorkLimits, WorkPool},
    document::Value,
    openapi::sample::SamplingMode,
};

/// Limits on a thread that serves requests: about a millisecond.
const AT_ONCE: WorkLimits =
    WorkLimits { steps: 4_000, bytes: 64 << 10, depth: 256, time: Duration::from_millis(20) };
/// Limits in the pool. The steps are the effective bound; the time is for very slow machines.
const IN_POOL: WorkLimits =
    WorkLimits { steps: 8_000_000, bytes: 64 << 20, depth: 256, time: Duration::from_secs(20) };

/// Error of a response that was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// The pool is full.
    Overloaded,
    /// The response exceeds a limit.
    Exhausted(Exhausted),
}

/// Maker of responses on the thread of the caller, which serves requests or may block.
#[derive(Clone, Copy, Debug)]
pub struct ResponseMaker<'a> {
    /// The mock.
    pub mock: &'a Mock,
    /// Whether the thread serves requests, so that only responses of about a millisecond are made.
    pub at_once: bool,
}

/// Choice that does not borrow from the request.
#[derive(Clone, Debug)]
pub struct OwnedChoice {
    chosen: ChosenAnswer<'static>,
    concrete: Option<Box<str>>,
}

impl OwnedChoice {
    /// The choice, borrowed.
    #[must_use]
    pub fn chosen(&self) -> ChosenAnswer<'_> {
        ChosenAnswer { concrete: self.concrete.as_deref(), ..self.chosen }
    }
}

impl ResponseMaker<'_> {
    /// Makes the chosen response; `None` if that takes too long for this thread.
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

    /// Makes the chosen response with another value as its body; `None` if that takes too long for this thread.
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
    /// A copy of the choice that does not borrow from the request.
    #[must_use]
    pub fn to_owned_choice(&self) -> OwnedChoice {
        let ChosenAnswer { operation, response, status, media, example, concrete } = *self;
        let chosen = ChosenAnswer { operation, response, status, media, example, concrete: None };
        OwnedChoice { chosen, concrete: concrete.map(Box::from) }
    }
}

impl Mock {
    /// Makes the chosen response on a thread that may block.
    ///
    /// # Errors
    /// The response exceeds the limits.
    pub fn make(
        &self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
    ) -> Result<MockResponse, ResponseError> {
        if let Some(result) = self.cached(chosen, sample_mode) {
            return result;
        }
        let response = self.build(chosen, sample_mode, &Budget::new(IN_POOL));
        Ok(self.store(response?, chosen, sample_mode))
    }

    /// The chosen response, if it is cached or can be made within about a millisecond.
    #[must_use]
    pub fn make_at_once(
        &self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
    ) -> Option<Result<MockResponse, ResponseError>> {
        self.cached(chosen, sample_mode).or_else(|| {
            // The validation of a response may take longer.
            let is_validated = self.profile() == Profile::Prism && chosen.media.is_some();
            let response =
                if is_validated { None } else { self.build(chosen, sample_mode, &Budget::new(AT_ONCE)).ok() };
            response.map(|response| Ok(self.store(response, chosen, sample_mode)))
        })
    }

    /// Makes the chosen response in the pool. Concurrent requests for the same response wait for one making of it.
    ///
    /// # Errors
    /// The pool is full, or the response exceeds the limits.
    pub async fn make_in_pool(
        self: &Arc<Self>,
        pool: &WorkPool,
        chosen: &OwnedChoice,
        sample_mode: SampleMode,
    ) -> Result<MockResponse, ResponseError> {
        let make = || async {
            let (mock, chosen) = (Arc::clone(self), chosen.clone());
            let work = move |budget: &Budget| mock.build(&chosen.chosen(), sample_mode, budget);
            match pool.run(IN_POOL, work).await?.and_then(|response| response) {
                Err(exhausted @ (Exhausted::Time | Exhausted::Cancelled)) => {
                    Err(ResponseError::Exhausted(exhausted))
                }
                // The limits in steps and bytes give the same result every time, so the error is cached too.
                result => Ok(result),
            }
        };
        let chosen = chosen.chosen();
        let answer = match self.cell(&chosen, sample_mode) {
            Some(cell) => {
                let cached = cell.get_or_try_init(make).await?.as_ref();
                cached.map(|cached| cached.to_response(chosen.status)).map_err(|exhausted| *exhausted)
            }
            None => make().await?.map(|cached| cached.to_response(chosen.status)),
        };
        Ok(self.add_deprecation(answer?, &chosen))
    }

    /// Makes the chosen response with another value as its body, on a thread that may block.
    ///
    /// # Errors
    /// The response exceeds the limits.
    pub fn make_with_body(
        &self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
        value: &Value,
    ) -> Result<MockResponse, ResponseError> {
        self.make_within(chosen, sample_mode, value, IN_POOL)
    }

    /// As [`Self::make_with_body`], if it can be made within about a millisecond.
    #[must_use]
    pub fn make_with_body_at_once(
        &self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
        value: &Value,
    ) -> Option<Result<MockResponse, ResponseError>> {
        self.make_within(chosen, sample_mode, value, AT_ONCE).ok().map(Ok)
    }

    fn make_within(
        &self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
        value: &Value,
        limits: WorkLimits,
    ) -> Result<MockResponse, ResponseError> {
        let budget = Budget::new(limits);
        let context = ResponseContext { api: &self.api, sample_mode, budget: &budget };
        let response = &self.api.operations[chosen.operation].responses[chosen.response];
        Ok(CachedResponse::with_value(context, response, chosen, value)?.to_response(chosen.status))
    }

    fn build(
        &self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
        budget: &Budget,
    ) -> Result<CachedResponse, Exhausted> {
        let builder = ResponseBuilder {
            api: &self.api,
            validator: &self.validator,
            profile: self.options.profile,
            budget,
        };
        self.operations.build(&builder, chosen, sample_mode)
    }

    fn cell(&self, chosen: &ChosenAnswer<'_>, sample_mode: SampleMode) -> Option<&ResponseCell> {
        let default_mode = self.options.seed.map_or(SamplingMode::Stable, SamplingMode::Seeded);
        self.operations.cell(chosen, sample_mode.mode == default_mode && !sample_mode.skip_examples)
    }

    fn cached(
        &self,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
    ) -> Option<Result<MockResponse, ResponseError>> {
        let result = self.cell(chosen, sample_mode)?.get()?.as_ref();
        Some(match result {
            Ok(response) => Ok(self.add_deprecation(response.to_response(chosen.status), chosen)),
            Err(exhausted) => Err(ResponseError::Exhausted(*exhausted)),
        })
    }

    /// Caches a response for later requests, if responses of its kind are cached.
    fn store(
        &self,
        response: CachedResponse,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
    ) -> MockResponse {
        let answer = response.to_response(chosen.status);
        if let Some(cell) = self.cell(chosen, sample_mode) {
            // Another thread may have stored the same response, or may be making it.
            let _ = cell.set(Ok(response));
        }
        self.add_deprecation(answer, chosen)
    }

    fn add_deprecation(&self, mut answer: MockResponse, chosen: &ChosenAnswer<'_>) -> MockResponse {
        if self.options.profile == Profile::Prism && self.api.operations[chosen.operation].deprecated {
            answer.headers.insert(HeaderName::from_static("deprecation"), HeaderValue::from_static("true"));
        }
        answer
    }
}

impl ResponseError {
    /// The status of the error response.
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
            Self::Exhausted(exhausted) => write!(f, "the answer was not made: {exhausted}"),
        }
    }
}
