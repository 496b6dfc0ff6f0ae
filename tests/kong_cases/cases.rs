//! Files of cases: requests, and the recorded responses of Kong.

use regex::Regex;
use serde_json::{Map, Value};

use crate::connection::Answer;

/// Header fields that must not occur unless a case expects them; a file may name others.
const TRACKED: &str = "^(access-control-.*|vary|location|allow|www-authenticate|retry-after|ratelimit-.*|x-ratelimit-.*|x-kong-.*)$";

/// Fields of which only the presence was recorded.
const PRESENCE_ONLY: &[&str] =
    &["server", "via", "date", "x-kong-request-id", "content-length", "ratelimit-reset", "retry-after"];

/// Placeholders in recorded values for parts that differ between runs.
const VOLATILE: &[&str] = &["<ms>", "<id>", "<date>"];

/// Members of JSON bodies that differ between runs.
const VARYING: &[&str] = &["request_id", "kong", "created_at", "updated_at"];

/// All cases of a file.
pub(crate) struct Recorded {
    tracked: Regex,
    pub(crate) sets: Vec<Set>,
}

/// Cases for one configuration.
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) config: Value,
    pub(crate) cases: Vec<Case>,
}

/// One request and its recorded response.
pub(crate) struct Case {
    pub(crate) name: String,
    /// The request, one character per byte.
    pub(crate) raw: String,
    pub(crate) tls: bool,
    /// The server name that the client sends in TLS.
    pub(crate) sni: Option<String>,
    expect: Value,
}

impl Recorded {
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        let file: Value = serde_json::from_str(text).unwrap();
        assert_eq!(file["format"], "kong-cases/1");
        let tracked = Regex::new(file["track"].as_str().unwrap_or(TRACKED)).unwrap();
        Self { tracked, sets: items(&file["sets"]).iter().map(Set::new).collect() }
    }

    /// The differences between a response and the recorded one.
    pub(crate) fn differences(&self, case: &Case, answer: &Result<Answer, String>) -> Vec<String> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return vec![format!("no answer: {error}")],
        };
        let expect = &case.expect;
        let mut found = Vec::new();
        if expect["status"] != answer.status {
            found.push(format!("status {}, expected {}", answer.status, expect["status"]));
        }
        if let Some(route) = expect.get("route") {
            let chosen = answer.values("x-route").first().map_or(Value::Null, |route| Value::from(*route));
            if chosen != *route {
                found.push(format!("route {chosen}, expected {route}"));
            }
        }
        if let Some(headers) = expect["headers"].as_object() {
            self.compare_headers(headers, answer, &mut found);
        }
        compare_body(expect, answer, &mut found);
        if let Some(upstream) = expect.get("upstream") {
            compare_upstream(upstream, answer, &mut found);
        }
        found
    }

    fn compare_headers(&self, expected: &Map<String, Value>, answer: &Answer, found: &mut Vec<String>) {
        for (name, values) in expected {
            let mut want: Vec<&str> = items(values).iter().filter_map(Value::as_str).collect();
            let mut have = answer.values(name);
            let volatile = want.iter().any(|value| VOLATILE.contains(value));
            if have.is_empty() {
                found.push(format!("{name} is missing, expected {want:?}"));
            } else if !volatile && !PRESENCE_ONLY.contains(&name.as_str()) {
                want.sort_unstable();
                have.sort_unstable();
                if want != have {
                    found.push(format!("{name} {have:?}, expected {want:?}"));
                }
            }
        }
        for (name, value) in &answer.headers {
            if self.tracked.is_match(name) && !expected.contains_key(name) {
                found.push(format!("{name}: {value}, expected none"));
            }
        }
    }
}

impl Set {
    fn new(set: &Value) -> Self {
        let cases = items(&set["cases"]).iter().map(|case| Case {
            name: case["name"].as_str().unwrap().to_owned(),
            raw: case["request"]["raw"].as_str().unwrap().to_owned(),
            tls: case["request"]["tls"].as_bool().unwrap_or_default(),
            sni: case["request"]["sni"].as_str().map(str::to_owned),
            expect: case["expect"].clone(),
        });
        let name = set["name"].as_str().unwrap().to_owned();
        Self { name, config: set["config"].clone(), cases: cases.collect() }
    }
}

fn compare_body(expect: &Value, answer: &Answer, found: &mut Vec<String>) {
    if let Some(expected) = expect.get("body_json") {
        match serde_json::from_str(&answer.body) {
            Ok(body) if scrub(&body) == scrub(expected) => (),
            _ => found.push(format!("body {:?}, expected {expected}", answer.body)),
        }
    } else if let Some(expected) = expect["body_text"].as_str()
        && expected != answer.body
    {
        found.push(format!("body {:?}, expected {expected:?}", answer.body));
    }
}

fn compare_upstream(expected: &Value, answer: &Answer, found: &mut Vec<String>) {
    let Ok(seen) = serde_json::from_str::<Value>(&answer.body) else {
        found.push("the upstream was not reached".to_owned());
        return;
    };
    let line = &expected["line"];
    if !line.is_null() && seen["request_line"] != *line {
        found.push(format!("the upstream saw {}, expected {line}", seen["request_line"]));
    }
    for (name, value) in expected["headers"].as_object().into_iter().flatten() {
        let fields = items(&seen["headers"]).iter().rev();
        let mut fields =
            fields.filter(|value| value[0].as_str().is_some_and(|value| value.eq_ignore_ascii_case(name)));
        let had = fields.next().map_or(&Value::Null, |field| &field[1]);
        if had != value {
            found.push(format!("the upstream saw {name}: {had}, expected {value}"));
        }
    }
}

/// A body without members that vary.
fn scrub(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let one = |(key, value): (&String, &Value)| {
                let varies = VARYING.contains(&key.as_str());
                (key.clone(), if varies { Value::Null } else { scrub(value) })
            };
            Value::Object(members.iter().map(one).collect())
        }
        Value::Array(all) => all.iter().map(scrub).collect(),
        other => other.clone(),
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A value with sorted lists of objects, whose order is not compared.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            if items.iter().all(Value::is_object) {
                items.sort_by_key(canonical);
            }
            items.into()
        }
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), sorted(value))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// A text that is equal for values that differ only in the order of members.
pub(crate) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<String> =
                members.iter().map(|(key, value)| format!("{key}={}", canonical(value))).collect();
            members.sort_unstable();
            members.join(";")
        }
        other => other.to_string(),
    }
}
