//! ANSWERS: which answer a request gets from an [`Api`].
//!
//! A [`Mock`] is made once from a document. Its answers are made when they are first asked for, and kept: a
//! request chooses (status, media type, example) and clones handles.
//!
//! | file | what it is about |
//! |---|---|
//! | `operation` | which operation a method and a path mean, below which base path |
//! | `choice` | which status, media type and example |
//! | `canned` | the answer itself: header fields and bytes |
//! | `survey` | every answer of a document, held against its schema |

mod canned;
mod choice;
mod operation;
pub mod survey;

pub use canned::Answer;

use std::sync::Arc;

use http::{Method, StatusCode};

use self::operation::Operations;
use crate::openapi::{Api, sample::Mode};

/// How answers are chosen. The defaults are Kong's.
/// (Kong: Mocking plugin, configuration reference.)
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The only codes that may be answered; empty means all.
    pub included_status_codes: Vec<u16>,
    /// Whether any of the possible codes is answered, not the lowest.
    pub random_status_code: bool,
    /// Whether any of the examples is answered, not the first.
    pub random_examples: bool,
    /// Whether paths begin with the base path of the document.
    pub include_base_path: bool,
    /// What stands in place of the document's base path.
    pub custom_base_path: Option<String>,
}

/// What of a request decides its answer.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
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
    pub making: Making,
}

/// How answers are made.
#[derive(Clone, Copy, Debug)]
pub struct Making {
    /// How samples choose their values.
    pub mode: Mode,
    /// Whether examples are passed over, so that every answer is a sample.
    pub fresh: bool,
    /// Whether bare `application/json` says its charset, as Kong's answers do.
    pub charset: bool,
}

impl Default for Making {
    /// Kong's: the same every time.
    fn default() -> Self {
        Self { mode: Mode::Stable, fresh: false, charset: true }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
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
    options: Options,
}

impl Mock {
    /// Prepares a document.
    #[must_use]
    pub fn new(api: Arc<Api>, options: Options) -> Self {
        let operations = Operations::new(&api, &options);
        Self { api, operations, options }
    }

    /// The document.
    #[must_use]
    pub const fn api(&self) -> &Arc<Api> {
        &self.api
    }

    /// Answers a request. `dice` gives a random number below its argument.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn answer(&self, asked: &Asked<'_>, dice: &mut dyn FnMut(usize) -> usize) -> Result<Answer, Refusal> {
        let n = self.operations.find(asked.method, asked.path)?;
        let operation = self.api.operations.get(n).ok_or(Refusal::NotFound)?;
        if let Some(reason) = &operation.broken {
            return Err(Refusal::Broken(reason.clone()));
        }
        let (status, response) = choice::status(operation, asked.status, &self.options, dice)?;
        if let Some(reason) = &operation.responses[response].broken {
            return Err(Refusal::Broken(reason.clone()));
        }
        let status = StatusCode::from_u16(status).map_err(|_| Refusal::NoSuchStatus(status.to_string()))?;
        let (media, concrete) = match self.operations.negotiate(n, response, asked.accept) {
            operation::Agreed::Empty => return Ok(self.operations.empty(&self.api, n, response, status)),
            operation::Agreed::Nothing(offers) => return Err(Refusal::NotAcceptable(offers)),
            operation::Agreed::Media(media, concrete) => (media, concrete),
        };
        let example =
            choice::example(&operation.responses[response].media[media], asked.example, &self.options, dice)?;
        let chosen = operation::Chosen { operation: n, response, media, example };
        Ok(self.operations.answer(&self.api, chosen, status, concrete, asked.making))
    }
}
