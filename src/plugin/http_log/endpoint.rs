//! Endpoint of a log server, parsed from its URL. (RFC 3986, section 3.)

use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, HOST},
    uri::Uri,
};
use percent_encoding::percent_decode_str;

use crate::{
    base64_codec,
    upstream::{TlsSettings, UpstreamOrigin},
    uri::{Authority, Scheme},
};

/// The server, and the parts of requests that its URL determines.
#[derive(Debug)]
pub(super) struct LogEndpoint {
    pub(super) origin: UpstreamOrigin,
    /// Path and query.
    pub(super) target: String,
    /// `Host`, and `Authorization` for a URL with a user.
    pub(super) fields: HeaderMap,
    /// The URL without its user and query, for log messages.
    pub(super) display_url: String,
}

impl LogEndpoint {
    /// Parses a URL.
    ///
    /// # Errors
    /// Why the URL cannot be used.
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        let uri: Uri = url.parse().map_err(|_| "it is no URL")?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("missing host in url");
        };
        let scheme = Scheme::from_name(scheme).ok_or("its scheme is neither http nor https")?;
        let (user, address) = match authority.as_str().rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority.as_str()),
        };
        let authority = Authority::split(address);
        let (host, name) = (authority.host(), authority.bare_host());
        if name.is_empty() {
            return Err("missing host in url");
        }
        if !authority.has_valid_port() {
            return Err("its port is no number up to 65535");
        }
        let host_and_port = authority.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let port = authority.port().unwrap_or(scheme.default_port());
        let mut fields = HeaderMap::new();
        fields.insert(HOST, HeaderValue::try_from(&host_and_port).map_err(|_| "its host cannot be used")?);
        fields.extend(user.and_then(basic_credentials).map(|value| (AUTHORIZATION, value)));
        let origin = match scheme {
            // Kong does not verify the certificate of the server, either.
            Scheme::Https => UpstreamOrigin::https(name, port, name, TlsSettings::trusting()),
            Scheme::Http => UpstreamOrigin::http(name, port),
        };
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        Ok(Self {
            origin,
            target,
            fields,
            display_url: format!("{}://{host_and_port}{}", scheme.as_str(), uri.path()),
        })
    }
}

/// The user and the password of a URL, as Basic authentication. (RFC 7617.)
fn basic_credentials(user: &str) -> Option<HeaderValue> {
    let decoded: Vec<u8> = percent_decode_str(user).collect();
    let mut value = HeaderValue::try_from(format!("Basic {}", base64_codec::encode(decoded))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_parsed() {
        let read = |url: &str| match LogEndpoint::parse(url) {
            Ok(endpoint) => {
                let field = |name| {
                    endpoint.fields.get(name).map_or("-", |value: &HeaderValue| value.to_str().unwrap())
                };
                let (host, port) = (endpoint.origin.host(), endpoint.origin.port());
                let tls = if endpoint.origin.is_tls() { "tls" } else { "plain" };
                let (target, shown) = (&endpoint.target, &endpoint.display_url);
                format!("{tls} {host} {port} {} {} {target} {shown}", field(HOST), field(AUTHORIZATION))
            }
            Err(why) => why.to_owned(),
        };
        for (url, expected) in [
            ("http://logs:9880/kong", "plain logs 9880 logs:9880 - /kong http://logs:9880/kong"),
            ("http://logs", "plain logs 80 logs - / http://logs/"),
            ("https://logs/?key=secret", "tls logs 443 logs - /?key=secret https://logs/"),
            ("http://[::1]:80/", "plain ::1 80 [::1]:80 - / http://[::1]:80/"),
            ("http://a:%3Ab@logs/", "plain logs 80 logs Basic YTo6Yg== / http://logs/"),
            ("logs:9880", "missing host in url"),
            ("/logs", "missing host in url"),
            ("ftp://logs/", "its scheme is neither http nor https"),
            ("http://logs:99999/", "its port is no number up to 65535"),
            ("http://a b/", "it is no URL"),
            ("", "it is no URL"),
        ] {
            assert_eq!(read(url), expected, "{url}");
        }
    }
}
