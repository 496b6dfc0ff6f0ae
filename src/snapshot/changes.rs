//! Description of the changes of a reload, for the log.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    diag::plural,
    document::Value,
    entity::{Entities, EntityRecord, ID, consumer, is_same_record, service, target, vault},
};

/// Most names in a list.
const MAX_NAMES: usize = 5;

/// Describes the differences between two configurations, such as `1 route added (quotes), 1 plugin changed (mocking)`.
///
/// All records are compared, so that no kind of entity can be missed. A change of a credential is described as a change of
/// its Consumer: credentials are secret, and have no names.
#[must_use]
pub fn describe_changes(before: &Entities, after: &Entities) -> String {
    // Records at the same address in memory are equal and need no comparison.
    let addresses =
        |entities: &Entities| entities.records.iter().filter_map(|record| record.value.address()).collect();
    let (old, new): (FxHashSet<usize>, FxHashSet<usize>) = (addresses(before), addresses(after));
    let (old, new) = (not_shared(before, &new), not_shared(after, &old));
    let mut changes = ChangeList::default();
    for (key, record) in &new {
        match old.get(key) {
            None => changes.add_record(ChangeKind::Added, record),
            Some(before) if !is_same_record(&before.value, &record.value) => {
                changes.add_record(ChangeKind::Changed, record);
            }
            Some(_) => (),
        }
    }
    for (_, record) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        changes.add_record(ChangeKind::Removed, record);
    }
    let consumers = |entities: &Entities| -> Vec<(String, String)> {
        let records = entities.records.iter().filter(|record| record.entity == &consumer::ENTITY);
        records.map(|record| (record.id().to_owned(), name(&record.value))).collect()
    };
    if !changes.owners.is_empty() {
        changes.add_consumers(&consumers(before), &consumers(after));
    }
    changes.describe()
}

/// Entities that do not share their memory with one of the others.
fn not_shared<'a>(
    entities: &'a Entities,
    others: &FxHashSet<usize>,
) -> FxHashMap<(&'static str, &'a str), &'a EntityRecord> {
    let is_own =
        |record: &&EntityRecord| record.value.address().is_none_or(|address| !others.contains(&address));
    let records = entities.records.iter().filter(is_own);
    records.map(|record| ((record.collection(), record.id()), record)).collect()
}

/// How an entity changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ChangeKind {
    Added,
    Removed,
    Changed,
}

/// Names of changed entities.
#[derive(Default)]
struct ChangeList {
    /// By rank, collection and change.
    all: BTreeMap<(u8, &'static str, ChangeKind), BTreeSet<String>>,
    /// Ids of Consumers with a changed credential or group.
    owners: BTreeSet<String>,
}

impl ChangeList {
    fn add_record(&mut self, change: ChangeKind, record: &EntityRecord) {
        // Credentials and groups require a Consumer; plugins do not.
        let mut references = record.entity.references();
        let owner = references.find(|(field, target)| field.required && *target == &consumer::ENTITY);
        match owner.and_then(|(field, _)| record.reference(field)) {
            Some(owner) => drop(self.owners.insert(owner.to_owned())),
            None => self.add(change, record, name(&record.value)),
        }
    }

    /// Adds a name under the kind of `record`.
    fn add(&mut self, change: ChangeKind, record: &EntityRecord, name: String) {
        let key = (record.entity.log_rank, record.collection(), change);
        self.all.entry(key).or_default().insert(name);
    }

    /// Adds the Consumers with changed credentials, except those that are added or removed themselves.
    fn add_consumers(&mut self, before: &[(String, String)], after: &[(String, String)]) {
        let before: FxHashSet<&str> = before.iter().map(|(id, _)| id.as_str()).collect();
        for (id, name) in after {
            if before.contains(id.as_str()) && self.owners.contains(id) {
                let key = (consumer::ENTITY.log_rank, consumer::ENTITY.collection, ChangeKind::Changed);
                self.all.entry(key).or_default().insert(name.clone());
            }
        }
    }

