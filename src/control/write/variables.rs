//! What is written stands for itself, also where `${NAME}` would stand for a variable; what stood for one goes on to.

use std::collections::HashSet;

use crate::{
    config,
    document::{Mapping, SharedText, Value, edit::DocumentChange},
};

/// The same changes as a text has to say them in which variables are substituted; `document` is what it says now.
pub(super) fn escaped(changes: &[DocumentChange], document: &Value) -> Vec<DocumentChange> {
    let mut variables = HashSet::new();
    collect(document, &mut variables);
    let change = |change: &DocumentChange| match change {
        DocumentChange::Set(at, value) => DocumentChange::Set(at.clone(), written(value, &variables)),
        DocumentChange::Push(at, value) => DocumentChange::Push(at.clone(), written(value, &variables)),
        DocumentChange::Remove(at) => DocumentChange::Remove(at.clone()),
    };
    changes.iter().map(change).collect()
}

/// The texts that stand for variables.
fn collect<'a>(value: &'a Value, found: &mut HashSet<&'a SharedText>) {
    match value {
        Value::String(text) if config::is_substituted(text) => drop(found.insert(text)),
        Value::Sequence(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Mapping(mapping) => mapping.iter().for_each(|(_, value)| collect(value, found)),
        _ => (),
    }
}

fn written(value: &Value, variables: &HashSet<&SharedText>) -> Value {
    match value {
        // A part of the file that moves; what is like it and means itself is refused when the result is read.
        Value::String(text) if variables.contains(text) => value.clone(),
        Value::String(text) => config::escaped(text).into(),
        Value::Sequence(items) => {
            items.iter().map(|item| written(item, variables)).collect::<Vec<_>>().into()
        }
        Value::Mapping(mapping) => mapping
            .iter()
            .map(|(key, value)| (SharedText::from(key), written(value, variables)))
            .collect::<Mapping>()
            .into(),
        other => other.clone(),
    }
}
