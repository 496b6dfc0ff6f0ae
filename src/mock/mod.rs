//! ANSWERS: which answer a request gets from an [`Api`].
//!
//! A [`Mock`] is made once from a document. Its answers are made when they are first asked for, and kept: a
//! request chooses (status, media type, example) and clones handles.
//!
//! | file | what it is about |
//! |---|---|
//! | `operation` | which operation a method and a path mean, below which base path |
//! | `choice` | which status, media type and example |
//! | `cached_response` | the answer itself: header fields and bytes |
//! | `make` | where it is made: at once, or in a pool of threads |
//! | `answer_audit` | every answer of a document, held against its schema |
//! | `profile` | whose manners: Kong's or Prism's |
//! | `validate` | what is wrong with a request, or with an answer |

pub mod answer_audit;
mod cached_response;
mod choice;
mod make;
mod operation;
mod profile;
pub mod validate;

pub use cached_response::MockResponse;
pub use make::{OwnedChoice, ResponseError, ResponseMaker};
pub use profile::{ProblemDocument, Profile};
pub use validate::Violation;

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};

use self::{
    operation::Operations,
    validate::{RequestValidator, ValidatedRequest, ValidationScope},
};
use crate::{
    budget::{Budget, Exhausted},
    openapi::{Api, MediaTypeBody, sample::SamplingMode},
};

/// How answers are chosen. The defaults are Kong's.
/// (Kong: Mocking plugin, configuration reference.)
#[derive(Clone, Debug, Default)]
pub struct MockOptions {
    /// The only codes that may be answered; empty means all.
    pub included_status_codes: Vec<u16>,
    /// Whether any of the possible codes is answered, not the lowest.
    pub random_status_code: bool,
    /// Whether any of the examples is answered, not the first.
    pub random_examples: bool,
    /// Makes samples random, and the same for the same seed.
    pub seed: Option<u64>,
    /// Whether paths begin with the base path of the document.
    pub include_base_path: bool,
    /// What stands in place of the document's base path.
    pub custom_base_path: Option<String>,
    /// Whose manners the answers have.
    pub profile: Profile,
}

/// What of a request decides its answer.
#[derive(Clone, Copy, Debug)]
pub struct MockRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path, in normal form.
    pub path: &'a str,
    /// `Accept`, several joined by commas.
    pub accept: Option<&'a str>,
    /// The status code that is wanted, as it was written.
    pub status: Option<&'a str>,
    /// The example that is wanted.
    pub example: Option<&'a str>,
    /// How samples are made.
    pub sample_mode: SampleMode,
}

/// How answers are made.
#[derive(Clone, Copy, Debug)]
pub struct SampleMode {
    /// How samples choose their values.
    pub mode: SamplingMode,
    /// Whether examples are passed over, so that every answer is a sample.
    pub skip_examples: bool,
    /// Whether bare `application/json` says its charset, as Kong's answers do.
    pub charset: bool,
    /// The name of the outermost XML element where a schema has none; else it is that of the component.
    pub xml_root: Option<&'static str>,
    /// Whether samples are as plain as Prism's.
    pub plain: bool,
}

impl Default for SampleMode {
    /// Kong's: the same every time.
    fn default() -> Self {
        Self { mode: SamplingMode::Stable, skip_examples: false, charset: true, xml_root: None, plain: false }
    }
}

/// What is answered to a request. Positions are those in the [`Api`].
#[derive(Clone, Copy, Debug)]
pub struct ChosenAnswer<'a> {
    /// The operation.
    pub operation: usize,
    /// Which of its responses.
    pub response: usize,
    /// The status.
    pub status: StatusCode,
    /// The media type; none if the response has no body.
    pub media: Option<usize>,
    /// The example; none if there is no example, or it is passed over.
    pub example: Option<usize>,
    /// The type that the client named, if the document has a wildcard.
    concrete: Option<&'a str>,
}

