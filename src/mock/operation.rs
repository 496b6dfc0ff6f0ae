//! The operations of a document, prepared: paths, offers, and a place for every answer.

use std::sync::OnceLock;

use http::{Method, StatusCode};

use super::{
    Making, Options, Refusal,
    canned::{Answer, Canned},
};
use crate::openapi::{Api, Found, Offers, Paths, Response, negotiate, sample::Mode};

/// All operations.
#[derive(Debug)]
pub(super) struct Operations {
    paths: Paths,
    /// What stands before the paths of the document, without a slash at its end; one of them has to.
    bases: Vec<String>,
    prepared: Vec<Vec<Prepared>>,
}

/// One response.
#[derive(Debug)]
struct Prepared {
    offers: Offers,
    media: Vec<Answers>,
    empty: OnceLock<Canned>,
}

/// The answers in one media type, each made when it is first asked for.
#[derive(Debug)]
struct Answers {
    examples: Vec<OnceLock<Canned>>,
    sample: OnceLock<Canned>,
}

/// What a request chose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    pub(super) operation: usize,
    pub(super) response: usize,
    pub(super) media: usize,
    pub(super) example: Option<usize>,
}

/// What client and document agree on.
pub(super) enum Agreed<'a> {
    /// The response has no body.
    Empty,
    /// The position of a media type; and the type that the client named, if the document has a wildcard.
    Media(usize, Option<&'a str>),
    /// Nothing; these are the types that the document has.
    Nothing(Vec<String>),
}

impl Operations {
    pub(super) fn new(api: &Api, options: &Options) -> Self {
        let bases = match (options.include_base_path, &options.custom_base_path) {
            (false, _) => vec![String::new()],
            (true, Some(base)) => vec![base.trim_end_matches('/').to_owned()],
            (true, None) => api.base_paths.clone(),
        };
        let prepared =
            api.operations.iter().map(|it| it.responses.iter().map(Prepared::new).collect()).collect();
        Self { paths: Paths::new(&api.operations), bases, prepared }
    }

    /// The position of the operation that a method and a path mean.
    pub(super) fn find(&self, method: &Method, path: &str) -> Result<usize, Refusal> {
        let mut refusal = Refusal::NotFound;
        for base in &self.bases {
            let Some(rest) = path.strip_prefix(base.as_str()) else { continue };
            let rest = if rest.is_empty() { "/" } else { rest };
            if !rest.starts_with('/') {
                continue;
            }
            match self.paths.find(method, rest) {
                Found::Match(found) => return Ok(found.operation),
                Found::MethodNotAllowed(methods) => refusal = Refusal::MethodNotAllowed(methods),
                Found::NotFound => (),
            }
        }
        Err(refusal)
    }

    pub(super) fn negotiate<'a>(
        &self,
        operation: usize,
        response: usize,
        accept: Option<&'a str>,
    ) -> Agreed<'a> {
        let prepared = &self.prepared[operation][response];
        if prepared.media.is_empty() {
            return Agreed::Empty;
        }
        match negotiate(accept, &prepared.offers) {
            Some(choice) => Agreed::Media(choice.offer, choice.concrete),
            None => Agreed::Nothing(prepared.offers.names()),
        }
    }

    /// The answer of a response without a body.
    pub(super) fn empty(&self, api: &Api, operation: usize, response: usize, status: StatusCode) -> Answer {
        let prepared = &self.prepared[operation][response];
        let declared = &api.operations[operation].responses[response];
        prepared.empty.get_or_init(|| Canned::empty(api, declared)).answer(status)
    }

    /// The answer that was chosen.
    pub(super) fn answer(
        &self,
        api: &Api,
        chosen: Chosen,
        status: StatusCode,
        concrete: Option<&str>,
        making: Making,
    ) -> Answer {
        let Chosen { operation, response, media, example } = chosen;
        let declared = &api.operations[operation].responses[response];
        let make = || Canned::new(api, declared, media, example, concrete, making);
        if concrete.is_some() || making.mode != Mode::Stable {
            // There is no end to the types that clients name for a wildcard of the document, nor to seeds.
            return make().answer(status);
        }
        let answers = &self.prepared[operation][response].media[media];
        let place = example.map_or(&answers.sample, |example| &answers.examples[example]);
        place.get_or_init(make).answer(status)
    }
}

impl Prepared {
    fn new(response: &Response) -> Self {
        let answers = |examples: usize| Answers {
            examples: std::iter::repeat_with(OnceLock::new).take(examples).collect(),
            sample: OnceLock::new(),
        };
        Self {
            offers: Offers::new(response.media.iter().map(|media| media.media_type.as_str())),
            media: response.media.iter().map(|media| answers(media.examples.len())).collect(),
            empty: OnceLock::new(),
        }
    }
}
