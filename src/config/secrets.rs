//! Warning about secrets in clear in a file: one for all of them, since a file with one secret often has many.

use super::previous_config::EntityNode;
use crate::{
    diag::{Diagnostic, plural},
    document::{NodePath, PathStep, Value},
    entity::{
        EntityRecord, certificate,
        document::{IGNORE, TRANSFORM},
        plugin,
    },
    schema::{Field, FieldKind, PluginSchemas, is_vault_reference},
    uri::split_url,
};

/// The value in `_ignore` of a file that is meant to contain secrets.
const IGNORED: &str = "clear-secrets";

/// A warning about the secrets that a document contains as they are. `written` returns the document with its variables, if
/// that is known; it is called only if there are secrets.
pub(super) fn warn_of_clear_secrets(
    document: &Value,
    records: &[EntityRecord],
    nodes: &[EntityNode],
    plugins: &dyn PluginSchemas,
    written: &dyn Fn() -> Option<Value>,
) -> Option<Diagnostic> {
    let ignored = document.get(IGNORE.name).map(Value::items).unwrap_or_default();
    if ignored.iter().any(|value| value.as_str() == Some(IGNORED)) {
        return None;
    }
    let mut found = Vec::new();
    for (record, node) in records.iter().zip(nodes) {
        let owner = record.collection();
        // Without a transformation the file contains hashes.
        let has_hashes = record.entity.hashed_fields().next().is_some();
        if has_hashes && document.get(TRANSFORM.name).and_then(Value::as_bool) == Some(false) {
            continue;
        }
        for field in record.entity.fields {
            let (Some(value), at) = (node.written.get(field.name), record.at.key(field.name)) else {
                continue;
            };
            if matches!(field.kind, FieldKind::Config) {
                let name = node.written.get(plugin::NAME.name).and_then(Value::as_str).unwrap_or_default();
                let fields = plugins.settings(name).map_or(&[][..], |settings| settings.fields);
                find_in_record(fields, value, &at, &format!("the plugin {name}"), &mut found);
            } else {
                find_in_field(field, value, &at, owner, &mut found);
            }
        }
    }
    if found.is_empty() {
        return None;
    }
    // The value of a variable is not in the text.
    let written = written()?;
    found.retain(|(at, _)| at.find(&written).is_some_and(|value| at.find(document) == Some(value)));
    let section = |(at, _): &(NodePath, String)| {
        let step = at.steps().first();
        document.entries().position(|(key, _)| matches!(step, Some(PathStep::Key(first)) if **first == *key))
    };
    found.sort_by_key(section);
    let (first, _) = found.first()?;
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for (_, owner) in &found {
        match counts.iter_mut().find(|(counted, _)| counted == owner) {
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
    let help = if counts.iter().any(|(owner, _)| *owner == certificate::ENTITY.collection) {
        "keep private keys in the environment: `{vault://env/my-key}`; other secrets come from there as \
         `${{ env \"DECK_NAME\" }}`, or as `${NAME}` with MYNAH_ENV_SUBSTITUTION=on. If they belong here, say \
         `_ignore: [clear-secrets]` at the top"
    } else {
        "have them come from the environment: `${{ env \"DECK_NAME\" }}`, or `${NAME}` with \
         MYNAH_ENV_SUBSTITUTION=on. If they belong here, say `_ignore: [clear-secrets]` at the top"
    };
    Some(Diagnostic::warning(first.clone(), message).key().help(help))
}

/// Adds the secrets in a field, each with its path and owner.
fn find_in_field(
    field: &Field,
    value: &Value,
    at: &NodePath,
    owner: &str,
    found: &mut Vec<(NodePath, String)>,
) {
    match field.kind {
        FieldKind::Secret | FieldKind::Text | FieldKind::String => {
            // The password of a cache may be empty, hence its field is no secret by kind.
            let holds_secrets = matches!(field.kind, FieldKind::Secret)
                || matches!(field.name, "password" | "redis_password");
            if holds_secrets && value.as_str().is_some_and(is_secret) {
                found.push((at.clone(), owner.to_owned()));
            }
        }
        FieldKind::Record(fields) => find_in_record(fields, value, at, owner, found),
        FieldKind::Map(item) => {
            for (key, value) in value.entries() {
                find_in_field(item, value, &at.key(key), owner, found);
            }
        }
        FieldKind::Array(item) | FieldKind::Set(item) => {
            for (n, value) in value.items().iter().enumerate() {
                find_in_field(item, value, &at.index(n), owner, found);
            }
        }
        _ => (),
    }
}

fn find_in_record(
    fields: &[Field],
    record: &Value,
    at: &NodePath,
    owner: &str,
    found: &mut Vec<(NodePath, String)>,
) {
    for field in fields {
        if let Some(value) = record.get(field.name) {
            find_in_field(field, value, &at.key(field.name), owner, found);
        }
    }
}

/// Whether a text in a field for secrets is one. A reference to a vault is not, nor is an address without a password.
fn is_secret(text: &str) -> bool {
    let is_address = split_url(text).is_some_and(|(_, authority, _)| !authority.contains('@'));
    !text.is_empty() && !is_vault_reference(text) && !is_address
}
