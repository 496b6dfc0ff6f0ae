//! Session of a client connection: answers its requests, and counts and logs them.

use std::{
    error::Error,
    io::Write,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, DATE},
};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use super::{
    ListenerRole,
    concurrency_limit::{ConcurrencyLimit, Permit},
    connection_reaper::{ConnectionActivity, ConnectionEnding},
    delayed_failure::{DelayedFailure, FlushSignal},
    drained_body::drained,
    socket::{AbortHandle, AbortedError},
};
use crate::{
    access_log::{AccessLog, LogLine, RequestFields, RouteFields},
    body::{Body, BodyError, StreamReset},
    control::Readiness,
    proxy::{ClientConnection, RequestLog, check_transfer_coding, strip_answer_trailers},
    reply,
    request_id::RequestId,
    supervise::{catch_future_panic, catch_panic},
};

/// Session of an open connection.
#[derive(Debug)]
pub(super) struct ConnectionSession {
    pub(super) role: ListenerRole,
    pub(super) connection: ClientConnection,
    pub(super) abort: AbortHandle,
    pub(super) activity: Arc<ConnectionActivity>,
    /// Access log of the Admin API or the status; the proxy has its own.
    pub(super) access_log: Option<Arc<AccessLog>>,
    /// Requests so far.
    pub(super) served: AtomicU64,
    /// Most requests of the connection. (nginx: `keepalive_requests`.)
    pub(super) max_requests: Option<u64>,
    pub(super) readiness: Arc<Readiness>,
    /// Limit of concurrent requests of the proxy; the Admin API has none, so that it answers also under overload.
    pub(super) concurrency_limit: Option<Arc<ConcurrencyLimit>>,
    pub(super) output: OutputState,
}

/// State of the output to a client of HTTP/1.1.
#[derive(Debug, Default)]
pub(super) struct OutputState {
    pub(super) flush: FlushSignal,
    /// Whether the last request had a body, which the client may still be sending when the response is written.
    has_upload: AtomicBool,
    /// Whether the connection has been upgraded, so that its bytes are not responses.
    is_tunnel: AtomicBool,
    /// Whether the parser rejected a request because of its HTTP version.
    has_unsupported_version: AtomicBool,
}

impl OutputState {
    pub(super) fn has_upload(&self) -> bool {
        self.has_upload.load(Relaxed)
    }

    pub(super) fn is_tunnel(&self) -> bool {
        self.is_tunnel.load(Relaxed)
    }

