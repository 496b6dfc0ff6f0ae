//! Admin API: queries of the live configuration, and writes. (Kong: Admin API reference.)
//!
//! | part | holds |
//! |---|---|
//! | `access_check` | access rules, also of the pages: host names, page origins, the token |
//! | `entities`, `pagination`, `collections` | paths of entities, lists, and the collections there are |
//! | `upload`, `input`, `form`, `record_check` | from a request body to a checked record |
//! | `work_pools` | threads for work that grows with the configuration |
//! | `write`, `write_request`, `constraints`, `server_names`, `plan`, `file_item` | from a record to a change of the text; Kong's 405 where writes are refused |
//! | `apis` | OpenAPI documents, and what answers for their operations |
//! | `config` | export and import of the whole configuration |
//! | `files` | files of the portal: the documents in the folder of specs |
//! | `mock`, `mock_draft`, `cors` | entities for a document that nothing serves, and for pages that read its answers |
//! | `response_cache` | stored responses of `proxy-cache` |
//! | `own_paths` | the table of paths that Kong does not have |
//! | `traffic`, `events` | traffic of the last minutes, and a stream of changes |
//! | `changes` | the last loads and writes, and undo |
//! | `text` | the text of the configuration as a whole: checked, read, written |
//! | `lint` | faults of an OpenAPI document, and what it describes |
//! | `rows`, `row_columns`, `source` | compact rows of a collection; the lines of one entity in the file |
//! | `query` | parameters of a query |
//! | `schemas`, `tags`, `endpoints`, `node`, `metrics`, `health`, `debug` | queries |
//! | `refusal` | Kong's error objects |

mod access_check;
mod apis;
mod changes;
mod collections;
mod config;
mod constraints;
mod cors;
mod debug;
mod endpoints;
mod entities;
mod events;
mod file_item;
mod files;
mod form;
mod health;
mod input;
mod lint;
mod metrics;
mod mock;
mod mock_draft;
mod node;
pub use node::KONG_VERSION;
mod own_paths;
mod pagination;
mod plan;
mod query;
mod record_check;
mod refusal;
mod response_cache;
mod row_columns;
mod rows;
mod schemas;
mod server_names;
mod source;
mod tags;
mod text;
mod traffic;
mod upload;
mod work_pools;
mod write;
mod write_request;

use std::{sync::Arc, time::Instant};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, uri::Authority};
use percent_encoding::percent_decode_str;

use super::Control;
use crate::{
    body::Body,
    metrics::ConnectionCounters,
    reply,
    settings::{ResponseHeader, ResponseHeaders, Settings},
    traffic::TrafficMonitor,
};
use endpoints::AdminPath;
use entities::EntityPath;
use refusal::AdminRefusal;

/// The workspace of all entities. (Kong: Workspaces.)
const DEFAULT_WORKSPACE: &str = "default";

/// The Admin API: answers its requests.
#[derive(Debug)]
pub struct AdminApi {
    control: Arc<Control>,
    settings: Arc<Settings>,
    readiness: Arc<super::Readiness>,
    connections: ConnectionCounters,
    log_level: Arc<super::LogLevelHandle>,
    node_id: uuid::Uuid,
    started: Instant,
    work_pools: work_pools::AdminWorkPools,
    uploads: upload::UploadLimiter,
    /// Monitor of the proxy's traffic; `None` if there is none.
    traffic: Option<Arc<TrafficMonitor>>,
    event_streams: events::EventStreams,
}

impl AdminApi {
    /// Creates the API of this control. `connections` are reported, and `log_level` is changed on request.
    #[must_use]
    pub fn new(
        control: Arc<Control>,
        settings: Arc<Settings>,
        readiness: Arc<super::Readiness>,
        connections: ConnectionCounters,
        log_level: Arc<super::LogLevelHandle>,
    ) -> Self {
        let (node_id, started) = (control.live().current().resources().node_id, Instant::now());
        let (work_pools, uploads) =
            (work_pools::AdminWorkPools::default(), upload::UploadLimiter::new(settings.admin_max_body_size));
        Self {
            control,
            settings,
            readiness,
            connections,
            log_level,
            node_id,
            started,
            work_pools,
            uploads,
            traffic: None,
            event_streams: events::EventStreams::default(),
        }
    }

    /// The API with this monitor of the proxy's traffic.
    #[must_use]
    pub fn with_traffic_monitor(mut self, monitor: Option<Arc<TrafficMonitor>>) -> Self {
        self.traffic = monitor;
        self
    }

    /// Answers one request of the Admin API; `local` states that it came over the loopback interface.
    pub async fn answer(self: &Arc<Self>, request: Request<Body>, local: bool) -> Response<Body> {
        let started = Instant::now();
        let head_only = request.method() == Method::HEAD;
        let origin = access_check::allowed_origin(request.headers(), &self.settings);
        let mut response = match access_check::check_admin_access(&request, &self.settings, local) {
            Some(refusal) => refusal,
            None => self.route(request).await,
        };
        if let Some(origin) = origin {
            access_check::allow_origin(&mut response, origin);
        }
        finish(response, self.settings.headers, started, head_only)
    }