    fn describe(self) -> String {
        let part = |((_, kind, change), names): ((u8, &str, ChangeKind), BTreeSet<String>)| {
            let more = if names.len() > MAX_NAMES { ", ..." } else { "" };
            let list = names.iter().take(MAX_NAMES).cloned().collect::<Vec<_>>().join(", ");
            let change = match change {
                ChangeKind::Added => "added",
                ChangeKind::Removed => "removed",
                ChangeKind::Changed => "changed",
            };
            let one = kind.strip_suffix('s').unwrap_or(kind).replace('_', " ");
            format!("{} {change} ({list}{more})", plural(names.len(), &one))
        };
        let parts: Vec<String> = self.all.into_iter().map(part).collect();
        if parts.is_empty() { "no entity changed".to_owned() } else { parts.join(", ") }
    }
}

/// Whether two records differ, without their time stamps, which do not come from the file.
pub(super) fn differs(before: &Value, after: &Value) -> bool {
    !is_same_record(before, after)
}

fn name(record: &Value) -> String {
    let fields = [vault::PREFIX, service::NAME, consumer::USERNAME, consumer::CUSTOM_ID, target::TARGET, ID];
    let name = fields.iter().find_map(|field| record.get(field.name).and_then(Value::as_str));
    name.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{DeclarativeFormat, parse},
        diag::SourceFile,
        entity::DOCUMENT,
        plugin::{BundledPlugins, EnabledPlugins},
        schema::FieldKind,
    };

    fn entities(text: &str) -> Entities {
        let text = format!("_format_version: \"3.0\"\n{text}");
        parse(
            &SourceFile::new("kong.yaml", text),
            DeclarativeFormat::Deck,
            &BundledPlugins { expressions: false, enabled: EnabledPlugins::ALL },
            0,
        )
        .unwrap()
        .entities
    }

    #[track_caller]
    fn check(before: &str, after: &str, expected: &str) {
        assert_eq!(describe_changes(&entities(before), &entities(after)), expected);
    }

    #[test]
    fn changes_are_described_by_kind_and_name() {
        let route = "routes: [{name: r, paths: [/]}]\n";
        check("", "", "no entity changed");
        check("", route, "1 route added (r)");
        check(route, "routes: [{name: r, paths: [/x]}]\n", "1 route changed (r)");
        let vault =
            |prefix: &str| format!("vaults: [{{name: env, prefix: my-v, config: {{prefix: {prefix}}}}}]\n");
        check("", &vault("a"), "1 vault added (my-v)");
        check(&vault("a"), &vault("b"), "1 vault changed (my-v)");
        let bob = |more: &str| format!("consumers: [{{username: bob{more}}}]\n");
        let key = |key: &str| bob(&format!(", keyauth_credentials: [{{key: {key}}}]"));
        check(&key("a"), &key("b"), "1 consumer changed (bob)");
        check(&bob(""), &key("b"), "1 consumer changed (bob)");
        check("", &key("b"), "1 consumer added (bob)");
        check(&key("b"), "", "1 consumer removed (bob)");
        let many = (0..7).map(|n| format!("- {{name: k{n}}}\n")).collect::<Vec<_>>().concat();
        check("", &format!("key_sets:\n{many}"), "7 key sets added (k0, k1, k2, k3, k4, ...)");
    }

    #[test]
    fn no_kind_of_entity_is_missed() {
        for field in DOCUMENT {
            let FieldKind::Entities(entity, _) = field.kind else { continue };
            let entity = entity();
            let entities_with_id = |id: &str| {
                let value = [("id", Value::from(id)), ("name", Value::from("n"))]
                    .into_iter()
                    .collect::<crate::document::Mapping>();
                let record =
                    EntityRecord { entity, value: value.into(), at: crate::document::NodePath::root() };
                Entities { records: vec![record], ..Entities::default() }
            };
            let text = describe_changes(&entities_with_id("a"), &entities_with_id("b"));
            assert!(text.contains("added (n)") && text.contains("removed (n)"), "{}: {text}", field.name);
        }
    }
}
