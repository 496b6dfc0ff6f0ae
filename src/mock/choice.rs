//! Choice of the status code and of the example for a request.

use super::{MockOptions, MockRefusal, Profile, profile};
use crate::{
    document::Value,
    openapi::{MediaTypeBody, Operation, StatusKey},
};

/// Chooses the status code, and the index of the response for it.
///
/// A wanted code comes first. Without one, it is the lowest candidate, any candidate if `random_status_code` is set, or
/// the one of Prism.
pub(super) fn choose_status(
    operation: &Operation,
    wanted: Option<&str>,
    options: &MockOptions,
    random_below: &mut dyn FnMut(usize) -> usize,
) -> Result<(u16, usize), MockRefusal> {
    if let Some(wanted) = wanted {
        let missing = || MockRefusal::NoSuchStatus(wanted.to_owned());
        let code: u16 = wanted.trim().parse().map_err(|_| missing())?;
        let is_allowed =
            options.included_status_codes.is_empty() || options.included_status_codes.contains(&code);
        let response = response_index(operation, code).filter(|_| is_allowed && (200..=599).contains(&code));
        return response.map(|response| (code, response)).ok_or_else(missing);
    }
    if options.profile == Profile::Prism
        && options.included_status_codes.is_empty()
        && !options.random_status_code
    {
        return profile::default_status(operation).ok_or(MockRefusal::NothingIncluded(Vec::new()));
    }
    let candidates = candidates(operation, &options.included_status_codes);
    let chosen = match candidates.len() {
        0 => None,
        n if options.random_status_code => candidates.get(random_below(n)),
        _ => candidates.iter().min_by_key(|(code, _)| *code),
    };
    chosen.copied().ok_or_else(|| {
        let name = |key| match key {
            StatusKey::Code(code) => code.to_string(),
            StatusKey::Range(digit) => format!("{digit}XX"),
            StatusKey::Default => "default".to_owned(),
        };
        MockRefusal::NothingIncluded(
            operation.responses.iter().map(|response| name(response.status)).collect(),
        )
    })
}

/// The codes that may be answered: exact codes; if there are none, those of ranges; if there are none, 200 of the
/// default.
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
        // A range or the default is answered with those of the included codes that it covers.
        return included
            .iter()
            .filter_map(|code| response_index(operation, *code).map(|n| (*code, n)))
            .collect();
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

/// The index of the most specific response for a code: of exactly this code, else of its range, else the default.
fn response_index(operation: &Operation, code: u16) -> Option<usize> {
    let covering =
        operation.responses.iter().enumerate().filter(|(_, response)| response.status.covers(code));
    covering.min_by_key(|(_, response)| response.status).map(|(n, _)| n)
}

/// Chooses the first of some codes that the operation declares, by itself or by its range. If it declares none, the
/// default is used with the first code.
pub(super) fn choose_declared(operation: &Operation, codes: &[u16]) -> Option<(u16, usize)> {
    let declared = |code: &u16| {
        let n = response_index(operation, *code)?;
        let response = &operation.responses[n];
        (response.status != StatusKey::Default && response.defect.is_none()).then_some((*code, n))
    };
    codes.iter().find_map(declared).or_else(|| {
        let code = *codes.first()?;
        let n = response_index(operation, code)?;
        operation.responses[n].defect.is_none().then_some((code, n))
    })
}

/// Chooses the index of the example; `None` if the media type has no examples.
pub(super) fn choose_example(
    media: &MediaTypeBody,
    wanted: Option<&str>,
    options: &MockOptions,
    random_below: &mut dyn FnMut(usize) -> usize,
) -> Result<Option<usize>, MockRefusal> {
    let examples = &media.examples;
    if let Some(wanted) = wanted {
        let by_key = examples.iter().position(|example| example.key.as_deref() == Some(wanted));
        // In an older edition of Kong's documentation, a value inside the example names it.
        let found = by_key.or_else(|| {
            let mut matching = (0..examples.len()).filter(|n| has_name(&examples[*n].value.value, wanted));
            matching.next().filter(|_| matching.next().is_none())
        });
        return found.map(Some).ok_or_else(|| MockRefusal::NoSuchExample(wanted.to_owned()));
    }
    Ok(match examples.len() {
        0 => None,
        n if options.random_examples => Some(random_below(n)),
        _ => Some(0),
    })
}