    /// Answers one request of the status listener, which has only `/status`, `/status/ready` and `/metrics`.
    pub async fn status_answer(self: &Arc<Self>, request: Request<Body>, local: bool) -> Response<Body> {
        let started = Instant::now();
        let head_only = request.method() == Method::HEAD;
        if let Some(refusal) = access_check::check_status_access(&request, &self.settings, local) {
            return finish(refusal, self.settings.headers, started, head_only);
        }
        let response = match split_path(request.uri().path()).as_deref() {
            Some(["status", "ready"]) if matches!(*request.method(), Method::GET | Method::HEAD) => {
                self.ready()
            }
            // Lines of the configuration are for clients of the Admin API only.
            Some(["status"]) if matches!(*request.method(), Method::GET | Method::HEAD) => {
                let query = request.uri().query().unwrap_or_default().to_owned();
                self.answer_in_pool(move |admin| admin.status(&query, false)).await
            }
            Some(["status" | "metrics"]) => self.route(request).await,
            _ => not_found(),
        };
        finish(response, self.settings.headers, started, head_only)
    }

    /// Answers a request that a page's script sends to its own listener. `is_logged_in` states that the request belongs to a
    /// session.
    pub async fn answer_page(
        self: &Arc<Self>,
        request: Request<Body>,
        local: bool,
        is_logged_in: bool,
    ) -> Response<Body> {
        let started = Instant::now();
        let head_only = request.method() == Method::HEAD;
        let response = match self.check_page(&request, local, true, is_logged_in) {
            Some(refusal) => refusal,
            None => self.route(request).await,
        };
        finish(response, self.settings.headers, started, head_only)
    }

    /// Checks whether a request that a page's script sends to its own listener is allowed; returns the refusal if not.
    #[must_use]
    pub fn check_page(
        &self,
        request: &Request<Body>,
        local: bool,
        needs_login: bool,
        is_logged_in: bool,
    ) -> Option<Response<Body>> {
        access_check::check_page_access(request, &self.settings, local, needs_login, is_logged_in)
    }

    /// The host by which a page was requested.
    ///
    /// # Errors
    /// The answer to a request whose host is ambiguous or unknown, so that its page could be one of another site.
    #[expect(clippy::result_large_err, reason = "the answer is sent at once")]
    pub fn page_host(&self, request: &Request<Body>, local: bool) -> Result<Authority, Response<Body>> {
        access_check::trusted_host(request, &self.settings, local)
    }

    /// Answers a request of a portal without writes, which has only what is for readers and needs no token.
    pub async fn answer_reader(self: &Arc<Self>, request: Request<Body>, local: bool) -> Response<Body> {
        let started = Instant::now();
        let head_only = request.method() == Method::HEAD;
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let response = match self.check_page(&request, local, false, false) {
            Some(refusal) => refusal,
            None => match split_path(request.uri().path()).as_deref() {
                Some(["mynah", "apis", ..]) if is_read => self.route(request).await,
                _ => reply::message(
                    StatusCode::FORBIDDEN,
                    "this portal is for readers; portal_gui_writes allows changes",
                ),
            },
        };
        finish(response, self.settings.headers, started, head_only)
    }

    /// Whether requests must carry the token.
    #[must_use]
    pub fn requires_token(&self) -> bool {
        self.settings.admin_token.is_some()
    }

    /// Whether a request carries the token.
    #[must_use]
    pub fn has_token(&self, headers: &HeaderMap) -> bool {
        access_check::has_token(headers, &self.settings)
    }

    /// Answer to a request that cannot be parsed.
    #[must_use]
    pub fn answer_malformed(&self, status: StatusCode) -> Response<Body> {
        let message = reply::default_message(status);
        finish(reply::message(status, &message), self.settings.headers, Instant::now(), false)
    }

    /// Answers on a worker thread, for answers that take longer the larger the configuration is.
    async fn answer_in_pool(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Response<Body> + Send + 'static,
    ) -> Response<Body> {
        self.run_read(work).await.unwrap_or_else(AdminRefusal::answer)
    }

