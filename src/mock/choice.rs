//! Which status and which example a request gets.

use super::{Options, Refusal};
use crate::{
    document::Value,
    openapi::{Media, Operation, StatusKey},
};

/// The code to answer, and the position of the response that is for it.
pub(super) fn status(
    operation: &Operation,
    wanted: Option<&str>,
    options: &Options,
    dice: &mut dyn FnMut(usize) -> usize,
) -> Result<(u16, usize), Refusal> {
    if let Some(wanted) = wanted {
        let missing = || Refusal::NoSuchStatus(wanted.to_owned());
        let code: u16 = wanted.trim().parse().map_err(|_| missing())?;
        let allowed =
            options.included_status_codes.is_empty() || options.included_status_codes.contains(&code);
        let response = position(operation, code).filter(|_| allowed && (200..=599).contains(&code));
        return response.map(|response| (code, response)).ok_or_else(missing);
    }
    let candidates = candidates(operation, &options.included_status_codes);
    let chosen = match candidates.len() {
        0 => None,
        n if options.random_status_code => candidates.get(dice(n)),
        _ => candidates.iter().min_by_key(|(code, _)| *code),
    };
    chosen.copied().ok_or_else(|| {
        let name = |key| match key {
            StatusKey::Code(code) => code.to_string(),
            StatusKey::Range(digit) => format!("{digit}XX"),
            StatusKey::Default => "default".to_owned(),
        };
        Refusal::NothingIncluded(operation.responses.iter().map(|it| name(it.status)).collect())
    })
}

/// The codes that may be answered: those that are named; only if there are none, those of ranges; then the default.
fn candidates(operation: &Operation, included: &[u16]) -> Vec<(u16, usize)> {
    let numbered = || operation.responses.iter().enumerate();
    let is_included = |code: u16| included.is_empty() || included.contains(&code);
    let named = numbered().filter_map(|(n, response)| match response.status {
        StatusKey::Code(code) if is_included(code) => Some((code, n)),
        _ => None,
    });
    let named: Vec<_> = named.collect();
    if !named.is_empty() {
        return named;
    }
    if !included.is_empty() {
        // A range or the default stands for those of the included codes that it covers.
        return included.iter().filter_map(|code| position(operation, *code).map(|n| (*code, n))).collect();
    }
    let ranges = numbered().filter_map(|(n, response)| match response.status {
        StatusKey::Range(digit) => Some((u16::from(digit) * 100, n)),
        _ => None,
    });
    let ranges: Vec<_> = ranges.collect();
    if !ranges.is_empty() {
        return ranges;
    }
    numbered().filter(|(_, response)| response.status == StatusKey::Default).map(|(n, _)| (200, n)).collect()
}

/// The response for a code: the one that names it, else its range, else the default.
fn position(operation: &Operation, code: u16) -> Option<usize> {
    let covering =
        operation.responses.iter().enumerate().filter(|(_, response)| response.status.covers(code));
    covering.min_by_key(|(_, response)| response.status).map(|(n, _)| n)
}

/// The position of the example to answer; none if there is no example.
pub(super) fn example(
    media: &Media,
    wanted: Option<&str>,
    options: &Options,
    dice: &mut dyn FnMut(usize) -> usize,
) -> Result<Option<usize>, Refusal> {
    let examples = &media.examples;
    if let Some(wanted) = wanted {
        let by_key = examples.iter().position(|example| example.key.as_deref() == Some(wanted));
        // An older edition of the documentation names an example by what it says.
        let found = by_key.or_else(|| {
            let mut saying = (0..examples.len()).filter(|n| says(&examples[*n].value.value, wanted));
            saying.next().filter(|_| saying.next().is_none())
        });
        return found.map(Some).ok_or_else(|| Refusal::NoSuchExample(wanted.to_owned()));
    }
    Ok(match examples.len() {
        0 => None,
        n if options.random_examples => Some(dice(n)),
        _ => Some(0),
    })
}

fn says(example: &Value, wanted: &str) -> bool {
    ["name", "title", "id"].iter().any(|key| match example.get(key) {
        Some(Value::String(text)) => &**text == wanted,
        Some(Value::Number(number)) => number.as_str() == wanted,
        _ => false,
    })
}
