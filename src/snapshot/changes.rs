//! What a reload changed, in words.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use crate::{
    diag::plural,
    document::Value,
    entity::{Consumer, Entities},
};

/// Most names that a list spells out.
const NAMED: usize = 5;

/// What differs between two configurations, such as `1 route added (quotes), 1 plugin changed (mocking)`.
#[must_use]
pub fn changes(before: &Entities, after: &Entities) -> String {
    let mut parts = Vec::new();
    for (collection, what) in [
        ("services", "service"),
        ("routes", "route"),
        ("plugins", "plugin"),
        ("upstreams", "upstream"),
        ("targets", "target"),
        ("certificates", "certificate"),
        ("snis", "sni"),
        ("ca_certificates", "ca certificate"),
    ] {
        let these = |it: &'_ Entities| -> Vec<Value> {
            let these = it.records.iter().filter(|it| it.collection() == collection);
            these.map(|it| it.value.clone()).collect()
        };
        compare(what, &these(before), &these(after), &mut parts);
    }
    let consumers = |it: &Entities| it.consumers.iter().map(whole).collect::<Vec<_>>();
    compare("consumer", &consumers(before), &consumers(after), &mut parts);
    if parts.is_empty() { "no entity changed".to_owned() } else { parts.join(", ") }
}

/// A Consumer with its credentials and groups: what a reload may change about it.
fn whole(consumer: &Consumer) -> Value {
    let mut record = consumer.record.clone().into_mapping().unwrap_or_default();
    let keys = consumer.keys.iter().map(|it| Value::from(it.key.as_str()));
    record.insert("keys", keys.collect::<Vec<_>>());
    let passwords = consumer.passwords.iter();
    let passwords = passwords.flat_map(|it| [&it.username, &it.password]).map(|it| Value::from(it.as_str()));
    record.insert("passwords", passwords.collect::<Vec<_>>());
    let jwts = consumer.jwts.iter();
    let jwts = jwts.flat_map(|it| [&it.key, &it.algorithm, &it.secret].into_iter().chain(&it.public_key));
    record.insert("jwts", jwts.map(|it| Value::from(it.as_str())).collect::<Vec<_>>());
    let groups = consumer.groups.iter().map(|it| Value::from(it.name.as_str()));
    record.insert("groups", groups.collect::<Vec<_>>());
    record.into()
}

fn compare(what: &str, before: &[Value], after: &[Value], parts: &mut Vec<String>) {
    // What stands in memory where it stood before needs no second look.
    let unchanged: FxHashSet<usize> = before.iter().filter_map(Value::address).collect();
    let mut rest: FxHashSet<usize> = after.iter().filter_map(Value::address).collect();
    let after = by_id(after, |it| !unchanged.contains(&it));
    rest.retain(|it| unchanged.contains(it));
    let before = by_id(before, |it| !rest.contains(&it));
    let added = after.iter().filter(|(id, _)| !before.contains_key(*id)).map(|(_, it)| name(it)).collect();
    let removed = before.iter().filter(|(id, _)| !after.contains_key(*id)).map(|(_, it)| name(it)).collect();
    let changed = after.iter().filter(|(id, it)| before.get(*id).is_some_and(|old| differs(old, it)));
    let changed = changed.map(|(_, it)| name(it)).collect();
    for (verb, names) in [("added", added), ("removed", removed), ("changed", changed)] {
        let names: Vec<String> = names;
        if names.is_empty() {
            continue;
        }
        let more = if names.len() > NAMED { ", ..." } else { "" };
        let list = names[..names.len().min(NAMED)].join(", ");
        parts.push(format!("{} {verb} ({list}{more})", plural(names.len(), what)));
    }
}

fn by_id(records: &[Value], is_open: impl Fn(usize) -> bool) -> BTreeMap<&str, &Value> {
    let open = records.iter().filter(|it| it.address().is_none_or(&is_open));
    open.filter_map(|it| Some((it.get("id")?.as_str()?, it))).collect()
}

/// The time stamps are ours and say nothing about the file.
pub(super) fn differs(before: &Value, after: &Value) -> bool {
    after
        .entries()
        .any(|(key, value)| !matches!(key, "created_at" | "updated_at") && before.get(key) != Some(value))
}

fn name(record: &Value) -> String {
    let name = ["name", "username", "target", "id"]
        .iter()
        .find_map(|field| record.get(field))
        .and_then(Value::as_str);
    name.unwrap_or_else(|| record.get("id").and_then(Value::as_str).unwrap_or_default()).to_owned()
}
