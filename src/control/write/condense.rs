//! Condensation of many changes of one text into few.
//!
//! Each change reads the text once, so that thousands of single changes would hold the lock of writes for minutes.

use crate::document::{Mapping, NodePath, PathStep, Value, edit::DocumentChange};

/// Up to this many changes are made one by one, which keeps the comments around each of them.
const MAX_SINGLE_CHANGES: usize = 32;

/// Returns the changes as they are if they are few. Of many changes in one top-level list, makes one: it sets the
/// smallest node that contains all of them to its final value. Comments inside that node are lost. `document` is the
/// current document.
pub(super) fn condense_changes(changes: Vec<DocumentChange>, document: &Value) -> Vec<DocumentChange> {
    if changes.len() <= MAX_SINGLE_CHANGES {
        return changes;
    }
    let mut groups: Vec<(Option<PathStep>, Vec<DocumentChange>)> = Vec::new();
    for change in changes {
        let first = change.path().steps().first().cloned();
        match groups.iter_mut().find(|(step, _)| *step == first) {
            Some((_, group)) => group.push(change),
            None => groups.push((first, vec![change])),
        }
    }
    groups.into_iter().flat_map(|(_, group)| condense_group(group, document)).collect()
}

fn condense_group(changes: Vec<DocumentChange>, document: &Value) -> Vec<DocumentChange> {
    if changes.len() <= MAX_SINGLE_CHANGES {
        return changes;
    }
    let at = common_parent(&changes);
    if at.steps().is_empty() {
        return changes;
    }
    let Some(value) = at.steps().iter().try_fold(document, step_into) else { return changes };
    let mut node = Node::of(value);
    let depth = at.steps().len();
    for change in &changes {
        let steps = change.path().steps().get(depth..).unwrap_or_default();
        if node.apply(steps, change).is_none() {
            return changes;
        }
    }
    vec![DocumentChange::Set(at, node.into_value())]
}

/// The smallest node that contains all changes.
fn common_parent(changes: &[DocumentChange]) -> NodePath {
    let parent_steps = |change: &DocumentChange| match change {
        // A new item is contained in its list.
        DocumentChange::Push(list, _) => list.steps().to_vec(),
        DocumentChange::Set(at, _) | DocumentChange::Remove(at) => at.parent().steps().to_vec(),
    };
    let mut common: Option<Vec<PathStep>> = None;
    for steps in changes.iter().map(parent_steps) {
        let shared_steps = common.get_or_insert_with(|| steps.clone());
        let same = shared_steps.iter().zip(&steps).take_while(|(one, other)| one == other).count();
        shared_steps.truncate(same);
    }
    common.unwrap_or_default().into_iter().collect()
}

fn step_into<'a>(value: &'a Value, step: &PathStep) -> Option<&'a Value> {
    match step {
        PathStep::Key(key) => value.get(key),
        PathStep::Index(index) => value.items().get(*index),
        PathStep::Inside => None,
    }
}

/// A node under change: nodes on the way to a change are mutable, the rest is shared.
enum Node {
    Sequence(Vec<Self>),
    Mapping(Mapping),
    Shared(Value),
}

impl Node {
    fn of(value: &Value) -> Self {
        match value {
            Value::Sequence(items) => Self::Sequence(items.iter().cloned().map(Self::Shared).collect()),
            Value::Mapping(members) => Self::Mapping(Mapping::clone(members)),
            other => Self::Shared(other.clone()),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Sequence(items) => items.into_iter().map(Self::into_value).collect::<Vec<_>>().into(),
            Self::Mapping(members) => members.into(),
            Self::Shared(value) => value,
        }
    }

    /// Applies a change at the end of these steps; `None` if there is no such place.
    fn apply(&mut self, steps: &[PathStep], change: &DocumentChange) -> Option<()> {
        if let Self::Shared(value) = self {
            *self = Self::of(value);
        }
        match (&mut *self, steps, change) {
            (Self::Sequence(items), [], DocumentChange::Push(_, value)) => {
                items.push(Self::Shared(value.clone()));
            }
            (Self::Shared(Value::Null), [], DocumentChange::Push(_, value)) => {
                *self = Self::Sequence(vec![Self::Shared(value.clone())]);
            }
            (_, [], DocumentChange::Set(_, value)) => *self = Self::Shared(value.clone()),
            (Self::Sequence(items), [PathStep::Index(index)], DocumentChange::Remove(_)) => {
                if *index >= items.len() {
                    return None;
                }
                items.remove(*index);
            }
            (Self::Sequence(items), [PathStep::Index(index), rest @ ..], _) => {
                items.get_mut(*index)?.apply(rest, change)?;
            }
            (Self::Mapping(members), [PathStep::Key(key)], DocumentChange::Remove(_)) => {
                drop(members.remove(key)?);
            }
            (Self::Mapping(members), [PathStep::Key(key), rest @ ..], _) => {
                let mut member = Self::of(members.get(key).unwrap_or(&Value::Null));
                member.apply(rest, change)?;
                members.insert(key.clone(), member.into_value());
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Dialect, edit, read};

    const TEXT: &str =
        "services:\n- name: a\n  host: a\n- name: b\n  host: b\nroutes:\n- name: r\n  hosts: [x]\n";

    /// The document after the changes, made one by one.
    fn apply_one_by_one(changes: &[DocumentChange]) -> Value {
        let mut text = TEXT.to_owned();
        for change in changes {
            let document = read(&text, Dialect::Kong).unwrap().value;
            text = edit::edit(&text, &document, None, change).unwrap();
        }
        read(&text, Dialect::Kong).unwrap().value
    }

    #[test]
    fn few_changes_are_returned_unchanged() {
        let changes = vec![DocumentChange::Remove(NodePath::root().key("services").index(0))];
        assert_eq!(condense_changes(changes.clone(), &Value::Null), changes);
    }

    #[test]
    fn many_changes_become_one_with_the_same_result() {
        let services = NodePath::root().key("services");
        let hosts = NodePath::root().key("routes").index(0).key("hosts");
        let service =
            |n: usize| -> Value { serde_json::from_str(&format!("{{\"name\": \"n{n}\"}}")).unwrap() };
        let mut changes: Vec<DocumentChange> =
            (0..40).map(|n| DocumentChange::Push(services.clone(), service(n))).collect();
        changes.extend((0..40).map(|n| DocumentChange::Push(hosts.clone(), Value::from(format!("h{n}")))));
        changes.extend((0..40).rev().map(|n| DocumentChange::Remove(hosts.index(n))));
        changes.push(DocumentChange::Set(services.index(1).key("host"), "other".into()));
        changes.push(DocumentChange::Remove(services.index(0).key("host")));
        changes.push(DocumentChange::Remove(services.index(0)));
        let document = read(TEXT, Dialect::Kong).unwrap().value;
        let few = condense_changes(changes.clone(), &document);
        let places: Vec<String> = few.iter().map(|change| change.path().to_string()).collect();
        assert_eq!(places, ["services", "routes[0].hosts"]);
        assert_eq!(apply_one_by_one(&few), apply_one_by_one(&changes));
    }

    #[test]
    fn changes_without_a_place_are_left_to_the_editor() {
        let nowhere = NodePath::root().key("services").index(9).key("x");
        let changes: Vec<DocumentChange> = (0..40).map(|_| DocumentChange::Remove(nowhere.clone())).collect();
        assert_eq!(condense_changes(changes.clone(), &read(TEXT, Dialect::Kong).unwrap().value), changes);
    }
}
