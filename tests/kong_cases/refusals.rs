//! Invalid configurations, and the recorded error objects of Kong, whole and flattened.

use serde::Deserialize;
use serde_json::Value;

use crate::cases::sorted;

/// A file of configurations.
#[derive(Deserialize)]
pub(crate) struct Refusals {
    /// Configurations with their recorded responses.
    pub cases: Vec<Refusal>,
}

/// One configuration.
#[derive(Deserialize)]
pub(crate) struct Refusal {
    /// Its name.
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
    /// The paths to post it to, with the recorded status and error object.
    pub(crate) fn requests(&self) -> [(&'static str, u16, Option<&Value>); 2] {
        let (whole, flat) = (&self.post_config, &self.flatten_errors);
        [
            ("/config", whole.status, whole.json.as_ref()),
            ("/config?flatten_errors=1", flat.status, flat.json.as_ref()),
        ]
    }
}

/// The difference between a response and the recorded one, if there is one.
pub(crate) fn difference(expected: (u16, Option<&Value>), status: u16, actual: &Value) -> Option<String> {
    if status != expected.0 {
        return Some(format!("status {status} in place of {}", expected.0));
    }
    let expected = expected.1?;
    let keys = ["code", "name", "fields", "flattened_errors"];
    let differs = |key: &&str| sorted(&actual[*key]) != sorted(&expected[*key]);
    let key = keys.into_iter().find(|key| differs(key))?;
    Some(format!("{key}: {} in place of {}", actual[key], expected[key]))
}
