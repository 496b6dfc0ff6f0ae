//! Who may ask: no page of another site, no name that was bound to this address for an attack, nobody without the
//! token where there is one. All of it before anything else is looked at.

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};

use crate::{body::Body, reply, settings::Settings};

/// Why a request is refused, if it is. `local` says that it came over the loopback interface.
pub(super) fn refused(request: &Request<Body>, settings: &Settings, local: bool) -> Option<Response<Body>> {
    let headers = request.headers();
    if local && !host(request).is_some_and(|host| is_local(host) || is_configured(host, settings)) {
        let message = "this Admin API listens on the loopback interface, and this Host is no name of it";
        return Some(reply::message(StatusCode::FORBIDDEN, message));
    }
    if is_foreign(request, settings) {
        let message = "pages of other sites may not use the Admin API; admin_gui_url names those that may";
        return Some(reply::message(StatusCode::FORBIDDEN, message));
    }
    let token = settings.admin_token.as_ref()?;
    // A browser asks first without it; the answer tells only which methods there are.
    let preflight = request.method() == Method::OPTIONS && allowed_origin(headers, settings).is_some();
    if preflight || shown(headers).is_some_and(|it| token.is(it)) {
        return None;
    }
    let mut response = reply::message(StatusCode::UNAUTHORIZED, "Unauthorized");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Some(response)
}

/// Lets the pages of a configured origin read the answer.
pub(super) fn share(response: &mut Response<Body>, origin: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

/// The origin of the request, if its pages may read answers.
pub(super) fn allowed_origin(headers: &HeaderMap, settings: &Settings) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let text = origin.to_str().ok()?.to_ascii_lowercase();
    settings.admin_gui_url.contains(&text).then(|| origin.clone())
}

/// The token that a request shows.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok()).and_then(|it| {
        let (scheme, token) = it.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    bearer.or_else(|| headers.get("kong-admin-token").and_then(|it| it.to_str().ok()))
}

/// Whether the page that asks belongs to another site, as far as the browser says.
fn is_foreign(request: &Request<Body>, settings: &Settings) -> bool {
    let headers = request.headers();
    if allowed_origin(headers, settings).is_some() {
        return false;
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        return authority.is_none() || authority != authority_of(request);
    }
    let site = headers.get("sec-fetch-site").and_then(|it| it.to_str().ok());
    site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

/// Host and port that the request is for.
fn authority_of(request: &Request<Body>) -> Option<&str> {
    let named = request.headers().get(header::HOST).and_then(|it| it.to_str().ok());
    named.or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
}

/// The same without the port.
fn host(request: &Request<Body>) -> Option<&str> {
    let authority = authority_of(request)?;
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|it| it.is_ascii_digit()) && !host.is_empty() => Some(host),
        _ => Some(authority),
    }
}

/// Whether a name can only mean this machine.
fn is_local(host: &str) -> bool {
    let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    let address = host.parse::<std::net::IpAddr>().is_ok_and(|it| it.to_canonical().is_loopback());
    address || host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost")
}

/// Whether a name stands in the settings: where the Admin API listens, or in the URL of a page that uses it.
fn is_configured(host: &str, settings: &Settings) -> bool {
    let listens = settings.admin_listen.iter().any(|it| {
        let address = it.address.ip();
        !address.is_unspecified() && address.to_string() == host.trim_matches(['[', ']'])
    });
    let pages = settings.admin_gui_url.iter().any(|origin| {
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
        authority.rsplit_once(':').map_or(authority, |(name, _)| name).eq_ignore_ascii_case(host)
    });
    listens || pages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, headers: &[(&str, &str)], local: bool, expected: Option<u16>) {
        let admin_gui_url = vec!["http://manager.example:8002".to_owned()];
        let settings = Settings { admin_gui_url, ..Settings::default() };
        let mut request = Request::builder().method(method).uri("/services");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::Empty).unwrap();
        let status = refused(&request, &settings, local).map(|it| it.status().as_u16());
        assert_eq!(status, expected, "{method} {headers:?}");
    }

    #[test]
    fn only_names_of_this_machine_reach_its_loopback() {
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
    fn pages_of_other_sites_are_refused() {
        let host = ("host", "localhost:8001");
        for (name, value, expected) in [
            ("origin", "http://evil.example", Some(403)),
            ("origin", "null", Some(403)),
            ("origin", "http://localhost:3000", Some(403)),
            ("origin", "http://localhost:8001", None),
            ("origin", "http://manager.example:8002", None),
            ("sec-fetch-site", "cross-site", Some(403)),
            ("sec-fetch-site", "same-site", Some(403)),
            ("sec-fetch-site", "same-origin", None),
            ("sec-fetch-site", "none", None),
        ] {
            for method in ["GET", "POST", "OPTIONS"] {
                check(method, &[host, (name, value)], true, expected);
                check(method, &[host, (name, value)], false, expected);
            }
        }
    }
}
