//! Mock of an API: the answer to a request, from an [`Api`].
//!
//! A [`Mock`] is made once from a document. A request chooses status, media type and example; the response is made on
//! its first request and cached, so that a later one clones handles only.
//!
//! | file | contents |
//! |---|---|
//! | `operations` | lookup of operations below the base paths, negotiation, cache of responses |
//! | `choice` | choice of status and example |
//! | `cached_response` | finished responses: header fields and bytes |
//! | `response_maker` | making of responses: on the thread of the request, or in a pool of threads |
//! | `answer_audit` | validation of every answer of a document |
//! | `profile` | behaviour of Kong or of Prism; problem documents |
//! | `validate` | validation of requests and responses |

pub mod answer_audit;
mod cached_response;
mod choice;
mod operations;
mod profile;
mod response_maker;
pub mod validate;

pub use cached_response::MockResponse;
pub use profile::{ProblemDocument, Profile};
pub use response_maker::{OwnedChoice, ResponseError, ResponseMaker};
pub use validate::Violation;

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};

use self::{
    operations::Operations,
    validate::{RequestValidator, ValidatedRequest, ValidationScope},
};
use crate::{
    budget::{Budget, Exhausted},
    openapi::{Api, MediaTypeBody, sample::SamplingMode},
};

/// Options of a mock. The defaults are Kong's (Kong: Mocking plugin, configuration reference).
#[derive(Clone, Debug, Default)]
pub struct MockOptions {
    /// The codes that may be answered; empty means all.
    pub included_status_codes: Vec<u16>,
    /// Whether the code is chosen at random instead of the lowest.
    pub random_status_code: bool,
    /// Whether the example is chosen at random instead of the first.
    pub random_examples: bool,
    /// The seed of random samples; without one, samples are stable.
    pub seed: Option<u64>,
    /// Whether paths begin with the base path of the document.
    pub include_base_path: bool,
    /// The base path that replaces the document's.
    pub custom_base_path: Option<String>,
    /// The product whose behaviour the answers have.
    pub profile: Profile,
}

/// The parts of a request that decide the answer.
#[derive(Clone, Copy, Debug)]
pub struct MockRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The normalized path.
    pub path: &'a str,
    /// `Accept`; several fields are joined by commas.
    pub accept: Option<&'a str>,
    /// The wanted status code, as the client wrote it.
    pub status: Option<&'a str>,
    /// The key of the wanted example.
    pub example: Option<&'a str>,
    /// How samples are made.
    pub sample_mode: SampleMode,
}

/// Mode of the samples and bodies of responses.
#[derive(Clone, Copy, Debug)]
pub struct SampleMode {
    /// How values of samples are chosen.
    pub mode: SamplingMode,
    /// Whether examples are ignored, so that every body with a schema is a sample.
    pub skip_examples: bool,
    /// Whether `application/json` gets `charset=utf-8`, as in Kong's responses.
    pub charset: bool,
    /// The name of the outermost XML element for schemas that do not name it; the default is the component's name.
    pub xml_root: Option<&'static str>,
    /// Whether samples are as simple as Prism's.
    pub plain: bool,
}

impl Default for SampleMode {
    /// Stable samples with Kong's charset.
    fn default() -> Self {
        Self { mode: SamplingMode::Stable, skip_examples: false, charset: true, xml_root: None, plain: false }
    }
}

/// Choice for a request. The indices are those in the [`Api`].
#[derive(Clone, Copy, Debug)]
pub struct ChosenAnswer<'a> {
    /// The operation.
    pub operation: usize,
    /// The response of the operation.
    pub response: usize,
    /// The status.
    pub status: StatusCode,
    /// The media type; none if the response has no body.
    pub media: Option<usize>,
    /// The example; none if there is none, or if examples are ignored.
    pub example: Option<usize>,
    /// The type that the client named, if the document has a wildcard.
    concrete: Option<&'a str>,
}

