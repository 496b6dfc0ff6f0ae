//! What a consistent hash is taken of. (Kong: Upstream object, `hash_on` and `hash_fallback`.)

use std::{borrow::Cow, net::IpAddr};

use http::{HeaderMap, HeaderValue, header::COOKIE};
use uuid::Uuid;

use super::xxhash::xxh32;
use crate::entity::HashInput;

/// What of a request may be hashed.
#[derive(Clone, Debug)]
pub struct HashableRequest<'a> {
    /// The id of the Consumer, else of the credential, that it comes from.
    pub consumer: Option<Cow<'a, str>>,
    /// The client's address.
    pub client: IpAddr,
    /// Its header fields.
    pub headers: &'a HeaderMap,
    /// Its path in normal form.
    pub path: &'a str,
    /// Its query, as it came.
    pub query: Option<&'a str>,
    /// What the groups of the Route's expression caught: name and text.
    pub captures: &'a [(String, String)],
}

/// A hash, and what the client has to be told so that it comes again with the same one.
#[derive(Clone, Debug, Default)]
pub struct RequestHash {
    pub(super) hash: u32,
    /// The value of a Set-Cookie header.
    pub cookie: Option<HeaderValue>,
}

impl RequestHash {
    /// The hash of the first of the inputs that the request has; of nothing if it has none.
    pub(super) fn of(inputs: [&HashInput; 2], asked: &HashableRequest<'_>) -> Self {
        for input in inputs {
            if let Some(value) = value(input, asked) {
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

fn value<'a>(input: &HashInput, asked: &'a HashableRequest<'_>) -> Option<Cow<'a, [u8]>> {
    let text = |text: &'a str| Cow::Borrowed(text.as_bytes());
    match input {
        HashInput::None => None,
        HashInput::Consumer => asked.consumer.as_deref().map(text),
        HashInput::Ip => Some(Cow::Owned(asked.client.to_canonical().to_string().into_bytes())),
        HashInput::Header(name) => {
            let all: Vec<&[u8]> = asked.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            match *all {
                [] => None,
                [one] => Some(Cow::Borrowed(one)),
                _ => Some(Cow::Owned(all.join(&b", "[..]))),
            }
        }
        HashInput::Cookie { name, .. } => cookie(asked.headers, name).map(Cow::Borrowed),
        HashInput::Path => Some(text(asked.path)),
        HashInput::QueryArgument(name) => argument(asked.query?, name),
        HashInput::UriCapture(name) => {
            let numbered = name.parse::<usize>().ok().and_then(|n| asked.captures.get(n.checked_sub(1)?));
            let named = asked.captures.iter().find(|(it, _)| it == name);
            named.or(numbered).map(|(_, caught)| text(caught)).filter(|it| !it.is_empty())
        }
    }
}

/// The value of a cookie (RFC 6265, section 4.2.1).
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let lines = headers.get_all(COOKIE).iter();
    let mut pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.find_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// The values of an argument, sorted, with commas between.
fn argument(query: &str, name: &str) -> Option<Cow<'static, [u8]>> {
    let all = form_urlencoded::parse(query.as_bytes()).filter(|(it, _)| it == name);
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
        let asked = HashableRequest {
            consumer: Some("alice".into()),
            client: [10, 0, 0, 9].into(),
            headers: &headers,
            path: "/orders/7",
            query: Some("q=b&q=a%20c&r="),
            captures: &captures,
        };
        let hashed = RequestHash::of([first, second], &asked);
        assert_eq!((hashed.hash, hashed.cookie), (xxh32(expected.as_bytes()), None), "{first:?} {second:?}");
    }

    #[test]
    fn a_request_is_hashed_by_what_it_has() {
        use HashInput as By;
        let cookie = |name: &str| By::Cookie { name: name.into(), path: "/".into() };
        check(&By::Consumer, &By::None, "alice");
        check(&By::Ip, &By::None, "10.0.0.9");
        check(&By::Header("X-A".to_ascii_lowercase()), &By::None, "1");
        check(&By::Header("x-b".into()), &By::None, "1, 2");
        check(&cookie("s"), &By::None, "t");
        check(&cookie("u"), &By::None, "v");
        check(&By::Path, &By::None, "/orders/7");
        check(&By::QueryArgument("q".into()), &By::None, "a c,b");
        check(&By::UriCapture("id".into()), &By::None, "7");
        check(&By::UriCapture("2".into()), &By::None, "x");
        check(&By::Header("x-c".into()), &By::Ip, "10.0.0.9");
        check(&By::QueryArgument("s".into()), &By::UriCapture("none".into()), "");
        check(&By::None, &By::None, "");
    }

    #[test]
    fn who_has_no_cookie_gets_one() {
        let headers = HeaderMap::new();
        let asked = HashableRequest {
            consumer: None,
            client: [10, 0, 0, 9].into(),
            headers: &headers,
            path: "/",
            query: None,
            captures: &[],
        };
        let input = HashInput::Cookie { name: "s".into(), path: "/x".into() };
        let hashed = RequestHash::of([&input, &HashInput::None], &asked);
        let cookie = hashed.cookie.unwrap().to_str().unwrap().to_owned();
        let (pair, rest) = cookie.split_once("; ").unwrap();
        assert_eq!(rest, "Path=/x; SameSite=Lax; HttpOnly");
        assert_eq!(hashed.hash, xxh32(pair.strip_prefix("s=").unwrap().as_bytes()));
    }
}
