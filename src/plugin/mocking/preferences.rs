//! Preferences of a request about its mock answer, from its headers.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, HeaderName, Method, header::ACCEPT};

use super::{
    delay,
    faults::{self, RequestedFault},
    request_rng::RequestRng,
};
use crate::{
    mock::{MockRequest, SampleMode},
    openapi::sample::SamplingMode,
};

const STATUS_CODE: HeaderName = HeaderName::from_static("x-kong-mocking-status-code");
const EXAMPLE_ID: HeaderName = HeaderName::from_static("x-kong-mocking-example-id");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const SEED: HeaderName = HeaderName::from_static("x-mynah-mocking-seed");
const EXPLAIN: HeaderName = HeaderName::from_static("x-mynah-explain");

/// The message about an invalid seed.
const INVALID_SEED_MESSAGE: &str = "Invalid value for X-Mynah-Mocking-Seed. The seed should be a whole number between 0 and 18446744073709551615";

/// Preferences of a request.
#[derive(Debug, Default, PartialEq)]
pub(super) struct MockPreferences<'a> {
    /// `Accept`, with several fields joined.
    pub(super) accept: Option<Cow<'a, str>>,
    /// The status code, as written.
    pub(super) status: Option<Cow<'a, str>>,
    /// The name of an example.
    pub(super) example: Option<Cow<'a, str>>,
    /// The delay.
    pub(super) delay: Option<Duration>,
    /// The seed of all random choices.
    pub(super) seed: Option<u64>,
    /// The fault, or that there is none, whatever the rates are.
    pub(super) fault: Option<RequestedFault>,
    /// The preference `dynamic`.
    pub(super) dynamic: Option<bool>,
    /// Whether new samples are generated instead of using examples.
    pub(super) skip_examples: bool,
    /// Whether the response names the source of the answer.
    pub(super) explain: bool,
}

impl<'a> MockPreferences<'a> {
    /// Reads the preferences.
    ///
    /// # Errors
    /// The message about an invalid header, for the response.
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, &'static str> {
        let prefer = PreferHeader::read(headers);
        Ok(Self {
            accept: accept(headers),
            status: text(headers, &STATUS_CODE).or(prefer.code),
            example: text(headers, &EXAMPLE_ID).or(prefer.example),
            delay: delay::requested_delay(headers)
                .map_err(|delay::InvalidDelay| delay::INVALID_DELAY_MESSAGE)?,
            seed: seed(headers)?,
            fault: faults::requested_fault(headers)?,
            dynamic: prefer.dynamic,
            skip_examples: prefer.dynamic == Some(true),
            explain: headers.get(EXPLAIN).is_some_and(|value| matches!(value.as_bytes(), b"1" | b"true")),
        })
    }

    /// Whether the request selects an answer of the document, which the state then does not replace.
    pub(super) const fn selects_answer(&self) -> bool {
        self.status.is_some() || self.example.is_some() || self.skip_examples
    }

    /// The request with its preferences, for the choice of an answer.
    pub(super) fn mock_request<'b>(
        &'b self,
        method: &'b Method,
        path: &'b str,
        sample_mode: SampleMode,
    ) -> MockRequest<'b> {
        MockRequest {
            method,
            path,
            accept: self.accept.as_deref(),
            status: self.status.as_deref(),
            example: self.example.as_deref(),
            sample_mode,
        }
    }

    /// The mode of samples, given the seed of the settings.
    pub(super) fn sample_mode(&self, configured: Option<u64>, rng: &mut RequestRng<'_>) -> SampleMode {
        let mode = match (self.seed, self.skip_examples) {
            (Some(seed), _) => SamplingMode::Seeded(seed),
            (None, true) => SamplingMode::Seeded(rng.bits()),
            (None, false) => configured.map_or(SamplingMode::Stable, SamplingMode::Seeded),
        };
        SampleMode { mode, skip_examples: self.skip_examples, ..SampleMode::default() }
    }
}

/// Preferences of the header `Prefer`. (RFC 7240; the names are those of Prism.)
#[derive(Default)]
struct PreferHeader<'a> {
    code: Option<Cow<'a, str>>,
    example: Option<Cow<'a, str>>,
    dynamic: Option<bool>,
}

impl<'a> PreferHeader<'a> {
    fn read(headers: &'a HeaderMap) -> Self {
        let mut all = Self::default();
        for line in headers.get_all(PREFER) {
            let Ok(line) = std::str::from_utf8(line.as_bytes()) else { continue };
            for part in split_preferences(line) {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                let (name, value) = (name.trim(), unquote(value.trim()));
                // The first of several is used. (RFC 7240, section 2)
                match name.to_ascii_lowercase().as_str() {
                    "code" if all.code.is_none() => all.code = Some(value),
                    "example" if all.example.is_none() => all.example = Some(value),
                    "dynamic" if all.dynamic.is_none() => {
                        all.dynamic = Some(value.eq_ignore_ascii_case("true"));
                    }
                    _ => (),
                }
            }
        }
        all
    }
}

