//! Equality of document values as JSON Schema defines it, and a text that equal values share.
//!
//! [`crate::openapi::validator`] compares values of requests with a budget; these are values of the document, whose size is
//! bounded already.

use crate::{document::Value, openapi::decimal::Decimal};

/// Whether two values are equal. Numbers count by their numeric value.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            Decimal::parse(left.as_str()) == Decimal::parse(right.as_str())
        }
        (Value::Sequence(left), Value::Sequence(right)) => {
            left.len() == right.len() && left.iter().zip(right.iter()).all(|(left, right)| equal(left, right))
        }
        (Value::Mapping(left), Value::Mapping(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, member)| right.get(key).is_some_and(|other| equal(member, other)))
        }
        _ => left == right,
    }
}

/// A text that equal values share, and different values do not.
pub(super) fn canonical_text(value: &Value) -> String {
    match value {
        Value::Number(number) => Decimal::parse(number.as_str()).to_string(),
        Value::Sequence(items) => {
            format!("[{}]", items.iter().map(canonical_text).collect::<Vec<_>>().join(","))
        }
        Value::Mapping(mapping) => {
            let mut members: Vec<String> = mapping
                .iter()
                .map(|(key, member)| format!("{}:{}", Value::from(key).to_json(), canonical_text(member)))
                .collect();
            members.sort_unstable();
            format!("{{{}}}", members.join(","))
        }
        _ => value.to_json(),
    }
}
