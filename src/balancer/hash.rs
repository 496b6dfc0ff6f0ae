//! Hash of a request for consistent hashing, and its inputs. (Kong: Upstream object, `hash_on` and `hash_fallback`.)

use std::{borrow::Cow, net::IpAddr};

use http::{HeaderMap, HeaderValue, header::COOKIE};
use uuid::Uuid;

use super::xxhash::xxh32;
use crate::entity::HashInput;

/// Parts of a request that may be hashed.
#[derive(Clone, Debug)]
pub struct HashableRequest<'a> {
    /// Id of the Consumer, or else of the credential.
    pub consumer: Option<Cow<'a, str>>,
    /// Address of the client.
    pub client: IpAddr,
    /// Header fields.
    pub headers: &'a HeaderMap,
    /// Path in normal form.
    pub path: &'a str,
    /// Query, unchanged.
    pub query: Option<&'a str>,
    /// Names and values of the capture groups of the Route's regular expression.
    pub captures: &'a [(String, String)],
}

/// Hash of a request, and the cookie that makes the client repeat it.
#[derive(Clone, Debug, Default)]
pub struct RequestHash {
    pub(super) hash: u32,
    /// Value of Set-Cookie.
    pub cookie: Option<HeaderValue>,
}

impl RequestHash {
    /// The hash of the first input that the request has; of an empty text if it has none.
    pub(super) fn of(inputs: [&HashInput; 2], request: &HashableRequest<'_>) -> Self {
        for input in inputs {
            if let Some(value) = input_value(input, request) {
                return Self { hash: xxh32(&value), cookie: None };
            }
            if let HashInput::Cookie { name, path } = input {
                let value = Uuid::new_v4().to_string();
                let cookie = format!("{name}={value}; Path={path}; SameSite=Lax; HttpOnly");
                return Self { hash: xxh32(value.as_bytes()), cookie: cookie.try_into().ok() };
            }
        }
        Self { hash: xxh32(b""), cookie: None }
    }
}

/// Value of an input; `None` if the request does not have it.
fn input_value<'a>(input: &HashInput, request: &'a HashableRequest<'_>) -> Option<Cow<'a, [u8]>> {
    let text = |text: &'a str| Cow::Borrowed(text.as_bytes());
    match input {
        HashInput::None => None,
        HashInput::Consumer => request.consumer.as_deref().map(text),
        HashInput::Ip => Some(Cow::Owned(request.client.to_canonical().to_string().into_bytes())),
        HashInput::Header(name) => {
            let all: Vec<&[u8]> = request.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            match *all {
                [] => None,
                [one] => Some(Cow::Borrowed(one)),
                _ => Some(Cow::Owned(all.join(&b", "[..]))),
            }
        }
        HashInput::Cookie { name, .. } => cookie_value(request.headers, name).map(Cow::Borrowed),
        HashInput::Path => Some(text(request.path)),
        HashInput::QueryArgument(name) => argument_values(request.query?, name),
        HashInput::UriCapture(name) => {
            let numbered = name.parse::<usize>().ok().and_then(|n| request.captures.get(n.checked_sub(1)?));
            let named = request.captures.iter().find(|(group, _)| group == name);
            named.or(numbered).map(|(_, value)| text(value)).filter(|value| !value.is_empty())
        }
    }
}

/// Value of a cookie (RFC 6265, section 4.2.1).
fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let lines = headers.get_all(COOKIE).iter();
    let mut pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.find_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// Values of a query argument, sorted and joined by commas.
fn argument_values(query: &str, name: &str) -> Option<Cow<'static, [u8]>> {
    let all = form_urlencoded::parse(query.as_bytes()).filter(|(argument, _)| argument == name);
    let mut values: Vec<String> = all.map(|(_, value)| value.into_owned()).collect();
    values.sort_unstable();
    (!values.is_empty()).then(|| Cow::Owned(values.join(",").into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("x-a", "1"), ("x-b", "1"), ("x-b", "2"), ("cookie", "a=b; s=t"), ("cookie", "u=v")]
        {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    /// Checks that a request is hashed by this value.
    #[track_caller]
    fn check(first: &HashInput, second: &HashInput, expected: &str) {
        let headers = headers();
        let captures = [("id".to_owned(), "7".to_owned()), (String::new(), "x".to_owned())];
        let request = HashableRequest {
            consumer: Some("alice".into()),
            client: [10, 0, 0, 9].into(),
            headers: &headers,
            path: "/orders/7",
            query: Some("q=b&q=a%20c&r="),
            captures: &captures,
        };
        let hash = RequestHash::of([first, second], &request);
        assert_eq!((hash.hash, hash.cookie), (xxh32(expected.as_bytes()), None), "{first:?} {second:?}");
    }

    #[test]
    fn a_request_is_hashed_by_its_first_input() {
        use HashInput as Input;
        let cookie = |name: &str| Input::Cookie { name: name.into(), path: "/".into() };
        check(&Input::Consumer, &Input::None, "alice");
        check(&Input::Ip, &Input::None, "10.0.0.9");
        check(&Input::Header("X-A".to_ascii_lowercase()), &Input::None, "1");
        check(&Input::Header("x-b".into()), &Input::None, "1, 2");
        check(&cookie("s"), &Input::None, "t");
        check(&cookie("u"), &Input::None, "v");
        check(&Input::Path, &Input::None, "/orders/7");
        check(&Input::QueryArgument("q".into()), &Input::None, "a c,b");
        check(&Input::UriCapture("id".into()), &Input::None, "7");
        check(&Input::UriCapture("2".into()), &Input::None, "x");
        check(&Input::Header("x-c".into()), &Input::Ip, "10.0.0.9");
        check(&Input::QueryArgument("s".into()), &Input::UriCapture("none".into()), "");
        check(&Input::None, &Input::None, "");
    }

    #[test]
    fn a_request_without_the_cookie_gets_one() {
        let headers = HeaderMap::new();
        let request = HashableRequest {
            consumer: None,
            client: [10, 0, 0, 9].into(),
            headers: &headers,
            path: "/",
            query: None,
            captures: &[],
        };
        let input = HashInput::Cookie { name: "s".into(), path: "/x".into() };
        let hash = RequestHash::of([&input, &HashInput::None], &request);
        let cookie = hash.cookie.unwrap().to_str().unwrap().to_owned();
        let (pair, rest) = cookie.split_once("; ").unwrap();
        assert_eq!(rest, "Path=/x; SameSite=Lax; HttpOnly");
        assert_eq!(hash.hash, xxh32(pair.strip_prefix("s=").unwrap().as_bytes()));
    }
}
