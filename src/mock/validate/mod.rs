//! Validation of requests against their operation, and of responses against their schema.
//!
//! [`crate::openapi::validator`] validates values. A schema is compiled on its first use, and cached up to a bound.
//! Codes and texts of violations are Prism's, so that tests of clients keep working. All work on a request is charged to one
//! budget; a request that exhausts it is not validated, and is refused.
//!
//! | file | contents |
//! |---|---|
//! | `security` | security requirements and the credentials of a request |
//! | `parameters`, `style` | parameters in path, query, headers and cookies, and their serialization |
//! | `body`, `form`, `json` | bodies: JSON, forms, text |
//! | `coerce` | conversion of strings to the types that a schema asks for |
//! | `violation` | one violation and its location |

mod body;
mod coerce;
mod form;
mod json;
mod parameters;
mod security;
mod style;
#[cfg(test)]
mod test_support;
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
        media_type::{self, PLAIN_TEXT},
        sample::Direction,
        validator::{PatternCache, Validator},
    },
};

/// Bound on the compiled schemas that are cached for one document.
const MAX_CACHED_SCHEMAS: usize = 200_000;
/// Bound on the violations that are reported for one request.
const MAX_VIOLATIONS: usize = 1_000;
/// Limits for the validation of a response, which is done once per cached response and for information only.
const RESPONSE_LIMITS: WorkLimits =
    WorkLimits { steps: 2_000_000, bytes: 64 << 20, depth: 600, time: Duration::from_millis(500) };

/// Placeholder for an empty segment of the path, so that the operation is found and the parameter counts as missing.
pub const EMPTY_SEGMENT: &str = "%00";

/// Parts of a request that are validated.
#[derive(Clone, Debug)]
pub struct ValidatedRequest<'a> {
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The percent-encoded query.
    pub query: Option<&'a str>,
    /// The path parameters: names and percent-encoded values.
    pub path: Vec<(&'a str, &'a str)>,
    /// The whole body.
    pub body: &'a [u8],
}

/// Scope of the validation of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidationScope {
    /// Parameters and bodies.
    pub messages: bool,
    /// Security requirements.
    pub security: bool,
}

/// Validator of one document, with schemas that are compiled on first use.
#[derive(Debug)]
pub(super) struct RequestValidator {
    operations: Vec<OperationSchemas>,
    /// Number of schemas in the cache.
    cached: AtomicUsize,
    patterns: PatternCache,
}

/// Cache of one compiled schema.
type SchemaSlot = OnceLock<Arc<Validator>>;

#[derive(Debug)]
struct OperationSchemas {
    parameters: Vec<SchemaSlot>,
    bodies: Vec<SchemaSlot>,
    /// By response and media type.
    responses: Vec<Vec<SchemaSlot>>,
}

impl RequestValidator {
    pub(super) fn new(api: &Api) -> Self {
        let slots = |count| std::iter::repeat_with(SchemaSlot::new).take(count).collect::<Vec<_>>();
        let prepared = api.operations.iter().map(|operation| OperationSchemas {
            parameters: slots(operation.parameters.len()),
            bodies: slots(operation.request_body.as_ref().map_or(0, |body| body.media.len())),
            responses: operation.responses.iter().map(|response| slots(response.media.len())).collect(),
        });
        Self {
            operations: prepared.collect(),
            cached: AtomicUsize::new(0),
            patterns: PatternCache::default(),
        }
    }

    /// Validates a request to an operation: security first, then body, headers, query, path and cookies.
    pub(super) fn validate_request(
        &self,
        api: &Api,
        operation: usize,
        request: &ValidatedRequest<'_>,
        scope: ValidationScope,
        budget: &Budget,
    ) -> Result<Vec<Violation>, Exhausted> {
        let mut violations = Vec::new();
        if scope.security {
            violations.extend(security::validate(api, &api.operations[operation], request));
        }
        if scope.messages {
            body::validate(self, api, operation, request, &mut violations, budget)?;
            parameters::validate(self, api, operation, request, &mut violations, budget)?;
            violations.truncate(MAX_VIOLATIONS);
        }
        Ok(violations)
    }

    /// Validates the body of a response against its schema. `position` has the indices of operation, response and media
    /// type.
    pub(super) fn validate_response(
        &self,
        api: &Api,
        position: [usize; 3],
        content_type: &str,
        bytes: &[u8],
    ) -> Vec<Violation> {
        self.response_within(api, position, content_type, bytes, &Budget::new(RESPONSE_LIMITS))
            .unwrap_or_else(|exhausted| vec![Violation::unchecked(body::location(), exhausted)])
    }

    fn response_within(
        &self,
        api: &Api,
        position: [usize; 3],
        content_type: &str,
        bytes: &[u8],
        budget: &Budget,
    ) -> Result<Vec<Violation>, Exhausted> {
        let [operation, response, media] = position;
        let declared = &api.operations[operation].responses[response].media[media];
        let essence = media_type::lowercase_essence(content_type);
        let value = if body::is_json(&essence) {
            json::parse(bytes, budget)?.ok()
        } else if essence == PLAIN_TEXT {
            // Plain text is validated as a string; other values are not JSON and have no counterpart in the schema.
            std::str::from_utf8(bytes).ok().map(serde_json::Value::from)
        } else {
            None
        };
        let (Some(mut value), Some(node)) = (value, &declared.schema) else { return Ok(Vec::new()) };
        let slot = &self.operations[operation].responses[response][media];
        let schema = self.compiled(slot, api, node, Direction::Response, budget)?;
        if essence == PLAIN_TEXT {
            value = coerce::coerce(schema.shape(), value, budget)?;
        }
        let errors = schema.errors(&value, budget)?.into_iter();
        Ok(errors.map(|error| Violation::of_value(MessageSide::Response, "body", None, error)).collect())
    }

    /// The compiled schema of a slot.
    fn compiled(
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
        if self.cached.fetch_add(count, Ordering::Relaxed) + count <= MAX_CACHED_SCHEMAS {
            return Ok(slot.get_or_init(|| schema).clone());
        }
        // The cache is full, so this schema is compiled again on its next use.
        self.cached.fetch_sub(count, Ordering::Relaxed);
        Ok(schema)
    }
}
