//! Structural sharing between two versions of a document: unchanged nodes are those of the old version, so that results
//! computed from these can be reused.

use super::{Mapping, Value};

/// The `new` value, with every part taken from the `old` one that is equal and at the same path, or only moved within its
/// list.
#[must_use]
pub fn share(new: &Value, old: &Value) -> Value {
    if is_same(new, old) {
        return old.clone();
    }
    match (new, old) {
        (Value::Mapping(now), Value::Mapping(before)) => {
            let shared = now.entries().iter().map(|(key, value)| {
                (key.clone(), before.get(key).map_or_else(|| value.clone(), |old| share(value, old)))
            });
            Mapping::from_distinct_keys(shared.collect()).into()
        }
        (Value::Sequence(now), Value::Sequence(before)) => {
            let same = |(new, old): &(&Value, &Value)| is_same(new, old);
            let front = now.iter().zip(before.iter()).take_while(same).count();
            let (now, rest) = (&now[front..], &before[front..]);
            let back = now.iter().rev().zip(rest.iter().rev()).take_while(same).count();
            let (middle, between) = (&now[..now.len() - back], &rest[..rest.len() - back]);
            let paired = middle.iter().enumerate().map(|(n, value)| match between.get(n) {
                Some(old) => share(value, old),
                None => value.clone(),
            });
            let (head, tail) = (&before[..front], &rest[rest.len() - back..]);
            head.iter().cloned().chain(paired).chain(tail.iter().cloned()).collect::<Vec<_>>().into()
        }
        _ => new.clone(),
    }
}

/// Whether two values are identical: unlike `==`, this compares the digits of numbers and the order of keys.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Mapping(one), Value::Mapping(other)) => {
            let (one, other) = (one.entries(), other.entries());
            let same = |((key, value), (other_key, other_value)): (&(_, _), &(_, _))| {
                key == other_key && is_same(value, other_value)
            };
            std::ptr::eq(one, other) || (one.len() == other.len() && one.iter().zip(other).all(same))
        }
        (Value::Sequence(one), Value::Sequence(other)) => {
            std::ptr::eq(&raw const **one, &raw const **other)
                || (one.len() == other.len()
                    && one.iter().zip(other.iter()).all(|(one, other)| is_same(one, other)))
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::{Dialect, read, read_after};

    fn value(text: &str) -> Value {
        read(text, Dialect::Kong).unwrap().value
    }

    #[test]
    fn unchanged_nodes_are_those_of_the_old_value() {
        let old = value("{a: {b: {c: 1}}, l: [{n: 1}, {n: 2}, {n: 3}, {n: 4}]}");
        let shared = |text: &str| share(&value(text), &old);
        let at = |value: &Value, n: usize| value.get("l").unwrap().items()[n].address();
        assert_eq!(shared("{a: {b: {c: 1}}, l: [{n: 1}, {n: 2}, {n: 3}, {n: 4}]}").address(), old.address());
        // The second item is gone, the last one is new.
        let new = shared("{a: {b: {c: 2}}, l: [{n: 1}, {n: 3}, {n: 4}, {n: 5}]}");
        assert_eq!(at(&new, 0), at(&old, 0));
        assert_ne!(at(&new, 1), at(&old, 2), "moved, and something behind it changed");
        let new = shared("{a: {b: {c: 1}}, l: [{n: 1}, {n: 3}, {n: 4}]}");
        assert_eq!(new.get("a").unwrap().address(), old.get("a").unwrap().address());
        assert_eq!([at(&new, 1), at(&new, 2)], [at(&old, 2), at(&old, 3)]);
        let new = shared("{a: {c: 1, b: {c: 1}}}");
        assert_eq!(
            new.get("a").unwrap().get("b").unwrap().address(),
            old.get("a").unwrap().get("b").unwrap().address()
        );
    }

    fn values() -> impl Strategy<Value = Value> {
        let scalar =
            prop_oneof![Just(Value::Null), (0..3_i64).prop_map(Value::from), "[ab]".prop_map(Value::from)];
        scalar.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-d]", inner), 0..4)
                    .prop_map(|all| all.into_iter().collect::<Mapping>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn sharing_does_not_change_the_value(new in values(), old in values()) {
            prop_assert_eq!(share(&new, &old).to_json(), new.to_json());
        }

        #[test]
        fn a_text_has_the_same_value_after_any_other(new in values(), old in values()) {
            let text = format!("v: {}", new.to_json());
            let old = value(&format!("v: {}", old.to_json()));
            let (read, _) = read_after(&text, Dialect::Kong, &old, false, None).unwrap();
            prop_assert_eq!(read.value.to_json(), value(&text).to_json());
        }
    }
}
