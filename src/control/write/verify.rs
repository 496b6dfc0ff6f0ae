//! Check that the configuration read from an edited text is exactly the one that a write plans, whatever the edits were.

use std::{cell::OnceCell, collections::HashSet};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{WritePlan, inexpressible};
use crate::{
    document::{NodePath, PathStep, Value, edit::DocumentChange},
    entity::{Entities, EntityRecord, ID, is_same_record},
    schema::EntitySchema,
};

/// How a text deviates from what a write wants.
#[derive(Debug)]
pub(super) enum WriteDeviation {
    /// These entities keep their ids only if the text contains them.
    Ids(Vec<(NodePath, String)>),
    /// Any other deviation.
    Other(String),
}

/// Compares the previous entities and those of the new text with a plan.
pub(super) fn verify(before: &Entities, after: &Entities, plan: &WritePlan) -> Result<(), WriteDeviation> {
    // A record at the same address in memory is the same record.
    let address = |record: &EntityRecord| record.value.address();
    let old: FxHashSet<usize> = before.records.iter().filter_map(address).collect();
    let kept: FxHashSet<usize> =
        after.records.iter().filter_map(address).filter(|address| old.contains(address)).collect();
    let is_kept = |record: &EntityRecord| address(record).is_some_and(|address| kept.contains(&address));
    let new = after.records.iter().filter(|record| !is_kept(record));
    let by_id: FxHashMap<(&str, &str), &EntityRecord> =
        new.map(|record| ((record.collection(), record.id()), record)).collect();
    let paths = OnceCell::new();
    let by_path = || {
        let index = || after.records.iter().map(|record| (&record.at, record)).collect::<FxHashMap<_, _>>();
        paths.get_or_init(index)
    };
    let gone: HashSet<(&str, &str)> =
        plan.gone.iter().map(|(collection, id)| (*collection, id.as_str())).collect();
    let wanted = plan.wanted.as_ref().map(|wanted| (wanted.entity.collection, id(&wanted.record)));
    let mut ids = Vec::new();
    let mut changed = None;
    let mut remaining = 0;
    for old in &before.records {
        let key = (old.collection(), old.id());
        if gone.contains(&key) || wanted == Some(key) {
            continue;
        }
        remaining += 1;
        if is_kept(old) {
            continue;
        }
        match by_id.get(&key) {
            Some(new) if is_same_record(&old.value, &new.value) => (),
            Some(_) => changed = Some(format!("{} '{}' would change, too", key.0, key.1)),
            None => {
                let at = path_after(&old.at, plan);
                if by_path().get(&at).is_none_or(|record| record.entity != old.entity) {
                    return Err(other(&format!("{} '{}' would be lost", key.0, key.1)));
                }
                ids.push((at, key.1.to_owned()));
            }
        }
    }
    if let Some(wanted) = &plan.wanted {
        let at_path = by_path().get(&wanted.at).copied();
        let Some(new) = at_path.filter(|record| record.entity == wanted.entity) else {
            return Err(other("the entity would not stand where it should"));
        };
        let id = id(&wanted.record);
        if !id.is_empty() && new.id() != id {
            ids.push((wanted.at.clone(), id.to_owned()));
        } else if !matches_wanted(
            &without_hashed_fields(wanted.entity, &wanted.record),
            &without_hashed_fields(wanted.entity, &new.value),
        ) {
            changed = Some("the entity would not be what it should".to_owned());
        }
    }
    // References to an entity change with its id, and change back once the text contains the id.
    if !ids.is_empty() {
        return Err(WriteDeviation::Ids(ids));
    }
    if let Some(why) = changed {
        return Err(other(&why));
    }
    if after.records.len() != remaining + plan.nested + usize::from(plan.wanted.is_some()) {
        return Err(other("other entities would appear or go"));
    }
    Ok(())
}

fn other(why: &str) -> WriteDeviation {
    WriteDeviation::Other(inexpressible(why))
}

fn id(record: &Value) -> &str {
    record.get(ID.name).and_then(Value::as_str).unwrap_or_default()
}

/// The record without passwords: they are given as plain texts and stored as hashes.
fn without_hashed_fields(entity: &EntitySchema, record: &Value) -> Value {
    let mut hashed = entity.hashed_fields().peekable();
    if hashed.peek().is_none() {
        return record.clone();
    }
    let mut record = record.as_mapping().cloned().unwrap_or_default();
    for field in hashed {
        record.remove(field.name);
    }
    record.into()
}

/// Whether a record is the wanted one, which may have no id.
fn matches_wanted(wanted: &Value, record: &Value) -> bool {
    if wanted.get(ID.name).is_some_and(|id| !id.is_null()) {
        return is_same_record(wanted, record);
    }
    let without_id = |record: &Value| {
        let mut mapping = record.as_mapping().cloned().unwrap_or_default();
        mapping.remove(ID.name);
        Value::from(mapping)
    };
    is_same_record(&without_id(wanted), &without_id(record))
}

/// The path of a node after the changes.
fn path_after(at: &NodePath, plan: &WritePlan) -> NodePath {
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
    use crate::entity::route as route_entity;

    #[test]
    fn items_after_a_removed_one_move_up() {
        let at = |n| NodePath::root().key("services").index(n).key("routes").index(0);
        let gone = |n| DocumentChange::Remove(NodePath::root().key("services").index(n));
        let plan =
            |changes: &[DocumentChange]| WritePlan { changes: changes.to_vec(), ..WritePlan::default() };
        assert_eq!(path_after(&at(3), &plan(&[gone(1)])), at(2));
        assert_eq!(path_after(&at(3), &plan(&[gone(4), gone(1), gone(0)])), at(1));
        assert_eq!(path_after(&at(1), &plan(&[gone(2)])), at(1));
    }

    #[test]
    fn nested_entities_move_with_their_entity() {
        let route = |service, n| NodePath::root().key("services").index(service).key("routes").index(n);
        let wanted = WantedEntity { entity: &route_entity::ENTITY, at: route(1, 4), record: Value::Null };
        let plan = WritePlan {
            changes: vec![DocumentChange::Remove(route(0, 2))],
            wanted: Some(wanted),
            from: Some(route(0, 2)),
            ..WritePlan::default()
        };
        let plugin = |at: NodePath| at.key("plugins").index(0);
        assert_eq!(path_after(&plugin(route(0, 2)), &plan), plugin(route(1, 4)));
        assert_eq!(path_after(&plugin(route(0, 3)), &plan), plugin(route(0, 2)));
        assert_eq!(path_after(&plugin(route(0, 1)), &plan), plugin(route(0, 1)));
    }
}
