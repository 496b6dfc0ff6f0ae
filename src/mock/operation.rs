//! The operations of a document, prepared: paths, offers, and a place for every answer.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http::Method;
use percent_encoding::percent_decode_str;

use super::{
    ChosenAnswer, MockOptions, MockRefusal, Profile, SampleMode,
    cached_response::{CachedResponse, Recipe},
    validate::RequestValidator,
};
use crate::{
    budget::{Budget, Exhausted, Once},
    openapi::{Api, MediaTypeOffers, Operation, PathLookup, PathTable, ResponseSpec, is_plain, negotiate},
};

/// All operations.
#[derive(Debug)]
pub(super) struct Operations {
    paths: PathTable,
    /// What stands before the paths of the document, without a slash at its end; one of them has to.
    bases: Vec<String>,
    prepared: Vec<Vec<PreparedResponse>>,
}

/// One response.
#[derive(Debug)]
struct PreparedResponse {
    offers: MediaTypeOffers,
    media: Vec<MediaAnswers>,
    empty: Kept,
    /// Whether it was said that a schema asks for too long a search.
    told: AtomicBool,
}

/// An answer that is made when it is first asked for, or why it cannot be made; those who ask meanwhile wait for it.
pub(super) type Kept = Once<Result<CachedResponse, Exhausted>>;

/// The answers in one media type, each made when it is first asked for.
#[derive(Debug)]
struct MediaAnswers {
    examples: Vec<Kept>,
    sample: Kept,
}

/// What answers are made with.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResponseBuilder<'a> {
    pub(super) api: &'a Api,
    pub(super) checks: &'a RequestValidator,
    pub(super) profile: Profile,
    pub(super) budget: &'a Budget,
}

/// What client and document agree on.
pub(super) enum NegotiationResult<'a> {
    /// The response has no body.
    Empty,
    /// The position of a media type; and the type that the client named, if the document has a wildcard.
    Media(usize, Option<&'a str>),
    /// Nothing; these are the types that the document has.
    Nothing(Vec<String>),
}

impl Operations {
    pub(super) fn new(api: &Api, options: &MockOptions) -> Self {
        let bases = match (options.include_base_path, &options.custom_base_path) {
            (false, _) => vec![String::new()],
            (true, Some(base)) => vec![base.trim_end_matches('/').to_owned()],
            (true, None) => api.base_paths.clone(),
        };
        let prepared = api
            .operations
            .iter()
            .map(|operation| operation.responses.iter().map(PreparedResponse::new).collect())
            .collect();
        Self { paths: PathTable::new(&api.operations), bases, prepared }
    }

    /// Operations that have the method and the path of another one: only what follows a `#` or `?` tells them apart.
    pub(super) fn shadowed(&self, api: &Api) -> Vec<usize> {
        let unreachable = self.paths.unreachable().iter().copied();
        unreachable.filter(|n| !is_plain(&api.operations[*n].template)).collect()
    }

    /// The position of the operation that a method and a path mean.
    pub(super) fn find(&self, method: &Method, path: &str) -> Result<usize, MockRefusal> {
        let mut refusal = MockRefusal::NotFound;
        for rest in self.below_bases(path) {
            match self.paths.find(method, rest) {
                PathLookup::Match(found) => return Ok(found.operation),
                PathLookup::MethodNotAllowed(methods) => refusal = MockRefusal::MethodNotAllowed(methods),
                PathLookup::NotFound => (),
            }
        }
        Err(refusal)
    }

    /// Whether a path that begins so could be one of an operation.
    pub(super) fn may_match(&self, api: &Api, beginning: &[u8]) -> bool {
        // How much a slash at the end counts is not for here to say; neither is what is encoded.
        let beginning = beginning.strip_suffix(b"/").unwrap_or(beginning);
        if api.operations.is_empty() || beginning.contains(&b'%') {
            return true;
        }
        let templates = self.bases.iter().flat_map(|base| {
            api.operations.iter().map(move |operation| format!("{base}{}", operation.template))
        });
        templates.into_iter().any(|template| {
            let text = template.split(['{', '%', '#', '?']).next().unwrap_or_default();
            let is_open = text.len() < template.len();
            text.as_bytes().starts_with(beginning) || (is_open && beginning.starts_with(text.as_bytes()))
        })
    }

    /// The path of the first operation, as a template.
    pub(super) fn first_path(&self, api: &Api) -> Option<String> {
        let base = self.bases.first()?;
        api.operations.first().map(|operation| format!("{base}{}", operation.template))
    }

