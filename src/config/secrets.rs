//! Secrets that stand in clear in a file: one warning for all of them, since a file that holds one often holds many.

use super::previous_config::EntityNode;
use crate::{
    diag::{Diagnostic, plural},
    document::{NodePath, PathStep, Value},
    entity::EntityRecord,
    schema::{Field, FieldKind, PluginSchemas},
};

/// What the top level says in `_ignore` where secrets are meant to be in the file.
const IGNORED: &str = "clear-secrets";

/// The secrets of a document that stand in it as they are. `written` is the document before variables got their values,
/// asked for only if there are any; none if nobody knows.
pub(super) fn in_clear(
    document: &Value,
    records: &[EntityRecord],
    nodes: &[EntityNode],
    plugins: &dyn PluginSchemas,
    written: &dyn Fn() -> Option<Value>,
) -> Option<Diagnostic> {
    let ignored = document.get("_ignore").map(Value::items).unwrap_or_default();
    if ignored.iter().any(|it| it.as_str() == Some(IGNORED)) {
        return None;
    }
    let mut found = Vec::new();
    for (record, node) in records.iter().zip(nodes) {
        let owner = record.collection();
        // What nobody transforms is a hash already.
        if owner == "basicauth_credentials"
            && document.get("_transform").and_then(Value::as_bool) == Some(false)
        {
            continue;
        }
        for field in record.entity.fields {
            let (Some(value), at) = (node.written.get(field.name), record.at.key(field.name)) else {
                continue;
            };
            if matches!(field.kind, FieldKind::Config) {
                let name = node.written.get("name").and_then(Value::as_str).unwrap_or_default();
                let fields = plugins.settings(name).map_or(&[][..], |settings| settings.fields);
                secrets_of(fields, value, &at, &format!("the plugin {name}"), &mut found);
            } else {
                secrets(field, value, &at, owner, &mut found);
            }
        }
    }
    if found.is_empty() {
        return None;
    }
    // What a variable stands for is written otherwise.
    let written = written()?;
    found.retain(|(at, _)| node(&written, at).is_some_and(|it| node(document, at) == Some(it)));
    let place = |(at, _): &(NodePath, String)| {
        let step = at.steps().first();
        document.entries().position(|(key, _)| matches!(step, Some(PathStep::Key(first)) if **first == *key))
    };
    found.sort_by_key(place);
    let (first, _) = found.first()?;
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for (_, owner) in &found {
        match counts.iter_mut().find(|(it, _)| it == owner) {
            Some((_, count)) => *count += 1,
            None => counts.push((owner, 1)),
        }
    }
    let places: Vec<String> = counts.iter().map(|(owner, count)| format!("{count} in {owner}")).collect();
    let verb = if found.len() == 1 { "stands" } else { "stand" };
    let message = format!(
        "{} {verb} in clear in the configuration: {}",
        plural(found.len(), "secret"),
        places.join(", ")
    );
    let help = if counts.iter().any(|(owner, _)| *owner == "certificates") {
        "keep private keys in the environment: `{vault://env/my-key}`; other secrets come from there as \
         `${{ env \"DECK_NAME\" }}`, or as `${NAME}` with MYNAH_ENV_SUBSTITUTION=on. If they belong here, say \
         `_ignore: [clear-secrets]` at the top"
    } else {
        "have them come from the environment: `${{ env \"DECK_NAME\" }}`, or `${NAME}` with \
         MYNAH_ENV_SUBSTITUTION=on. If they belong here, say `_ignore: [clear-secrets]` at the top"
    };
    Some(Diagnostic::warning(first.clone(), message).key().help(help))
}

/// The secrets of a field, each with what it belongs to.
fn secrets(field: &Field, value: &Value, at: &NodePath, owner: &str, found: &mut Vec<(NodePath, String)>) {
    match field.kind {
        FieldKind::Secret | FieldKind::Text | FieldKind::String => {
            // The password of a cache may be empty, which those fields say of themselves.
            let holds_secrets = matches!(field.kind, FieldKind::Secret)
                || matches!(field.name, "password" | "redis_password");
            if holds_secrets && value.as_str().is_some_and(is_secret) {
                found.push((at.clone(), owner.to_owned()));
            }
        }
        FieldKind::Record(fields) => secrets_of(fields, value, at, owner, found),
        FieldKind::Map(item) => {
            for (key, value) in value.entries().filter(|(key, _)| *key != "public_key") {
                secrets(item, value, &at.key(key), owner, found);
            }
        }
        FieldKind::Array(item) | FieldKind::Set(item) => {
            for (n, value) in value.items().iter().enumerate() {
                secrets(item, value, &at.index(n), owner, found);
            }
        }
        _ => (),
    }
}

fn secrets_of(
    fields: &[Field],
    record: &Value,
    at: &NodePath,
    owner: &str,
    found: &mut Vec<(NodePath, String)>,
) {
    for field in fields {
        if let Some(value) = record.get(field.name) {
            secrets(field, value, &at.key(field.name), owner, found);
        }
    }
}

/// Whether a text of a field for secrets is one: no reference, and of addresses only those with a password.
fn is_secret(text: &str) -> bool {
    let is_reference = text.starts_with("{vault://") && text.ends_with('}');
    let is_address = text.split_once("://").is_some_and(|(_, rest)| {
        !rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
    });
    !text.is_empty() && !is_reference && !is_address
}

fn node<'a>(document: &'a Value, at: &NodePath) -> Option<&'a Value> {
    at.steps().iter().try_fold(document, |value, step| match step {
        PathStep::Key(key) => value.get(key),
        PathStep::Index(n) => value.items().get(*n),
        PathStep::Inside => None,
    })
}
