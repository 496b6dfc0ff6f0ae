//! `/schemas`: the published schemas agree with the validation of entities and plugins.

use serde_json::{Map, Value, json};

use crate::gateway::{Gateway, Setup};

/// A record, and the path that validates it.
struct Record<'a> {
    gateway: &'a Gateway,
    path: String,
    base: Value,
}

impl Record<'_> {
    /// The message for a field that has this value.
    fn message_for(&self, at: &[&str], value: &Value) -> Option<String> {
        let mut body = self.base.clone();
        let mut place = &mut body;
        for name in at {
            if !place[*name].is_object() && Some(name) != at.last() {
                place[*name] = json!({});
            }
            place = &mut place[*name];
        }
        *place = value.clone();
        let mut told = self.gateway.admin_json("POST", &self.path, body).json()["fields"].take();
        for name in at {
            // Messages about the record around a field are not about the field.
            told = told.get_mut(*name).map(Value::take).unwrap_or_default();
        }
        (!told.is_null()).then(|| told.to_string())
    }

    #[track_caller]
    fn assert_refused(&self, at: &[&str], value: &Value) {
        assert!(self.message_for(at, value).is_some(), "{} takes {value} at {at:?}", self.path);
    }

    #[track_caller]
    fn assert_accepted(&self, at: &[&str], value: &Value, unexpected: &str) {
        let message = self.message_for(at, value).filter(|text| text.contains(unexpected));
        assert_eq!(message, None, "{} refuses {value} at {at:?}", self.path);
    }

    #[track_caller]
    fn check_fields(&self, fields: &Value, at: &[&str]) {
        for field in fields.as_array().unwrap() {
            let (name, facts) = field.as_object().unwrap().iter().next().unwrap();
            let at: Vec<&str> = at.iter().copied().chain([name.as_str()]).collect();
            if !matches!(name.as_str(), "created_at" | "updated_at") {
                self.check_field(&at, facts.as_object().unwrap());
            }
        }
        let unknown: Vec<&str> = at.iter().copied().chain(["no_such_field"]).collect();
        assert_eq!(self.message_for(&unknown, &json!(1)).as_deref(), Some("\"unknown field\""), "{at:?}");
    }

    #[track_caller]
    fn check_field(&self, at: &[&str], facts: &Map<String, Value>) {
        let kind = facts["type"].as_str().unwrap();
        if kind != "json" {
            self.assert_refused(at, &other(kind));
        }
        if let Some(default) = facts.get("default") {
            self.assert_accepted(at, default, "expected");
            self.assert_accepted(at, default, "between");
            if facts.contains_key("required") {
                self.assert_refused(at, &Value::Null);
            }
        }
        let words = facts.get("one_of").and_then(Value::as_array).cloned().unwrap_or_default();
        let all: Vec<String> =
            words.iter().map(|word| word.as_str().map_or(word.to_string(), str::to_owned)).collect();
        for word in &words {
            self.assert_accepted(at, word, &format!("expected one of: {}", all.join(", ")));
        }
        if facts.contains_key("one_of") {
            self.assert_refused(at, &if kind == "string" { json!("no such word") } else { json!(-7) });
        }
        if let Some(bounds) = facts.get("between") {
            let bound = |n: usize, by: f64| json!(bounds[n].as_f64().unwrap() + by);
            self.assert_accepted(at, &bound(0, 0.0), "between");
            self.assert_accepted(at, &bound(1, 0.0), "between");
            self.assert_refused(at, &bound(0, -1.0));
            self.assert_refused(at, &bound(1, 1.0));
        }
        if facts.get("len_min") == Some(&json!(1)) {
            self.assert_refused(at, &json!(""));
        }
        if let Some(kind) = facts
            .get("elements")
            .and_then(|elements| elements["type"].as_str())
            .filter(|kind| *kind != "json")
        {
            self.assert_refused(at, &json!([other(kind)]));
        }
        if let Some(fields) = facts.get("fields") {
            self.check_fields(fields, at);
        }
    }
}

/// A value of another type.
fn other(kind: &str) -> Value {
    if kind == "string" { json!(5) } else { json!("x") }
}

#[test]
fn schemas_of_entities_agree_with_validation() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    for (entity, base) in [
        ("services", json!({"host": "a"})),
        ("routes", json!({"paths": ["/a"]})),
        ("consumers", json!({"username": "a"})),
        ("upstreams", json!({"name": "a"})),
        ("targets", json!({"target": "a:1"})),
        ("certificates", json!({})),
        ("snis", json!({"name": "a.example"})),
        ("ca_certificates", json!({})),
        ("vaults", json!({"name": "env", "prefix": "abc"})),
        ("key_sets", json!({"name": "a"})),
        ("keys", json!({"kid": "1"})),
        ("keyauth_credentials", json!({})),
        ("basicauth_credentials", json!({"username": "a", "password": "b"})),
        ("acls", json!({"group": "a"})),
        ("jwt_secrets", json!({})),
        ("hmacauth_credentials", json!({"username": "a"})),
        ("oauth2_credentials", json!({"name": "a"})),
        ("plugins", json!({"name": "cors"})),
    ] {
        let schema = gateway.admin("GET", &format!("/schemas/{entity}")).json();
        let path = format!("/schemas/{entity}/validate");
        Record { gateway: &gateway, path, base }.check_fields(&schema["fields"], &[]);
    }
}

#[test]
fn schemas_of_plugins_agree_with_validation() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    let enabled = gateway.admin("GET", "/plugins/enabled").json();
    for name in enabled["enabled_plugins"].as_array().unwrap() {
        let schema = gateway.admin("GET", &format!("/schemas/plugins/{}", name.as_str().unwrap())).json();
        let fields = schema["fields"].as_array().unwrap();
        let names: Vec<&String> = fields.iter().flat_map(|field| field.as_object().unwrap().keys()).collect();
        assert!(
            names.iter().all(|name| ["config", "protocols", "consumer"].contains(&name.as_str())),
            "{name}: {names:?}"
        );
        let path = "/schemas/plugins/validate".to_owned();
        Record { gateway: &gateway, path, base: json!({"name": name}) }.check_fields(&schema["fields"], &[]);
    }
}

#[test]
fn groups_of_required_fields_are_listed() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    for (path, check) in [
        (
            "plugins/mocking",
            json!({"at_least_one_of": ["config.api_specification", "config.api_specification_filename"]}),
        ),
        ("plugins/acl", json!({"only_one_of": ["config.allow", "config.deny"]})),
        ("plugins/ip-restriction", json!({"at_least_one_of": ["config.allow", "config.deny"]})),
        ("consumers", json!({"at_least_one_of": ["custom_id", "username"]})),
        (
            "services",
            json!({"conditional": {
            "if_field": "protocol", "if_match": {"one_of": ["tcp", "tls", "udp", "grpc", "grpcs"]},
            "then_field": "path", "then_match": {"eq": null}}}),
        ),
        (
            "upstreams",
            json!({"conditional": {
            "if_field": "hash_on", "if_match": {"one_of": ["header"]},
            "then_field": "hash_on_header", "then_match": {"required": true}}}),
        ),
    ] {
        let schema = gateway.admin("GET", &format!("/schemas/{path}")).json();
        assert!(
            schema["entity_checks"].as_array().unwrap().contains(&check),
            "{path}: {}",
            schema["entity_checks"]
        );
    }
}
