//! Older spellings of settings beside the newer ones. (Kong: "Rate Limiting" changelog, 3.8.0: `redis_*` has become
//! `redis.*`.)

use super::Field;
use crate::document::{Mapping, Value};

/// Gives both spellings of a setting the same value: that of the newer one if it is `given`, else that of the older one.
/// `checked` holds every field.
pub(super) fn unify_spellings(fields: &[Field], given: &Value, mut checked: Mapping) -> Mapping {
    for field in fields.iter().filter(|field| !field.alias_of.is_empty()) {
        let keys = field.alias_of;
        let older = checked.get(field.name).cloned().unwrap_or_default();
        let newer = get(given, keys).unwrap_or(&Value::Null);
        if !older.is_null() && newer.is_null() {
            put(&mut checked, keys, older);
        } else {
            let newer = get_in(&checked, keys).cloned().unwrap_or_default();
            checked.insert(field.name, newer);
        }
    }
    checked
}

fn get<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().try_fold(value, |value, key| value.get(key))
}

fn get_in<'a>(mapping: &'a Mapping, keys: &[&str]) -> Option<&'a Value> {
    let (first, rest) = keys.split_first()?;
    get(mapping.get(first)?, rest)
}

fn put(mapping: &mut Mapping, keys: &[&str], value: Value) {
    match keys {
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
