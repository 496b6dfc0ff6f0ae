//! References to vaults: `{vault://env/my-key}` stands for an environment variable. (Kong: "Secrets management".)

use crate::{document::Value, entity::Record};

/// The vaults of a configuration: each prefix, and what names of its variables begin with.
pub(super) struct Vaults(Vec<(String, String)>);

impl Vaults {
    /// The vaults among records, and the one that is always there.
    pub(super) fn new(records: &[Record]) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let all = records.iter().filter(|it| it.collection() == "vaults").map(|it| {
            let config = it.value.get("config");
            (text(it.value.get("prefix")), text(config.and_then(|config| config.get("prefix"))))
        });
        Self(all.chain([("env".to_owned(), String::new())]).collect())
    }

    /// What a text says: itself, or what it refers to; `None` if that is not there.
    pub(super) fn resolve(&self, text: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
        let Some(reference) = text.strip_prefix("{vault://").and_then(|rest| rest.strip_suffix('}')) else {
            return Some(text.to_owned());
        };
        let (reference, version) = reference.split_once('#').unwrap_or((reference, "1"));
        let (place, query) = reference.split_once('?').unwrap_or((reference, ""));
        let mut parts = place.splitn(3, '/');
        let (vault, resource, member) = (parts.next()?, parts.next()?, parts.next());
        let (_, prefix) = self.0.iter().find(|(name, _)| name == vault)?;
        let prefix = query.split('&').find_map(|it| it.strip_prefix("prefix=")).unwrap_or(prefix);
        let suffix = if version == "2" { "_PREVIOUS" } else { "" };
        let name = format!("{prefix}{resource}{suffix}").to_uppercase().replace('-', "_");
        let value = variable(&name)?;
        let Some(member) = member else { return Some(value) };
        let parsed: serde_json::Value = serde_json::from_str(&value).ok()?;
        parsed.get(member)?.as_str().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_name_variables() {
        let vaults = Vaults(vec![("mine".into(), "SSL_".into()), ("env".into(), String::new())]);
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