/// Whether `name`, `title` or `id` of an example is the wanted one.
fn has_name(example: &Value, wanted: &str) -> bool {
    ["name", "title", "id"].iter().any(|key| match example.get(key) {
        Some(Value::String(text)) => &**text == wanted,
        Some(Value::Number(number)) => number.as_str() == wanted,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        document::{Dialect, read},
        mock::{Mock, MockOptions, MockRefusal, MockRequest, SampleMode},
        openapi::{LibraryLocation, lower},
    };

    const DOCUMENT: &str = "
openapi: 3.0.3
paths:
  /crates:
    get:
      responses:
        '500': {description: '', content: {application/json: {example: five}}}
        '201': {description: '', content: {application/json: {example: made}}}
        2XX: {description: '', content: {application/json: {example: range}}}
        default: {description: '', content: {application/json: {example: rest}}}
    put: {responses: {4XX: {description: '', content: {text/plain: {example: no}}}, default: {description: ''}}}
    patch: {responses: {default: {description: '', content: {text/plain: {example: any}}}}}
    delete: {responses: {}}
  /users:
    get:
      responses:
        '200':
          description: ''
          content:
            application/json:
              examples:
                Jessica: {value: {id: 10, name: Hao}}
                Ron: {value: {id: 20, name: Sasha}}
                Twin: {value: {id: 30, name: Kim}}
                Other: {value: {id: 40, name: Kim}}
";

    fn mock(options: MockOptions) -> Mock {
        let document = read(DOCUMENT, Dialect::Specification).unwrap();
        let (api, _) = lower(document.value, &LibraryLocation::alone()).unwrap();
        Mock::new(api.into(), options)
    }

    /// The answer to a request: status and body, or the refusal.
    fn answer(mock: &Mock, method: &str, path: &str, status: Option<&str>, example: Option<&str>) -> String {
        let method = method.parse().unwrap();
        let sample_mode = SampleMode::default();
        let request = MockRequest { method: &method, path, accept: None, status, example, sample_mode };
        // The random numbers are always the highest ones.
        match mock.answer(&request, &mut |below| below - 1) {
            Ok(answer) => format!("{} {}", answer.status.as_u16(), String::from_utf8_lossy(&answer.body)),
            Err(MockRefusal::NothingIncluded(defined)) => format!("nothing of {}", defined.join(" ")),
            Err(refusal) => format!("{refusal:?}"),
        }
    }

    #[track_caller]
    fn check(options: MockOptions, method: &str, status: Option<&str>, expected: &str) {
        assert_eq!(answer(&mock(options), method, "/crates", status, None), expected, "{method} {status:?}");
    }

    #[test]
    fn the_lowest_exact_code_has_priority_over_ranges_and_the_default() {
        check(MockOptions::default(), "GET", None, "201 \"made\"");
        check(MockOptions::default(), "PUT", None, "400 no");
        check(MockOptions::default(), "PATCH", None, "200 any");
        check(MockOptions::default(), "DELETE", None, "nothing of ");
    }

    #[test]
    fn a_wanted_code_gets_its_most_specific_response() {
        check(MockOptions::default(), "GET", Some("500"), "500 \"five\"");
        check(MockOptions::default(), "GET", Some("204"), "204 \"range\"");
        check(MockOptions::default(), "GET", Some("404"), "404 \"rest\"");
        for wrong in ["abc", "", "99", "100", "600", "-200", "2XX", "200.0"] {
            check(MockOptions::default(), "GET", Some(wrong), &format!("NoSuchStatus({wrong:?})"));
        }
        check(MockOptions::default(), "DELETE", Some("200"), "NoSuchStatus(\"200\")");
    }

    #[test]
    fn only_included_codes_are_answered() {
        let only =
            |codes: &[u16]| MockOptions { included_status_codes: codes.to_vec(), ..MockOptions::default() };
        check(only(&[500, 501]), "GET", None, "500 \"five\"");
        check(only(&[404, 204]), "GET", None, "204 \"range\"");
        check(only(&[404]), "PUT", None, "404 no");
        check(only(&[500]), "GET", Some("201"), "NoSuchStatus(\"201\")");
        check(only(&[200]), "DELETE", None, "nothing of ");
    }

    #[test]
    fn a_random_code_is_one_of_the_exact_ones() {
        let options = MockOptions { random_status_code: true, ..MockOptions::default() };
        check(options.clone(), "GET", None, "201 \"made\"");
        check(MockOptions { included_status_codes: vec![500], ..options }, "GET", None, "500 \"five\"");
    }

    #[test]
    fn examples_are_chosen_by_key_then_by_a_name_inside() {
        let first = mock(MockOptions::default());
        let random = mock(MockOptions { random_examples: true, ..MockOptions::default() });
        for (mock, wanted, expected) in [
            (&first, None, r#"200 {"id":10,"name":"Hao"}"#),
            (&first, Some("Ron"), r#"200 {"id":20,"name":"Sasha"}"#),
            (&first, Some("Sasha"), r#"200 {"id":20,"name":"Sasha"}"#),
            (&first, Some("30"), r#"200 {"id":30,"name":"Kim"}"#),
            (&first, Some("Kim"), r#"NoSuchExample("Kim")"#),
            (&first, Some("ron"), r#"NoSuchExample("ron")"#),
            (&random, None, r#"200 {"id":40,"name":"Kim"}"#),
            (&random, Some("Ron"), r#"200 {"id":20,"name":"Sasha"}"#),
        ] {
            assert_eq!(answer(mock, "GET", "/users", None, wanted), expected, "{wanted:?}");
        }
    }

    #[test]
    fn paths_begin_with_the_base_path_if_it_is_included() {
        let based = mock(MockOptions {
            include_base_path: true,
            custom_base_path: Some("/v2/".to_owned()),
            ..MockOptions::default()
        });
        for (path, expected) in
            [("/v2/users", "200"), ("/users", "NotFou"), ("/v2users", "NotFou"), ("/v2", "NotFou")]
        {
            assert!(answer(&based, "GET", path, None, None).starts_with(expected), "{path}");
        }
        assert_eq!(answer(&based, "POST", "/v2/users", None, None), "MethodNotAllowed([GET, HEAD])");
    }
}
