//! Helpers of the tests of the validation: a compiled schema, and a budget that is not exhausted.

use std::time::Duration;

use serde_json::Value as Json;

use crate::{
    budget::{Budget, WorkLimits},
    openapi::validator::{PatternCache, Validator},
};

pub(super) fn budget() -> Budget {
    Budget::new(WorkLimits { steps: 1 << 30, bytes: 1 << 30, depth: 600, time: Duration::from_mins(10) })
}

#[track_caller]
pub(super) fn validator(schema: &Json) -> Validator {
    Validator::of_bundle(schema, &PatternCache::default(), &budget()).unwrap()
}