    /// Records the error with which hyper ended the connection.
    pub(super) fn record_error(&self, error: &(dyn Error + 'static)) {
        // hyper tells a wrong version only by the text of its error; tests hold that text.
        let is_version = error
            .downcast_ref::<hyper::Error>()
            .is_some_and(|error| error.is_parse() && error.to_string().contains("version"));
        self.has_unsupported_version.store(is_version, Relaxed);
    }

    pub(super) fn has_unsupported_version(&self) -> bool {
        self.has_unsupported_version.load(Relaxed)
    }
}

/// Body of a response to a client.
pub(super) struct ResponseBody {
    body: Body,
    guard: RequestGuard,
    is_http2: bool,
    /// Content-Length of a 304, which hyper writes only if the body has that length. No data is sent.
    declared_length: Option<u64>,
    /// Failure of the body.
    failure: Option<DelayedFailure>,
}

/// Guard of a request, which lives until its response has ended.
struct RequestGuard {
    session: Arc<ConnectionSession>,
    log: RequestLog,
    permit: Option<Permit>,
}

impl ConnectionSession {
    /// Answers one request.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<ResponseBody>, AbortedError> {
        let mut guard = RequestGuard::new(&self);
        let version = request.version();
        let request = request.map(|incoming| match version {
            Version::HTTP_2 => drained(incoming, &self.connection.stage),
            _ => Body::from(incoming),
        });
        let has_upload = version == Version::HTTP_11 && !matches!(request.body(), Body::Empty);
        self.output.has_upload.store(has_upload, Relaxed);
        let is_permitted = match &self.concurrency_limit {
            Some(limit) => {
                guard.permit = limit.try_acquire();
                guard.permit.is_some()
            }
            None => true,
        };
        let mut response = match &self.role {
            ListenerRole::Proxy(proxy) => {
                let (response, log) = if is_permitted {
                    proxy.answer(request, &self.connection).await
                } else {
                    proxy.overloaded(&request, &self.connection)
                };
                guard.log = log;
                response
            }
            _ => {
                guard.log.line =
                    self.access_log.as_ref().map(|log| start_log_line(log, &request, &self.connection));
                let is_local = self.connection.local.ip().to_canonical().is_loopback();
                // Boxed: otherwise the future of each request of the proxy would have the size of these.
                let caught = match check_transfer_coding(&request) {
                    Some(status) => {
                        let mut response = self.role.answer_malformed(status);
                        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                        Ok(response)
                    }
                    None => {
                        catch_future_panic(Box::pin(self.answer_beside_proxy(request, is_local)).as_mut())
                            .await
                    }
                };
                let response = caught.unwrap_or_else(|panic| {
                    tracing::error!("a request to the Admin API {panic}");
                    reply::message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred")
                });
                if let Some(line) = &mut guard.log.line {
                    let status = response.status().as_u16();
                    line.record_response(status, response.headers(), RouteFields::default());
                }
                response
            }
        };
        if response.extensions().get::<StreamReset>().is_some() {
            if version < Version::HTTP_2 {
                self.abort.abort();
            }
            return Err(AbortedError);
        }
        if self.max_requests.is_some_and(|max| self.served.fetch_add(1, Relaxed) + 1 >= max)
            // Before the listeners close: a client that is about to send would find its connection closed.
            || self.readiness.is_draining()
        {
            self.close_after(version, &mut response);
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.output.is_tunnel.store(true, Relaxed);
        }
        response.headers_mut().entry(DATE).or_insert_with(|| self.activity.date());
        let is_http2 = version == Version::HTTP_2;
        let declared_length = if response.status() == StatusCode::NOT_MODIFIED && !is_http2 {
            response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok())
        } else {
            None
        };
        Ok(response.map(|body| ResponseBody { body, guard, is_http2, declared_length, failure: None }))
    }

    /// Answers one request of a listener other than the proxy.
    async fn answer_beside_proxy(&self, request: Request<Body>, is_local: bool) -> Response<Body> {
        match &self.role {
            // `answer` has the proxy's own branch.
            ListenerRole::Proxy(_) => reply::message(StatusCode::NOT_FOUND, "Not found"),
            ListenerRole::Admin(admin) => admin.answer(request, is_local).await,
            ListenerRole::Status(admin) => admin.status_answer(request, is_local).await,
            #[cfg(feature = "ui")]
            ListenerRole::Page(page) => page.answer(request, is_local, self.connection.tls.is_some()).await,
        }
    }

    /// Ends the connection after this response.
    fn close_after(&self, version: Version, response: &mut Response<Body>) {
        if version == Version::HTTP_2 {
            self.activity.end(ConnectionEnding::Graceful);
        } else if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// The response to a request that the parser rejected with `status`, as bytes of HTTP/1.1.
    pub(super) fn unreadable_response(&self, status: StatusCode) -> Vec<u8> {
        let id = RequestId::random();
        let (response, log) = match &self.role {
            ListenerRole::Proxy(proxy) => (proxy.unreadable(status, &id), proxy.access_log()),
            role => (role.answer_malformed(status), self.access_log.as_ref()),
        };
        let (mut head, body) = response.into_parts();
        head.headers.insert(DATE, self.activity.date());
        let Body::Full(text) = body else { return Vec::new() };
        if let Some(log) = log {
            log.log_unreadable(self.connection.address(), head.status.as_u16(), text.len() as u64, &id);
        }
        let mut bytes = Vec::with_capacity(512);
        let reason = head.status.canonical_reason().unwrap_or_default();
        // Writing into memory cannot fail.
        let _ =
            write!(bytes, "HTTP/1.1 {} {reason}\r\ncontent-length: {}\r\n", head.status.as_u16(), text.len());
        for (name, value) in head.headers.iter().filter(|(name, _)| **name != CONNECTION) {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"connection: close\r\n\r\n");
        bytes.extend_from_slice(&text);
        bytes
    }
}

fn start_log_line(log: &Arc<AccessLog>, request: &Request<Body>, connection: &ClientConnection) -> LogLine {
    let fields = RequestFields {
        client: connection.address(),
        method: request.method(),
        target: request.uri(),
        version: request.version(),
        headers: request.headers(),
        connection: connection.log_fields(),
        id: &RequestId::random(),
    };
    log.start_line(&fields, Instant::now())
}

impl RequestGuard {
    fn new(session: &Arc<ConnectionSession>) -> Self {
        session.activity.start_request();
        Self { session: Arc::clone(session), log: RequestLog::default(), permit: None }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.session.activity.finish_response();
    }
}

impl hyper::body::Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self { body, guard, is_http2, failure, .. } = &mut *self;
        if failure.is_none() {
            let polled = catch_panic(|| Pin::new(&mut *body).poll_frame(context)).unwrap_or_else(|panic| {
                tracing::error!("a response is cut off: its body {panic}");
                *body = Body::Empty;
                Poll::Ready(Some(Err(BodyError::Source(panic.into()))))
            });
            match polled {
                Poll::Ready(Some(Err(error))) => *failure = Some(DelayedFailure::new(error, *is_http2)),
                polled => {
                    return polled.map_ok(|mut frame| {
                        if let Some(data) = frame.data_ref() {
                            guard.log.add_sent_bytes(data.len() as u64);
                        } else if let Some(trailers) = frame.trailers_mut() {
                            strip_answer_trailers(trailers);
                        }
                        frame
                    });
                }
            }
        }
        let flush = &guard.session.output.flush;
        failure.as_mut().map_or(Poll::Ready(None), |failure| failure.poll(flush, context))
    }

    fn is_end_stream(&self) -> bool {
        // A body that failed ends with its failure.
        self.failure.is_none() && self.declared_length.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.declared_length.map_or_else(|| self.body.size_hint(), SizeHint::with_exact)
    }
}
