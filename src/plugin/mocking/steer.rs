//! What the headers of a request ask for.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, HeaderName, header::ACCEPT};

use super::delay;

const STATUS_CODE: HeaderName = HeaderName::from_static("x-kong-mocking-status-code");
const EXAMPLE_ID: HeaderName = HeaderName::from_static("x-kong-mocking-example-id");

/// What the headers of a request ask for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Steering<'a> {
    /// `Accept`, several lines joined.
    pub(super) accept: Option<Cow<'a, str>>,
    /// The status code, as it was written.
    pub(super) status: Option<Cow<'a, str>>,
    /// The name of an example.
    pub(super) example: Option<Cow<'a, str>>,
    /// How long to wait.
    pub(super) delay: Option<Duration>,
}

impl<'a> Steering<'a> {
    /// Reads them; or says what is wrong with one of them, in the words of the answer.
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, &'static str> {
        Ok(Self {
            accept: accept(headers),
            status: text(headers, &STATUS_CODE),
            example: text(headers, &EXAMPLE_ID),
            delay: delay::asked(headers).map_err(|delay::WrongDelay| delay::WRONG)?,
        })
    }
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
    use super::{super::super::trial, *};

    #[track_caller]
    fn check(lines: &str, expected: Result<Steering<'_>, &str>) {
        let exchange = trial::request(&format!("GET /\n{lines}"));
        assert_eq!(Steering::read(&exchange.head.headers), expected, "{lines}");
    }

    #[test]
    fn kongs_headers_steer() {
        check("", Ok(Steering::default()));
        check(
            "X-Kong-Mocking-Status-Code: 201\nX-Kong-Mocking-Example-Id: Jürgen\nX-Kong-Mocking-Delay: 5",
            Ok(Steering {
                status: Some("201".into()),
                example: Some("Jürgen".into()),
                delay: Some(Duration::from_millis(5)),
                ..Steering::default()
            }),
        );
        check("X-Kong-Mocking-Delay: 1.5", Err(delay::WRONG));
    }

    #[test]
    fn several_lines_of_accept_are_one() {
        let accept = |text| Ok(Steering { accept: Some(Cow::Borrowed(text)), ..Steering::default() });
        check("Accept: text/plain", accept("text/plain"));
        check("Accept: text/plain\nAccept: */*;q=0.1", accept("text/plain,*/*;q=0.1"));
    }
}
