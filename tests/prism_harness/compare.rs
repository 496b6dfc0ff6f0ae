//! Whether an answer is the expected one: as Prism's harness compares, which is by gavel's rules.
//!
//! The status is equal, every expected header is there (of `content-type` and `accept*` the values count), and the
//! body is the same; by its structure where the rule is loose. Prism's problem types are told from ours by their
//! codes. XML is compared by its elements, not by what they say.

use serde_json::Value as Json;

use crate::{
    case::{Expected, Rule},
    server::Answer,
};

const PRISM: &str = "https://stoplight.io/prism/errors#";
const OURS: &str = "urn:mynah:errors#";

/// What is wrong with the answer.
pub(crate) fn compare(expected: &Expected, found: &Answer, head_only: bool) -> Result<(), String> {
    if found.status != expected.status {
        return Err(format!("status {} instead of {}", found.status, expected.status));
    }
    for (name, value) in &expected.headers {
        let Some(there) = found.header(name) else { return Err(format!("no header `{name}`")) };
        let counts = name == "content-type" || name.starts_with("accept");
        if counts && essence(there) != essence(value) {
            return Err(format!("`{name}: {there}` instead of `{value}`"));
        }
    }
    if head_only {
        return Ok(());
    }
    let (want, have) = (expected.body.replace(PRISM, OURS), found.body.trim());
    let same = if found.header("content-type").is_some_and(|value| essence(value).ends_with("xml")) {
        elements(&want) == elements(have)
    } else {
        match expected.rule {
            Rule::Exact => want == have,
            Rule::Loose => {
                parsed(&want).zip(parsed(have)).is_some_and(|(want, have)| holds(&want, &have))
                    || want.is_empty()
            }
            Rule::Keys => keys(&want).is_some() && keys(&want) == keys(have),
        }
    };
    if same { Ok(()) } else { Err(format!("the body is not\n  expected: {want}")) }
}

fn essence(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn parsed(text: &str) -> Option<Json> {
    serde_json::from_str(text).ok()
}

fn keys(text: &str) -> Option<Vec<String>> {
    Some(parsed(text)?.as_object()?.keys().cloned().collect())
}

/// Whether everything that is expected has its counterpart; values may differ, kinds of containers may not.
fn holds(want: &Json, have: &Json) -> bool {
    match (want, have) {
        (Json::Object(want), Json::Object(have)) => {
            want.iter().all(|(key, want)| have.get(key).is_some_and(|have| holds(want, have)))
        }
        (Json::Array(_), Json::Array(_)) => true,
        (Json::Object(_) | Json::Array(_), _) | (_, Json::Object(_) | Json::Array(_)) => false,
        _ => true,
    }
}

/// The names of the elements, in their order.
fn elements(text: &str) -> Vec<&str> {
    let tags = text.split('<').skip(1).filter(|tag| !tag.starts_with(['?', '!']));
    tags.map(|tag| tag.split(['>', ' ', '/']).find(|name| !name.is_empty()).unwrap_or_default()).collect()
}