/// Origin of the body of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerSource<'a> {
    /// An example, and its name if it has one.
    Example(Option<&'a str>),
    /// A sample of the schema.
    Schema,
    /// There is neither an example nor a schema.
    Empty,
}

/// Reason why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MockRefusal {
    /// The document does not contain the path.
    NotFound,
    /// The document contains the path with these methods only.
    MethodNotAllowed(Vec<Method>),
    /// The operation or the response has a defect.
    Broken(String),
    /// The operation has no response for the wanted code.
    NoSuchStatus(String),
    /// The operation has none of the codes that may be answered; the value lists those that it has.
    NothingIncluded(Vec<String>),
    /// The response has no example with this key.
    NoSuchExample(String),
    /// The client accepts none of these media types.
    NotAcceptable(Vec<String>),
}

/// Mock of one document.
#[derive(Debug)]
pub struct Mock {
    api: Arc<Api>,
    operations: Operations,
    validator: RequestValidator,
    options: MockOptions,
}

impl Mock {
    /// Prepares a document.
    #[must_use]
    pub fn new(api: Arc<Api>, options: MockOptions) -> Self {
        let operations = Operations::new(&api, &options);
        let validator = RequestValidator::new(&api);
        Self { api, operations, validator, options }
    }

    /// The document.
    #[must_use]
    pub const fn api(&self) -> &Arc<Api> {
        &self.api
    }

    /// Answers a request on a thread that may block. `random_below` returns a random number below its argument.
    ///
    /// # Errors
    /// There is no answer, for the given reason.
    pub fn answer(
        &self,
        request: &MockRequest<'_>,
        random_below: &mut dyn FnMut(usize) -> usize,
    ) -> Result<MockResponse, MockRefusal> {
        let operation = self.find(request.method, request.path)?;
        let chosen = self.choose(operation, request, random_below)?;
        self.make(&chosen, request.sample_mode).map_err(|error| MockRefusal::Broken(error.to_string()))
    }

    /// Operations that are unreachable, because they differ from another one only in what follows a `#` or `?`.
    #[must_use]
    pub fn shadowed_operations(&self) -> Vec<usize> {
        self.operations.shadowed(&self.api)
    }

    /// Finds the index of the operation for a method and a path.
    ///
    /// # Errors
    /// There is no such operation.
    pub fn find(&self, method: &Method, path: &str) -> Result<usize, MockRefusal> {
        self.operations.find(method, path)
    }

    /// Whether a path with this prefix could match an operation of any method; true in doubt.
    #[must_use]
    pub fn may_match(&self, prefix: &[u8]) -> bool {
        self.operations.may_match(&self.api, prefix)
    }

    /// The template of the first operation, with its base path.
    #[must_use]
    pub fn first_path(&self) -> Option<String> {
        self.operations.first_path(&self.api)
    }

    /// The path parameters of an operation: names and decoded values.
    #[must_use]
    pub fn path_values(&self, operation: usize, path: &str) -> Vec<(&str, String)> {
        self.operations.path_values(operation, path)
    }

