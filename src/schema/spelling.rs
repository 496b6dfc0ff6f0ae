//! Other spellings: a field that stands for several, and older fields that say the same as newer ones.
//! (Kong: "Rate Limiting" changelog, 3.8.0: `redis_*` has become `redis.*`.)

use super::Field;
use crate::document::{Mapping, Value};

/// A field that stands for others.
pub(super) const SHORTHAND: (&str, [&str; 4]) = ("url", ["protocol", "host", "port", "path"]);

/// Lets the older spelling of a setting count where the newer one is not `given`, and then both say the same.
/// `checked` holds every field.
pub(super) fn settle(fields: &[Field], given: &Value, mut checked: Mapping) -> Mapping {
    for field in fields.iter().filter(|field| !field.stands_for.is_empty()) {
        let steps = field.stands_for;
        let older = checked.get(field.name).cloned().unwrap_or_default();
        let newer = get(given, steps).unwrap_or(&Value::Null);
        if !older.is_null() && newer.is_null() {
            put(&mut checked, steps, older);
        } else {
            let same = get_in(&checked, steps).cloned().unwrap_or_default();
            checked.insert(field.name, same);
        }
    }
    checked
}

fn get<'a>(value: &'a Value, steps: &[&str]) -> Option<&'a Value> {
    steps.iter().try_fold(value, |value, step| value.get(step))
}

fn get_in<'a>(mapping: &'a Mapping, steps: &[&str]) -> Option<&'a Value> {
    let (first, rest) = steps.split_first()?;
    get(mapping.get(first)?, rest)
}

fn put(mapping: &mut Mapping, steps: &[&str], value: Value) {
    match steps {
        [] => (),
        [last] => drop(mapping.insert(*last, value)),
        [first, rest @ ..] => {
            let mut inner = match mapping.get(first) {
                Some(Value::Mapping(inner)) => Mapping::clone(inner),
                _ => Mapping::default(),
            };
            put(&mut inner, rest, value);
            mapping.insert(*first, inner);
        }
    }
}
