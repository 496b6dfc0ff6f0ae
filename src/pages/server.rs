//! Answers of a page's listener: the page and its files, the login, and the Admin API below the page's path.
//!
//! | path below the page's | answer |
//! |---|---|
//! | `` | the page |
//! | `assets/DIGEST/...` | its files |
//! | `-/page` | what the page asks first |
//! | `-/login`, `-/logout` | begin and end of a session |
//! | `-/api/...` | the Admin API; in a portal without writes, its part for readers |

use std::sync::Arc;

use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY, SET_COOKIE,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
    uri::PathAndQuery,
};
use serde_json::json;

use super::{
    assets::{PageDocument, answer_asset},
    login::LoginSessions,
    page_info::PageAddresses,
};
use crate::{body::Body, control::admin::AdminApi, reply};

/// Which page a listener has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// The developer portal.
    Portal,
    /// The manager.
    Manager,
}

static PORTAL: PageDocument = PageDocument::new(include_str!("../../web/portal.html"));
static MANAGER: PageDocument = PageDocument::new(include_str!("../../web/manager.html"));

/// Security headers of every answer; the policy stands apart, as it names the proxy.
const ANSWER_HEADERS: [(HeaderName, &str); 5] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// A page on its listeners.
#[derive(Debug)]
pub struct PageServer {
    kind: PageKind,
    /// Path of the page; begins and ends with a slash.
    path: String,
    admin: Arc<AdminApi>,
    sessions: Arc<LoginSessions>,
    addresses: PageAddresses,
    /// Whether the page may change the configuration.
    writes: bool,
}

impl PageServer {
    /// A page below a path that begins and ends with a slash. Without `writes`, it has only what is for readers.
    #[must_use]
    pub const fn new(
        kind: PageKind,
        path: String,
        writes: bool,
        admin: Arc<AdminApi>,
        sessions: Arc<LoginSessions>,
        addresses: PageAddresses,
    ) -> Self {
        Self { kind, path, admin, sessions, addresses, writes }
    }

    /// Which page it is.
    #[must_use]
    pub const fn kind(&self) -> PageKind {
        self.kind
    }

    /// The path of the page.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The Admin API below the page.
    #[must_use]
    pub const fn admin(&self) -> &Arc<AdminApi> {
        &self.admin
    }

    /// Answers one request; `local` states that it came over the loopback interface, `is_tls` that it came over TLS.
    pub async fn answer(&self, request: Request<Body>, local: bool, is_tls: bool) -> Response<Body> {
        let Some(below) = request.uri().path().strip_prefix(&*self.path).map(str::to_owned) else {
            return self.redirect(&request);
        };
        if let Some(path) = below.strip_prefix("-/api/") {
            return self.answer_api(request, path, local).await;
        }
        let host = match self.admin.page_host(&request, local) {
            Ok(host) => host,
            Err(refusal) => return secure(refusal, ""),
        };
        let head_only = request.method() == Method::HEAD;
        let proxy = self.addresses.proxy_origins(host.host()).join(" ");
        let response = match below.strip_prefix("-/") {
            Some(name) => self.answer_session(&request, name, host.host(), local, is_tls),
            None if !matches!(*request.method(), Method::GET | Method::HEAD) => refuse_method("GET, HEAD"),
            None if below.is_empty() => match self.kind {
                PageKind::Portal => PORTAL.answer(request.headers()),
                PageKind::Manager => MANAGER.answer(request.headers()),
            },
            None => answer_asset(&below, request.headers()).unwrap_or_else(not_found),
        };
        without_body(secure(response, &proxy), head_only)
    }

    /// Answers a request of the Admin API below the page.
    async fn answer_api(&self, mut request: Request<Body>, path: &str, local: bool) -> Response<Body> {
        let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
        let Ok(target) = PathAndQuery::try_from(format!("/{path}{query}")) else { return not_found() };
        let is_logged_in = self.sessions.contains(request.headers());
        // The host of an absolute target stays, since it must equal that of the field.
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(target);
        let Ok(uri) = Uri::from_parts(parts) else { return not_found() };
        *request.uri_mut() = uri;
        if self.writes {
            return self.admin.answer_page(request, local, is_logged_in).await;
        }
        self.admin.answer_reader(request, local).await
    }

