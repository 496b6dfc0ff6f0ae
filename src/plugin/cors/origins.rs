//! Allowed origins: any, one, or a list of origins and regular expressions.

use std::borrow::Cow;

use http::HeaderValue;

use crate::{
    diag::Diagnostic,
    document::{NodePath, Value},
    plugin::pcre::{PcreFault, PcreRegex},
    uri::{Authority, Scheme, split_url, without_user},
};

/// The origins of the settings.
pub(super) enum OriginRules {
    /// The list is empty, or `*` alone.
    Any,
    /// One origin. It is sent for every request; browsers reject it for other origins.
    One(HeaderValue),
    /// A list, or one expression.
    Listed {
        /// Whether `*` is in the list.
        any: bool,
        /// Origins in normal form.
        origins: Vec<String>,
        /// Expressions without a colon, which match the host.
        host_patterns: Vec<PcreRegex>,
        /// Expressions with a colon, which match the origin.
        origin_patterns: Vec<PcreRegex>,
    },
}

/// The value of `Access-Control-Allow-Origin`.
#[derive(Debug, PartialEq)]
pub(super) enum AllowedOrigin {
    /// `*`.
    Any,
    /// This origin.
    Only(HeaderValue),
    /// No header.
    None,
}

impl OriginRules {
    /// Reads the entries of the list at `at`; expressions that do not compile become diagnostics.
    pub(super) fn new(entries: &[Value], at: &NodePath, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let entries: Vec<&str> = entries.iter().filter_map(Value::as_str).collect();
        match entries[..] {
            [] | ["*"] => return Self::Any,
            [only] if is_literal(only) => {
                if let Ok(value) = HeaderValue::try_from(only) {
                    return Self::One(value);
                }
            }
            _ => (),
        }
        let (mut any, mut origins, mut host_patterns, mut origin_patterns) =
            (false, Vec::new(), Vec::new(), Vec::new());
        for (n, entry) in entries.into_iter().enumerate() {
            if entry == "*" {
                any = true;
            } else if is_literal(entry) {
                origins.push(normalize(entry).origin.into_owned());
            } else {
                match PcreRegex::of_whole_text(entry) {
                    Ok(regex) if entry.contains(':') => origin_patterns.push(regex),
                    Ok(regex) => host_patterns.push(regex),
                    Err(_) => diagnostics.push(unusable(entry, at.index(n))),
                }
            }
        }
        Self::Listed { any, origins, host_patterns, origin_patterns }
    }

    /// The allowed origin for a request with this `Origin`.
    pub(super) fn allowed_for(&self, origin: Option<&HeaderValue>) -> AllowedOrigin {
        match (self, origin) {
            (Self::Any, _) | (Self::Listed { any: true, .. }, Some(_)) => AllowedOrigin::Any,
            (Self::One(value), _) => AllowedOrigin::Only(value.clone()),
            (Self::Listed { .. }, None) => AllowedOrigin::None,
            (Self::Listed { origins, host_patterns, origin_patterns, .. }, Some(value)) => {
                let Ok(text) = std::str::from_utf8(value.as_bytes()) else { return AllowedOrigin::None };
                let NormalizedOrigin { origin, host } = normalize(text);
                let allowed = origins.iter().any(|text| *text == origin)
                    || host_patterns.iter().any(|pattern| pattern.is_match(host))
                    || origin_patterns.iter().any(|pattern| pattern.is_match(&origin));
                if !allowed {
                    return AllowedOrigin::None;
                }
                let value = if origin == text { Ok(value.clone()) } else { HeaderValue::from_str(&origin) };
                value.map_or(AllowedOrigin::None, AllowedOrigin::Only)
            }
        }
    }

    /// Whether the response depends on the origin, for `Vary`.
    pub(super) const fn depends_on_request(&self) -> bool {
        !matches!(self, Self::Any)
    }
}

/// Whether an entry is an origin, not an expression. An underscore makes it an expression, as at Kong.
fn is_literal(entry: &str) -> bool {
    entry.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:/-".contains(&byte))
}

/// Accepts origins, `*`, and expressions, also those with features that only Kong's engine has.
pub(super) fn is_origin_or_pattern(entry: &Value) -> Result<(), String> {
    let entry = entry.as_str().unwrap_or_default();
    if is_literal(entry) || entry == "*" {
        return Ok(());
    }
    match PcreRegex::of_whole_text(entry) {
        Err(PcreFault::Invalid) => Err(format!("'{entry}' is not a valid regex")),
        Ok(_) | Err(PcreFault::Unsupported) => Ok(()),
    }
}

fn unusable(entry: &str, at: NodePath) -> Diagnostic {
    Diagnostic::error(at, format!("'{entry}' cannot be used as a regex")).help(
        "Kong allows recursion, branch reset and verbs here, mynah does not; list the origins, or describe them without",
    )
}

/// An origin in normal form.
struct NormalizedOrigin<'a> {
    /// `scheme://host[:port]` without the scheme's default port; a text without a host is unchanged.
    origin: Cow<'a, str>,
    /// The host; a text without a host is unchanged.
    host: &'a str,
}

/// Normalizes as Kong does: letters keep their case.
fn normalize(text: &str) -> NormalizedOrigin<'_> {
    let bare = NormalizedOrigin { origin: Cow::Borrowed(text), host: text };
    let Some((scheme, authority, _)) = split_url(text) else { return bare };
    let address = without_user(authority);
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
        let normal = normalize(text);
        assert_eq!((&*normal.origin, normal.host), (origin, host), "{text}");
    }

    #[test]
    fn origins_lose_the_default_port_of_their_scheme() {
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
