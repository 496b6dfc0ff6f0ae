//! Which origins are allowed: everyone, one, or those that a list of texts and expressions describes.

use std::borrow::Cow;

use http::HeaderValue;
use regex::Regex;

use crate::{
    diag::Diagnostic,
    document::{NodePath, Value},
    uri::{Authority, Scheme},
};

/// The origins of the settings.
pub(super) enum OriginRules {
    /// None are named, or `*` alone.
    Everyone,
    /// One text. It is the answer whoever asks: a browser elsewhere refuses it by itself.
    One(HeaderValue),
    /// A list, or an expression.
    Listed {
        /// Whether `*` is among them.
        everyone: bool,
        /// Texts, in normal form.
        texts: Vec<String>,
        /// Expressions about the host alone: those without a colon.
        hosts: Vec<Regex>,
        /// Expressions about the whole origin.
        wholes: Vec<Regex>,
    },
}

/// What `Access-Control-Allow-Origin` is to say.
#[derive(Debug, PartialEq)]
pub(super) enum AllowedOrigin {
    /// `*`.
    Everyone,
    /// This origin.
    Only(HeaderValue),
    /// Nothing: the header must not be there.
    Nobody,
}

impl OriginRules {
    /// Reads the entries of the list at `at`; expressions that do not compile become complaints.
    pub(super) fn new(entries: &[Value], at: &NodePath, complaints: &mut Vec<Diagnostic>) -> Self {
        let entries: Vec<&str> = entries.iter().filter_map(Value::as_str).collect();
        match entries[..] {
            [] | ["*"] => return Self::Everyone,
            [only] if is_text(only) => {
                if let Ok(value) = HeaderValue::try_from(only) {
                    return Self::One(value);
                }
            }
            _ => (),
        }
        let (mut everyone, mut texts, mut hosts, mut wholes) = (false, Vec::new(), Vec::new(), Vec::new());
        for (n, entry) in entries.into_iter().enumerate() {
            if entry == "*" {
                everyone = true;
            } else if is_text(entry) {
                texts.push(normal(entry).origin.into_owned());
            } else {
                match expression(entry) {
                    Ok(regex) if entry.contains(':') => wholes.push(regex),
                    Ok(regex) => hosts.push(regex),
                    Err(error) => complaints.push(invalid(entry, &error, at.index(n))),
                }
            }
        }
        Self::Listed { everyone, texts, hosts, wholes }
    }

    /// What to answer a request that comes from `origin`.
    pub(super) fn answer(&self, origin: Option<&HeaderValue>) -> AllowedOrigin {
        match (self, origin) {
            (Self::Everyone, _) | (Self::Listed { everyone: true, .. }, Some(_)) => AllowedOrigin::Everyone,
            (Self::One(value), _) => AllowedOrigin::Only(value.clone()),
            (Self::Listed { .. }, None) => AllowedOrigin::Nobody,
            (Self::Listed { texts, hosts, wholes, .. }, Some(value)) => {
                let Ok(text) = std::str::from_utf8(value.as_bytes()) else { return AllowedOrigin::Nobody };
                let NormalizedOrigin { origin, host } = normal(text);
                let allowed = texts.iter().any(|text| *text == origin)
                    || hosts.iter().any(|pattern| pattern.is_match(host))
                    || wholes.iter().any(|pattern| pattern.is_match(&origin));
                if !allowed {
                    return AllowedOrigin::Nobody;
                }
                let value = if origin == text { Ok(value.clone()) } else { HeaderValue::from_str(&origin) };
                value.map_or(AllowedOrigin::Nobody, AllowedOrigin::Only)
            }
        }
    }

    /// Whether caches must tell requests of different origins apart.
    pub(super) const fn depends_on_request(&self) -> bool {
        !matches!(self, Self::Everyone)
    }
}

/// Whether an entry is a text and no expression: an underscore already makes it one, as at Kong.
fn is_text(entry: &str) -> bool {
    entry.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:/-".contains(&byte))
}

/// Whether an entry is a text, `*` or an expression of any dialect.
pub(super) fn is_expression(entry: &Value) -> Result<(), String> {
    let entry = entry.as_str().unwrap_or_default();
    if is_text(entry) {
        return Ok(());
    }
    match expression(entry) {
        Err(error) if entry != "*" && !is_beyond(&error) => Err(format!("'{entry}' is not a valid regex")),
        _ => Ok(()),
    }
}

fn expression(entry: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!(r"\A(?:{entry})\z"))
}

/// Whether Kong's expressions can say it, and ours, which never backtrack, cannot.
fn is_beyond(error: &regex::Error) -> bool {
    let text = error.to_string();
    text.contains("look-around") || text.contains("backreferences")
}

fn invalid(entry: &str, error: &regex::Error, at: NodePath) -> Diagnostic {
    let diagnostic = Diagnostic::error(at, format!("'{entry}' is not a valid regex"));
    if is_beyond(error) {
        return diagnostic.help(
            "Kong allows look-around and backreferences here, mynah does not; list the origins, or describe \
             them without",
        );
    }
    diagnostic
}

/// An origin in normal form.
struct NormalizedOrigin<'a> {
    /// `scheme://host[:port]` without a port that the scheme implies; a text without a host, as it is.
    origin: Cow<'a, str>,
    /// The host; a text without one, as it is.
    host: &'a str,
}

/// Normalises as Kong does: letters keep their case.
fn normal(text: &str) -> NormalizedOrigin<'_> {
    let bare = NormalizedOrigin { origin: Cow::Borrowed(text), host: text };
    let Some((scheme, rest)) = text.split_once("://") else { return bare };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    if scheme.is_empty() || address.is_empty() {
        return bare;
    }
    let address = Scheme::from_name(scheme).map_or(address, |scheme| scheme.strip_default_port(address));
    let host = Authority::split(address).host();
    let end = scheme.len() + "://".len() + address.len();
    let origin = if authority.contains('@') {
        Cow::Owned(format!("{scheme}://{address}"))
    } else {
        Cow::Borrowed(text.get(..end).unwrap_or(text))
    };
    NormalizedOrigin { origin, host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, origin: &str, host: &str) {
        let normal = normal(text);
        assert_eq!((&*normal.origin, normal.host), (origin, host), "{text}");
    }

    #[test]
    fn origins_lose_what_their_scheme_implies() {
        check("https://a.test:443", "https://a.test", "a.test");
        check("http://a.test:80/", "http://a.test", "a.test");
        check("http://a.test:443", "http://a.test:443", "a.test");
        check("https://A.test:8443/x?y#z", "https://A.test:8443", "A.test");
        check("https://user:word@a.test:443", "https://a.test", "a.test");
        check("http://[::1]:80", "http://[::1]", "[::1]");
        check("http://[::1]:3000", "http://[::1]:3000", "[::1]");
        check("http://[::1]", "http://[::1]", "[::1]");
        check("null", "null", "null");
        check("a.test:80", "a.test:80", "a.test:80");
        check("https://", "https://", "https://");
        check("capacitor://localhost", "capacitor://localhost", "localhost");
    }
}
