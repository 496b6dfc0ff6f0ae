//! Equality of values as JSON Schema defines it, and a text that equal values share.

use super::decimal::Decimal;
use crate::document::Value;

/// Whether two values are equal as JSON Schema has it: numbers by what they say.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (Decimal::of(left), Decimal::of(right)) {
            (Some(left), Some(right)) => left.compare(right).is_eq(),
            _ => left == right,
        },
        (Value::Sequence(left), Value::Sequence(right)) => {
            left.len() == right.len() && left.iter().zip(right.iter()).all(|(left, right)| equal(left, right))
        }
        (Value::Mapping(left), Value::Mapping(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, it)| right.get(key).is_some_and(|other| equal(it, other)))
        }
        _ => left == right,
    }
}

/// A text that equal values share.
pub(super) fn canonical(value: &Value) -> String {
    match value {
        Value::Number(number) => Decimal::of(number)
            .and_then(Decimal::number)
            .map_or_else(|| value.to_json(), |it| it.as_str().to_owned()),
        Value::Sequence(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Mapping(mapping) => {
            let mut members: Vec<String> = mapping
                .iter()
                .map(|(key, it)| format!("{}:{}", Value::from(key).to_json(), canonical(it)))
                .collect();
            members.sort_unstable();
            format!("{{{}}}", members.join(","))
        }
        _ => value.to_json(),
    }
}
