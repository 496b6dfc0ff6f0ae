//! Broken and odd configurations, and what a real Kong told of them: the error object, whole and flattened.

use serde::Deserialize;
use serde_json::Value;

use crate::cases::sorted;

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
