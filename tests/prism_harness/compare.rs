//! Comparison of a response with the expected one, by the rules of Prism's harness, which are gavel's.
//!
//! The status is equal, every expected header is present (the values of `content-type` and `accept*` are compared), and
//! the body is equal, or has the same structure if the rule is loose. Prism's problem types count as ours with the same
//! code. XML is compared by the names of its elements.

use serde_json::Value as Json;

use crate::{
    case::{Expected, Rule},
    server::Response,
};

const PRISM: &str = "https://stoplight.io/prism/errors#";
const OURS: &str = "urn:mynah:errors#";

/// Compares a response with the expected one; the error is the first difference.
pub(crate) fn compare(expected: &Expected, found: &Response, head_only: bool) -> Result<(), String> {
    if found.status != expected.status {
        return Err(format!("status {} instead of {}", found.status, expected.status));
    }
    for (name, value) in &expected.headers {
        let Some(actual) = found.header(name) else { return Err(format!("no header `{name}`")) };
        let compares_value = name == "content-type" || name.starts_with("accept");
        if compares_value && essence(actual) != essence(value) {
            return Err(format!("`{name}: {actual}` instead of `{value}`"));
        }
    }
    if head_only {
        return Ok(());
    }
    let (expected_body, actual_body) = (expected.body.replace(PRISM, OURS), found.body.trim());
    let is_equal = if found.header("content-type").is_some_and(|value| essence(value).ends_with("xml")) {
        elements(&expected_body) == elements(actual_body)
    } else {
        match expected.rule {
            Rule::Exact => expected_body == actual_body,
            Rule::Loose => {
                expected_body.is_empty()
                    || parse(&expected_body)
                        .zip(parse(actual_body))
                        .is_some_and(|(expected, actual)| has_structure(&expected, &actual))
            }
            Rule::Keys => keys(&expected_body).is_some() && keys(&expected_body) == keys(actual_body),
        }
    };
    if is_equal { Ok(()) } else { Err(format!("the body is not\n  expected: {expected_body}")) }
}

fn essence(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn parse(text: &str) -> Option<Json> {
    serde_json::from_str(text).ok()
}

fn keys(text: &str) -> Option<Vec<String>> {
    Some(parse(text)?.as_object()?.keys().cloned().collect())
}

/// Whether a value has all expected members; scalars may differ, kinds of containers may not.
fn has_structure(expected: &Json, actual: &Json) -> bool {
    match (expected, actual) {
        (Json::Object(expected), Json::Object(actual)) => {
            expected.iter().all(|(key, member)| actual.get(key).is_some_and(|own| has_structure(member, own)))
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
