//! Prepared operations of a document: paths, offers of media types, and the cache of responses.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http::Method;
use percent_encoding::percent_decode_str;

use super::{
    ChosenAnswer, MockOptions, MockRefusal, Profile, SampleMode,
    cached_response::{CachedResponse, ResponseContext},
    validate::RequestValidator,
};
use crate::{
    budget::{Budget, Exhausted, Once},
    openapi::{Api, MediaTypeOffers, Operation, PathLookup, PathTable, ResponseSpec, is_plain, negotiate},
};

/// Prepared operations.
#[derive(Debug)]
pub(super) struct Operations {
    paths: PathTable,
    /// Base paths, without a slash at the end; a request path has to begin with one of them.
    bases: Vec<String>,
    prepared: Vec<Vec<PreparedResponse>>,
}

/// Prepared response.
#[derive(Debug)]
struct PreparedResponse {
    offers: MediaTypeOffers,
    media: Vec<MediaTypeCells>,
    empty: ResponseCell,
    /// Whether the warning about a reduced sample was logged.
    is_warned: AtomicBool,
}

/// Cell of a response that is made on its first request, or of the reason why it cannot be made. Concurrent requests
/// wait for it.
pub(super) type ResponseCell = Once<Result<CachedResponse, Exhausted>>;

/// Cells of the responses in one media type.
#[derive(Debug)]
struct MediaTypeCells {
    examples: Vec<ResponseCell>,
    sample: ResponseCell,
}

/// Builder of responses.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResponseBuilder<'a> {
    pub(super) api: &'a Api,
    pub(super) validator: &'a RequestValidator,
    pub(super) profile: Profile,
    pub(super) budget: &'a Budget,
}

