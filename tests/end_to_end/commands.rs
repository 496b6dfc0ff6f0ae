//! Commands `mynah schema`, `mynah export` and `mynah diff`.

use mynah::document::{Dialect, read};
use serde_json::{Value, json};

use crate::gateway::{Outcome, Setup};

/// A configuration with an entity of almost every kind, in different styles.
const RICH: &str = "\
_format_version: \"3.0\"
_comment: everything at once
services:
- name: a
  url: https://a.example/base
  tags: [one, two]
  routes:
  - name: r
    hosts: [a.example]
    paths: [/r, '~/r/(?<id>[^/]+)$']
    strip_path: off
    headers: {x-version: ['1', '2']}
    plugins:
    - name: cors
      config: {origins: ['*'], max_age: 10}
  plugins:
  - name: rate-limiting
    config: {minute: 5, policy: local}
- name: b
  host: pool
  client_certificate:
routes:
- {name: top, paths: [/top], service: a, methods: [GET, POST], regex_priority: 7}
- {paths: [/nameless], service: {id: 72734e2a-702d-5711-b9ef-697178108ad8}}
plugins:
- name: request-termination
  route: top
  config: {status_code: 418, message: short and stout}
- {name: correlation-id, enabled: false}
consumers:
- username: bob
  custom_id: b-1
  keyauth_credentials: [{key: secret-of-bob}]
  basicauth_credentials: [{username: bob, password: hunter2}]
  acls: [{group: admins}]
acls:
- {group: users, consumer: bob}
upstreams:
- name: pool
  algorithm: least-connections
  healthchecks: {active: {healthy: {interval: 0}}}
  targets: [{target: 'one.example:81', weight: 5}, {target: 'two.example:82'}]
targets:
- {target: 'three.example:83', upstream: pool}
";

