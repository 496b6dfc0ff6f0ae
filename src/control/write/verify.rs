//! Whether a text declares exactly what a write was to lead to: what decides is what the text says, not what its
//! editor meant.

use std::{cell::OnceCell, collections::HashSet};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{WritePlan, inexpressible};
use crate::{
    document::{NodePath, PathStep, Value, edit::DocumentChange},
    entity::{Entities, EntityRecord, says_the_same},
};

/// What is not as it should be.
#[derive(Debug)]
pub(super) enum WriteDeviation {
    /// These entities need their ids written out, to keep them.
    Ids(Vec<(NodePath, String)>),
    /// Something else.
    Other(String),
}

/// Compares what was declared, and what is, with what a plan wants.
pub(super) fn verify(before: &Entities, after: &Entities, plan: &WritePlan) -> Result<(), WriteDeviation> {
    // What stands in memory where it stood before says what it said.
    let address = |it: &EntityRecord| it.value.address();
    let old: FxHashSet<usize> = before.records.iter().filter_map(address).collect();
    let kept: FxHashSet<usize> =
        after.records.iter().filter_map(address).filter(|it| old.contains(it)).collect();
    let is_kept = |it: &EntityRecord| address(it).is_some_and(|it| kept.contains(&it));
    let new = after.records.iter().filter(|it| !is_kept(it));
    let by_id: FxHashMap<(&str, &str), &EntityRecord> =
        new.map(|it| ((it.collection(), it.id()), it)).collect();
    let places = OnceCell::new();
    let by_place =
        || places.get_or_init(|| after.records.iter().map(|it| (&it.at, it)).collect::<FxHashMap<_, _>>());
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
        if is_kept(old) {
            continue;
        }
        match by_id.get(&key) {
            Some(new) if says_the_same(&old.value, &new.value) => (),
            Some(_) => changed = Some(format!("{} '{}' would change, too", key.0, key.1)),
            None => {
                let at = moved(&old.at, plan);
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
        } else if !fits(
            &without_password(it.collection, &it.record),
            &without_password(it.collection, &new.value),
        ) {
            changed = Some("the entity would not be what it should".to_owned());
        }
    }
    // Who refers to an entity changes with its id, and back again.
    if !ids.is_empty() {
        return Err(WriteDeviation::Ids(ids));
    }
    if let Some(why) = changed {
        return Err(other(&why));
    }
    if after.records.len() != stay + plan.nested + usize::from(plan.wanted.is_some()) {
        return Err(other("other entities would appear or go"));
    }
    Ok(())
}

fn other(why: &str) -> WriteDeviation {
    WriteDeviation::Other(inexpressible(why))
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

/// Whether a record says what was wanted of it, which may leave its id open.
fn fits(wanted: &Value, record: &Value) -> bool {
    if wanted.get("id").is_some_and(|it| !it.is_null()) {
        return says_the_same(wanted, record);
    }
    let without = |it: &Value| {
        let mut mapping = it.as_mapping().cloned().unwrap_or_default();
        mapping.remove("id");
        Value::from(mapping)
    };
    says_the_same(&without(wanted), &without(record))
}

/// Where a node stands after the changes.
fn moved(at: &NodePath, plan: &WritePlan) -> NodePath {
    let mut steps = at.steps().to_vec();
    if let Some((from, wanted)) = plan.from.as_ref().zip(plan.wanted.as_ref())
        && let Some(inside) = steps.strip_prefix(from.steps())
    {
        steps = [wanted.at.steps(), inside].concat();
    }
    for change in &plan.changes {
        let DocumentChange::Remove(removed) = change else { continue };
        let Some((PathStep::Index(gone), list)) = removed.steps().split_last() else { continue };
        if let Some(PathStep::Index(n)) = steps.get(list.len())
            && steps.starts_with(list)
            && n > gone
        {
            steps[list.len()] = PathStep::Index(n - 1);
        }
    }
    steps.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{super::WantedEntity, *};

    #[test]
    fn what_stands_behind_a_removed_item_moves_up() {
        let at = |n| NodePath::root().key("services").index(n).key("routes").index(0);
        let gone = |n| DocumentChange::Remove(NodePath::root().key("services").index(n));
        let plan =
            |changes: &[DocumentChange]| WritePlan { changes: changes.to_vec(), ..WritePlan::default() };
        assert_eq!(moved(&at(3), &plan(&[gone(1)])), at(2));
        assert_eq!(moved(&at(3), &plan(&[gone(4), gone(1), gone(0)])), at(1));
        assert_eq!(moved(&at(1), &plan(&[gone(2)])), at(1));
    }

    #[test]
    fn what_is_inside_an_entity_moves_with_it() {
        let route = |service, n| NodePath::root().key("services").index(service).key("routes").index(n);
        let wanted = WantedEntity { collection: "routes", at: route(1, 4), record: Value::Null };
        let plan = WritePlan {
            changes: vec![DocumentChange::Remove(route(0, 2))],
            wanted: Some(wanted),
            from: Some(route(0, 2)),
            ..WritePlan::default()
        };
        let plugin = |at: NodePath| at.key("plugins").index(0);
        assert_eq!(moved(&plugin(route(0, 2)), &plan), plugin(route(1, 4)));
        assert_eq!(moved(&plugin(route(0, 3)), &plan), plugin(route(0, 2)));
        assert_eq!(moved(&plugin(route(0, 1)), &plan), plugin(route(0, 1)));
    }
}
