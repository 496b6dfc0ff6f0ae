//! Host and port that a request names. (RFC 3986, section 3.2.2 and 3.2.3)

use std::net::Ipv6Addr;

/// A host, and a port if it names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    host: &'a str,
    port: &'a str,
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
        (valid_host && is_port(authority.port)).then_some(authority)
    }

    /// Splits a text that has been checked before; of any other text, what stands behind the last colon outside of
    /// brackets counts as the port.
    #[must_use]
    pub fn split(text: &'a str) -> Self {
        match text.rfind(':') {
            Some(colon) if !text[colon..].contains(']') => {
                Self { host: &text[..colon], port: &text[colon + 1..] }
            }
            _ => Self { host: text, port: "" },
        }
    }

    /// The host as it was written, an IPv6 address in brackets.
    #[must_use]
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// The host without the dot of the DNS root. (As nginx's `$host`.)
    #[must_use]
    pub fn host_without_root(&self) -> &'a str {
        self.host.strip_suffix('.').unwrap_or(self.host)
    }

    /// The port, if it names one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port.parse().ok()
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

/// Whether this is the number of a port, or empty.
fn is_port(digits: &str) -> bool {
    let number = digits.bytes().try_fold(0_u32, |number, digit| {
        digit.is_ascii_digit().then(|| number.saturating_mul(10).saturating_add(u32::from(digit - b'0')))
    });
    number.is_some_and(|number| u16::try_from(number).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
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
    fn host_and_port_are_told_apart() {
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
}
