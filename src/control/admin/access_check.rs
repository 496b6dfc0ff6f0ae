//! Access rules of the Admin API, of the status listener and of the pages: names of the host, origins of pages, and
//! the token.
//!
//! The attacker's tool is a browser. A page of another site reaches the API either under its own name, which a DNS
//! server of the attacker binds to the API's address (DNS rebinding), or with a cross-origin request. Against the
//! first, only hosts are accepted that no public DNS server can bind; against the second, `Origin` and
//! `Sec-Fetch-Site` are checked for every method.

use std::net::IpAddr;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, uri::Authority,
};

use crate::{
    body::Body,
    reply,
    settings::Settings,
    uri::{Scheme, without_brackets},
};

/// Suffixes of names that are never delegated in the public DNS: Kubernetes Services, and the private-use domain
/// (ICANN resolution 2024.07.29.06).
const PRIVATE_SUFFIXES: [&str; 3] = [".svc", ".cluster.local", ".internal"];

/// Security headers of every answer: no answer is a page, and none may be framed or cached.
const ANSWER_HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Checks whether a request of the Admin API is allowed; returns the refusal if not. `local` states that it came over
/// the loopback interface.
pub(super) fn check_admin_access(
    request: &Request<Body>,
    settings: &Settings,
    local: bool,
) -> Option<Response<Body>> {
    let headers = request.headers();
    let host = match requested_host(request) {
        Ok(host) => host,
        Err(ambiguity) => return Some(reply::message(StatusCode::BAD_REQUEST, ambiguity)),
    };
    let token = settings.admin_token.as_ref();
    let has_valid_token = has_token(headers, settings);
    // A page that reaches this address by DNS rebinding does not have the token.
    if !has_valid_token && !host.as_ref().is_some_and(|host| is_trusted_host(host, settings, local)) {
        return Some(refuse_host(local));
    }
    if is_cross_site(headers, host.as_ref(), settings) {
        return Some(refuse_foreign_page());
    }
    token?;
    // A browser sends the preflight without the token; its answer contains only the allowed methods.
    let preflight = request.method() == Method::OPTIONS && allowed_origin(headers, settings).is_some();
    if preflight || has_valid_token {
        return None;
    }
    Some(refuse_without_token())
}

/// Checks whether a request that a page's script sends to its own listener is allowed. `is_logged_in` states that it
/// belongs to a session, which replaces the token; without `needs_login`, neither is required.
pub(super) fn check_page_access(
    request: &Request<Body>,
    settings: &Settings,
    local: bool,
    needs_login: bool,
    is_logged_in: bool,
) -> Option<Response<Body>> {
    let headers = request.headers();
    let host = match trusted_host(request, settings, local) {
        Ok(host) => host,
        Err(refusal) => return Some(refusal),
    };
    if is_cross_site(headers, Some(&host), settings) {
        return Some(refuse_foreign_page());
    }
    let is_closed = needs_login && settings.admin_token.is_some();
    (is_closed && !is_logged_in && !has_token(headers, settings)).then(refuse_without_token)
}

/// The host of a request, if it is trusted; the refusal if not. A token does not replace this check.
#[expect(clippy::result_large_err, reason = "the answer is sent at once")]
pub(super) fn trusted_host(
    request: &Request<Body>,
    settings: &Settings,
    local: bool,
) -> Result<Authority, Response<Body>> {
    let host =
        requested_host(request).map_err(|ambiguity| reply::message(StatusCode::BAD_REQUEST, ambiguity))?;
    host.filter(|host| is_trusted_host(host, settings, local)).ok_or_else(|| refuse_host(local))
}

/// Whether a request carries the token.
pub(super) fn has_token(headers: &HeaderMap, settings: &Settings) -> bool {
    let token = settings.admin_token.as_ref();
    token.is_some_and(|token| sent_token(headers).is_some_and(|sent| token.is(sent)))
}

