//! Escaping of written values in files with environment variables: a value is literal even if it looks like
//! `${NAME}`, and existing variables stay variables.

use std::collections::HashSet;

use crate::{
    config,
    document::{Mapping, SharedText, Value, edit::DocumentChange},
};

/// Escapes the values of the changes; `document` is the current document with its variables.
pub(super) fn escape_changes(changes: &[DocumentChange], document: &Value) -> Vec<DocumentChange> {
    let mut variables = HashSet::new();
    collect_variables(document, &mut variables);
    let escape = |change: &DocumentChange| match change {
        DocumentChange::Set(at, value) => DocumentChange::Set(at.clone(), escape_value(value, &variables)),
        DocumentChange::Push(at, value) => DocumentChange::Push(at.clone(), escape_value(value, &variables)),
        DocumentChange::Remove(at) => DocumentChange::Remove(at.clone()),
    };
    changes.iter().map(escape).collect()
}

/// Collects the texts that are substituted by variables.
fn collect_variables<'a>(value: &'a Value, found: &mut HashSet<&'a SharedText>) {
    match value {
        Value::String(text) if config::is_substituted(text) => drop(found.insert(text)),
        Value::Sequence(items) => items.iter().for_each(|item| collect_variables(item, found)),
        Value::Mapping(mapping) => mapping.iter().for_each(|(_, value)| collect_variables(value, found)),
        _ => (),
    }
}

fn escape_value(value: &Value, variables: &HashSet<&SharedText>) -> Value {
    match value {
        // A part of the file that moves keeps its variables. A literal value equal to one of them is refused when the
        // result is read.
        Value::String(text) if variables.contains(text) => value.clone(),
        Value::String(text) => config::escaped(text).into(),
        Value::Sequence(items) => {
            items.iter().map(|item| escape_value(item, variables)).collect::<Vec<_>>().into()
        }
        Value::Mapping(mapping) => mapping
            .iter()
            .map(|(key, value)| (SharedText::from(key), escape_value(value, variables)))
            .collect::<Mapping>()
            .into(),
        other => other.clone(),
    }
}
