//! The Admin API: what is current, and `POST /config` to change it. (Kong: Admin API reference.)

mod config;
mod debug;
mod entities;
mod health;
mod node;

use std::{sync::Arc, time::Instant};

use http::{HeaderValue, Method, Request, Response, StatusCode, header};

use super::Control;
use crate::{body::Body, reply, settings::Settings};

/// Answers the requests of the Admin API.
#[derive(Debug)]
pub struct Admin {
    control: Arc<Control>,
    settings: Arc<Settings>,
    ready: Arc<super::Readiness>,
    node_id: uuid::Uuid,
    started: Instant,
}

impl Admin {
    /// Answers from this control.
    #[must_use]
    pub fn new(control: Arc<Control>, settings: Arc<Settings>, ready: Arc<super::Readiness>) -> Self {
        Self { control, settings, ready, node_id: uuid::Uuid::new_v4(), started: Instant::now() }
    }

    /// Answers one request of the Admin API.
    pub async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let started = Instant::now();
        let head_only = request.method() == Method::HEAD;
        let response = self.route(request).await;
        finish(response, started, head_only)
    }

    /// Answers one request of the status listener: the few questions that change nothing.
    pub async fn status_answer(&self, request: Request<Body>) -> Response<Body> {
        let started = Instant::now();
        let head_only = request.method() == Method::HEAD;
        let response = match segments(request.uri().path()).as_deref() {
            Some(["status"] | ["status", "ready"]) => self.route(request).await,
            _ => not_found(),
        };
        finish(response, started, head_only)
    }

    async fn route(&self, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let Some(segments) = segments(&path) else { return not_found() };
        let allowed: &[Method] = match segments.as_slice() {
            ["config"] => &[Method::GET, Method::HEAD, Method::OPTIONS, Method::POST],
            ["mock", "state"] => &[Method::DELETE, Method::OPTIONS],
            ["upstreams", _, "targets", _, .., "healthy" | "unhealthy"] => &[Method::OPTIONS, Method::PUT],
            _ => &[Method::GET, Method::HEAD, Method::OPTIONS],
        };
        if !knows(&segments) {
            return not_found();
        }
        if request.method() == Method::OPTIONS {
            return options(allowed);
        }
        if !allowed.contains(request.method()) {
            return entities::refuse_write(&segments, request.method(), allowed);
        }
        match segments.as_slice() {
            [] => self.node(),
            ["status"] => self.status(),
            ["status", "ready"] => self.ready(),
            ["config"] if request.method() == Method::POST => self.post_config(request).await,
            ["config"] => self.config(),
            ["debug", "explain"] => self.explain(request.uri().query().unwrap_or_default()),
            ["mock", "state"] => {
                self.control.live().current().forget();
                reply::empty(StatusCode::NO_CONTENT)
            }
            ["upstreams", upstream, "health"] => {
                self.health(upstream, request.uri().query().unwrap_or_default())
            }
            ["upstreams", upstream, "targets", target, address @ .., word @ ("healthy" | "unhealthy")] => {
                self.set_health(upstream, target, address.first().copied(), *word == "healthy")
            }
            _ => self.entities(&segments, request.uri().query().unwrap_or_default()),
        }
    }
}

fn knows(segments: &[&str]) -> bool {
    matches!(
        segments,
        [] | ["status" | "config"] | ["status", "ready"] | ["debug", "explain"] | ["mock", "state"]
    ) || health::knows(segments)
        || entities::knows(segments)
}

/// The segments of a path; one slash at its end is tolerated, empty segments are not.
fn segments(path: &str) -> Option<Vec<&str>> {
    let path = path.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Some(Vec::new());
    }
    let segments: Vec<&str> = path.split('/').collect();
    (!segments.iter().any(|it| it.is_empty())).then_some(segments)
}

fn not_found() -> Response<Body> {
    reply::message(StatusCode::NOT_FOUND, "Not found")
}

fn options(allowed: &[Method]) -> Response<Body> {
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
        response.headers_mut().insert(header::ALLOW, names);
    }
    response
}

fn finish(mut response: Response<Body>, started: Instant, head_only: bool) -> Response<Body> {
    let headers = response.headers_mut();
    let latency = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    headers.insert("x-kong-admin-latency", latency.into());
    headers.insert(header::SERVER, HeaderValue::from_static(concat!("mynah/", env!("CARGO_PKG_VERSION"))));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if head_only {
        let length = http_body::Body::size_hint(response.body()).exact();
        if let Some(length) = length {
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        }
        *response.body_mut() = Body::Empty;
    }
    response
}
