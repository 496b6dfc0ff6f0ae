//! The Admin API: what is current, and how it is changed. (Kong: Admin API reference.)
//!
//! | part | is for |
//! |---|---|
//! | `access_check` | access: names of the host, origins of pages, the token |
//! | `entities`, `pages`, `collections` | paths of entities, lists, and which entities there are |
//! | `upload`, `input`, `form`, `checked` | from a body to a record |
//! | `beside` | what is done beside the threads that serve requests |
//! | `write`, `write_request`, `rules`, `server_names`, `plan`, `item` | from a record to a change of the text |
//! | `config` | the whole text, out and in |
//! | `schemas`, `tags`, `node`, `metrics`, `debug` | questions |
//! | `refusal` | Kong's error objects |

mod access_check;
mod collections;
mod config;
mod constraints;
mod debug;
mod entities;
mod file_item;
mod form;
mod health;
mod input;
mod metrics;
mod node;
mod pagination;
mod plan;
mod record_check;
mod refusal;
mod schemas;
mod server_names;
mod tags;
mod upload;
mod work_pools;
mod write;
mod write_request;

use std::{sync::Arc, time::Instant};

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use percent_encoding::percent_decode_str;

use super::Control;
use crate::{
    body::Body,
    metrics::ConnectionCounters,
    reply,
    settings::{ResponseHeader, ResponseHeaders, Settings},
};
use entities::EntityPath;
use refusal::AdminRefusal;

/// Answers the requests of the Admin API.
#[derive(Debug)]
pub struct AdminApi {
    control: Arc<Control>,
    settings: Arc<Settings>,
    ready: Arc<super::Readiness>,
    connections: ConnectionCounters,
    verbosity: Arc<super::LogLevelHandle>,
    node_id: uuid::Uuid,
    started: Instant,
    work: work_pools::Work,
    uploads: upload::Uploads,
}

impl AdminApi {
    /// Answers from this control; what `connections` do is told, and `verbosity` is changed on request.
    #[must_use]
    pub fn new(
        control: Arc<Control>,
        settings: Arc<Settings>,
        ready: Arc<super::Readiness>,
        connections: ConnectionCounters,
        verbosity: Arc<super::LogLevelHandle>,
    ) -> Self {
        let (node_id, started) = (uuid::Uuid::new_v4(), Instant::now());
        let (work, uploads) =
            (work_pools::Work::default(), upload::Uploads::bounded_by(settings.admin_max_body_size));
        Self { control, settings, ready, connections, verbosity, node_id, started, work, uploads }
    }

    /// Answers one request of the Admin API; `local` says that it came over the loopback interface.
    pub async fn answer(self: &Arc<Self>, request: Request<Body>, local: bool) -> Response<Body> {
        let started = Instant::now();
        let head_only = request.method() == Method::HEAD;
        let origin = access_check::allowed_origin(request.headers(), &self.settings);
        let mut response = match access_check::refused(&request, &self.settings, local) {
            Some(refusal) => refusal,
            None => self.route(request).await,
        };
        if let Some(origin) = origin {
            access_check::share(&mut response, origin);
        }
        finish(response, self.settings.headers, started, head_only)
    }

    /// Answers one request of the status listener: the few questions that change nothing.
    pub async fn status_answer(self: &Arc<Self>, request: Request<Body>, local: bool) -> Response<Body> {
        let started = Instant::now();
        let head_only = request.method() == Method::HEAD;
        if let Some(refusal) = access_check::refused_status(&request, &self.settings, local) {
            return finish(refusal, self.settings.headers, started, head_only);
        }
        let response = match segments(request.uri().path()).as_deref() {
            Some(["status", "ready"]) if matches!(*request.method(), Method::GET | Method::HEAD) => {
                self.ready()
            }
            Some(["status" | "metrics"]) => self.route(request).await,
            _ => not_found(),
        };
        finish(response, self.settings.headers, started, head_only)
    }

    /// Answers what cannot be read as a request.
    #[must_use]
    pub fn unreadable(&self, status: StatusCode) -> Response<Body> {
        let message = reply::default_message(status);
        finish(reply::message(status, &message), self.settings.headers, Instant::now(), false)
    }

    /// Answers with what takes longer the larger the configuration is.
    async fn answer_beside(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Response<Body> + Send + 'static,
    ) -> Response<Body> {
        self.beside(work).await.unwrap_or_else(AdminRefusal::answer)
    }