/// The errors of a JSON Schema validator for a document.
#[track_caller]
fn faults(setup: &Setup, text: &str) -> Vec<String> {
    let printed = setup.call(&["schema"]);
    assert_eq!((printed.code, &*printed.stderr), (Some(0), ""));
    let schema: Value = serde_json::from_str(&printed.stdout).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let document = Value::from(&read(text, Dialect::Kong).unwrap().value);
    validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_schema_accepts_valid_configurations() {
    let setup = Setup::with(RICH);
    assert_eq!(setup.call(&["check", "kong.yaml"]).code, Some(0));
    let example = std::fs::read_to_string("kong.yaml.example").unwrap();
    let json = r#"{"_format_version": "2.1", "services": [], "plugins": null}"#;
    let deck = "{_format_version: '3.0', _info: {select_tags: [a]}, _plugin_configs: {c: {origins: ['*']}}, plugins: [{name: cors, _config: c}]}";
    for text in [RICH, &example, json, deck, &exported(&setup, "kong.yaml")] {
        assert_eq!(faults(&setup, text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_schema_accepts_environment_references() {
    let text = "\
_format_version: \"3.0\"
services:
- {name: a, host: h, port: '${PORT}', retries: '$RETRIES', enabled: '${{ env \"DECK_ON\" }}', protocol: '${PROTOCOL}'}
- {name: b, host: h, protocol: wss, tls_verify: '${VERIFY:-off}', id: '${ID}', connect_timeout: '${{ env \"DECK_T\" }}'}
- {name: c, url: 'ws://h', read_timeout: '${A}${B}'}
routes:
- {name: r, service: a, protocols: [ws, wss, https], paths: ['/${NAME}'], https_redirect_status_code: '${CODE}'}
plugins:
- {name: cors, protocols: [ws], config: {max_age: '${AGE}', credentials: '${{ env \"DECK_C\" }}', methods: ['${METHOD}']}}
upstreams:
- {name: u, slots: '$SLOTS', algorithm: '${ALGORITHM}', targets: [{target: '${HOST}:80', weight: '${WEIGHT}'}]}
";
    // Editors read YAML 1.2, where this is a text.
    let yaml = text.replace("paths:", "strip_path: 'off', paths:");
    for text in [text, &yaml] {
        assert_eq!(faults(&Setup::new(), text), Vec::<String>::new(), "{text}");
    }
    for (right, wrong) in [
        ("'${PORT}'", "'8080'"),
        ("'${PORT}'", "99999"),
        ("'${{ env \"DECK_ON\" }}'", "'enabled'"),
        ("protocol: wss", "protocol: wws"),
        ("'${METHOD}'", "get"),
        ("'${ID}'", "'1'"),
    ] {
        assert!(text.contains(right), "{right}");
        assert_ne!(faults(&Setup::new(), &text.replace(right, wrong)), Vec::<String>::new(), "{wrong}");
    }
}

#[test]
fn a_lua_syntax_error_is_reported_at_its_line() {
    for name in ["pre-function", "post-function"] {
        let text = format!(
            "_format_version: \"3.0\"\nplugins:\n- name: {name}\n  config:\n    access:\n    - |\n      local a = 1\n      local b = = 2\n"
        );
        let outcome = Setup::with(&text).call(&["check", "kong.yaml"]);
        outcome.is_refusal("invalid Lua in line 2: unexpected symbol near '='");
        let printed = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(printed.contains("kong.yaml:8:7"), "{printed}");
    }
}

#[test]
fn the_schema_rejects_misspelt_fields() {
    let setup = Setup::new();
    for (wrong, right) in [
        ("strip_path", "strippath"),
        ("hosts:", "host:"),
        ("max_age", "maxage"),
        ("name: cors", "name: corps"),
        ("minute: 5", "minute: five"),
        ("url: https", "ulr: https"),
        ("consumer: bob", "user: bob"),
        (", upstream: pool", ""),
        ("least-connections", "fewest-connections"),
        ("weight: 5", "weight: 65536"),
        ("status_code: 418", "status_code: 1000"),
        ("services:", "servics:"),
        ("\"3.0\"", "3.0"),
        ("{key: secret-of-bob}", "{kee: secret-of-bob}"),
        ("interval: 0", "intervall: 0"),
    ] {
        assert!(RICH.contains(wrong), "{wrong}");
        assert_ne!(faults(&setup, &RICH.replace(wrong, right)), Vec::<String>::new(), "{right}");
    }
}

#[test]
fn the_example_names_the_schema_for_editors() {
    let example = std::fs::read_to_string("kong.yaml.example").unwrap();
    let first = example.lines().next().unwrap();
    assert!(first.starts_with("# yaml-language-server: $schema=kong.schema.json"), "{first}");
    assert!(example.contains("mynah schema > kong.schema.json"), "{example}");
}

#[track_caller]
fn exported(setup: &Setup, file: &str) -> String {
    let exported = setup.call(&["export", file]);
    assert_eq!((exported.code, &*exported.stderr), (Some(0), ""), "{exported:?}");
    exported.stdout
}

#[test]
fn an_export_is_complete_and_can_be_loaded_again() {
    let setup = Setup::with(RICH);
    let text = exported(&setup, "kong.yaml");
    let value = Value::from(&read(&text, Dialect::Kong).unwrap().value);
    let service = &value["services"][0];
    assert_eq!(service["id"], "72734e2a-702d-5711-b9ef-697178108ad8");
    assert_eq!(
        json!([service["protocol"], service["host"], service["port"], service["path"], service["retries"]]),
        json!(["https", "a.example", 443, "/base", 5])
    );
    assert_eq!(value["routes"][0]["service"], "a");
    assert_eq!(value["routes"][0]["strip_path"], false);
    let plugin = |name: &str| {
        value["plugins"].as_array().unwrap().iter().find(|plugin| plugin["name"] == name).unwrap()
    };
    assert_eq!(plugin("cors")["route"], "r");
    assert_eq!(plugin("cors")["config"]["preflight_continue"], false);
    assert_eq!(value["targets"][0]["upstream"], "pool");
    assert_eq!(value["acls"][0]["consumer"], "bob");
    assert_eq!(value["keyauth_credentials"][0]["key"], "secret-of-bob");
    assert!(!text.contains("null") && !text.contains("_at:"), "{text}");

    let again = Setup::with(&text);
    let summary = again.call(&["check", "kong.yaml"]);
    assert!(summary.stdout.starts_with("kong.yaml: ok: 2 services, 3 routes, 4 plugins"), "{summary:?}");
    assert_eq!(exported(&again, "kong.yaml"), text);

    let json = setup.call(&["export", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&json.stdout).unwrap(), value);
    Setup::with("services: [").call(&["export"]).is_refusal("kong.yaml");
}

#[track_caller]
fn diff(before: &str, after: &str, more: &[&str]) -> Outcome {
    let setup = Setup::new().file("a.yaml", before).file("b.yaml", after);
    setup.call(&[&["diff", "a.yaml", "b.yaml"], more].concat())
}

#[test]
fn equivalent_configurations_do_not_differ() {
    let exported = exported(&Setup::with(RICH), "kong.yaml");
    let otherwise = RICH
        .replace("tags: [one, two]", "tags: [two, one, one]\n  port: 443\n  retries: 5.0\n  # nothing")
        .replace("methods: [GET, POST]", "methods: [POST, GET]")
        .replace("service: a", "service: {id: 72734e2a-702d-5711-b9ef-697178108ad8}")
        .replace("max_age: 10", "max_age: 10.0, credentials: no");
    for other in [RICH, &exported, &otherwise] {
        let same = diff(RICH, other, &[]);
        assert_eq!((same.code, &*same.stdout, &*same.stderr), (Some(0), "", ""), "{other}");
    }
    let same = diff(RICH, &otherwise, &["--format", "json"]);
    assert_eq!((same.code, &*same.stdout), (Some(0), "[]\n"));
}

#[test]
fn differences_are_listed_by_field() {
    let other = RICH
        .replace("name: top", "name: new")
        .replace("route: top", "route: new")
        .replace("max_age: 10", "max_age: 20")
        .replace("paths: [/r, ", "paths: [/s, ")
        .replace("- {target: 'three.example:83', upstream: pool}", "  []")
        .replace("{interval: 0}", "{interval: 3}")
        .replace("secret-of-bob", "another-of-bob");
    let changed = diff(RICH, &other, &[]);
    assert_eq!(changed.code, Some(1));
    insta::assert_snapshot!(changed.stdout);
    let machine = diff(RICH, &other, &["--format", "json"]);
    assert_eq!(machine.code, Some(1));
    let all: Value = serde_json::from_str(&machine.stdout).unwrap();
    let cors = all.as_array().unwrap().iter().find(|plugin| plugin["name"] == "cors (route r)").unwrap();
    let fields = json!([{"field": "config.max_age", "before": 10, "after": 20}]);
    assert_eq!(
        *cors,
        json!({"change": "changed", "entity": "plugins", "name": "cors (route r)", "fields": fields})
    );
    assert!(!machine.stdout.contains("of-bob"), "{}", machine.stdout);
}

#[test]
fn a_changed_name_under_the_same_id_is_a_change() {
    let service = |name: &str| {
        format!(
            "_format_version: \"3.0\"\nservices:\n- {{id: 72734e2a-702d-5711-b9ef-697178108ad8, name: {name}, host: h}}\n"
        )
    };
    let renamed = diff(&service("a"), &service("b"), &[]);
    assert_eq!((renamed.code, &*renamed.stdout), (Some(1), "~ services a\n    name: \"a\" -> \"b\"\n"));
}

#[test]
fn an_invalid_configuration_cannot_be_compared() {
    let trouble = diff("services: [", RICH, &[]);
    assert_eq!((trouble.code, &*trouble.stdout), (Some(2), ""));
    assert!(trouble.stderr.contains("a.yaml:1:"), "{}", trouble.stderr);
}
