//! What the headers of a request ask for.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, HeaderName, Method, header::ACCEPT};

use super::{delay, request_rng::RequestRng};
use crate::{
    mock::{MockRequest, SampleMode},
    openapi::sample::SamplingMode,
};

const STATUS_CODE: HeaderName = HeaderName::from_static("x-kong-mocking-status-code");
const EXAMPLE_ID: HeaderName = HeaderName::from_static("x-kong-mocking-example-id");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const SEED: HeaderName = HeaderName::from_static("x-mynah-mocking-seed");
const EXPLAIN: HeaderName = HeaderName::from_static("x-mynah-explain");

/// What is said of any other seed.
const WRONG_SEED: &str = "Invalid value for X-Mynah-Mocking-Seed. The seed should be a whole number between 0 and 18446744073709551615";

/// What the headers of a request ask for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct MockPreferences<'a> {
    /// `Accept`, several lines joined.
    pub(super) accept: Option<Cow<'a, str>>,
    /// The status code, as it was written.
    pub(super) status: Option<Cow<'a, str>>,
    /// The name of an example.
    pub(super) example: Option<Cow<'a, str>>,
    /// How long to wait.
    pub(super) delay: Option<Duration>,
    /// What varies everything that is left to chance.
    pub(super) seed: Option<u64>,
    /// Whether samples that are new every time are wanted, if that was said.
    pub(super) dynamic: Option<bool>,
    /// Whether examples are passed over for samples that are new every time.
    pub(super) fresh: bool,
    /// Whether the answer says where it comes from.
    pub(super) explain: bool,
}

impl<'a> MockPreferences<'a> {
    /// Reads them; or says what is wrong with one of them, in the words of the answer.
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, &'static str> {
        let prefer = PreferHeader::read(headers);
        Ok(Self {
            accept: accept(headers),
            status: text(headers, &STATUS_CODE).or(prefer.code),
            example: text(headers, &EXAMPLE_ID).or(prefer.example),
            delay: delay::asked(headers).map_err(|delay::InvalidDelay| delay::WRONG)?,
            seed: seed(headers)?,
            dynamic: prefer.dynamic,
            fresh: prefer.dynamic == Some(true),
            explain: headers.get(EXPLAIN).is_some_and(|it| matches!(it.as_bytes(), b"1" | b"true")),
        })
    }

    /// Whether it names what the document shall say, so that nothing else may.
    pub(super) const fn names_an_answer(&self) -> bool {
        self.status.is_some() || self.example.is_some() || self.fresh
    }

    /// The request, as the choice of an answer sees it.
    pub(super) fn asked<'b>(
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

    /// How samples are made, where the settings have this seed.
    pub(super) fn sample_mode(&self, configured: Option<u64>, dice: &mut RequestRng<'_>) -> SampleMode {
        let mode = match (self.seed, self.fresh) {
            (Some(seed), _) => SamplingMode::Seeded(seed),
            (None, true) => SamplingMode::Seeded(dice.bits()),
            (None, false) => configured.map_or(SamplingMode::Stable, SamplingMode::Seeded),
        };
        SampleMode { mode, skip_examples: self.fresh, ..SampleMode::default() }
    }
}

/// The preferences that steer. (RFC 7240; the names are those of Prism.)
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
            for part in parts(line) {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                let (name, value) = (name.trim(), unquoted(value.trim()));
                // The first of several counts. (RFC 7240, section 2)
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

/// Preferences and their parameters, which commas and semicolons divide outside quotes.
fn parts(line: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(move |it: char| {
        let was_escaped = escaped;
        escaped = quoted && it == '\\' && !was_escaped;
        quoted ^= it == '"' && !was_escaped;
        !quoted && matches!(it, ',' | ';')
    })
}

/// The text of a quoted string. (RFC 9110, section 5.6.4)
fn unquoted(value: &str) -> Cow<'_, str> {
    let Some(inner) = value.strip_prefix('"').and_then(|it| it.strip_suffix('"')) else {
        return value.into();
    };
    if !inner.contains('\\') {
        return inner.into();
    }
    let mut escaped = false;
    let kept = inner.chars().filter(|it| {
        escaped = !escaped && *it == '\\';
        !escaped
    });
    kept.collect::<String>().into()
}

fn seed(headers: &HeaderMap) -> Result<Option<u64>, &'static str> {
    let Some(value) = headers.get(SEED) else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|it| it.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).map(Some).ok_or(WRONG_SEED)
}

/// The first value of a header; names of examples need not be ASCII.
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
    fn kongs_headers_steer() {
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
        check("X-Kong-Mocking-Delay: 1.5", Err(delay::WRONG));
    }

    #[test]
    fn several_lines_of_accept_are_one() {
        let accept =
            |text| Ok(MockPreferences { accept: Some(Cow::Borrowed(text)), ..MockPreferences::default() });
        check("Accept: text/plain", accept("text/plain"));
        check("Accept: text/plain\nAccept: */*;q=0.1", accept("text/plain,*/*;q=0.1"));
    }

    #[test]
    fn preferences_steer_where_kongs_headers_do_not() {
        let steering = |status: &'static str, example: &'static str, dynamic: Option<bool>| {
            let text = |it: &'static str| Some(it).filter(|it| !it.is_empty()).map(Cow::Borrowed);
            Ok(MockPreferences {
                status: text(status),
                example: text(example),
                dynamic,
                fresh: dynamic == Some(true),
                ..MockPreferences::default()
            })
        };
        for (prefer, expected) in [
            ("code=404, example=cat, dynamic=true", steering("404", "cat", Some(true))),
            ("code=404;example=cat;dynamic=false", steering("404", "cat", Some(false))),
            ("CODE = 404", steering("404", "", None)),
            (r#"example="a, \"b\"; c""#, steering("", r#"a, "b"; c"#, None)),
            ("code=404, code=500", steering("404", "", None)),
            ("code=404\nPrefer: example=cat", steering("404", "cat", None)),
            ("respond-async, wait=10, return=minimal", steering("", "", None)),
            ("example=\"", steering("", "\"", None)),
            ("dynamic", steering("", "", Some(false))),
        ] {
            check(&format!("Prefer: {prefer}"), expected);
        }
        check(
            "Prefer: code=404, example=cat\nX-Kong-Mocking-Status-Code: 201\nX-Kong-Mocking-Example-Id: Ron",
            steering("201", "Ron", None),
        );
    }

    #[test]
    fn our_own_headers_steer() {
        for seed in [0, 7, u64::MAX] {
            check(
                &format!("X-Mynah-Mocking-Seed: {seed}"),
                Ok(MockPreferences { seed: Some(seed), ..MockPreferences::default() }),
            );
        }
        for wrong in ["-1", "1.5", "abc", "18446744073709551616", "+1"] {
            check(&format!("X-Mynah-Mocking-Seed: {wrong}"), Err(WRONG_SEED));
        }
        for (value, explain) in [("1", true), ("true", true), ("0", false), ("no", false)] {
            check(
                &format!("X-Mynah-Explain: {value}"),
                Ok(MockPreferences { explain, ..MockPreferences::default() }),
            );
        }
    }
}
