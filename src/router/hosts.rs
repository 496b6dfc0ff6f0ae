//! Host names: the patterns of a route, and the name in a request.

use crate::uri::Authority;

/// Maximum length of a host name in bytes; that of DNS is 253.
const LONGEST: usize = 255;

/// A name with at most one wildcard, at its start or its end; compared without case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum NamePattern {
    /// A name without a wildcard.
    Exact(Box<[u8]>),
    /// Any name with this suffix.
    Suffix(Box<[u8]>),
    /// Any name with this prefix.
    Prefix(Box<[u8]>),
}

impl NamePattern {
    pub(super) fn parse(text: &[u8]) -> Self {
        let lower = |name: &[u8]| name.to_ascii_lowercase().into_boxed_slice();
        match text {
            [b'*', suffix @ ..] => Self::Suffix(lower(suffix)),
            [prefix @ .., b'*'] => Self::Prefix(lower(prefix)),
            name => Self::Exact(lower(name)),
        }
    }

    pub(super) const fn is_wildcard(&self) -> bool {
        !matches!(self, Self::Exact(_))
    }

    pub(super) fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => name.eq_ignore_ascii_case(exact),
            Self::Suffix(suffix) => {
                let start = name.len().checked_sub(suffix.len());
                start.and_then(|start| name.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
            }
            Self::Prefix(prefix) => {
                name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            }
        }
    }

    /// Whether every name that matches `other` also matches this pattern.
    pub(super) fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (pattern, Self::Exact(name)) => pattern.matches(name),
            (Self::Suffix(mine), Self::Suffix(other)) => other.ends_with(mine),
            (Self::Prefix(mine), Self::Prefix(other)) => other.starts_with(mine),
            _ => false,
        }
    }

    /// Whether a name can match both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(name), pattern) | (pattern, Self::Exact(name)) => pattern.matches(name),
            (Self::Suffix(a), Self::Suffix(b)) => a.ends_with(b) || b.ends_with(a),
            (Self::Prefix(a), Self::Prefix(b)) => a.starts_with(b) || b.starts_with(a),
            (Self::Suffix(_), Self::Prefix(_)) | (Self::Prefix(_), Self::Suffix(_)) => true,
        }
    }
}

/// A host of a route: `name`, `*.suffix` or `prefix.*`, with or without a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct HostPattern {
    pub(super) name: NamePattern,
    pub(super) port: Option<u16>,
}

impl HostPattern {
    pub(super) fn parse(text: &str) -> Self {
        let (name, port) = split_port(text);
        Self { name: NamePattern::parse(without_root(name).as_bytes()), port }
    }

    /// Whether every host and port that match `other` also match this pattern.
    pub(super) fn contains(&self, other: &Self) -> bool {
        self.name.contains(&other.name) && (self.port.is_none() || self.port == other.port)
    }

    /// Whether a host and port can match both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.name.overlaps(&other.name)
            && (self.port == other.port || self.port.is_none() || other.port.is_none())
    }
}

/// The host of a request, in lower case, without port and brackets; stored on the stack.
pub(super) struct HostName {
    bytes: [u8; LONGEST],
    length: usize,
    /// The port in the Host header.
    pub(super) port: Option<u16>,
}

impl HostName {
    /// Parses a Host header; `None` if it is longer than any host name, or not UTF-8. `a.test.` and `a.test` are the same name
    /// (RFC 1034, section 3.1), so the root dot is removed.
    pub(super) fn parse(header: &[u8]) -> Option<Self> {
        let (name, port) = split_port(std::str::from_utf8(header).ok()?);
        let name = without_root(name).as_bytes();
        let mut bytes = [0; LONGEST];
        let buffer = bytes.get_mut(..name.len())?;
        buffer.copy_from_slice(name);
        buffer.make_ascii_lowercase();
        Some(Self { bytes, length: name.len(), port })
    }

    pub(super) fn name(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// A name without the root dot of DNS.
fn without_root(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// The host without brackets, and the port. Text that is not a port (`a:b`) remains part of the host, as in Kong's router.
fn split_port(host: &str) -> (&str, Option<u16>) {
    let authority = Authority::split(host);
    if authority.has_valid_port() { (authority.bare_host(), authority.port()) } else { (host, None) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::fixture::recorded;

    #[test]
    fn a_port_is_split_off_as_kong_does() {
        for row in recorded("split_host_port_traditional") {
            let host = row["host"].as_str().unwrap();
            let (name, port) = split_port(host);
            let actual = (name, port.is_some());
            assert_eq!(actual, (row["name"].as_str().unwrap(), row["had_port"] == true), "{host}");
        }
        assert_eq!(split_port("a.test:65535"), ("a.test", Some(65535)));
        assert_eq!(split_port("a.test:65536"), ("a.test:65536", None));
        assert_eq!(split_port("[::1]x:1"), ("[::1]x:1", None));
        assert_eq!(split_port(""), ("", None));
    }

    #[test]
    fn a_wildcard_stands_for_any_depth_but_not_for_nothing() {
        #[track_caller]
        fn check(pattern: &str, name: &str, expected: bool) {
            let actual = NamePattern::parse(pattern.as_bytes()).matches(name.as_bytes());
            assert_eq!(actual, expected, "{pattern} {name}");
        }
        check("*.a.test", "x.a.test", true);
        check("*.a.test", "x.Y.A.test", true);
        check("*.a.test", "a.test", false);
        check("*.a.test", "test", false);
        check("A.*", "a.test.", true);
        check("a.*", "b.a.test", false);
        check("a.test", "A.TEST", true);
        check("a.test", "a.test.", false);
    }

    #[test]
    fn a_header_longer_than_any_name_is_no_host() {
        assert!(HostName::parse(&[b'a'; 255]).is_some());
        assert!(HostName::parse(&[b'a'; 256]).is_none());
    }

    #[test]
    fn the_root_dot_is_ignored() {
        for header in ["a.test", "A.TEST.", "a.test.:80", "a.test:80"] {
            let host = HostName::parse(header.as_bytes()).unwrap();
            assert_eq!(host.name(), b"a.test", "{header}");
            for pattern in ["a.test", "a.test.", "*.test", "*.test.", "a.*"] {
                assert!(HostPattern::parse(pattern).name.matches(host.name()), "{pattern} {header}");
            }
        }
    }

    #[test]
    fn patterns_overlap_if_a_host_matches_both() {
        #[track_caller]
        fn check(a: &str, b: &str, expected: bool) {
            let (left, right) = (HostPattern::parse(a), HostPattern::parse(b));
            assert_eq!((left.overlaps(&right), right.overlaps(&left)), (expected, expected), "{a} {b}");
        }
        check("a.test", "A.test:80", true);
        check("a.test:80", "a.test:81", false);
        check("*.a.test", "*.test", true);
        check("*.a.test", "*.b.test", false);
        check("*.test", "a.*", true);
        check("a.*", "a.b.*", true);
        check("*.test", "a.test", true);
        check("*.test", "a.example", false);
    }
}
