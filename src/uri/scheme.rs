//! Schemes of HTTP, and the protocols of Kong that stand for them.

/// A scheme of HTTP: with TLS or without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Without TLS.
    #[default]
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// The scheme of a connection with or without TLS.
    #[must_use]
    pub const fn from_tls(tls: bool) -> Self {
        if tls { Self::Https } else { Self::Http }
    }

    /// Reads `http` or `https`, in lower case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }

    /// The scheme that a protocol of Kong runs over: `https` for `https`, `grpcs`, `wss` and `tls`, in lower case.
    #[must_use]
    pub fn from_protocol(protocol: &str) -> Self {
        Self::from_tls(matches!(protocol, "https" | "grpcs" | "wss" | "tls"))
    }

    /// The name, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of a URI that names none. (RFC 9110, sections 4.2.1 and 4.2.2.)
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// The authority without its port, if that is the default port of this scheme.
    #[must_use]
    pub fn strip_default_port(self, authority: &str) -> &str {
        let suffix = match self {
            Self::Http => ":80",
            Self::Https => ":443",
        };
        authority.strip_suffix(suffix).unwrap_or(authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_protocols_are_read() {
        for scheme in [Scheme::Http, Scheme::Https] {
            assert_eq!(Scheme::from_name(scheme.as_str()), Some(scheme));
            assert_eq!(Scheme::from_protocol(scheme.as_str()), scheme);
        }
        assert_eq!(Scheme::from_name("ws"), None);
        for (protocol, expected) in [("grpc", "http"), ("grpcs", "https"), ("wss", "https"), ("tcp", "http")]
        {
            assert_eq!(Scheme::from_protocol(protocol).as_str(), expected, "{protocol}");
        }
    }

    #[test]
    fn only_the_default_port_is_stripped() {
        for (scheme, authority, expected) in [
            (Scheme::Http, "a.example:80", "a.example"),
            (Scheme::Https, "a.example:443", "a.example"),
            (Scheme::Https, "[::1]:443", "[::1]"),
            (Scheme::Https, "a.example:80", "a.example:80"),
            (Scheme::Http, "a.example:8080", "a.example:8080"),
            (Scheme::Http, "a.example", "a.example"),
        ] {
            assert_eq!(scheme.strip_default_port(authority), expected, "{authority}");
            assert!(!expected.ends_with(&format!(":{}", scheme.default_port())));
        }
    }
}
