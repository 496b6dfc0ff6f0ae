//! CHECKS: what is wrong with a request by its operation, and with an answer by its schema.
//!
//! Values are checked by [`crate::openapi::validator`]. A schema is compiled when it is first needed, and kept as long
//! as there is room. Violations are told as Prism does, code by code and text by text, so that clients' tests go on
//! working. All work on a request is charged to one budget; a request that exhausts it has not been checked, and is
//! refused.
//!
//! | file | what it is about |
//! |---|---|
//! | `security` | proofs that are missing |
//! | `parameters`, `style` | path, query, headers and cookies, and how values are written there |
//! | `body`, `form`, `json` | bodies: JSON, forms, texts |
//! | `coerce` | texts as the numbers, truth values and lists that a schema wants |
//! | `violation` | one thing that is wrong, and where |

mod body;
mod coerce;
mod form;
mod json;
mod parameters;
mod security;
mod style;
#[cfg(test)]
mod trial;
mod violation;

pub use violation::{Violation, ViolationCode};

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::HeaderMap;

use self::violation::MessageSide;
use crate::{
    budget::{Budget, Exhausted, WorkLimits},
    openapi::{
        Api, DocumentNode,
        sample::Direction,
        validator::{PatternCache, Validator},
    },
};

/// Schemas that are kept compiled, for all operations of a document together.
const ROOM: usize = 200_000;
/// Violations of one request that are told.
const MAX_VIOLATIONS: usize = 1_000;
/// How much work the check of an answer may be. It is made once for each answer that is kept, to inform.
const RESPONSE_LIMITS: WorkLimits =
    WorkLimits { steps: 2_000_000, bytes: 64 << 20, depth: 600, time: Duration::from_millis(500) };

/// Stands for a part of the path that is empty, so that the operation is found and the parameter missed.
pub const EMPTY_SEGMENT: &str = "%00";

/// What of a request is checked.
#[derive(Clone, Debug)]
pub struct ValidatedRequest<'a> {
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The query, encoded.
    pub query: Option<&'a str>,
    /// The parameters of the path, encoded.
    pub path: Vec<(&'a str, &'a str)>,
    /// The whole body.
    pub body: &'a [u8],
}

/// What is checked of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidationScope {
    /// Parameters and bodies.
    pub messages: bool,
    /// Security requirements.
    pub security: bool,
}

/// The checks of one document, compiled as they are needed.
#[derive(Debug)]
pub(super) struct RequestValidator {
    operations: Vec<OperationChecks>,
    kept: AtomicUsize,
    patterns: PatternCache,
}

/// A place for a compiled schema.
type SchemaSlot = OnceLock<Arc<Validator>>;

#[derive(Debug)]
struct OperationChecks {
    parameters: Vec<SchemaSlot>,
    bodies: Vec<SchemaSlot>,
    /// By response and media type.
    responses: Vec<Vec<SchemaSlot>>,
}

impl RequestValidator {
    pub(super) fn new(api: &Api) -> Self {
        let slots = |count| std::iter::repeat_with(SchemaSlot::new).take(count).collect::<Vec<_>>();
        let prepared = api.operations.iter().map(|operation| OperationChecks {
            parameters: slots(operation.parameters.len()),
            bodies: slots(operation.request_body.as_ref().map_or(0, |it| it.media.len())),
            responses: operation.responses.iter().map(|it| slots(it.media.len())).collect(),
        });
        Self { operations: prepared.collect(), kept: AtomicUsize::new(0), patterns: PatternCache::default() }
    }

    /// Everything that is wrong with a request to an operation: security first, then body, headers, query, path.
    pub(super) fn request(
        &self,
        api: &Api,
        operation: usize,
        sent: &ValidatedRequest<'_>,
        scope: ValidationScope,
        budget: &Budget,
    ) -> Result<Vec<Violation>, Exhausted> {
        let mut violations = Vec::new();
        if scope.security {
            violations.extend(security::check(api, &api.operations[operation], sent));
        }
        if scope.messages {
            body::check(self, api, operation, sent, &mut violations, budget)?;
            parameters::check(self, api, operation, sent, &mut violations, budget)?;
            violations.truncate(MAX_VIOLATIONS);
        }
        Ok(violations)
    }

    /// Everything that is wrong with the body of an answer, as far as a schema can say.
    pub(super) fn response(
        &self,
        api: &Api,
        place: [usize; 3],
        content_type: &str,
        bytes: &[u8],
    ) -> Vec<Violation> {
        self.response_within(api, place, content_type, bytes, &Budget::new(RESPONSE_LIMITS))
            .unwrap_or_else(|exhausted| vec![Violation::unchecked(vec!["body".to_owned()], exhausted)])
    }

    fn response_within(
        &self,
        api: &Api,
        place: [usize; 3],
        content_type: &str,
        bytes: &[u8],
        budget: &Budget,
    ) -> Result<Vec<Violation>, Exhausted> {
        let [operation, response, media] = place;
        let declared = &api.operations[operation].responses[response].media[media];
        let essence = body::essence(content_type);
        let value = if body::is_json(&essence) {
            json::parse(bytes, budget)?.ok()
        } else if essence == "text/plain" {
            // Only a text can be wrong here: anything else was written in another notation.
            std::str::from_utf8(bytes).ok().map(serde_json::Value::from)
        } else {
            None
        };
        let (Some(mut value), Some(node)) = (value, &declared.schema) else { return Ok(Vec::new()) };
        let slot = &self.operations[operation].responses[response][media];
        let schema = self.schema(slot, api, node, Direction::Response, budget)?;
        if essence == "text/plain" {
            value = coerce::coerce(schema.shape(), value, budget)?;
        }
        let errors = schema.errors(&value, budget)?.into_iter();
        Ok(errors.map(|it| Violation::of(MessageSide::Response, "body", None, it)).collect())
    }

    /// The compiled schema of a place.
    fn schema(
        &self,
        slot: &SchemaSlot,
        api: &Api,
        node: &DocumentNode,
        direction: Direction,
        budget: &Budget,
    ) -> Result<Arc<Validator>, Exhausted> {
        if let Some(known) = slot.get() {
            return Ok(known.clone());
        }
        let schema = Arc::new(Validator::new(&api.library, node, direction, &self.patterns, budget)?);
        let count = schema.schemas();
        if self.kept.fetch_add(count, Ordering::Relaxed) + count <= ROOM {
            return Ok(slot.get_or_init(|| schema).clone());
        }
        // There is no room for more: this one is made again when it is needed again.
        self.kept.fetch_sub(count, Ordering::Relaxed);
        Ok(schema)
    }
}
