//! Rules of hosts: names and addresses, with or without a port. Messages are Kong's.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use crate::{document::Value, uri::Authority};

/// A host name, or an address.
pub(super) enum HostAddress<'a> {
    /// A name.
    Name(&'a str),
    /// An address.
    Ip(IpAddr),
}

impl fmt::Display for HostAddress<'_> {
    /// Kong's notation: an IPv6 address in full and in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(address)) => address.fmt(f),
            Self::Ip(IpAddr::V6(address)) => {
                for (n, segment) in address.segments().iter().enumerate() {
                    write!(f, "{}{segment:04x}", if n == 0 { '[' } else { ':' })?;
                }
                f.write_str("]")
            }
        }
    }
}

/// The host and the port of `host`, `host:port`, or an address; `None` if it is none of these.
pub(super) fn split_host(text: &str) -> Option<(HostAddress<'_>, Option<u16>)> {
    let authority = Authority::split(text);
    let port = authority.port();
    if authority.port_text().is_some() && port.is_none() {
        return None;
    }
    if let Ok(address) = authority.bare_host().parse() {
        return Some((HostAddress::Ip(address), port));
    }
    let name = authority.host();
    if is_of_digits_and_dots(name) {
        return decimal_ipv4(name).map(|address| (HostAddress::Ip(address.into()), port));
    }
    is_host_name(name).then_some((HostAddress::Name(name), port))
}

/// Whether Kong reads a host as an IPv4 address, which it then must be. (Kong: `1.2.3` and `256.1.1.1` are no names.)
fn is_of_digits_and_dots(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Four decimal numbers up to 255; zeros may stand before them.
fn decimal_ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut parts = text.split('.').map(|part| part.parse::<u8>().ok());
    let mut octets = [0; 4];
    for octet in &mut octets {
        *octet = parts.next()??;
    }
    parts.next().is_none().then(|| octets.into())
}

/// A host name or address, without a port.
pub(super) fn host(value: &Value) -> Result<(), String> {
    let host = value.as_str().unwrap_or_default();
    match split_host(host) {
        Some((_, None)) => Ok(()),
        Some((_, Some(_))) => Err("must not have a port".to_owned()),
        None => Err(format!("invalid value: {host}")),
    }
}

/// A host name or address; a port may follow.
pub(super) fn host_with_optional_port(value: &Value) -> Result<(), String> {
    let host = value.as_str().unwrap_or_default();
    split_host(host).map(|_| ()).ok_or_else(|| format!("invalid value: {host}"))
}

/// A host name with at most one wildcard, as its first or last label; or an address. A port may follow.
pub(super) fn wildcard_host(value: &Value) -> Result<(), String> {
    let host = value.as_str().unwrap_or_default();
    if matches!(split_host(host), Some((HostAddress::Ip(_), _))) {
        return Ok(());
    }
    let authority = Authority::split(host);
    if authority.port_text().is_some() && authority.port().is_none() {
        return Err(format!("invalid hostname: {host}"));
    }
    let name = authority.host();
    let plain = match name.matches('*').count() {
        0 if is_of_digits_and_dots(name) => return Err(format!("invalid hostname: {host}")),
        0 => name,
        1 => name
            .strip_prefix("*.")
            .or_else(|| name.strip_suffix(".*"))
            .ok_or_else(|| "invalid wildcard: must be placed at leftmost or rightmost label".to_owned())?,
        _ => return Err("invalid wildcard: must have at most one wildcard".to_owned()),
    };
    if is_host_name(plain) { Ok(()) } else { Err(format!("invalid hostname: {host}")) }
}

/// Labels of letters, digits, `-` and `_`, none empty but the last.
fn is_host_name(name: &str) -> bool {
    let labels = name.strip_suffix('.').unwrap_or(name);
    !labels.is_empty()
        && labels.split('.').all(|label| {
            let valid =
                label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            valid && !label.is_empty() && !label.ends_with('-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: fn(&Value) -> Result<(), String>, text: &str, expected: Result<(), &str>) {
        assert_eq!(rule(&Value::from(text)), expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn hosts_have_kongs_rules() {
        check(host, "api_1.example.com", Ok(()));
        check(host, "::1", Ok(()));
        check(host, "example.com:80", Err("must not have a port"));
        check(host, "bad_host!", Err("invalid value: bad_host!"));
        check(host, "a..b", Err("invalid value: a..b"));
        for address in ["123", "1.2.3", "256.1.1.1", "1.2.3.4.5", "1..2.3"] {
            check(host, address, Err(&format!("invalid value: {address}")));
            check(wildcard_host, address, Err(&format!("invalid hostname: {address}")));
        }
        for address in ["1.2.3.4", "010.0.0.1", "123.a", "1.2.3.4a"] {
            check(host, address, Ok(()));
            check(wildcard_host, address, Ok(()));
        }
        check(wildcard_host, "*.1.2", Ok(()));
        check(host_with_optional_port, "a:80", Ok(()));
        check(host_with_optional_port, "a:b", Err("invalid value: a:b"));
        check(wildcard_host, "*.a.com:80", Ok(()));
        check(wildcard_host, "[::1]:80", Ok(()));
        check(wildcard_host, "[::1", Err("invalid hostname: [::1"));
        check(wildcard_host, "*", Err("invalid wildcard: must be placed at leftmost or rightmost label"));
        check(wildcard_host, "*.a.*", Err("invalid wildcard: must have at most one wildcard"));
    }

    #[test]
    fn hosts_are_split_from_their_ports() {
        for (text, expected) in [
            ("a.b", Some("a.b -")),
            ("a.b:80", Some("a.b 80")),
            ("10.0.0.1:81", Some("10.0.0.1 81")),
            ("::1", Some("[0000:0000:0000:0000:0000:0000:0000:0001] -")),
            ("[::1]:82", Some("[0000:0000:0000:0000:0000:0000:0000:0001] 82")),
            ("[::1]x", None),
            ("a:b:c", None),
            ("a:99999", None),
            ("a b", None),
        ] {
            let shown = split_host(text).map(|(host, port)| {
                format!("{host} {}", port.map_or_else(|| "-".to_owned(), |port| port.to_string()))
            });
            assert_eq!(shown.as_deref(), expected, "{text}");
        }
    }
}