/// Where the body of an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerSource<'a> {
    /// An example, and its name if it has one.
    Example(Option<&'a str>),
    /// A sample of the schema.
    Schema,
    /// There is neither.
    Empty,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MockRefusal {
    /// The document has no such path.
    NotFound,
    /// The document has the path, with other methods.
    MethodNotAllowed(Vec<Method>),
    /// The operation cannot be understood.
    Broken(String),
    /// The operation has no response for the code that is wanted.
    NoSuchStatus(String),
    /// The operation has none of the codes that may be answered; these are the ones it has.
    NothingIncluded(Vec<String>),
    /// The response has no example of that name.
    NoSuchExample(String),
    /// The client accepts none of these media types.
    NotAcceptable(Vec<String>),
}

/// A document, ready to answer.
#[derive(Debug)]
pub struct Mock {
    api: Arc<Api>,
    operations: Operations,
    checks: RequestValidator,
    options: MockOptions,
}

impl Mock {
    /// Prepares a document.
    #[must_use]
    pub fn new(api: Arc<Api>, options: MockOptions) -> Self {
        let operations = Operations::new(&api, &options);
        let checks = RequestValidator::new(&api);
        Self { api, operations, checks, options }
    }

    /// The document.
    #[must_use]
    pub const fn api(&self) -> &Arc<Api> {
        &self.api
    }

    /// Answers a request, on a thread that may take its time. `random_below` gives a random number below its argument.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn answer(
        &self,
        asked: &MockRequest<'_>,
        random_below: &mut dyn FnMut(usize) -> usize,
    ) -> Result<MockResponse, MockRefusal> {
        let operation = self.find(asked.method, asked.path)?;
        let chosen = self.choose(operation, asked, random_below)?;
        self.make(&chosen, asked.sample_mode).map_err(|unmade| MockRefusal::Broken(unmade.to_string()))
    }

    /// Operations that are never found, as only what follows a `#` or `?` tells them from others.
    #[must_use]
    pub fn shadowed_operations(&self) -> Vec<usize> {
        self.operations.shadowed(&self.api)
    }

    /// The position of the operation that a method and a path mean.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, method: &Method, path: &str) -> Result<usize, MockRefusal> {
        self.operations.find(method, path)
    }

    /// Whether a path that begins so could lead to an operation, whatever its method; in doubt it could.
    #[must_use]
    pub fn may_match(&self, beginning: &[u8]) -> bool {
        self.operations.may_match(&self.api, beginning)
    }

    /// The first path that leads to an operation, as a template.
    #[must_use]
    pub fn first_path(&self) -> Option<String> {
        self.operations.first_path(&self.api)
    }

    /// The values of the path parameters of an operation, decoded: name and text.
    #[must_use]
    pub fn path_values(&self, operation: usize, path: &str) -> Vec<(&str, String)> {
        self.operations.path_values(operation, path)
    }

    /// Chooses what to answer for an operation. `random_below` gives a random number below its argument.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn choose<'a>(
        &self,
        operation: usize,
        asked: &MockRequest<'a>,
        random_below: &mut dyn FnMut(usize) -> usize,
    ) -> Result<ChosenAnswer<'a>, MockRefusal> {
        let declared = self.api.operations.get(operation).ok_or(MockRefusal::NotFound)?;
        if let Some(reason) = &declared.defect {
            return Err(MockRefusal::Broken(reason.clone()));
        }
        let (status, n) = choice::status(declared, asked.status, &self.options, random_below)?;
        let response = &declared.responses[n];
        if let Some(reason) = &response.defect {
            return Err(MockRefusal::Broken(reason.clone()));
        }
        let status =
            StatusCode::from_u16(status).map_err(|_| MockRefusal::NoSuchStatus(status.to_string()))?;
        let mut chosen =
            ChosenAnswer { operation, response: n, status, media: None, example: None, concrete: None };
        let (media, concrete) = match self.operations.negotiate(operation, n, asked.accept) {
            operation::NegotiationResult::Empty => return Ok(chosen),
            operation::NegotiationResult::Nothing(offers) => return Err(MockRefusal::NotAcceptable(offers)),
            operation::NegotiationResult::Media(media, concrete) => (media, concrete),
        };
        (chosen.media, chosen.concrete) = (Some(media), concrete);
        let media = &response.media[media];
        let passed_over =
            asked.sample_mode.skip_examples && asked.example.is_none() && media.schema.is_some();
        if !passed_over {
            chosen.example = choice::example(media, asked.example, &self.options, random_below)?;
        }
        Ok(chosen)
    }

    /// Whose manners the answers have.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.options.profile
    }

    /// Everything that is wrong with a request to an operation that [`Self::find`] found.
    ///
    /// # Errors
    /// The budget is exhausted: the request has not been checked.
    pub fn violations(
        &self,
        operation: usize,
        path: &str,
        (headers, query, body): (&HeaderMap, Option<&str>, &[u8]),
        scope: ValidationScope,
        budget: &Budget,
    ) -> Result<Vec<Violation>, Exhausted> {
        let path = self.operations.path_texts(operation, path);
        self.checks.request(
            &self.api,
            operation,
            &ValidatedRequest { headers, query, path, body },
            scope,
            budget,
        )
    }

    /// What the document itself answers to a request with these violations, if it does: an example is heeded where
    /// the status that is wanted is one of the codes for them.
    ///
    /// # Errors
    /// The response is there, the example is not.
    pub fn choose_violation_response(
        &self,
        operation: usize,
        violations: &[Violation],
        asked: &MockRequest<'_>,
    ) -> Result<Option<ChosenAnswer<'static>>, MockRefusal> {
        let declared = &self.api.operations[operation];
        let codes = profile::expected(violations);
        let Some((code, response)) = choice::among(declared, codes) else { return Ok(None) };
        let Ok(status) = StatusCode::from_u16(code) else { return Ok(None) };
        let wish =
            asked.status.and_then(|text| text.trim().parse().ok()).is_some_and(|code| codes.contains(&code));
        let wanted = asked.example.filter(|_| wish);
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
        chosen.example = choice::example(&media[n], wanted, &self.options, &mut |_| 0)?;
        Ok(Some(chosen))
    }

    /// Where the body of an answer comes from.
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
