//! Whether a text declares exactly what a write was to lead to: what decides is what the text says, not what its
//! editor meant.

use std::collections::{HashMap, HashSet};

use super::Plan;
use crate::{
    document::{Path, Step, Value, edit::Change},
    entity::{Entities, Record},
};

/// What is not as it should be.
#[derive(Debug)]
pub(super) enum Difference {
    /// These entities need their ids written out, to keep them.
    Ids(Vec<(Path, String)>),
    /// Something else.
    Other(String),
}

/// Compares what was declared, and what is, with what a plan wants.
pub(super) fn verify(before: &Entities, after: &Entities, plan: &Plan) -> Result<(), Difference> {
    let by_id: HashMap<(&str, &str), &Record> =
        after.records.iter().map(|it| ((it.collection(), it.id()), it)).collect();
    let by_place = || after.records.iter().map(|it| (&it.at, it)).collect::<HashMap<_, _>>();
    let gone: HashSet<(&str, &str)> =
        plan.gone.iter().map(|(collection, id)| (*collection, id.as_str())).collect();
    let wanted = plan.wanted.as_ref().map(|it| (it.collection, id(&it.record)));
    let mut ids = Vec::new();
    let mut changed = None;
    let mut stay = 0;
    for old in &before.records {
        let key = (old.collection(), old.id());
        if gone.contains(&key) || wanted == Some(key) {
            continue;
        }
        stay += 1;
        match by_id.get(&key) {
            Some(new) if same(&old.value, &new.value) => (),
            Some(_) => changed = Some(format!("{} '{}' would change, too", key.0, key.1)),
            None => {
                let at = moved(&old.at, &plan.changes);
                if by_place().get(&at).is_none_or(|it| it.collection() != key.0) {
                    return Err(other(&format!("{} '{}' would be lost", key.0, key.1)));
                }
                ids.push((at, key.1.to_owned()));
            }
        }
    }
    if let Some(it) = &plan.wanted {
        let Some(new) = by_place().get(&it.at).copied().filter(|new| new.collection() == it.collection)
        else {
            return Err(other("the entity would not stand where it should"));
        };
        let id = id(&it.record);
        if !id.is_empty() && new.id() != id {
            ids.push((it.at.clone(), id.to_owned()));
        } else if !same(
            &without_password(it.collection, &it.record),
            &without_password(it.collection, &new.value),
        ) {
            changed = Some("the entity would not be what it should".to_owned());
        }
    }
    // Who refers to an entity changes with its id, and back again.
    if !ids.is_empty() {
        return Err(Difference::Ids(ids));
    }
    if let Some(why) = changed {
        return Err(other(&why));
    }
    if after.records.len() != stay + plan.nested + usize::from(plan.wanted.is_some()) {
        return Err(other("other entities would appear or go"));
    }
    Ok(())
}

fn other(why: &str) -> Difference {
    Difference::Other(format!("the text has no place for it: {why}"))
}

fn id(record: &Value) -> &str {
    record.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// A password is given as it is, and kept as its hash.
fn without_password(collection: &str, record: &Value) -> Value {
    if collection != "basicauth_credentials" {
        return record.clone();
    }
    let mut record = record.as_mapping().cloned().unwrap_or_default();
    record.remove("password");
    record.into()
}

/// Whether two records say the same; when they were made and changed is not what they say.
pub(in crate::control) fn same(one: &Value, other: &Value) -> bool {
    let says = |key: &str| !matches!(key, "created_at" | "updated_at");
    let id_is_open = one.get("id").is_none_or(Value::is_null);
    one.entries()
        .filter(|(key, _)| says(key))
        .all(|(key, value)| (key == "id" && id_is_open) || other.get(key).unwrap_or(&Value::Null) == value)
        && other
            .entries()
            .filter(|(key, _)| says(key))
            .all(|(key, value)| (key == "id" && id_is_open) || value.is_null() || one.get(key).is_some())
}

/// Where a node stands after the changes.
fn moved(at: &Path, changes: &[Change]) -> Path {
    let mut steps = at.steps().to_vec();
    for change in changes {
        let Change::Remove(removed) = change else { continue };
        let Some((Step::Index(gone), list)) = removed.steps().split_last() else { continue };
        if let Some(Step::Index(n)) = steps.get(list.len())
            && steps.starts_with(list)
            && n > gone
        {
            steps[list.len()] = Step::Index(n - 1);
        }
    }
    steps.iter().fold(Path::root(), |path, step| match step {
        Step::Key(key) => path.key(key),
        Step::Index(n) => path.index(*n),
        Step::Inside => path.inside(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_removed_item_moves_up() {
        let at = |n| Path::root().key("services").index(n).key("routes").index(0);
        let gone = |n| Change::Remove(Path::root().key("services").index(n));
        assert_eq!(moved(&at(3), &[gone(1)]), at(2));
        assert_eq!(moved(&at(3), &[gone(4), gone(1), gone(0)]), at(1));
        assert_eq!(moved(&at(1), &[gone(2)]), at(1));
    }
}
