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
        for field in facts.get("shorthand_fields").and_then(Value::as_array).into_iter().flatten() {
            let (name, facts) = field.as_object().unwrap().iter().next().unwrap();
            let at: Vec<&str> = at.iter().copied().chain([name.as_str()]).collect();
            self.check_field(&at, facts.as_object().unwrap());
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

/// A record with the defaults of its schema, as decK's library fills it: a field that is missing gets its default, a
/// record is filled inside, any other field is null, and an older spelling gets the value of the newer one.
fn filled(given: &Value, schema: &Value) -> Value {
    let mut record = Map::new();
    for field in schema["fields"].as_array().unwrap() {
        let (name, facts) = field.as_object().unwrap().iter().next().unwrap();
        let value = match (given.get(name), facts["type"].as_str().unwrap()) {
            (Some(value), "record") if value.is_object() => filled(value, facts),
            (Some(value), _) => value.clone(),
            (None, "record")
                if facts.get("default").is_none() && facts.get("required") == Some(&json!(true)) =>
            {
                filled(&json!({}), facts)
            }
            (None, _) => facts.get("default").cloned().unwrap_or_default(),
        };
        record.insert(name.clone(), value);
    }
    for field in schema.get("shorthand_fields").and_then(Value::as_array).into_iter().flatten() {
        let (name, facts) = field.as_object().unwrap().iter().next().unwrap();
        let path = facts["deprecation"]["replaced_with"][0]["path"].as_array().unwrap();
        let record_value = Value::Object(record.clone());
        let value = path.iter().fold(&record_value, |value, key| &value[key.as_str().unwrap()]).clone();
        record.insert(name.clone(), value);
    }
    Value::Object(record)
}

/// Removes what the gateway generates, and sorts sets.
fn comparable(mut record: Value) -> Value {
    for generated in ["id", "created_at", "updated_at"] {
        record.as_object_mut().unwrap().remove(generated);
    }
    if let Some(protocols) = record.get_mut("protocols").and_then(Value::as_array_mut) {
        protocols.sort_by_key(ToString::to_string);
    }
    record
}

#[test]
fn a_plugin_filled_with_the_defaults_of_its_schema_is_what_the_gateway_shows() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    let enabled = gateway.admin("GET", "/plugins/enabled").json();
    let mut different = Vec::new();
    for name in enabled["enabled_plugins"].as_array().unwrap() {
        let name = name.as_str().unwrap();
        let config = match name {
            "acl" | "ip-restriction" => json!({"allow": ["10.0.0.1"]}),
            "file-log" => json!({"path": "/dev/null"}),
            "http-log" => json!({"http_endpoint": "http://127.0.0.1:9/"}),
            "mocking" => {
                json!({"api_specification": "{openapi: 3.0.3, info: {title: t, version: v}, paths: {}}"})
            }
            "proxy-cache" => json!({"strategy": "memory"}),
            "pre-function" | "post-function" => json!({"access": ["local a = 1"]}),
            "rate-limiting" => json!({"minute": 5, "redis": {"host": "r"}}),
            _ => json!({}),
        };
        let given = json!({"name": name, "config": config});
        let answer = gateway.admin_json("POST", "/plugins", given);
        assert_eq!(answer.status, 201, "{name}: {}", answer.text());
        let schema = gateway.admin("GET", &format!("/schemas/plugins/{name}")).json();
        let fields = schema["fields"].as_array().unwrap();
        let facts = &fields.iter().find(|field| field.get("config").is_some()).unwrap()["config"];
        let (expected, shown) = (filled(&config, facts), answer.json()["config"].clone());
        if expected != shown {
            different.push(format!("{name}\n  by the schema {expected}\n  shown         {shown}"));
        }
    }
    assert!(different.is_empty(), "\n{}", different.join("\n"));
}

#[test]
fn an_entity_filled_with_the_defaults_of_its_schema_is_what_the_gateway_shows() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    let mut different = Vec::new();
    for (collection, given) in [
        ("services", json!({"host": "a"})),
        ("routes", json!({"paths": ["/a"]})),
        ("consumers", json!({"username": "a"})),
        ("upstreams", json!({"name": "a"})),
        ("key_sets", json!({"name": "a"})), // its path has a hyphen
    ] {
        let schema = gateway.admin("GET", &format!("/schemas/{collection}")).json();
        let answer = gateway.admin_json("POST", &format!("/{}", collection.replace('_', "-")), given.clone());
        assert_eq!(answer.status, 201, "{collection}: {}", answer.text());
        let (expected, shown) = (comparable(filled(&given, &schema)), comparable(answer.json()));
        if expected != shown {
            different.push(format!("{collection}\n  by the schema {expected}\n  shown         {shown}"));
        }
    }
    assert!(different.is_empty(), "\n{}", different.join("\n"));
}

#[test]
fn fields_are_described() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    for (path, name) in [("/schemas/routes", "strip_path"), ("/schemas/upstreams", "algorithm")] {
        let schema = gateway.admin("GET", path).json();
        let fields = schema["fields"].as_array().unwrap();
        let field = fields.iter().find_map(|field| field.get(name)).unwrap();
        assert!(field["description"].as_str().is_some_and(|text| text.len() > 9), "{path} {field}");
    }
    let schema = gateway.admin("GET", "/schemas/plugins/rate-limiting").json();
    let config = schema["fields"].as_array().unwrap().iter().find_map(|field| field.get("config")).unwrap();
    for field in config["fields"].as_array().unwrap() {
        let (name, field) = field.as_object().unwrap().iter().next().unwrap();
        assert!(field["description"].is_string(), "{name}");
    }
}
