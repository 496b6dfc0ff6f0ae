//! Names of hosts: what a route may say about them, and what a request says.

use crate::uri::Authority;

/// The longest name of a host, in bytes; DNS ends at 253.
const LONGEST: usize = 255;

/// A name with at most one wildcard, at its start or its end; letters compare without case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum NamePattern {
    /// This name.
    Exact(Box<[u8]>),
    /// Any name that ends so.
    Suffix(Box<[u8]>),
    /// Any name that begins so.
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

    /// Whether every name that matches `other` surely matches this, too.
    pub(super) fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (pattern, Self::Exact(name)) => pattern.matches(name),
            (Self::Suffix(mine), Self::Suffix(other)) => other.ends_with(mine),
            (Self::Prefix(mine), Self::Prefix(other)) => other.starts_with(mine),
            _ => false,
        }
    }

    /// Whether some name matches both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(name), pattern) | (pattern, Self::Exact(name)) => pattern.matches(name),
            (Self::Suffix(a), Self::Suffix(b)) => a.ends_with(b) || b.ends_with(a),
            (Self::Prefix(a), Self::Prefix(b)) => a.starts_with(b) || b.starts_with(a),
            (Self::Suffix(_), Self::Prefix(_)) | (Self::Prefix(_), Self::Suffix(_)) => true,
        }
    }
}

/// One of a route's hosts: `name`, `*.suffix` or `prefix.*`, with or without a port.
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

    /// Whether every host and port that match `other` surely match this, too.
    pub(super) fn contains(&self, other: &Self) -> bool {
        self.name.contains(&other.name) && (self.port.is_none() || self.port == other.port)
    }

    /// Whether some host and port match both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.name.overlaps(&other.name)
            && (self.port == other.port || self.port.is_none() || other.port.is_none())
    }
}

/// The host of one request, in lower case, without its port and without brackets; it lives on the stack.
pub(super) struct HostName {
    bytes: [u8; LONGEST],
    length: usize,
    /// The port that the client named.
    pub(super) port: Option<u16>,
}

impl HostName {
    /// Reads a Host header; nothing if it is longer than any name of a host, or no UTF-8. `a.test.` and `a.test` are one name
    /// (RFC 1034, section 3.1): with or without the dot of the root it meets the same routes.
    pub(super) fn parse(header: &[u8]) -> Option<Self> {
        let (name, port) = split_port(std::str::from_utf8(header).ok()?);
        let name = without_root(name).as_bytes();
        let mut bytes = [0; LONGEST];
        let place = bytes.get_mut(..name.len())?;
        place.copy_from_slice(name);
        place.make_ascii_lowercase();
        Some(Self { bytes, length: name.len(), port })
    }

    pub(super) fn name(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// A name without the dot of the DNS root.
fn without_root(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// The host without brackets, and the port. What is not a port (`a:b`) stays a part of the host, as in Kong's router.
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
    fn the_dot_of_the_root_makes_no_difference() {
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