/// Result of the negotiation of a media type.
pub(super) enum NegotiationResult<'a> {
    /// The response has no body.
    Empty,
    /// The index of a media type, and the type that the client named, if the document has a wildcard.
    Media(usize, Option<&'a str>),
    /// The client accepts none of these media types.
    NotAcceptable(Vec<String>),
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

    /// Operations that differ from another one only in what follows a `#` or `?` in their templates.
    pub(super) fn shadowed(&self, api: &Api) -> Vec<usize> {
        let unreachable = self.paths.unreachable().iter().copied();
        unreachable.filter(|n| !is_plain(&api.operations[*n].template)).collect()
    }

    /// Finds the index of the operation for a method and a path.
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

    /// Whether a path with this prefix could be the path of an operation.
    pub(super) fn may_match(&self, api: &Api, prefix: &[u8]) -> bool {
        // The router decides about a slash at the end, and about percent-encoding; both count as a match here.
        let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
        if api.operations.is_empty() || prefix.contains(&b'%') {
            return true;
        }
        let templates = self.bases.iter().flat_map(|base| {
            api.operations.iter().map(move |operation| format!("{base}{}", operation.template))
        });
        templates.into_iter().any(|template| {
            let text = template.split(['{', '%', '#', '?']).next().unwrap_or_default();
            let is_pattern = text.len() < template.len();
            text.as_bytes().starts_with(prefix) || (is_pattern && prefix.starts_with(text.as_bytes()))
        })
    }

    /// The template of the first operation, with its base path.
    pub(super) fn first_path(&self, api: &Api) -> Option<String> {
        let base = self.bases.first()?;
        api.operations.first().map(|operation| format!("{base}{}", operation.template))
    }

    /// The path parameters of an operation: names and decoded values.
    pub(super) fn path_values(&self, operation: usize, path: &str) -> Vec<(&str, String)> {
        let values = |rest: &str| -> Vec<_> {
            let ranges = self.paths.values(operation, rest);
            let text = |range: std::ops::Range<usize>| {
                percent_decode_str(&rest[range]).decode_utf8_lossy().into_owned()
            };
            ranges.into_iter().map(|(name, range)| (name, text(range))).collect()
        };
        self.below_bases(path).map(values).find(|values| !values.is_empty()).unwrap_or_default()
    }

    /// The path parameters of an operation: names and percent-encoded values.
    pub(super) fn encoded_path_values<'a>(
        &'a self,
        operation: usize,
        path: &'a str,
    ) -> Vec<(&'a str, &'a str)> {
        let texts = |rest: &'a str| -> Vec<(&'a str, &'a str)> {
            let ranges = self.paths.values(operation, rest);
            ranges.into_iter().map(|(name, range)| (name, &rest[range])).collect()
        };
        self.below_bases(path).map(texts).find(|texts| !texts.is_empty()).unwrap_or_default()
    }

    /// The rest of a path after each base path that it begins with.
    fn below_bases<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        let below = move |base: &String| match path.strip_prefix(base.as_str()) {
            Some("") => Some("/"),
            rest => rest.filter(|rest| rest.starts_with('/')),
        };
        self.bases.iter().filter_map(below)
    }

    /// Negotiates the media type of a response.
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
            None => NegotiationResult::NotAcceptable(prepared.offers.names()),
        }
    }

    /// The cell of the chosen response; `None` if it is not cached. The types that clients name for a wildcard of the
    /// document and the seeds of samples are unbounded, so such responses are not cached.
    pub(super) fn cell(&self, chosen: &ChosenAnswer<'_>, is_cacheable: bool) -> Option<&ResponseCell> {
        let prepared = &self.prepared[chosen.operation][chosen.response];
        let Some(media) = chosen.media else { return Some(&prepared.empty) };
        if chosen.concrete.is_some() || !is_cacheable {
            return None;
        }
        let cells = &prepared.media[media];
        Some(chosen.example.map_or(&cells.sample, |example| &cells.examples[example]))
    }

    /// Whether the warning about a reduced sample of this response is the first one; later calls return false.
    fn claim_warning(&self, chosen: &ChosenAnswer<'_>) -> bool {
        !self.prepared[chosen.operation][chosen.response].is_warned.swap(true, Relaxed)
    }

    /// Builds the chosen response.
    pub(super) fn build(
        &self,
        builder: &ResponseBuilder<'_>,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
    ) -> Result<CachedResponse, Exhausted> {
        let operation = &builder.api.operations[chosen.operation];
        let response = builder.build(&operation.responses[chosen.response], chosen, sample_mode)?;
        if response.reduced && self.claim_warning(chosen) {
            let Operation { method, template, .. } = operation;
            tracing::warn!(
                "{method} {template}: the search for a valid sample of the {} response takes too long, so a reduced sample is answered",
                chosen.status.as_str()
            );
        }
        Ok(response)
    }
}

impl ResponseBuilder<'_> {
    fn build(
        &self,
        declared: &ResponseSpec,
        chosen: &ChosenAnswer<'_>,
        sample_mode: SampleMode,
    ) -> Result<CachedResponse, Exhausted> {
        let root = (self.profile == Profile::Prism).then_some("xml");
        let sample_mode = SampleMode { xml_root: root, plain: root.is_some(), ..sample_mode };
        let context = ResponseContext { api: self.api, sample_mode, budget: self.budget };
        let response = CachedResponse::new(context, declared, chosen)?;
        Ok(match (self.profile, chosen.media) {
            (Profile::Prism, Some(media)) => {
                let position = [chosen.operation, chosen.response, media];
                response.validated(|content_type, bytes| {
                    self.validator.validate_response(self.api, position, content_type, bytes)
                })
            }
            _ => response,
        })
    }
}

impl PreparedResponse {
    fn new(response: &ResponseSpec) -> Self {
        let cells = |examples: usize| MediaTypeCells {
            examples: std::iter::repeat_with(ResponseCell::new).take(examples).collect(),
            sample: ResponseCell::new(),
        };
        Self {
            offers: MediaTypeOffers::new(response.media.iter().map(|media| media.media_type.as_str())),
            media: response.media.iter().map(|media| cells(media.examples.len())).collect(),
            empty: ResponseCell::new(),
            is_warned: AtomicBool::new(false),
        }
    }
}
