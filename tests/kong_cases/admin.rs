//! Requests to the Admin API without a database, and the recorded responses of Kong.
//!
//! Values that differ between runs or nodes, and CORS headers, are not compared. Schemas are compared by the facts from
//! which forms are drawn; those of mynah may have more.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{cases::sorted, connection::Answer};

/// Members that differ between runs.
const VARYING: &[&str] = &["created_at", "updated_at", "offset", "next", "request_id"];

/// Properties of a field that forms need.
const FACTS: &[&str] =
    &["type", "required", "default", "one_of", "between", "reference", "unique", "uuid", "auto", "timestamp"];

/// A file of requests for one configuration.
#[derive(Deserialize)]
pub(crate) struct AdminCases {
    pub config: Value,
    pub cases: Vec<AdminCase>,
}

/// One request with its recorded response.
#[derive(Deserialize)]
pub(crate) struct AdminCase {
    /// Its name.
    pub name: String,
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    headers: Option<Map<String, Value>>,
    body: Option<Value>,
}

#[derive(Deserialize)]
struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    json: Option<Value>,
}

impl AdminCase {
    /// The request, one character per byte.
    pub(crate) fn raw(&self, host: &str) -> String {
        let Request { method, path, headers, body } = &self.request;
        let mut head = vec![
            format!("{method} {path} HTTP/1.1"),
            format!("Host: {host}"),
            "Connection: close".to_owned(),
        ];
        head.extend(
            headers.iter().flatten().map(|(name, value)| format!("{name}: {}", value.as_str().unwrap())),
        );
        let body = match body {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(json) => {
                head.push("Content-Type: application/json".to_owned());
                json.to_string()
            }
        };
        assert!(body.is_ascii(), "{body}");
        format!("{}\r\nContent-Length: {}\r\n\r\n{body}", head.join("\r\n"), body.len())
    }

    /// The differences between a response and the recorded one.
    pub(crate) fn differences(&self, answer: &Answer) -> Vec<String> {
        let expected = &self.response;
        let mut found = Vec::new();
        if answer.status != expected.status {
            found.push(format!("status {}, expected {}: {}", answer.status, expected.status, answer.body));
        }
        for name in ["content-type", "allow"] {
            let want: Vec<&str> = expected
                .headers
                .iter()
                .filter(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
                .collect();
            if answer.values(name) != want {
                found.push(format!("{name} {:?}, expected {want:?}", answer.values(name)));
            }
        }
        if let (Some(want), true) = (&expected.json, found.is_empty()) {
            let actual = serde_json::from_str(&answer.body).unwrap_or_default();
            match self.request.path.as_str() {
                "/" => compare_node(&actual, want, &mut found),
                path if path.starts_with("/schemas/") && want.get("fields").is_some_and(Value::is_array) => {
                    compare_schema("", &actual, want, &mut found);
                }
                _ if scrubbed(&actual) != scrubbed(want) => found.push(format!("{actual}, expected {want}")),
                _ => (),
            }
        }
        found
    }
}

/// Compares the members of `/` that clients read. The others are about one machine, or about parts of Kong.
fn compare_node(actual: &Value, want: &Value, found: &mut Vec<String>) {
    let mut same = |at: &str, read: fn(&Value) -> Value| {
        let (ours, theirs) = [actual, want].map(|node| node.pointer(at).map(read)).into();
        if ours != theirs {
            found.push(format!("{at} {ours:?}, expected {theirs:?}"));
        }
    };
    for at in ["/edition", "/configuration/database", "/configuration/role", "/configuration/router_flavor"] {
        same(at, Value::clone);
    }
    same("/plugins/enabled_in_cluster", sorted_texts);
    for name in ["cors", "request-termination", "correlation-id", "key-auth", "acl", "request-transformer"] {
        same(&format!("/plugins/available_on_server/{name}/priority"), Value::clone);
    }
    for at in ["/version", "/tagline", "/hostname", "/node_id", "/pids/master"] {
        same(at, |value| value.is_string().into());
    }
    for at in ["/configuration/proxy_listeners/0", "/configuration/admin_listeners/0"] {
        for key in ["ip", "port", "ssl", "listener"] {
            same(&format!("{at}/{key}"), |value| value.is_null().into());
        }
    }
}

fn sorted_texts(list: &Value) -> Value {
    let mut texts: Vec<&str> = list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    texts.sort_unstable();
    texts.into()
}

/// Compares the facts of a schema that Kong has.
fn compare_schema(at: &str, actual: &Value, want: &Value, found: &mut Vec<String>) {
    for field in want["fields"].as_array().into_iter().flatten() {
        let (name, want) = field.as_object().and_then(|members| members.iter().next()).unwrap();
        let ours = actual["fields"].as_array().into_iter().flatten().find_map(|field| field.get(name));
        match ours {
            None => found.push(format!("{at}{name} is missing")),
            Some(ours) => compare_facts(&format!("{at}{name}"), ours, want, found),
        }
    }
}

fn compare_facts(at: &str, ours: &Value, want: &Value, found: &mut Vec<String>) {
    for fact in FACTS.iter().filter(|fact| want.get(**fact).is_some_and(|value| !value.is_null())) {
        if ours[*fact] != want[*fact] {
            found.push(format!("{at}.{fact} {}, expected {}", ours[*fact], want[*fact]));
        }
    }
    for part in ["elements", "keys", "values"] {
        if let Some(want) = want.get(part) {
            compare_facts(&format!("{at}.{part}"), &ours[part], want, found);
        }
    }
    compare_schema(&format!("{at}."), ours, want, found);
}

/// A body without members that vary, and with sorted lists of objects.
fn scrubbed(value: &Value) -> Value {
    let mut value = sorted(value);
    scrub(&mut value);
    value
}

/// Removes members that vary from a body.
pub(crate) fn scrub(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|key, _| !VARYING.contains(&key.as_str()));
            members.values_mut().for_each(scrub);
        }
        Value::Array(items) => items.iter_mut().for_each(scrub),
        _ => (),
    }
}
