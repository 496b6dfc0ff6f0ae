//! Broken and odd configurations, and what a real Kong told of them: the error object, whole and flattened.

use serde::Deserialize;
use serde_json::Value;

/// A file of configurations.
#[derive(Deserialize)]
pub(crate) struct Refusals {
    /// Each with its answers.
    pub cases: Vec<Refusal>,
}

/// One configuration.
#[derive(Deserialize)]
pub(crate) struct Refusal {
    /// What it is about.
    pub name: String,
    /// Its text.
    pub yaml: String,
    post_config: Answer,
    flatten_errors: Answer,
}

#[derive(Deserialize)]
struct Answer {
    status: u16,
    json: Option<Value>,
}

impl Refusal {
    /// What is asked, and what the answer is to be.
    pub(crate) fn questions(&self) -> [(&'static str, u16, Option<&Value>); 2] {
        let (whole, flat) = (&self.post_config, &self.flatten_errors);
        [
            ("/config", whole.status, whole.json.as_ref()),
            ("/config?flatten_errors=1", flat.status, flat.json.as_ref()),
        ]
    }
}

/// What an answer differs in from the one that was recorded, if it does.
pub(crate) fn difference(expected: (u16, Option<&Value>), status: u16, told: &Value) -> Option<String> {
    if status != expected.0 {
        return Some(format!("status {status} in place of {}", expected.0));
    }
    let expected = expected.1?;
    let keys = ["code", "name", "fields", "flattened_errors"];
    let differs = |key: &&str| sorted(&told[*key]) != sorted(&expected[*key]);
    let key = keys.into_iter().find(|key| differs(key))?;
    Some(format!("{key}: {} in place of {}", told[key], expected[key]))
}

/// Lists of objects have no order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            if items.iter().all(Value::is_object) {
                items.sort_by_key(canonical);
            }
            items.into()
        }
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (key.clone(), sorted(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

fn canonical(value: &Value) -> String {
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
