//! `/schemas`: what is told of entities and plugins is what is accepted of them.

use serde_json::{Map, Value, json};

use crate::gateway::{Gateway, Setup};

/// A record, and the path that says whether it may be.
struct Record<'a> {
    gateway: &'a Gateway,
    path: String,
    base: Value,
}

impl Record<'_> {
    /// What is complained of a field that has this value.
    fn complaint(&self, at: &[&str], value: &Value) -> Option<String> {
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
            // What is said of the record around a field is not about it.
            told = told.get_mut(*name).map(Value::take).unwrap_or_default();
        }
        (!told.is_null()).then(|| told.to_string())
    }

    #[track_caller]
    fn refuses(&self, at: &[&str], value: &Value) {
        assert!(self.complaint(at, value).is_some(), "{} takes {value} at {at:?}", self.path);
    }

    #[track_caller]
    fn takes(&self, at: &[&str], value: &Value, but_for: &str) {
        let told = self.complaint(at, value).filter(|it| it.contains(but_for));
        assert_eq!(told, None, "{} refuses {value} at {at:?}", self.path);
    }

    #[track_caller]
    fn walk(&self, fields: &Value, at: &[&str]) {
        for field in fields.as_array().unwrap() {
            let (name, facts) = field.as_object().unwrap().iter().next().unwrap();
            let at: Vec<&str> = at.iter().copied().chain([name.as_str()]).collect();
            if !matches!(name.as_str(), "created_at" | "updated_at") {
                self.field(&at, facts.as_object().unwrap());
            }
        }
        let unknown: Vec<&str> = at.iter().copied().chain(["no_such_field"]).collect();
        assert_eq!(self.complaint(&unknown, &json!(1)).as_deref(), Some("\"unknown field\""), "{at:?}");
    }

    #[track_caller]
    fn field(&self, at: &[&str], facts: &Map<String, Value>) {
        let kind = facts["type"].as_str().unwrap();
        if kind != "json" {
            self.refuses(at, &other(kind));
        }
        if let Some(default) = facts.get("default") {
            self.takes(at, default, "expected");
            self.takes(at, default, "between");
            if facts.contains_key("required") {
                self.refuses(at, &Value::Null);
            }
        }
        let words = facts.get("one_of").and_then(Value::as_array).cloned().unwrap_or_default();
        let all: Vec<String> =
            words.iter().map(|it| it.as_str().map_or(it.to_string(), str::to_owned)).collect();
        for word in &words {
            self.takes(at, word, &format!("expected one of: {}", all.join(", ")));
        }
        if facts.contains_key("one_of") {
            self.refuses(at, &if kind == "string" { json!("no such word") } else { json!(-7) });
        }
        if let Some(bounds) = facts.get("between") {
            let bound = |n: usize, by: f64| json!(bounds[n].as_f64().unwrap() + by);
            self.takes(at, &bound(0, 0.0), "between");
            self.takes(at, &bound(1, 0.0), "between");
            self.refuses(at, &bound(0, -1.0));
            self.refuses(at, &bound(1, 1.0));
        }
        if facts.get("len_min") == Some(&json!(1)) {
            self.refuses(at, &json!(""));
        }
        if let Some(kind) =
            facts.get("elements").and_then(|it| it["type"].as_str()).filter(|it| *it != "json")
        {
            self.refuses(at, &json!([other(kind)]));
        }
        if let Some(fields) = facts.get("fields") {
            self.walk(fields, at);
        }
    }
}

/// A value of another kind.
fn other(kind: &str) -> Value {
    if kind == "string" { json!(5) } else { json!("x") }
}

#[test]
fn of_every_entity() {
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
        Record { gateway: &gateway, path, base }.walk(&schema["fields"], &[]);
    }
}

#[test]
fn of_every_plugin() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    let enabled = gateway.admin("GET", "/plugins/enabled").json();
    for name in enabled["enabled_plugins"].as_array().unwrap() {
        let schema = gateway.admin("GET", &format!("/schemas/plugins/{}", name.as_str().unwrap())).json();
        let fields = schema["fields"].as_array().unwrap();
        let names: Vec<&String> = fields.iter().flat_map(|it| it.as_object().unwrap().keys()).collect();
        assert!(
            names.iter().all(|it| ["config", "protocols", "consumer"].contains(&it.as_str())),
            "{name}: {names:?}"
        );
        let path = "/schemas/plugins/validate".to_owned();
        Record { gateway: &gateway, path, base: json!({"name": name}) }.walk(&schema["fields"], &[]);
    }
}

#[test]
fn what_must_not_be_missing_is_told() {
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