/// Splits a field into preferences and their parameters, at commas and semicolons outside quotes.
fn split_preferences(line: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(move |c: char| {
        let was_escaped = escaped;
        escaped = quoted && c == '\\' && !was_escaped;
        quoted ^= c == '"' && !was_escaped;
        !quoted && matches!(c, ',' | ';')
    })
}

/// The text of a quoted string; another text as it is. (RFC 9110, section 5.6.4)
fn unquote(value: &str) -> Cow<'_, str> {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.into();
    };
    if !inner.contains('\\') {
        return inner.into();
    }
    let mut escaped = false;
    let kept = inner.chars().filter(|c| {
        escaped = !escaped && *c == '\\';
        !escaped
    });
    kept.collect::<String>().into()
}

fn seed(headers: &HeaderMap) -> Result<Option<u64>, &'static str> {
    let Some(value) = headers.get(SEED) else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).map(Some).ok_or(INVALID_SEED_MESSAGE)
}

/// The first value of a header. Names of examples may have characters outside ASCII.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
}

fn accept(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let mut lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let first = lines.next()?;
    let rest: Vec<&str> = lines.collect();
    if rest.is_empty() {
        return Some(first.into());
    }
    Some(format!("{first},{}", rest.join(",")).into())
}

#[cfg(test)]
mod tests {
    use super::{super::super::test_support, *};

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "the table reads better without a borrow in each row")]
    fn check(lines: &str, expected: Result<MockPreferences<'_>, &str>) {
        let exchange = test_support::request(&format!("GET /\n{lines}"));
        assert_eq!(MockPreferences::read(exchange.head().fields()), expected, "{lines}");
    }

    #[test]
    fn the_headers_of_kong_are_preferences() {
        check("", Ok(MockPreferences::default()));
        check(
            "X-Kong-Mocking-Status-Code: 201\nX-Kong-Mocking-Example-Id: Jürgen\nX-Kong-Mocking-Delay: 5",
            Ok(MockPreferences {
                status: Some("201".into()),
                example: Some("Jürgen".into()),
                delay: Some(Duration::from_millis(5)),
                ..MockPreferences::default()
            }),
        );
        check("X-Kong-Mocking-Delay: 1.5", Err(delay::INVALID_DELAY_MESSAGE));
    }

    #[test]
    fn several_accept_fields_are_joined() {
        let accept =
            |text| Ok(MockPreferences { accept: Some(Cow::Borrowed(text)), ..MockPreferences::default() });
        check("Accept: text/plain", accept("text/plain"));
        check("Accept: text/plain\nAccept: */*;q=0.1", accept("text/plain,*/*;q=0.1"));
    }

    #[test]
    fn the_headers_of_kong_take_precedence_over_prefer() {
        let preferences = |status: &'static str, example: &'static str, dynamic: Option<bool>| {
            let text = |text: &'static str| Some(text).filter(|text| !text.is_empty()).map(Cow::Borrowed);
            Ok(MockPreferences {
                status: text(status),
                example: text(example),
                dynamic,
                skip_examples: dynamic == Some(true),
                ..MockPreferences::default()
            })
        };
        for (prefer, expected) in [
            ("code=404, example=cat, dynamic=true", preferences("404", "cat", Some(true))),
            ("code=404;example=cat;dynamic=false", preferences("404", "cat", Some(false))),
            ("CODE = 404", preferences("404", "", None)),
            (r#"example="a, \"b\"; c""#, preferences("", r#"a, "b"; c"#, None)),
            ("code=404, code=500", preferences("404", "", None)),
            ("code=404\nPrefer: example=cat", preferences("404", "cat", None)),
            ("respond-async, wait=10, return=minimal", preferences("", "", None)),
            ("example=\"", preferences("", "\"", None)),
            ("dynamic", preferences("", "", Some(false))),
        ] {
            check(&format!("Prefer: {prefer}"), expected);
        }
        check(
            "Prefer: code=404, example=cat\nX-Kong-Mocking-Status-Code: 201\nX-Kong-Mocking-Example-Id: Ron",
            preferences("201", "Ron", None),
        );
    }

    #[test]
    fn the_headers_of_mynah_are_preferences() {
        for seed in [0, 7, u64::MAX] {
            check(
                &format!("X-Mynah-Mocking-Seed: {seed}"),
                Ok(MockPreferences { seed: Some(seed), ..MockPreferences::default() }),
            );
        }
        for wrong in ["-1", "1.5", "abc", "18446744073709551616", "+1"] {
            check(&format!("X-Mynah-Mocking-Seed: {wrong}"), Err(INVALID_SEED_MESSAGE));
        }
        for (value, explain) in [("1", true), ("true", true), ("0", false), ("no", false)] {
            check(
                &format!("X-Mynah-Explain: {value}"),
                Ok(MockPreferences { explain, ..MockPreferences::default() }),
            );
        }
    }
}
