//! Settings of access to the Admin API: token, host names, origins of pages.

use std::fmt;

use super::{error::SettingFault, value::list};
use crate::{
    constant_time::equals_secret,
    uri::{Authority, Scheme, split_authority, split_url},
};

/// The token of the Admin API; its value is never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken(String);

impl AdminToken {
    /// Whether a text is the token, compared in constant time.
    #[must_use]
    pub fn is(&self, other: &str) -> bool {
        equals_secret(self.0.as_bytes(), other.as_bytes())
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// Reads a token.
#[expect(clippy::unnecessary_wraps, reason = "other readers return errors")]
pub(super) fn token(_: &str, text: &str) -> Result<Option<AdminToken>, SettingFault> {
    Ok(Some(AdminToken(text.to_owned())))
}

/// A host name, all names below a domain (`*.example.com`), or any name (`*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost(String);

impl AllowedHost {
    /// Whether the pattern matches a host in lower case.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self.0.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => self.0 == host,
        }
    }
}

impl From<&str> for AllowedHost {
    fn from(text: &str) -> Self {
        Self(text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase())
    }
}

/// Reads a list of host names.
pub(super) fn hosts(name: &str, text: &str) -> Result<Vec<AllowedHost>, SettingFault> {
    let parse = |host: &str| {
        let plain = host.strip_prefix("*.").unwrap_or(host);
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let is_valid = host == "*" || (!plain.is_empty() && plain.bytes().all(is_name));
        let help =
            "write names as `kong.example.com, *.corp.example`, without scheme and port; `*` is any name";
        if is_valid {
            Ok(AllowedHost::from(host))
        } else {
            Err(SettingFault::new(format!("{name} has an invalid host name: '{host}'"), help))
        }
    };
    list(text).into_iter().map(parse).collect()
}

/// Reads the host names of URLs, whose scheme may be missing. (Kong: `admin_gui_api_url`.)
pub(super) fn api_urls(name: &str, text: &str) -> Result<Vec<AllowedHost>, SettingFault> {
    // A chart that has no host writes the scheme alone.
    let urls = list(text).into_iter().filter(|url| !matches!(*url, "http://" | "https://"));
    let parse = |url: &str| {
        let authority = split_url(url).map_or_else(|| split_authority(url).0, |(_, authority, _)| authority);
        let split = Authority::split(authority);
        let host = if split.has_valid_port() { split.bare_host() } else { authority };
        let help = "write a URL as `https://kong.example.com:8444`";
        if host.is_empty() || host.contains(['*', '@']) {
            return Err(invalid_url(name, url, help));
        }
        Ok(AllowedHost::from(host))
    };
    urls.map(parse).collect()
}

/// Reads the origins of URLs: scheme, host and port.
pub(super) fn origins(name: &str, text: &str) -> Result<Vec<String>, SettingFault> {
    let origin = |url: &str| {
        let (scheme, authority, _) = split_url(url).filter(|(_, authority, _)| !authority.is_empty())?;
        let scheme = Scheme::from_name(scheme)?;
        let authority = scheme.strip_default_port(authority).to_ascii_lowercase();
        Some(format!("{}://{authority}", scheme.as_str()))
    };
    let parse = |url: &str| {
        let help = "write URLs as `https://manager.example.com:8002`, separated by commas";
        origin(url).ok_or_else(|| invalid_url(name, url, help))
    };
    list(text).into_iter().map(parse).collect()
}

fn invalid_url(name: &str, url: &str, help: &str) -> SettingFault {
    SettingFault::new(format!("{name} has an invalid url: '{url}'"), help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = AdminToken("s3cret".to_owned());
        assert!(token.is("s3cret"));
        for wrong in ["", "s3cre", "s3cret ", "S3cret", "s3cretx"] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "Token(***)");
    }

    #[test]
    fn hosts_are_names_or_patterns() {
        for (pattern, host, expected) in [
            ("kong.example", "kong.example", true),
            ("KONG.example.", "kong.example", true),
            ("kong.example", "a.kong.example", false),
            ("*.corp.example", "a.corp.example", true),
            ("*.corp.example", "corp.example", false),
            ("*.corp.example", "acorp.example", false),
            ("*", "anything", true),
        ] {
            let read = hosts("admin_allowed_hosts", pattern).unwrap();
            assert_eq!(read[0].matches(host), expected, "{host} by {pattern}");
        }
        for wrong in ["http://a", "a:8001", "a*", "*a", "a b", "*."] {
            assert!(hosts("admin_allowed_hosts", wrong).is_err(), "{wrong}");
        }
        let urls =
            api_urls("admin_gui_api_url", "https://a.example:8444/x, b.example:8001, [::1]:8001").unwrap();
        assert_eq!(urls, ["a.example", "b.example", "::1"].map(AllowedHost::from));
        assert!(api_urls("admin_gui_api_url", "http://").unwrap().is_empty(), "of a chart without a host");
        assert!(api_urls("admin_gui_api_url", "http://:8001").is_err());
    }

    #[test]
    fn origins_have_no_path() {
        let read = |text| origins("admin_gui_url", text).map_err(drop);
        assert_eq!(
            read("http://A:8002/x, https://b:443"),
            Ok(vec!["http://a:8002".into(), "https://b".into()])
        );
        assert_eq!(read("ftp://a"), Err(()));
        assert_eq!(read("localhost:8002"), Err(()));
    }
}
