//! What is written stands for itself, also where `${NAME}` would stand for a variable; what stood for one goes on to.

use std::collections::HashSet;

use crate::{
    config,
    document::{Mapping, Text, Value, edit::Change},
};

/// The same changes as a text has to say them in which variables are substituted; `document` is what it says now.
pub(super) fn escaped(changes: &[Change], document: &Value) -> Vec<Change> {
    let mut variables = HashSet::new();
    collect(document, &mut variables);
    let change = |change: &Change| match change {
        Change::Set(at, value) => Change::Set(at.clone(), written(value, &variables)),
        Change::Push(at, value) => Change::Push(at.clone(), written(value, &variables)),
        Change::Remove(at) => Change::Remove(at.clone()),
    };
    changes.iter().map(change).collect()
}

/// The texts that stand for variables.
fn collect<'a>(value: &'a Value, found: &mut HashSet<&'a Text>) {
    match value {
        Value::String(text) if config::is_substituted(text) => drop(found.insert(text)),
        Value::Sequence(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Mapping(mapping) => mapping.iter().for_each(|(_, value)| collect(value, found)),
        _ => (),
    }
}

fn written(value: &Value, variables: &HashSet<&Text>) -> Value {
    match value {
        // A part of the file that moves; what is like it and means itself is refused when the result is read.
        Value::String(text) if variables.contains(text) => value.clone(),
        Value::String(text) => config::escaped(text).into(),
        Value::Sequence(items) => {
            items.iter().map(|item| written(item, variables)).collect::<Vec<_>>().into()
        }
        Value::Mapping(mapping) => mapping
            .iter()
            .map(|(key, value)| (Text::from(key), written(value, variables)))
            .collect::<Mapping>()
            .into(),
        other => other.clone(),
    }
}
