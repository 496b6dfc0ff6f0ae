//! Tests of the validator: the official suite, comparison with another engine, bounds of its work, messages of its errors.

mod bounds;
mod differential;
mod keywords;
mod messages;
mod suite;

use std::time::Duration;

use super::*;
use crate::{
    budget::WorkLimits,
    document::{Dialect, read},
    openapi::LibraryLocation,
};

/// Limits that tests of a usual size do not reach.
pub(super) const LIMITS: WorkLimits =
    WorkLimits { steps: 1 << 30, bytes: 1 << 30, depth: 600, time: Duration::from_mins(10) };

/// The validator of the member `schema` of a document, or of the whole document.
#[track_caller]
fn validator(document: &str) -> Validator {
    let document = read(document, Dialect::Specification).unwrap();
    let (library, _) = DocumentLibrary::new(document.value, &LibraryLocation::alone());
    let schema = library.root().get("schema").unwrap_or_else(|| library.root());
    Validator::new(&library, &schema, Direction::Request, &PatternCache::default(), &Budget::new(LIMITS))
        .unwrap()
}