fn refuse_without_token() -> Response<Body> {
    let mut response = reply::message(StatusCode::UNAUTHORIZED, "Unauthorized");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Checks whether a request of the status listener is allowed. Probes of HTTP/1.0 have no Host; no browser sends such
/// a request.
pub(super) fn check_status_access(
    request: &Request<Body>,
    settings: &Settings,
    local: bool,
) -> Option<Response<Body>> {
    let host = match requested_host(request) {
        Ok(host) => host,
        Err(ambiguity) => return Some(reply::message(StatusCode::BAD_REQUEST, ambiguity)),
    };
    if host.as_ref().is_some_and(|host| !is_trusted_host(host, settings, local)) {
        return Some(refuse_host(local));
    }
    is_cross_site(request.headers(), host.as_ref(), settings).then(refuse_foreign_page)
}

/// Adds the security headers of every answer.
pub(super) fn add_security_headers(headers: &mut HeaderMap) {
    for (name, value) in ANSWER_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Allows pages of a configured origin to read the answer.
pub(super) fn allow_origin(response: &mut Response<Body>, origin: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

/// The origin of the request, if its pages may read answers.
pub(super) fn allowed_origin(headers: &HeaderMap, settings: &Settings) -> Option<HeaderValue> {
    let origin = single_value(headers, &header::ORIGIN)?;
    let text = origin.to_str().ok()?.to_ascii_lowercase();
    settings.admin_gui_url.contains(&text).then(|| origin.clone())
}

fn refuse_host(local: bool) -> Response<Body> {
    let message = if local {
        "this Admin API listens on the loopback interface and does not accept this Host; admin_allowed_hosts allows \
         others"
    } else {
        "the Admin API does not accept this Host; admin_allowed_hosts allows others"
    };
    reply::message(StatusCode::FORBIDDEN, message)
}

fn refuse_foreign_page() -> Response<Body> {
    let message = "pages of other sites may not use the Admin API; admin_gui_url allows others";
    reply::message(StatusCode::FORBIDDEN, message)
}

/// The token in a request.
fn sent_token(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    bearer.or_else(|| headers.get("kong-admin-token").and_then(|value| value.to_str().ok()))
}

/// Whether the request comes from a page of another site, according to the browser's headers.
fn is_cross_site(headers: &HeaderMap, host: Option<&Authority>, settings: &Settings) -> bool {
    if allowed_origin(headers, settings).is_some() {
        return false;
    }
    if headers.contains_key(header::ORIGIN) {
        let origin = single_value(headers, &header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let authority = origin.and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
        let is_same_origin = authority.zip(host).is_some_and(|(authority, host)| host == authority);
        if !is_same_origin {
            return true;
        }
    }
    headers.get_all("sec-fetch-site").iter().any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"))
}

/// The value of a header that occurs exactly once.
fn single_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut all = headers.get_all(name).iter();
    all.next().filter(|_| all.next().is_none())
}

/// Host and port of the request; `None` if it has neither a Host nor an authority.
///
/// # Errors
/// The values are ambiguous or malformed. (RFC 9112, section 3.2; RFC 9113, section 8.3.1.)
fn requested_host(request: &Request<Body>) -> Result<Option<Authority>, &'static str> {
    const AMBIGUOUS: &str = "the Host of this request is ambiguous";
    const INVALID: &str = "the Host is not a valid host and port";
    let headers = request.headers();
    let field = match single_value(headers, &header::HOST) {
        None if headers.contains_key(header::HOST) => return Err(AMBIGUOUS),
        Some(host) if host.is_empty() => None,
        Some(host) => Some(Authority::try_from(host.as_bytes()).map_err(|_| INVALID)?),
        None => None,
    };
    let target = request.uri().authority().cloned();
    let scheme = request.uri().scheme_str();
    if let (Some(field), Some(target)) = (&field, &target)
        && !is_same_authority(field, target, scheme)
    {
        return Err(AMBIGUOUS);
    }
    let host = field.or(target);
    if host.as_ref().is_some_and(|host| host.as_str().contains('@')) {
        return Err(INVALID);
    }
    Ok(host)
}

/// Whether two authorities are equal, with the default port of the scheme.
fn is_same_authority(one: &Authority, other: &Authority, scheme: Option<&str>) -> bool {
    let port = |authority: &Authority| {
        let default_port = || scheme.and_then(Scheme::from_name).map(Scheme::default_port);
        authority.port_u16().or_else(default_port)
    };
    one.host().eq_ignore_ascii_case(other.host()) && port(one) == port(other)
}

/// Whether no page of another site can have this name: it is an address, a name that the public DNS does not have, or
/// a name in the settings. On the loopback interface, only names of this machine are accepted.
fn is_trusted_host(authority: &Authority, settings: &Settings, local: bool) -> bool {
    let host = without_brackets(authority.host()).to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    if host == "localhost" || host.ends_with(".localhost") || is_configured_host(host, settings) {
        return true;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return !local || address.to_canonical().is_loopback();
    }
    !local && !host.is_empty() && is_private_name(host)
}

/// Whether the public DNS has no such name: the name has no dot, or a suffix that is not delegated.
fn is_private_name(host: &str) -> bool {
    !host.contains('.') || PRIVATE_SUFFIXES.iter().any(|suffix| host.ends_with(suffix))
}

/// Whether a name occurs in the settings: in `admin_allowed_hosts`, as a listen address, or in the URL of an allowed
/// page.
fn is_configured_host(host: &str, settings: &Settings) -> bool {
    let pages = [&settings.portal_gui_listen, &settings.admin_gui_listen].into_iter().flatten().flatten();
    let is_listener =
        settings.admin_listen.iter().chain(&settings.status_listen).chain(pages).any(|listener| {
            let address = listener.address.ip();
            !address.is_unspecified() && address.to_string() == host
        });
    let is_page = settings.admin_gui_url.iter().any(|origin| {
        let authority =
            origin.split_once("://").and_then(|(_, authority)| authority.parse::<Authority>().ok());
        authority.is_some_and(|authority| without_brackets(authority.host()) == host)
    });
    is_listener || is_page || settings.admin_allowed_hosts.iter().any(|allowed| allowed.matches(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::AllowedHost;

    #[track_caller]
    fn check(method: &str, headers: &[(&str, &str)], local: bool, expected: Option<u16>) {
        check_target(method, "/services", headers, local, expected);
    }

    #[track_caller]
    fn check_target(
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        local: bool,
        expected: Option<u16>,
    ) {
        let admin_gui_url = vec!["http://manager.example:8002".to_owned()];
        let admin_allowed_hosts = ["kong.example", "*.corp.example"].map(AllowedHost::from).to_vec();
        let settings = Settings { admin_allowed_hosts, admin_gui_url, ..Settings::default() };
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::Empty).unwrap();
        let status =
            check_admin_access(&request, &settings, local).map(|response| response.status().as_u16());
        assert_eq!(status, expected, "{method} {target} {headers:?}");
    }

    #[test]
    fn the_loopback_interface_accepts_only_names_of_this_machine() {
        for host in
            ["localhost:8001", "127.0.0.1:8001", "[::1]:8001", "127.3.2.1", "a.localhost", "LOCALHOST"]
        {
            check("GET", &[("host", host)], true, None);
        }
        for host in
            ["evil.example", "evil.example:8001", "127.0.0.1.evil.example", "10.0.0.1", "", "localhost.evil"]
        {
            check("GET", &[("host", host)], true, Some(403));
        }
        check("GET", &[], true, Some(403));
        check("GET", &[("host", "gateway.internal:8001")], false, None);
        check("GET", &[("host", "manager.example")], true, None);
    }

    #[test]
    fn other_addresses_accept_only_names_outside_the_public_dns() {
        for host in [
            "10.0.0.1:8001",
            "[fd00::1]:8001",
            "localhost:8001",
            "kong",
            "kong:8001",
            "kong-admin.kong.svc",
            "kong-admin.kong.svc.cluster.local:8444",
            "kong.example",
            "KONG.example.:8001",
            "a.corp.example",
            "a.b.corp.example",
            "manager.example:8001",
        ] {
            for method in ["GET", "POST", "DELETE"] {
                check(method, &[("host", host)], false, None);
            }
        }
        for host in [
            "evil.example",
            "evil.example:8001",
            "corp.example",
            "xcorp.example",
            "kong.example.evil.example",
            "10.0.0.1.evil.example",
            "svc.example",
            "internal.example",
            "kong.local",
            "",
        ] {
            for method in ["GET", "POST", "OPTIONS"] {
                check(method, &[("host", host)], false, Some(403));
                // A matching Origin does not help a page that reaches this address by DNS rebinding.
                let origin = format!("http://{host}");
                check(method, &[("host", host), ("origin", &origin)], false, Some(403));
            }
        }
        check("GET", &[], false, Some(403));
    }

    #[test]
    fn a_request_with_several_hosts_is_refused() {
        for local in [true, false] {
            check("GET", &[("host", "localhost"), ("host", "localhost")], local, Some(400));
            check("GET", &[("host", "localhost"), ("host", "evil.example")], local, Some(400));
            check("GET", &[("host", "a b")], local, Some(400));
            check("GET", &[("host", "evil@localhost")], local, Some(400));
            check_target("GET", "http://localhost/", &[("host", "evil.example")], local, Some(400));
            check_target("GET", "http://evil.example/", &[("host", "localhost")], local, Some(400));
            check_target("GET", "http://localhost:8001/", &[("host", "localhost:8002")], local, Some(400));
            check_target("GET", "http://localhost:80/", &[("host", "LOCALHOST")], local, None);
            check_target("GET", "http://evil.example/", &[], local, Some(403));
        }
    }

    #[test]
    fn a_valid_token_proves_that_the_client_is_not_a_page() {
        let admin_token = Settings::load(&[("admin_token", "s3cret".to_owned())], std::iter::empty(), None)
            .unwrap()
            .settings
            .admin_token;
        let settings = Settings { admin_token, ..Settings::default() };
        for (host, token, origin, expected) in [
            ("kong.elsewhere.example", "s3cret", None, None),
            ("kong.elsewhere.example", "wrong", None, Some(403)),
            ("localhost", "wrong", None, Some(401)),
            ("localhost", "s3cret", Some("http://evil.example"), Some(403)),
        ] {
            let request = Request::builder().uri("/").header("host", host).header("kong-admin-token", token);
            let request =
                origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
            let request = request.body(Body::Empty).unwrap();
            let status =
                check_admin_access(&request, &settings, false).map(|response| response.status().as_u16());
            assert_eq!(status, expected, "{host} {token} {origin:?}");
        }
    }

    #[test]
    fn the_status_listener_accepts_probes_and_refuses_pages() {
        let check = |headers: &[(&str, &str)], expected: Option<u16>| {
            let request = headers.iter().fold(Request::builder().uri("/status"), |request, (name, value)| {
                request.header(*name, *value)
            });
            let request = request.body(Body::Empty).unwrap();
            let status = check_status_access(&request, &Settings::default(), false)
                .map(|response| response.status().as_u16());
            assert_eq!(status, expected, "{headers:?}");
        };
        check(&[], None);
        check(&[("host", "10.1.2.3:8100")], None);
        check(&[("host", "kong-status.kong.svc")], None);
        check(&[("host", "evil.example")], Some(403));
        check(&[("host", "10.1.2.3"), ("origin", "http://evil.example")], Some(403));
        check(&[("host", "10.1.2.3"), ("sec-fetch-site", "cross-site")], Some(403));
        check(&[("host", "a"), ("host", "b")], Some(400));
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let host = ("host", "localhost:8001");
        for (name, value, expected) in [
            ("origin", "http://evil.example", Some(403)),
            ("origin", "null", Some(403)),
            ("origin", "", Some(403)),
            ("origin", "http://localhost:3000", Some(403)),
            ("origin", "http://localhost:8001", None),
            ("origin", "http://manager.example:8002", None),
            ("sec-fetch-site", "cross-site", Some(403)),
            ("sec-fetch-site", "same-site", Some(403)),
            ("sec-fetch-site", "same-origin", None),
            ("sec-fetch-site", "none", None),
        ] {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                check(method, &[host, (name, value)], true, expected);
                check(method, &[host, (name, value)], false, expected);
            }
        }
        let twice = [host, ("origin", "http://localhost:8001"), ("origin", "http://evil.example")];
        check("POST", &twice, true, Some(403));
        let both = [host, ("origin", "http://localhost:8001"), ("sec-fetch-site", "cross-site")];
        check("POST", &both, true, Some(403));
    }
}
