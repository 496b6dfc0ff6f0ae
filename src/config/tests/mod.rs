//! Tests of consumers, their credentials and groups in files.

mod machines;
mod secrets;
mod upstreams;

use super::*;
use crate::schema::{HTTP_PLUGIN_PROTOCOLS, PluginSettings};

/// A registry of one plugin without settings.
struct Bare;

impl PluginSchemas for Bare {
    fn settings(&self, name: &str) -> Option<PluginSettings> {
        (name == "any").then_some(PluginSettings {
            fields: &[],
            checks: &[],
            protocols: &HTTP_PLUGIN_PROTOCOLS,
        })
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["any"]
    }

    fn is_kongs(&self, _name: &str) -> bool {
        false
    }
}

fn parse_text(text: &str) -> Result<Config, DiagnosticReport> {
    let text = format!("_format_version: \"3.0\"\n{text}");
    parse(&SourceFile::new("kong.yaml", text), DeclarativeFormat::Deck, &Bare, 1)
}

/// Checks the path and message of the only error.
#[track_caller]
fn refused(text: &str, expected: &str) {
    let report = parse_text(text).expect_err(text);
    let all: Vec<String> =
        report.diagnostics().iter().map(|error| format!("{}: {}", error.path, error.message)).collect();
    assert_eq!(all, [expected], "{text}");
}

const BOB: &str = "def4f7d3-9863-5ad2-8fa9-c949bf26f55e";

#[test]
fn nested_and_top_level_entities_are_equal() {
    let nested = "consumers: [{username: bob, custom_id: b, keyauth_credentials: [{key: k}],
        basicauth_credentials: [{username: u, password: p}], acls: [{group: g}, {group: h}]}]";
    let flat = "consumers: [{username: bob, custom_id: b}]
keyauth_credentials: [{key: k, consumer: bob}]
basicauth_credentials: [{username: u, password: p, consumer: def4f7d3-9863-5ad2-8fa9-c949bf26f55e}]
acls: [{group: g, consumer: bob}, {group: h, consumer: {id: def4f7d3-9863-5ad2-8fa9-c949bf26f55e}}]";
    let hash = crate::entity::password_hash(b"p", BOB);
    for text in [nested, flat] {
        let entities = parse_text(text).unwrap().entities;
        let [bob] = entities.consumers.as_slice() else { panic!("{text}") };
        assert_eq!(bob.id.to_string(), BOB);
        assert_eq!((bob.username.as_deref(), bob.custom_id.as_deref()), (Some("bob"), Some("b")));
        assert_eq!(bob.keys[0].key, "k");
        assert_eq!((&*bob.passwords[0].username, &*bob.passwords[0].password), ("u", &*hash));
        assert_eq!(bob.groups.iter().map(|group| &*group.name).collect::<Vec<_>>(), ["g", "h"]);
        assert_eq!(bob.keys[0].record.get("consumer").unwrap().to_json(), format!("{{\"id\":\"{BOB}\"}}"));
    }
}

#[test]
fn ids_are_kongs() {
    let text = "consumers: [{username: bob, basicauth_credentials: [{username: u, password: p}], acls: [{group: g}]}]";
    let entities = parse_text(text).unwrap().entities;
    let bob = &entities.consumers[0];
    let id = |record: &Value| record.get("id").unwrap().as_str().unwrap().to_owned();
    let expected = |collection, key: &str| crate::entity::entity_id(collection, key).to_string();
    assert_eq!(id(&bob.groups[0].record), expected("acls", &format!("acls:*:{BOB}:g")));
    let key = "basicauth_credentials:*:u";
    assert_eq!(id(&bob.passwords[0].record), expected("basicauth_credentials", key));
}

#[test]
fn a_missing_key_is_generated() {
    let key = || parse_text("consumers: [{username: bob, keyauth_credentials: [{}]}]").unwrap().entities;
    let (first, second) = (key(), key());
    let text = |entities: &Entities| entities.consumers[0].keys[0].key.clone();
    assert_eq!(text(&first).len(), 32);
    assert_ne!(text(&first), text(&second));
    // The id does not depend on the key.
    assert_eq!(first.consumers[0].keys[0].id, second.consumers[0].keys[0].id);
}

#[test]
fn plugins_are_bound_to_consumers() {
    let text = "consumers: [{username: al}, {username: bob, plugins: [{name: any}]}]
plugins: [{name: any, consumer: al}]";
    let entities = parse_text(text).unwrap().entities;
    let of: Vec<usize> = entities.plugins.iter().map(|plugin| plugin.scope.consumer.unwrap().0).collect();
    assert_eq!(of, [0, 1]);
}

#[test]
fn invalid_consumers_are_refused() {
    refused(
        "consumers: [{tags: [a]}]",
        "consumers[0]: at least one of these fields must be non-empty: 'custom_id', 'username'",
    );
    refused(
        "consumers: [{username: a}, {username: a}]",
        "consumers[1].username: uniqueness violation: 'consumers' entity with username set to 'a' already declared",
    );
    refused(
        "consumers: [{username: a, custom_id: x}, {username: b, custom_id: x}]",
        "consumers[1].custom_id: uniqueness violation: 'consumers' entity with custom_id set to 'x' already declared",
    );
    refused(
        "consumers: [{username: a, keyauth_credentials: [{key: k}, {key: k}]}]",
        "consumers[0].keyauth_credentials[1].key: uniqueness violation: 'keyauth_credentials' entity with key set to the same value already declared",
    );
    refused("acls: [{group: g}]", "acls[0].consumer: required field missing");
    refused("consumers: [{username: a}]\nacls: [{consumer: a}]", "acls[0].group: required field missing");
    refused(
        "consumers: [{username: a, basicauth_credentials: [{username: u}]}]",
        "consumers[0].basicauth_credentials[0].password: required field missing",
    );
    refused(
        "consumers: [{username: a, custom_id: c}]\nacls: [{group: g, consumer: c}]",
        "acls[0].consumer: invalid reference 'consumer: c' (no such entry in 'consumers')",
    );
}

#[test]
fn no_diagnostic_repeats_a_secret() {
    for text in [
        "consumers: [{username: a, keyauth_credentials: [{key: 31337}]}]",
        "consumers:\n- username: a\n  keyauth_credentials:\n  - key: 31337\n  - key: \"31337\"\n",
        "consumers:\n- username: a\n  keyauth_credentials:\n  - {key: \"31337\"}\n  - {key: \"31337\"}\n",
        "consumers:\n- username: a\n  basicauth_credentials:\n  - username: u\n    password: 31337\n",
        "basicauth_credentials:\n- pasword: \"31337\"\n",
        "x: y: {password: 31337",
    ] {
        let report = parse_text(text).expect_err(text);
        for text_of_report in [report.to_string(), report.to_json().to_string(), report.summary()] {
            assert!(!text_of_report.contains("31337"), "{text}: {text_of_report}");
        }
    }
}

#[test]
fn hashes_stay_without_a_transformation() {
    let text =
        "_transform: false\nconsumers: [{username: a, basicauth_credentials: [{username: u, password: p}]}]";
    assert_eq!(parse_text(text).unwrap().entities.consumers[0].passwords[0].password, "p");
}