    /// The values of an operation's path parameters.
    pub(super) fn path_values(&self, operation: usize, path: &str) -> Vec<(&str, String)> {
        let values = |rest: &str| -> Vec<_> {
            let places = self.paths.values(operation, rest);
            let text = |place| percent_decode_str(&rest[place]).decode_utf8_lossy().into_owned();
            places.into_iter().map(|(name, place)| (name, text(place))).collect()
        };
        self.below_bases(path).map(values).find(|values| !values.is_empty()).unwrap_or_default()
    }

    /// The parameters in the path of an operation, still encoded.
    pub(super) fn path_texts<'a>(&'a self, operation: usize, path: &'a str) -> Vec<(&'a str, &'a str)> {
        let texts = |rest: &'a str| -> Vec<(&'a str, &'a str)> {
            let places = self.paths.values(operation, rest);
            places.into_iter().map(|(name, place)| (name, &rest[place])).collect()
        };
        self.below_bases(path).map(texts).find(|texts| !texts.is_empty()).unwrap_or_default()
    }

    /// What of a path follows each of the bases that it begins with.
    fn below_bases<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        let below = move |base: &String| match path.strip_prefix(base.as_str()) {
            Some("") => Some("/"),
            rest => rest.filter(|rest| rest.starts_with('/')),
        };
        self.bases.iter().filter_map(below)
    }

    pub(super) fn negotiate<'a>(
        &self,
        operation: usize,
        response: usize,
        accept: Option<&'a str>,
    ) -> NegotiationResult<'a> {
        let prepared = &self.prepared[operation][response];
        if prepared.media.is_empty() {
            return NegotiationResult::Empty;
        }
        match negotiate(accept, &prepared.offers) {
            Some(choice) => NegotiationResult::Media(choice.offer, choice.concrete),
            None => NegotiationResult::Nothing(prepared.offers.names()),
        }
    }

    /// Where the answer that was chosen is kept, if it is one that is made once. There is no end to the types that
    /// clients name for a wildcard of the document, nor to seeds.
    pub(super) fn place(&self, chosen: &ChosenAnswer<'_>, kept: bool) -> Option<&Kept> {
        let prepared = &self.prepared[chosen.operation][chosen.response];
        let Some(media) = chosen.media else { return Some(&prepared.empty) };
        if chosen.concrete.is_some() || !kept {
            return None;
        }
        let answers = &prepared.media[media];
        Some(chosen.example.map_or(&answers.sample, |example| &answers.examples[example]))
    }

    /// Whether nothing was said yet about a schema that asks for too long a search; from then on there was.
    fn is_news(&self, chosen: &ChosenAnswer<'_>) -> bool {
        !self.prepared[chosen.operation][chosen.response].told.swap(true, Relaxed)
    }

    /// Makes the answer that was chosen.
    pub(super) fn cook(
        &self,
        kitchen: &ResponseBuilder<'_>,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
    ) -> Result<CachedResponse, Exhausted> {
        let operation = &kitchen.api.operations[chosen.operation];
        let canned = kitchen.cook(&operation.responses[chosen.response], chosen, sample_mode)?;
        if canned.reduced && self.is_news(chosen) {
            let Operation { method, template, .. } = operation;
            tracing::warn!(
                "{method} {template}: the schema of the {} asks for too long a search, so its answer is a small value",
                chosen.status.as_str()
            );
        }
        Ok(canned)
    }
}

impl ResponseBuilder<'_> {
    fn cook(
        &self,
        declared: &ResponseSpec,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
    ) -> Result<CachedResponse, Exhausted> {
        let root = (self.profile == Profile::Prism).then_some("xml");
        let sample_mode = SampleMode { xml_root: root, plain: root.is_some(), ..sample_mode };
        let recipe = Recipe { api: self.api, sample_mode, budget: self.budget };
        let canned = CachedResponse::new(recipe, declared, chosen)?;
        Ok(match (self.profile, chosen.media) {
            (Profile::Prism, Some(media)) => {
                let place = [chosen.operation, chosen.response, media];
                canned
                    .judged(|content_type, bytes| self.checks.response(self.api, place, content_type, bytes))
            }
            _ => canned,
        })
    }
}

impl PreparedResponse {
    fn new(response: &ResponseSpec) -> Self {
        let answers = |examples: usize| MediaAnswers {
            examples: std::iter::repeat_with(Kept::new).take(examples).collect(),
            sample: Kept::new(),
        };
        Self {
            offers: MediaTypeOffers::new(response.media.iter().map(|media| media.media_type.as_str())),
            media: response.media.iter().map(|media| answers(media.examples.len())).collect(),
            empty: Kept::new(),
            told: AtomicBool::new(false),
        }
    }
}