    async fn route(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let Some(segments) = split_path(&path) else { return not_found() };
        // Kong has `/status/ready` on the status listener only; without a status listener it is available here.
        let has_readiness = self.settings.status_listen.is_empty();
        let find = |segments: &[&str]| {
            let entity_path = entities::parse_path(segments);
            let endpoint = endpoints::find(segments, has_readiness);
            let known =
                endpoint.map(|found| found.1).or_else(|| entity_path.as_ref().map(EntityPath::methods));
            known.map(|allowed| (endpoint, entity_path, allowed))
        };
        // A path without a workspace is one of the default workspace.
        let mut segments = &*segments;
        let mut found = find(segments);
        if let (None, [workspace, below @ ..]) = (&found, segments) {
            found = Some(below).filter(|_| *workspace == DEFAULT_WORKSPACE).and_then(find);
            segments = below;
        }
        let Some((endpoint, entity_path, allowed)) = found else { return not_found() };
        if request.method() == Method::OPTIONS {
            return endpoints::answer_options(
                allowed,
                request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS),
            );
        }
        if !allowed.contains(request.method()) {
            return AdminRefusal::status(StatusCode::METHOD_NOT_ALLOWED).answer();
        }
        match (endpoint, entity_path) {
            (Some((endpoint, _)), _) => {
                self.answer_endpoint(endpoint, segments, request, has_readiness).await
            }
            (None, Some(entity_path)) => self.entities(entity_path, request).await,
            (None, None) => not_found(),
        }
    }

    /// Answers a request of a path that is not one of entities. The table of endpoints has seen that its segments are those of
    /// the endpoint.
    async fn answer_endpoint(
        self: &Arc<Self>,
        endpoint: AdminPath,
        segments: &[&str],
        request: Request<Body>,
        has_readiness: bool,
    ) -> Response<Body> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        match (endpoint, segments) {
            (AdminPath::Node, _) => self.node(request.headers()),
            // The status contains diagnostics, which take time to locate in a large configuration.
            (AdminPath::Status, _) => self.answer_in_pool(move |admin| admin.status(&query, true)).await,
            (AdminPath::Readiness, _) => self.ready(),
            (AdminPath::DnsStatus, _) => {
                reply::message(StatusCode::NOT_IMPLEMENTED, "not implemented with the legacy DNS client")
            }
            (AdminPath::Config, _) if request.method() == Method::POST => self.post_config(request).await,
            (AdminPath::Config, _) => self.answer_in_pool(Self::config).await,
            (AdminPath::Explain, _) => self.answer_in_pool(move |admin| admin.explain(&query)).await,
            (AdminPath::MockState, _) => {
                self.control.live().current().reset_plugins();
                reply::empty(StatusCode::NO_CONTENT)
            }
            (AdminPath::ResponseCache, [_, below @ ..]) => self.response_cache(below, request.method()),
            (AdminPath::UpstreamHealth, [_, upstream, ..]) => {
                let upstream = (*upstream).to_owned();
                self.answer_in_pool(move |admin| admin.health(&upstream, &query)).await
            }
            (AdminPath::TargetHealth, [_, upstream, _, target, address @ .., word]) => {
                self.set_health(upstream, target, address.first().copied(), *word == "healthy")
            }
            (AdminPath::Tags, [_, tag @ ..]) => {
                let tag = tag.first().map(|tag| percent_decode_str(tag).decode_utf8_lossy().into_owned());
                let path = request.uri().path().to_owned();
                let tags = move |admin: &Self| admin.tags(tag.as_deref(), &path, &query);
                self.answer_in_pool(move |admin| tags(admin).unwrap_or_else(AdminRefusal::answer)).await
            }
            (AdminPath::Endpoints, _) => Self::endpoints(has_readiness),
            (AdminPath::Metrics, _) => self.answer_in_pool(Self::metrics).await,
            (AdminPath::Timers, _) => Self::timers(),
            (AdminPath::Files, _) => self.files(request).await,
            (AdminPath::File, [_, path @ ..]) => self.file_of_path(&path.join("/"), request).await,
            (AdminPath::Own(path), segments) => self.own_path(path, segments, request).await,
            (AdminPath::EnabledPlugins, _) => Self::enabled_plugins(),
            (AdminPath::PluginConfigSchema, [.., name]) => self.plugin_config_schema(name),
            (AdminPath::Schemas, [_, names @ ..]) => self.schemas(names, request).await,
            (AdminPath::Clustering, _) => reply::message(
                StatusCode::BAD_REQUEST,
                "this endpoint is only available when Kong is configured to run as Control Plane for the cluster",
            ),
            (AdminPath::LogLevel, _) => self.log_level(),
            (AdminPath::NewLogLevel, [.., level]) => self.set_log_level(level, &query),
            (AdminPath::ClusterLogLevel, _) => Self::refuse_cluster_log_level(),
            (AdminPath::Cache, _) if request.method() == Method::DELETE => {
                reply::empty(StatusCode::NO_CONTENT)
            }
            _ => not_found(),
        }
    }
}

/// The segments of a path; one trailing slash is tolerated, empty segments are not.
fn split_path(path: &str) -> Option<Vec<&str>> {
    let path = path.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Some(Vec::new());
    }
    let segments: Vec<&str> = path.split('/').collect();
    (!segments.iter().any(|segment| segment.is_empty())).then_some(segments)
}

fn not_found() -> Response<Body> {
    AdminRefusal::not_found().answer()
}

/// Adds the headers of every answer; `tokens` selects the optional ones.
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
    access_check::add_security_headers(headers);
    if head_only {
        let length = http_body::Body::size_hint(response.body()).exact();
        if let Some(length) = length {
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        }
        *response.body_mut() = Body::Empty;
    }
    response
}
