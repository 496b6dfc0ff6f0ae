//! References to vaults: `{vault://env/my-key}` stands for an environment variable. (Kong: "Secrets management".)

use std::sync::OnceLock;

use crate::{
    document::{Mapping, NodePath, Value},
    entity::{EntityRecord, vault},
    schema::{Field, FieldKind},
};

/// How the names of variables begin to which the vault `env` refers.
static ENV_PREFIX: OnceLock<String> = OnceLock::new();

/// Sets how the names of variables begin to which the vault `env` refers. (Kong: `vault_env_prefix`.) Later calls have no
/// effect: it is a setting of the process, like the variables themselves.
pub fn set_env_prefix(prefix: &str) {
    ENV_PREFIX.get_or_init(|| prefix.to_owned());
}

/// The vaults of a configuration: the prefix of each, and the beginning of the names of its variables.
#[derive(PartialEq, Eq)]
pub(super) struct VaultPrefixes(Vec<(String, String)>);

impl VaultPrefixes {
    /// The vaults among records, and `env`, which is always there.
    pub(super) fn new(records: &[EntityRecord]) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let all = records.iter().filter(|record| record.entity == &vault::ENTITY).map(|record| {
            let config = record.value.get(vault::CONFIG.name);
            let variables = config.and_then(|config| config.get(vault::VARIABLE_PREFIX.name));
            (text(record.value.get(vault::PREFIX.name)), text(variables))
        });
        Self(all.chain([("env".to_owned(), ENV_PREFIX.get().cloned().unwrap_or_default())]).collect())
    }

    /// The text itself, or the value that it refers to; `None` if there is no such value.
    pub(super) fn resolve(&self, text: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
        let Some(reference) = text.strip_prefix("{vault://").and_then(|rest| rest.strip_suffix('}')) else {
            return Some(text.to_owned());
        };
        let (reference, version) = reference.split_once('#').unwrap_or((reference, "1"));
        let (place, query) = reference.split_once('?').unwrap_or((reference, ""));
        let mut parts = place.splitn(3, '/');
        let (vault, resource, member) = (parts.next()?, parts.next()?, parts.next());
        let (_, prefix) = self.0.iter().find(|(name, _)| name == vault)?;
        let prefix = query.split('&').find_map(|argument| argument.strip_prefix("prefix=")).unwrap_or(prefix);
        let suffix = if version == "2" { "_PREVIOUS" } else { "" };
        let name = format!("{prefix}{resource}{suffix}").to_uppercase().replace('-', "_");
        let value = variable(&name)?;
        let Some(member) = member else { return Some(value) };
        let parsed: serde_json::Value = serde_json::from_str(&value).ok()?;
        parsed.get(member)?.as_str().map(str::to_owned)
    }
}

/// Settings in which `resolve` has replaced each reference, given with its path; `None` if there are no references.
pub(super) fn resolve_settings(
    fields: &[Field],
    settings: &Value,
    at: &NodePath,
    resolve: &mut dyn FnMut(&str, &NodePath) -> String,
) -> Option<Value> {
    let known = fields.iter().map(|field| (field.name, field));
    resolve_members(&mut { known }, settings.as_mapping()?, at, resolve)
}

fn resolve_members<'a>(
    fields: &mut dyn Iterator<Item = (&'a str, &'a Field)>,
    mapping: &Mapping,
    at: &NodePath,
    resolve: &mut dyn FnMut(&str, &NodePath) -> String,
) -> Option<Value> {
    let mut resolved: Option<Mapping> = None;
    for (name, field) in fields.filter(|(_, field)| can_refer(field)) {
        let Some(value) = mapping.get(name) else { continue };
        let at = at.key(name);
        let found = match (field.kind, value) {
            (_, Value::String(text)) if field.is_reference(value) => Some(resolve(text, &at).into()),
            (FieldKind::Record(fields), _) => resolve_settings(fields, value, &at, resolve),
            (FieldKind::Map(item), Value::Mapping(all)) => {
                resolve_members(&mut all.keys().map(|key| (key, item)), all, &at, resolve)
            }
            _ => None,
        };
        if let Some(found) = found {
            resolved.get_or_insert_with(|| mapping.clone()).insert(name, found);
        }
    }
    resolved.map(Value::from)
}

/// Whether values of a field can contain references.
fn can_refer(field: &Field) -> bool {
    field.referenceable
        || match field.kind {
            FieldKind::Record(fields) => fields.iter().any(can_refer),
            FieldKind::Map(item) => can_refer(item),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Dialect, read};

    #[test]
    fn references_in_settings_are_replaced_by_their_values() {
        const REDIS: &[Field] =
            &[Field::new("host", FieldKind::String), Field::new("password", FieldKind::Text).referenceable()];
        const FIELDS: &[Field] = &[
            Field::new("redis", FieldKind::Record(REDIS)),
            Field::new("headers", FieldKind::Map(&Field::item(FieldKind::String).referenceable())),
        ];
        let text = r#"{"redis":{"host":"{vault://env/a}","password":"{vault://env/b}"},"headers":{"x":"{vault://env/c}","y":"d"}}"#;
        let settings = read(text, Dialect::Kong).unwrap().value;
        let mut seen = Vec::new();
        let resolved =
            resolve_settings(FIELDS, &settings, &NodePath::root().key("config"), &mut |text, at| {
                seen.push(format!("{at} {text}"));
                text.to_uppercase()
            });
        assert_eq!(
            resolved.unwrap().to_json(),
            r#"{"redis":{"host":"{vault://env/a}","password":"{VAULT://ENV/B}"},"headers":{"x":"{VAULT://ENV/C}","y":"d"}}"#
        );
        assert_eq!(seen, ["config.redis.password {vault://env/b}", "config.headers.x {vault://env/c}"]);
        let plain = read(r#"{"redis":{"password":"p"}}"#, Dialect::Kong).unwrap().value;
        assert!(resolve_settings(FIELDS, &plain, &NodePath::root(), &mut |_, _| unreachable!()).is_none());
    }

    #[test]
    fn references_name_variables() {
        let vaults = VaultPrefixes(vec![("mine".into(), "SSL_".into()), ("env".into(), String::new())]);
        let variable = |name: &str| match name {
            "MY_SECRET" => Some("a".to_owned()),
            "MY_SECRET_PREVIOUS" => Some("b".to_owned()),
            "SSL_KEY" => Some("{\"pem\":\"c\"}".to_owned()),
            _ => None,
        };
        for (text, expected) in [
            ("plain", Some("plain")),
            ("{vault://env/my-secret}", Some("a")),
            ("{vault://env/my-secret#2}", Some("b")),
            ("{vault://mine/key/pem}", Some("c")),
            ("{vault://env/key/pem?prefix=ssl_}", Some("c")),
            ("{vault://mine/key/other}", None),
            ("{vault://nowhere/x}", None),
            ("{vault://env/unset}", None),
        ] {
            assert_eq!(vaults.resolve(text, variable).as_deref(), expected, "{text}");
        }
    }
}
