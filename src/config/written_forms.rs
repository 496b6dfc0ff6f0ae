//! Forms that files may have and Kong's own format has not: keys at the top level that only hold anchors, as Compose files
//! have them, and references such as `{name: shop}`, as decK's files have them.

use crate::{
    document::{Mapping, MaskedText, Value, keys_with_used_anchors},
    entity::{self, DOCUMENT, ID},
    schema::EntitySchema,
};

/// The document without the keys of the top level that only hold anchors: `x-...` and `_...` with a node that is used by an
/// alias elsewhere.
pub(super) fn without_anchor_holders(document: Value, text: &str) -> Value {
    let Some(top) = document.as_mapping() else { return document };
    if !top.keys().any(may_hold_anchors) {
        return document;
    }
    let used = keys_with_used_anchors(MaskedText::new(text).text());
    let mut top = top.clone();
    for key in used.iter().filter(|key| may_hold_anchors(key)) {
        top.remove(key);
    }
    top.into()
}

fn may_hold_anchors(key: &str) -> bool {
    const DECK: [&str; 4] = ["_info", "_plugin_configs", "_workspace", "_konnect"];
    let is_known = || DOCUMENT.iter().any(|field| field.name == key) || DECK.contains(&key);
    (key.starts_with("x-") || key.starts_with('_')) && !is_known()
}

/// The document with references by name, such as `{name: shop}`, as texts.
pub(super) fn with_plain_references(document: Value) -> Value {
    match document.as_mapping().and_then(replace_below) {
        Some(top) => top.into(),
        None => document,
    }
}

/// The record with the references of each entity below it as texts; `None` if nothing changes.
fn replace_below(record: &Mapping) -> Option<Mapping> {
    let mut changed: Option<Mapping> = None;
    for kind in entity::kinds() {
        let Some(Value::Sequence(items)) = record.get(kind.collection) else { continue };
        let replaced = |(n, item): (usize, &Value)| Some((n, replace_in_entity(item.as_mapping()?, kind)?));
        let replacements: Vec<(usize, Mapping)> = items.iter().enumerate().filter_map(replaced).collect();
        if !replacements.is_empty() {
            let mut items = items.to_vec();
            for (n, entity) in replacements {
                items[n] = entity.into();
            }
            changed.get_or_insert_with(|| record.clone()).insert(kind.collection, items);
        }
    }
    changed
}

fn replace_in_entity(given: &Mapping, kind: &EntitySchema) -> Option<Mapping> {
    let mut record = replace_below(given);
    for (field, target) in kind.references() {
        let name =
            given.get(field.name).and_then(Value::as_mapping).and_then(|reference| named(reference, target));
        if let Some(name) = name {
            record.get_or_insert_with(|| given.clone()).insert(field.name, name);
        }
    }
    record
}

/// The name in a reference that has nothing else; an id counts more.
fn named(reference: &Mapping, target: &EntitySchema) -> Option<Value> {
    let has_id = reference.get(ID.name).is_some_and(|id| !id.is_null());
    let field = target.unique_in_files().next().filter(|_| !has_id)?;
    let only_name = reference.iter().all(|(key, value)| key == field.name || value.is_null());
    reference.get(field.name).filter(|name| only_name && name.as_str().is_some()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Dialect, read};

    fn value(text: &str) -> Value {
        read(text, Dialect::Kong).map(|document| document.value).unwrap_or_default()
    }

    #[test]
    fn keys_that_only_hold_used_anchors_are_left_out() {
        for (text, expected) in [
            ("x-a: &a {b: 1}\nservices: [*a]", r#"{"services":[{"b":1}]}"#),
            ("_a: [&a 1]\nservices: [*a]", r#"{"services":[1]}"#),
            ("x-a: &a {b: 1}\nservices: []", r#"{"x-a":{"b":1},"services":[]}"#),
            ("a: &a {b: 1}\nservices: [*a]", r#"{"a":{"b":1},"services":[{"b":1}]}"#),
            ("_comment: &a b\nservices: [*a]", r#"{"_comment":"b","services":["b"]}"#),
        ] {
            assert_eq!(without_anchor_holders(value(text), text).to_json(), expected, "{text}");
        }
    }

    #[test]
    fn references_by_name_become_texts() {
        for (text, expected) in [
            ("routes: [{service: {name: a}}]", r#"{"routes":[{"service":"a"}]}"#),
            ("routes: [{service: {name: a, id: null}}]", r#"{"routes":[{"service":"a"}]}"#),
            (
                "plugins: [{consumer: {username: a}, route: {name: b}}]",
                r#"{"plugins":[{"consumer":"a","route":"b"}]}"#,
            ),
            (
                "services: [{routes: [{plugins: [{consumer: {username: a}}]}]}]",
                r#"{"services":[{"routes":[{"plugins":[{"consumer":"a"}]}]}]}"#,
            ),
            ("routes: [{service: {id: a}}]", r#"{"routes":[{"service":{"id":"a"}}]}"#),
            ("routes: [{service: {id: a, name: b}}]", r#"{"routes":[{"service":{"id":"a","name":"b"}}]}"#),
            (
                "routes: [{service: {name: a, host: b}}]",
                r#"{"routes":[{"service":{"name":"a","host":"b"}}]}"#,
            ),
            ("routes: [{service: {name: 5}}]", r#"{"routes":[{"service":{"name":5}}]}"#),
        ] {
            assert_eq!(with_plain_references(value(text)).to_json(), expected, "{text}");
        }
    }
}
