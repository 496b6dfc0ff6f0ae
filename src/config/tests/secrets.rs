//! Tests of the warning about secrets in clear in a file.

use super::*;
use crate::schema::{Field, FieldKind, HTTP_PLUGIN_PROTOCOLS, PluginSettings};

/// A registry of one plugin, whose settings contain the password of a cache.
struct Caching;

impl PluginSchemas for Caching {
    fn settings(&self, _name: &str) -> Option<PluginSettings> {
        const CACHE: FieldKind = FieldKind::Record(&[Field::new("password", FieldKind::Text)]);
        const FIELDS: &[Field] = &[Field::new("redis", CACHE), Field::new("endpoint", FieldKind::Secret)];
        Some(PluginSettings { fields: FIELDS, checks: &[], protocols: &HTTP_PLUGIN_PROTOCOLS })
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["caching"]
    }

    fn is_kongs(&self, _name: &str) -> bool {
        false
    }
}

/// The path and message of the warning about secrets in a file, if there is one.
fn secret_warning(text: &str, format: DeclarativeFormat) -> Option<String> {
    let text = format!("_format_version: \"3.0\"\n{text}");
    let config = parse(&SourceFile::new("kong.yaml", text), format, &Caching, 1).unwrap();
    let warning = config.warnings.iter().find(|warning| warning.message.contains("in clear"))?;
    let everything = format!("{warning:?}");
    assert!(!everything.contains("hunter2"), "{everything}");
    Some(format!("{}: {}", warning.path, warning.message))
}

#[test]
fn secrets_in_clear_are_one_warning() {
    let some = |text| Some(text);
    for (text, expected) in [
        (
            "consumers: [{username: a, keyauth_credentials: [{key: hunter2}, {key: hunter21}],
              jwt_secrets: [{key: name, secret: hunter2}]}]
plugins: [{name: caching, config: {redis: {password: hunter2}, endpoint: 'http://a.example/@b'}}]",
            some(
                "consumers[0].keyauth_credentials[0].key: 4 secrets stand in clear in the configuration: \
                 2 in keyauth_credentials, 1 in jwt_secrets, 1 in the plugin caching",
            ),
        ),
        (
            "consumers: [{username: a}]\nbasicauth_credentials: [{consumer: a, username: u, password: hunter2}]",
            some(
                "basicauth_credentials[0].password: 1 secret stands in clear in the configuration: \
                 1 in basicauth_credentials",
            ),
        ),
        // Generated values, references and hashes are no secrets in clear.
        (
            "consumers: [{username: a, keyauth_credentials: [{}], hmacauth_credentials: [{username: u}]}]",
            None,
        ),
        (
            "certificates: [{cert: '{vault://env/a}', key: '{vault://env/b}'}]\nkeys: [{kid: k, pem: {public_key: '{vault://env/k}'}}]",
            None,
        ),
        (
            "_transform: false
consumers: [{username: a, basicauth_credentials: [{username: u, password: hunter2}]}]",
            None,
        ),
        // The file can declare that it is meant to contain secrets.
        ("_ignore: [clear-secrets]\nconsumers: [{username: a, keyauth_credentials: [{key: hunter2}]}]", None),
    ] {
        assert_eq!(secret_warning(text, DeclarativeFormat::Deck).as_deref(), expected, "{text}");
    }
}

#[test]
fn values_from_the_environment_are_not_in_clear() {
    let keys = |keys: &str| format!("consumers: [{{username: a, keyauth_credentials: [{keys}]}}]");
    let variable = keys("{key: '${NOT_SET:-hunter2}'}");
    assert_eq!(secret_warning(&variable, DeclarativeFormat::Environment), None);
    assert!(secret_warning(&variable, DeclarativeFormat::Deck).is_some(), "a text in this format");
    let both = keys("{key: '${NOT_SET:-hunter2}'}, {key: hunter21}");
    let told = secret_warning(&both, DeclarativeFormat::Environment).unwrap();
    assert!(told.starts_with("consumers[0].keyauth_credentials[1].key: 1 secret stands"), "{told}");
    // A configuration of `POST /config` contains all secrets, and has no reader.
    assert_eq!(secret_warning(&keys("{key: hunter2}"), DeclarativeFormat::Kong), None);
}
