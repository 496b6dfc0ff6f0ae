//! CHECKS: what is wrong with a request by its operation, and with an answer by its schema.
//!
//! Values are checked by the crate `jsonschema`, on schemas that [`crate::openapi::bundle`] wrote in the words of
//! 2020-12. Each is compiled when it is first needed, and kept as long as there is room. What is told is told as
//! Prism does, code by code and text by text, so that clients' tests go on working.
//!
//! | file | what it is about |
//! |---|---|
//! | `security` | proofs that are missing |
//! | `parameters`, `style` | path, query, headers and cookies, and how values are written there |
//! | `body`, `form` | bodies: JSON, forms, texts |
//! | `coerce` | texts as the numbers, truth values and lists that a schema wants |
//! | `schema` | one compiled schema, and the words of its faults |
//! | `violation` | one thing that is wrong, and where |

mod body;
mod coerce;
mod form;
mod parameters;
mod schema;
mod security;
mod style;
mod violation;

pub use violation::{Code, Violation};

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use http::HeaderMap;

use self::{schema::Schema, violation::Side};
use crate::openapi::{Api, Node, sample::Direction};

/// Schemas that are kept compiled, for all operations of a document together.
const ROOM: usize = 200_000;

/// Stands for a part of the path that is empty, so that the operation is found and the parameter missed.
pub const ABSENT: &str = "%00";

/// What of a request is checked.
#[derive(Clone, Debug)]
pub struct Sent<'a> {
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
pub struct Extent {
    /// Parameters and bodies.
    pub messages: bool,
    /// Security requirements.
    pub security: bool,
}

/// The checks of one document, compiled as they are needed.
#[derive(Debug)]
pub(super) struct Checks {
    operations: Vec<Prepared>,
    kept: AtomicUsize,
}

/// A place for a compiled schema; nothing inside if it cannot be compiled.
type Slot = OnceLock<Option<Arc<Schema>>>;

#[derive(Debug)]
struct Prepared {
    parameters: Vec<Slot>,
    bodies: Vec<Slot>,
    /// By response and media type.
    responses: Vec<Vec<Slot>>,
}

impl Checks {
    pub(super) fn new(api: &Api) -> Self {
        let slots = |count| std::iter::repeat_with(Slot::new).take(count).collect::<Vec<_>>();
        let prepared = api.operations.iter().map(|operation| Prepared {
            parameters: slots(operation.parameters.len()),
            bodies: slots(operation.request_body.as_ref().map_or(0, |it| it.media.len())),
            responses: operation.responses.iter().map(|it| slots(it.media.len())).collect(),
        });
        Self { operations: prepared.collect(), kept: AtomicUsize::new(0) }
    }

    /// Everything that is wrong with a request to an operation: security first, then body, headers, query, path.
    pub(super) fn request(
        &self,
        api: &Api,
        operation: usize,
        sent: &Sent<'_>,
        extent: Extent,
    ) -> Vec<Violation> {
        let mut violations = Vec::new();
        if extent.security {
            violations.extend(security::check(api, &api.operations[operation], sent));
        }
        if extent.messages {
            body::check(self, api, operation, sent, &mut violations);
            parameters::check(self, api, operation, sent, &mut violations);
        }
        violations
    }

    /// Everything that is wrong with the body of an answer, as far as a schema can say.
    pub(super) fn response(
        &self,
        api: &Api,
        place: [usize; 3],
        content_type: &str,
        bytes: &[u8],
    ) -> Vec<Violation> {
        let [operation, response, media] = place;
        let declared = &api.operations[operation].responses[response].media[media];
        let essence = body::essence(content_type);
        let value = if body::is_json(&essence) {
            serde_json::from_slice(bytes).ok()
        } else if essence == "text/plain" {
            // Only a text can be wrong here: anything else was written in another notation.
            std::str::from_utf8(bytes).ok().map(serde_json::Value::from)
        } else {
            None
        };
        let (Some(value), Some(node)) = (value, &declared.schema) else { return Vec::new() };
        let slot = &self.operations[operation].responses[response][media];
        let Some(schema) = self.schema(slot, api, node, Direction::Response) else { return Vec::new() };
        let value =
            if essence == "text/plain" { coerce::Place::root(&schema.bundle).coerce(value) } else { value };
        schema.faults(&value).into_iter().map(|it| Violation::of(Side::Response, "body", None, it)).collect()
    }

    /// The compiled schema of a place.
    fn schema(&self, slot: &Slot, api: &Api, node: &Node, direction: Direction) -> Option<Arc<Schema>> {
        if let Some(known) = slot.get() {
            return known.clone();
        }
        let schema = Schema::new(&api.library, node, direction).map(Arc::new);
        let nodes = schema.as_ref().map_or(0, |it| it.nodes);
        if self.kept.fetch_add(nodes, Ordering::Relaxed) + nodes <= ROOM {
            return slot.get_or_init(|| schema).clone();
        }
        // There is no room for more: this one is made again when it is needed again.
        self.kept.fetch_sub(nodes, Ordering::Relaxed);
        schema
    }
}