    async fn route(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let Some(segments) = segments(&path) else { return not_found() };
        let resource = entities::resource(&segments);
        // Kong has `/status/ready` on the status listener only; who has none asks here.
        let readiness = self.settings.status_listen.is_empty();
        let known = methods(&segments, readiness).or_else(|| resource.as_ref().map(EntityPath::methods));
        let Some(allowed) = known else { return not_found() };
        if request.method() == Method::OPTIONS {
            return options(allowed, request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS));
        }
        if !allowed.contains(request.method()) {
            return reply::message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed");
        }
        let query = request.uri().query().unwrap_or_default().to_owned();
        match (segments.as_slice(), resource) {
            ([], _) => self.node(),
            // Errors are shown with their places, however many there are.
            (["status"], _) => self.answer_beside(move |admin| admin.status(&query)).await,
            (["status", "ready"], _) => self.ready(),
            (["status", "dns"], _) => {
                reply::message(StatusCode::NOT_IMPLEMENTED, "not implemented with the legacy DNS client")
            }
            (["config"], _) if request.method() == Method::POST => self.post_config(request).await,
            (["config"], _) => self.answer_beside(Self::config).await,
            (["debug", "explain"], _) => self.answer_beside(move |admin| admin.explain(&query)).await,
            (["mock", "state"], _) => {
                self.control.live().current().reset_plugins();
                reply::empty(StatusCode::NO_CONTENT)
            }
            (["upstreams", upstream, "health"], _) => {
                let upstream = (*upstream).to_owned();
                self.answer_beside(move |admin| admin.health(&upstream, &query)).await
            }
            (
                ["upstreams", upstream, "targets", target, address @ .., word @ ("healthy" | "unhealthy")],
                _,
            ) => self.set_health(upstream, target, address.first().copied(), *word == "healthy"),
            (["tags", tag @ ..], _) if tag.len() < 2 => {
                let tag = tag.first().map(|it| percent_decode_str(it).decode_utf8_lossy().into_owned());
                let path = path.clone();
                let tags = move |admin: &Self| admin.tags(tag.as_deref(), &path, &query);
                self.answer_beside(move |admin| tags(admin).unwrap_or_else(AdminRefusal::answer)).await
            }
            (["endpoints"], _) => Self::endpoints(),
            (["metrics"], _) => self.answer_beside(Self::metrics).await,
            (["timers"], _) => Self::timers(),
            (["plugins", "enabled"], _) => Self::enabled_plugins(),
            (["plugins", "schema", name], _) => self.settings_schema(name),
            (["schemas", names @ ..], _) => self.schemas(names, request).await,
            (["clustering", _], _) => reply::message(
                StatusCode::BAD_REQUEST,
                "this endpoint is only available when Kong is configured to run as Control Plane for the cluster",
            ),
            (["debug", _, "log-level"], _) => self.log_level(),
            (["debug", "node", "log-level", level], _) => self.set_log_level(level, &query),
            (["debug", _, "log-level", _], _) => Self::no_log_level(),
            (["cache", ..], _) if request.method() == Method::DELETE => reply::empty(StatusCode::NO_CONTENT),
            (_, Some(resource)) => self.entities(resource, request).await,
            (_, None) => not_found(),
        }
    }
}

/// The methods of a path that is none of entities, if there is one.
fn methods(path: &[&str], readiness: bool) -> Option<&'static [Method]> {
    Some(match path {
        ["status", "ready"] if !readiness => return None,
        []
        | ["status" | "tags" | "endpoints" | "metrics" | "timers"]
        | ["status", "dns" | "ready"]
        | ["tags" | "schemas", _]
        | ["plugins", "enabled"]
        | ["plugins", "schema", _]
        | ["clustering", "data-planes" | "status"]
        | ["debug", "explain"]
        | ["debug", "node", "log-level"]
        | ["upstreams", _, "health"] => &[Method::GET, Method::HEAD, Method::OPTIONS],
        ["schemas", "plugins" | "vaults", name] if *name != "validate" => {
            &[Method::GET, Method::HEAD, Method::OPTIONS]
        }
        ["schemas", _, "validate"] => &[Method::OPTIONS, Method::POST],
        ["config"] => &[Method::GET, Method::HEAD, Method::OPTIONS, Method::POST],
        ["mock", "state"] | ["cache"] => &[Method::DELETE, Method::OPTIONS],
        ["cache", _] => &[Method::DELETE, Method::GET, Method::HEAD, Method::OPTIONS],
        ["debug", "node" | "cluster", "log-level", _] => &[Method::OPTIONS, Method::PUT],
        path if health::knows(path) => &[Method::OPTIONS, Method::PUT],
        _ => return None,
    })
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

/// The methods that are allowed. A page may use them only where its origin is let in ([`access_check::share`]).
fn options(allowed: &[Method], asked: Option<&HeaderValue>) -> Response<Body> {
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
        headers.insert(header::ALLOW, names.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, names);
    }
    let asked = asked.cloned().unwrap_or(HeaderValue::from_static("Content-Type"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
    response
}

/// Adds what every answer has; `tokens` are the headers that are wanted.
fn finish(
    mut response: Response<Body>,
    tokens: ResponseHeaders,
    started: Instant,
    head_only: bool,
) -> Response<Body> {
    let headers = response.headers_mut();
    if tokens.contains(ResponseHeader::AdminLatency) {
        let latency = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        headers.insert("x-kong-admin-latency", latency.into());
    }
    if tokens.contains(ResponseHeader::Server) {
        let name = HeaderValue::from_static(concat!("mynah/", env!("CARGO_PKG_VERSION")));
        headers.insert(header::SERVER, name);
    }
    access_check::protect(headers);
    if head_only {
        let length = http_body::Body::size_hint(response.body()).exact();
        if let Some(length) = length {
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        }
        *response.body_mut() = Body::Empty;
    }
    response
}