    /// Chooses the answer of an operation. `random_below` returns a random number below its argument.
    ///
    /// # Errors
    /// There is no answer, for the given reason.
    pub fn choose<'a>(
        &self,
        operation: usize,
        request: &MockRequest<'a>,
        random_below: &mut dyn FnMut(usize) -> usize,
    ) -> Result<ChosenAnswer<'a>, MockRefusal> {
        let declared = self.api.operations.get(operation).ok_or(MockRefusal::NotFound)?;
        if let Some(reason) = &declared.defect {
            return Err(MockRefusal::Broken(reason.clone()));
        }
        let (status, n) = choice::choose_status(declared, request.status, &self.options, random_below)?;
        let response = &declared.responses[n];
        if let Some(reason) = &response.defect {
            return Err(MockRefusal::Broken(reason.clone()));
        }
        let status =
            StatusCode::from_u16(status).map_err(|_| MockRefusal::NoSuchStatus(status.to_string()))?;
        let mut chosen =
            ChosenAnswer { operation, response: n, status, media: None, example: None, concrete: None };
        let (media, concrete) = match self.operations.negotiate(operation, n, request.accept) {
            operations::NegotiationResult::Empty => return Ok(chosen),
            operations::NegotiationResult::NotAcceptable(offers) => {
                return Err(MockRefusal::NotAcceptable(offers));
            }
            operations::NegotiationResult::Media(media, concrete) => (media, concrete),
        };
        (chosen.media, chosen.concrete) = (Some(media), concrete);
        let media = &response.media[media];
        let skips_examples =
            request.sample_mode.skip_examples && request.example.is_none() && media.schema.is_some();
        if !skips_examples {
            chosen.example = choice::choose_example(media, request.example, &self.options, random_below)?;
        }
        Ok(chosen)
    }

    /// The product whose behaviour the answers have.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.options.profile
    }

    /// Validates a request to an operation that [`Self::find`] returned.
    ///
    /// # Errors
    /// The budget is exhausted, so the request is not validated.
    pub fn violations(
        &self,
        operation: usize,
        path: &str,
        (headers, query, body): (&HeaderMap, Option<&str>, &[u8]),
        scope: ValidationScope,
        budget: &Budget,
    ) -> Result<Vec<Violation>, Exhausted> {
        let path = self.operations.encoded_path_values(operation, path);
        self.validator.validate_request(
            &self.api,
            operation,
            &ValidatedRequest { headers, query, path, body },
            scope,
            budget,
        )
    }

    /// Chooses the response that the document declares for requests with these violations; `None` if it declares none.
    /// The wanted example counts only if the wanted status is one of the codes for the violations.
    ///
    /// # Errors
    /// The response does not have the wanted example.
    pub fn choose_violation_response(
        &self,
        operation: usize,
        violations: &[Violation],
        request: &MockRequest<'_>,
    ) -> Result<Option<ChosenAnswer<'static>>, MockRefusal> {
        let declared = &self.api.operations[operation];
        let codes = profile::error_statuses(violations);
        let Some((code, response)) = choice::choose_declared(declared, codes) else { return Ok(None) };
        let Ok(status) = StatusCode::from_u16(code) else { return Ok(None) };
        let wants_code = request
            .status
            .and_then(|text| text.trim().parse().ok())
            .is_some_and(|code| codes.contains(&code));
        let wanted = request.example.filter(|_| wants_code);
        let mut chosen =
            ChosenAnswer { operation, response, status, media: None, example: None, concrete: None };
        let media = &declared.responses[response].media;
        if media.is_empty() {
            return Ok(Some(chosen));
        }
        let with_examples = media.iter().position(|media| !media.examples.is_empty());
        let Some(n) = with_examples.or_else(|| media.iter().position(|media| media.schema.is_some())) else {
            return Ok(None);
        };
        chosen.media = Some(n);
        chosen.example = choice::choose_example(&media[n], wanted, &self.options, &mut |_| 0)?;
        Ok(Some(chosen))
    }

    /// The origin of the body of an answer.
    #[must_use]
    pub fn origin(&self, chosen: &ChosenAnswer<'_>) -> AnswerSource<'_> {
        let Some(media) = self.media(chosen) else { return AnswerSource::Empty };
        match (chosen.example.and_then(|n| media.examples.get(n)), &media.schema) {
            (Some(example), _) => AnswerSource::Example(example.key.as_deref()),
            (None, Some(_)) => AnswerSource::Schema,
            (None, None) => AnswerSource::Empty,
        }
    }

    fn media(&self, chosen: &ChosenAnswer<'_>) -> Option<&MediaTypeBody> {
        let operation = self.api.operations.get(chosen.operation)?;
        operation.responses.get(chosen.response)?.media.get(chosen.media?)
    }
}
