//! Authority of a URI: host and port. (RFC 3986, sections 3.2.2 and 3.2.3)

use std::{borrow::Cow, net::Ipv6Addr};

/// A host and an optional port, without userinfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    host: &'a str,
    port: Option<&'a str>,
}

impl<'a> Authority<'a> {
    /// Reads `uri-host [":" port]`; the host may be empty, and so may the port behind the colon.
    ///
    /// A comma is refused although the grammar has it, as it results from two joined Host fields; so are empty
    /// labels, as in nginx.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let authority = Self::split(text);
        let valid_host = match authority.host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').is_some_and(|inside| inside.parse::<Ipv6Addr>().is_ok()),
            None => is_name(authority.host.as_bytes()),
        };
        (valid_host && authority.has_valid_port()).then_some(authority)
    }

    /// Splits any text, without a check of the host or the port.
    ///
    /// The port follows the bracket that closes an IP literal, or else the only colon. A text with several colons and
    /// without brackets is an IPv6 address, or malformed; all of it is the host. (As in Kong's router.)
    #[must_use]
    pub fn split(text: &'a str) -> Self {
        let separator = match text.find(']') {
            Some(closing) if text.starts_with('[') => {
                Some(closing + 1).filter(|after| text.as_bytes().get(*after) == Some(&b':'))
            }
            _ => text.find(':').filter(|colon| !text[colon + 1..].contains(':')),
        };
        match separator {
            Some(colon) => Self { host: &text[..colon], port: Some(&text[colon + 1..]) },
            None => Self { host: text, port: None },
        }
    }

    /// The host as written, an IPv6 address in brackets.
    #[must_use]
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// The host as written, an IPv6 address without its brackets.
    #[must_use]
    pub fn bare_host(&self) -> &'a str {
        without_brackets(self.host)
    }

    /// The host without the dot of the DNS root. (As nginx's `$host`.)
    #[must_use]
    pub fn host_without_root(&self) -> &'a str {
        self.host.strip_suffix('.').unwrap_or(self.host)
    }

    /// The port, if there is a valid one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port.filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
    }

    /// The text behind the colon, if there is a colon.
    #[must_use]
    pub const fn port_text(&self) -> Option<&'a str> {
        self.port
    }

    /// Whether the port is absent, empty, or a number up to 65535.
    #[must_use]
    pub fn has_valid_port(&self) -> bool {
        self.port.is_none_or(str::is_empty) || self.port().is_some()
    }
}

/// The host without the brackets of an IP literal.
#[must_use]
pub fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// The host as it stands in a URI: an IPv6 address in brackets.
#[must_use]
pub fn with_brackets(host: &str) -> Cow<'_, str> {
    if host.contains(':') && !host.starts_with('[') {
        Cow::Owned(format!("[{host}]"))
    } else {
        Cow::Borrowed(host)
    }
}

fn is_name(name: &[u8]) -> bool {
    let mut rest = name;
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => after,
            (b'.', [b'.', ..]) => return false,
            (
                b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b';'
                | b'=',
                _,
            ) => after,
            (letter, _) if letter.is_ascii_alphanumeric() => after,
            _ => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_valid_authority_is_a_name_or_an_address_with_an_optional_port() {
        for host in
            ["a.example", "A_b~c", "a:", "a:0", "a:65535", "192.0.2.1:80", "[::1]", "[2001:db8::1]:8443"]
        {
            assert!(Authority::parse(host.as_bytes()).is_some(), "{host}");
        }
        for host in ["", "a.example.", "a%20b", "!$&'()*+;=", "xn--bcher-kva.example"] {
            assert!(Authority::parse(host.as_bytes()).is_some(), "{host}");
        }
        for host in ["a b", "a,b", "a/b", "user@a", "a\"", "<a>", "a..b", "a?b", "a#b", "a\\b", "a%2", "a%zz"]
        {
            assert!(Authority::parse(host.as_bytes()).is_none(), "{host}");
        }
        for host in
            ["a:65536", "a:99999999999", "a:b", "a:1:2", "::1", "[::1", "[a]", "[::1]x", "[::1]:x", "é"]
        {
            assert!(Authority::parse(host.as_bytes()).is_none(), "{host}");
        }
    }

    #[test]
    fn host_and_port_are_split() {
        for (text, host, without_root, port) in [
            ("Shop.Test:8443", "Shop.Test", "Shop.Test", Some(8443)),
            ("shop.test.:80", "shop.test.", "shop.test", Some(80)),
            ("[::1]:80", "[::1]", "[::1]", Some(80)),
            ("[::1]", "[::1]", "[::1]", None),
            ("a:", "a", "a", None),
            ("", "", "", None),
        ] {
            let authority = Authority::parse(text.as_bytes()).unwrap();
            let parts = (authority.host(), authority.host_without_root(), authority.port());
            assert_eq!(parts, (host, without_root, port), "{text}");
        }
    }

    #[test]
    fn malformed_texts_are_split_too() {
        for (text, host, port) in [
            ("::1", "::1", None),
            ("2001:db8::1", "2001:db8::1", None),
            ("a:1:2", "a:1:2", None),
            ("a:b", "a", Some("b")),
            ("a:+80", "a", Some("+80")),
            ("[::1", "[::1", None),
            ("[::1]x:1", "[::1]x:1", None),
            ("[::1]:80:90", "[::1]", Some("80:90")),
            ("]:1", "]", Some("1")),
        ] {
            let authority = Authority::split(text);
            assert_eq!((authority.host(), authority.port_text()), (host, port), "{text}");
            assert_eq!(authority.port().is_some(), port == Some("1"), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_host_and_a_port_that_are_joined_are_split_again(
            host in prop_oneof![
                "[a-z0-9.-]{0,12}",
                any::<Ipv6Addr>().prop_map(|address| address.to_string()),
                any::<std::net::Ipv4Addr>().prop_map(|address| address.to_string()),
            ],
            port in any::<Option<u16>>(),
        ) {
            let written = with_brackets(&host);
            let text = port.map_or_else(|| written.to_string(), |port| format!("{written}:{port}"));
            let authority = Authority::split(&text);
            prop_assert_eq!(authority.host(), &*written);
            prop_assert_eq!(authority.bare_host(), &*host);
            prop_assert_eq!(authority.port(), port);
            prop_assert!(authority.has_valid_port());
        }

        #[test]
        fn a_split_loses_nothing(text in "[a:\\[\\]0-9+.é]{0,10}") {
            let authority = Authority::split(&text);
            let joined = match authority.port_text() {
                Some(port) => format!("{}:{port}", authority.host()),
                None => authority.host().to_owned(),
            };
            prop_assert_eq!(joined, text);
        }
    }
}
