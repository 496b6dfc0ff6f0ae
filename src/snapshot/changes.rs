//! What a reload changed, in words.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    diag::plural,
    document::Value,
    entity::{Entities, EntityRecord, says_the_same},
};

/// Most names that a list spells out.
const NAMED: usize = 5;

/// The kinds that stand first in the words; all others follow by name.
const FIRST: [&str; 9] = [
    "services",
    "routes",
    "plugins",
    "upstreams",
    "targets",
    "certificates",
    "snis",
    "ca_certificates",
    "consumers",
];

/// What differs between two configurations, such as `1 route added (quotes), 1 plugin changed (mocking)`.
///
/// Whatever has a record is compared, so that no kind of entity can be forgotten. What belongs to a Consumer is told as a
/// change of the Consumer: credentials are secrets, and have no names.
#[must_use]
pub fn describe_changes(before: &Entities, after: &Entities) -> String {
    // What stands in memory where it stood before needs no second look.
    let addresses = |it: &Entities| it.records.iter().filter_map(|it| it.value.address()).collect();
    let (old, new): (FxHashSet<usize>, FxHashSet<usize>) = (addresses(before), addresses(after));
    let (old, new) = (open(before, &new), open(after, &old));
    let mut found = Found::default();
    for (key, record) in &new {
        match old.get(key) {
            None => found.note(Verb::Added, record),
            Some(before) if !says_the_same(&before.value, &record.value) => found.note(Verb::Changed, record),
            Some(_) => (),
        }
    }
    for (_, record) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        found.note(Verb::Removed, record);
    }
    let consumers = |it: &Entities| -> Vec<(String, String)> {
        let these = it.records.iter().filter(|it| it.collection() == "consumers");
        these.map(|it| (it.id().to_owned(), name(&it.value))).collect()
    };
    if !found.owners.is_empty() {
        found.blame(&consumers(before), &consumers(after));
    }
    found.words()
}

/// The entities that do not stand in memory where one of the others stands.
fn open<'a>(
    entities: &'a Entities,
    others: &FxHashSet<usize>,
) -> FxHashMap<(&'static str, &'a str), &'a EntityRecord> {
    let is_open = |it: &&EntityRecord| it.value.address().is_none_or(|it| !others.contains(&it));
    entities.records.iter().filter(is_open).map(|it| ((it.collection(), it.id()), it)).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Added,
    Removed,
    Changed,
}

/// The names of what differs.
#[derive(Default)]
struct Found {
    all: BTreeMap<(usize, &'static str, Verb), BTreeSet<String>>,
    /// The ids of Consumers of whom something differs.
    owners: BTreeSet<String>,
}

impl Found {
    fn note(&mut self, verb: Verb, record: &EntityRecord) {
        let owner = record.value.get("consumer").and_then(|it| it.get("id")).and_then(Value::as_str);
        match owner.filter(|_| record.collection() != "plugins") {
            Some(owner) => drop(self.owners.insert(owner.to_owned())),
            None => self.add(verb, record.collection(), name(&record.value)),
        }
    }

    fn add(&mut self, verb: Verb, kind: &'static str, name: String) {
        let place = FIRST.iter().position(|it| *it == kind).unwrap_or(FIRST.len());
        self.all.entry((place, kind, verb)).or_default().insert(name);
    }

    /// Tells of the Consumers of whom something differs; of those that come or go, that is told already.
    fn blame(&mut self, before: &[(String, String)], after: &[(String, String)]) {
        let before: FxHashSet<&str> = before.iter().map(|(id, _)| id.as_str()).collect();
        for (id, name) in after {
            if before.contains(id.as_str()) && self.owners.contains(id) {
                self.add(Verb::Changed, "consumers", name.clone());
            }
        }
    }

    fn words(self) -> String {
        let part = |((_, kind, verb), names): ((usize, &str, Verb), BTreeSet<String>)| {
            let more = if names.len() > NAMED { ", ..." } else { "" };
            let list = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let verb = match verb {
                Verb::Added => "added",
                Verb::Removed => "removed",
                Verb::Changed => "changed",
            };
            let one = kind.strip_suffix('s').unwrap_or(kind).replace('_', " ");
            format!("{} {verb} ({list}{more})", plural(names.len(), &one))
        };
        let parts: Vec<String> = self.all.into_iter().map(part).collect();
        if parts.is_empty() { "no entity changed".to_owned() } else { parts.join(", ") }
    }
}

/// The time stamps are ours and say nothing about the file.
pub(super) fn differs(before: &Value, after: &Value) -> bool {
    !says_the_same(before, after)
}

fn name(record: &Value) -> String {
    let fields = ["prefix", "name", "username", "custom_id", "target", "id"];
    let name = fields.iter().find_map(|field| record.get(field).and_then(Value::as_str));
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
    fn what_changes_is_told_by_kind_and_name() {
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

    /// Whatever kind of entity there is.
    #[test]
    fn no_kind_of_entity_is_forgotten() {
        for field in DOCUMENT {
            let FieldKind::Entities(entity, _) = field.kind else { continue };
            let entity = entity();
            let of = |id: &str| {
                let value = [("id", Value::from(id)), ("name", Value::from("n"))]
                    .into_iter()
                    .collect::<crate::document::Mapping>();
                let record =
                    EntityRecord { entity, value: value.into(), at: crate::document::NodePath::root() };
                Entities { records: vec![record], ..Entities::default() }
            };
            let said = describe_changes(&of("a"), &of("b"));
            assert!(said.contains("added (n)") && said.contains("removed (n)"), "{}: {said}", field.name);
        }
    }
}