    /// Answers what a page asks about itself, and its login.
    fn answer_session(
        &self,
        request: &Request<Body>,
        name: &str,
        host: &str,
        local: bool,
        is_tls: bool,
    ) -> Response<Body> {
        let headers = request.headers();
        if let Some(refusal) = self.admin.check_page(request, local, false, false) {
            return refusal;
        }
        let cookie_path = format!("{}-/", self.path);
        let mut response = match (name, request.method()) {
            ("page", &Method::GET | &Method::HEAD) => self.describe(request, host),
            ("login", &Method::POST) if self.writes && self.admin.has_token(headers) => {
                let mut response = reply::empty(StatusCode::NO_CONTENT);
                let cookie = self.sessions.begin(&cookie_path, is_tls);
                response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
                response
            }
            ("login", &Method::POST) => reply::message(StatusCode::UNAUTHORIZED, "this is not the token"),
            ("logout", &Method::POST) => {
                let mut response = reply::empty(StatusCode::NO_CONTENT);
                let cookie = self.sessions.end(headers, &cookie_path, is_tls);
                response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
                response
            }
            ("page", _) => refuse_method("GET, HEAD"),
            ("login" | "logout", _) => refuse_method("POST"),
            _ => not_found(),
        };
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    fn describe(&self, request: &Request<Body>, host: &str) -> Response<Body> {
        let is_logged_in = self.sessions.contains(request.headers());
        let mut page = self.addresses.describe(host);
        page["page"] = match self.kind {
            PageKind::Portal => "portal".into(),
            PageKind::Manager => "manager".into(),
        };
        page["version"] = env!("CARGO_PKG_VERSION").into();
        let requires_login = self.writes && self.admin.requires_token();
        // The reason may name a path, which is for those who may read the configuration.
        let may_know = self.writes && (is_logged_in || !requires_login);
        let why_read_only = self.admin.why_read_only().filter(|_| may_know);
        page["writes"] = (self.writes && why_read_only.is_none()).into();
        page["why_read_only"] = why_read_only.into();
        page["login"] = json!({ "required": requires_login, "done": is_logged_in });
        reply::json(StatusCode::OK, page.to_string())
    }

    /// Leads a request outside of the page's path to the page.
    fn redirect(&self, request: &Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        if path != "/" && path != self.path.trim_end_matches('/') {
            return secure(not_found(), "");
        }
        let mut response = reply::empty(StatusCode::TEMPORARY_REDIRECT);
        let location = HeaderValue::try_from(&self.path).ok();
        response.headers_mut().extend(location.map(|location| (LOCATION, location)));
        secure(response, "")
    }
}

fn not_found() -> Response<Body> {
    reply::message(StatusCode::NOT_FOUND, "Not found")
}

fn refuse_method(allowed: &'static str) -> Response<Body> {
    let mut response = reply::message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Adds the security headers; scripts may send requests to the origins `proxy`.
fn secure(mut response: Response<Body>, proxy: &str) -> Response<Body> {
    // Swagger UI has icons as `data:` in its style sheet, and shows answers that are images as `blob:`.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; \
         connect-src 'self' {proxy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    for (name, value) in ANSWER_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.extend(HeaderValue::try_from(policy).ok().map(|policy| (CONTENT_SECURITY_POLICY, policy)));
    response
}

/// Takes the body away, for HEAD.
fn without_body(mut response: Response<Body>, head_only: bool) -> Response<Body> {
    if head_only {
        let length = http_body::Body::size_hint(response.body()).exact();
        response.headers_mut().extend(length.map(|length| (CONTENT_LENGTH, length.into())));
        *response.body_mut() = Body::Empty;
    }
    response
}
