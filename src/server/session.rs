//! One connection and its requests: each is counted while it is answered, and told in the access log.

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
    broken::{Break, Flush},
    concurrency_limit::{ConcurrencyLimit, Permit},
    connection_reaper::{ConnectionActivity, ConnectionEnding},
    socket::{AbortHandle, AbortedError},
};
use crate::{
    access_log::{AccessLog, LogLine, RequestFields, RouteFields},
    body::{Body, BodyError, StreamReset},
    proxy::{ClientConnection, RequestLog, strip_answer_trailers, wrong_coding},
    reply,
    request_id::RequestId,
    supervise::{catch_future_panic, catch_panic},
};

/// A connection, for as long as it is open.
#[derive(Debug)]
pub(super) struct ConnectionSession {
    pub(super) role: ListenerRole,
    pub(super) connection: ClientConnection,
    pub(super) abort: AbortHandle,
    pub(super) pulse: Arc<ConnectionActivity>,
    /// Where requests of the Admin API are told; the proxy has its own.
    pub(super) log: Option<Arc<AccessLog>>,
    pub(super) served: AtomicU64,
    /// How many requests it serves. (nginx: `keepalive_requests`.)
    pub(super) most: Option<u64>,
    /// All requests of the proxy; the Admin API answers also when it has no room for more.
    pub(super) load: Option<Arc<ConcurrencyLimit>>,
    pub(super) outgoing: Outgoing,
}

/// What is on its way to a client of HTTP/1.1.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) flush: Flush,
    /// Whether the last request had a body: its client may still be sending that when the answer is written.
    uploads: AtomicBool,
    /// Whether another protocol is spoken now, whose bytes are no answers.
    tunnel: AtomicBool,
    /// Whether what could not be read was a request in a version that is not spoken.
    odd_version: AtomicBool,
}

impl Outgoing {
    pub(super) fn uploads(&self) -> bool {
        self.uploads.load(Relaxed)
    }

    pub(super) fn is_tunnel(&self) -> bool {
        self.tunnel.load(Relaxed)
    }

    /// Notes why the library gave the connection up.
    pub(super) fn note_error(&self, error: &(dyn Error + 'static)) {
        // It has no other way to say so; tests hold these words.
        let odd_version = error
            .downcast_ref::<hyper::Error>()
            .is_some_and(|it| it.is_parse() && it.to_string().contains("version"));
        self.odd_version.store(odd_version, Relaxed);
    }

    pub(super) fn is_of_odd_version(&self) -> bool {
        self.odd_version.load(Relaxed)
    }
}

/// The body of an answer on its way out.
pub(super) struct ResponseBody {
    body: Body,
    ticket: RequestGuard,
    is_http2: bool,
    /// The length of what a 304 speaks of, which the library writes only if the body has it.
    unsent: Option<u64>,
    /// Why it breaks off, once it does.
    broken: Option<Break>,
}

/// The time from a request to the end of its answer.
struct RequestGuard {
    session: Arc<ConnectionSession>,
    told: RequestLog,
    share: Option<Permit>,
}

impl ConnectionSession {
    /// Answers one request.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<ResponseBody>, AbortedError> {
        let mut ticket = RequestGuard::new(&self);
        let version = request.version();
        let request = request.map(Body::from);
        let uploads = version == Version::HTTP_11 && !matches!(request.body(), Body::Empty);
        self.outgoing.uploads.store(uploads, Relaxed);
        let has_room = match &self.load {
            Some(load) => {
                ticket.share = load.enter();
                ticket.share.is_some()
            }
            None => true,
        };
        let mut response = match &self.role {
            ListenerRole::Proxy(proxy) => {
                let (response, told) = if has_room {
                    proxy.answer(request, &self.connection).await
                } else {
                    proxy.overloaded(&request, &self.connection)
                };
                ticket.told = told;
                response
            }
            ListenerRole::Admin(admin) | ListenerRole::Status(admin) => {
                ticket.told.line = self.log.as_ref().map(|log| line(log, &request, &self.connection));
                let local = self.connection.local.ip().to_canonical().is_loopback();
                // In a box, or the room that these need would be moved about for each request of a proxy.
                let answered = match &self.role {
                    _ if let Some(status) = wrong_coding(&request) => {
                        let mut response = admin.unreadable(status);
                        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                        Ok(response)
                    }
                    ListenerRole::Status(_) => {
                        catch_future_panic(Box::pin(admin.status_answer(request, local)).as_mut()).await
                    }
                    _ => catch_future_panic(Box::pin(admin.answer(request, local)).as_mut()).await,
                };
                let response = answered.unwrap_or_else(|panicked| {
                    tracing::error!("a request to the Admin API {panicked}");
                    reply::message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred")
                });
                if let Some(line) = &mut ticket.told.line {
                    line.answered(response.status().as_u16(), RouteFields::default());
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
        if self.most.is_some_and(|most| self.served.fetch_add(1, Relaxed) + 1 >= most) {
            self.is_the_last(version, &mut response);
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.outgoing.tunnel.store(true, Relaxed);
        }
        response.headers_mut().entry(DATE).or_insert_with(|| self.pulse.date());
        let is_http2 = version == Version::HTTP_2;
        let unsent = if response.status() == StatusCode::NOT_MODIFIED && !is_http2 {
            response.headers().get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok())
        } else {
            None
        };
        Ok(response.map(|body| ResponseBody { body, ticket, is_http2, unsent, broken: None }))
    }

    /// Ends the connection with this answer.
    fn is_the_last(&self, version: Version, response: &mut Response<Body>) {
        if version == Version::HTTP_2 {
            self.pulse.end(ConnectionEnding::Orderly);
        } else if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// The answer to what could not be read, as bytes.
    pub(super) fn refusal(&self, status: StatusCode) -> Vec<u8> {
        let id = RequestId::random();
        let (response, log) = match &self.role {
            ListenerRole::Proxy(proxy) => (proxy.unreadable(status, &id), proxy.access_log()),
            ListenerRole::Admin(admin) | ListenerRole::Status(admin) => {
                (admin.unreadable(status), self.log.as_ref())
            }
        };
        let (mut head, body) = response.into_parts();
        head.headers.insert(DATE, self.pulse.date());
        let Body::Full(text) = body else { return Vec::new() };
        if let Some(log) = log {
            log.unreadable(self.connection.address(), head.status.as_u16(), text.len() as u64, &id);
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

fn line(log: &Arc<AccessLog>, request: &Request<Body>, connection: &ClientConnection) -> LogLine {
    let asked = RequestFields {
        client: connection.address(),
        method: request.method(),
        target: request.uri(),
        version: request.version(),
        headers: request.headers(),
        id: &RequestId::random(),
    };
    log.line(&asked, Instant::now())
}

impl RequestGuard {
    fn new(session: &Arc<ConnectionSession>) -> Self {
        session.pulse.asked();
        Self { session: Arc::clone(session), told: RequestLog::default(), share: None }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.session.pulse.answered();
    }
}

impl hyper::body::Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self { body, ticket, is_http2, broken, .. } = &mut *self;
        if broken.is_none() {
            let polled =
                catch_panic(|| Pin::new(&mut *body).poll_frame(context)).unwrap_or_else(|panicked| {
                    tracing::error!("an answer is broken off: its body {panicked}");
                    *body = Body::Empty;
                    Poll::Ready(Some(Err(BodyError::Source(panicked.into()))))
                });
            match polled {
                Poll::Ready(Some(Err(error))) => *broken = Some(Break::new(error, *is_http2)),
                polled => {
                    return polled.map_ok(|mut frame| {
                        if let Some(data) = frame.data_ref() {
                            ticket.told.sent(data.len() as u64);
                        } else if let Some(trailers) = frame.trailers_mut() {
                            strip_answer_trailers(trailers);
                        }
                        frame
                    });
                }
            }
        }
        let flush = &ticket.session.outgoing.flush;
        broken.as_mut().map_or(Poll::Ready(None), |it| it.poll(flush, context))
    }

    fn is_end_stream(&self) -> bool {
        // What broke off has no end.
        self.broken.is_none() && self.unsent.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.unsent.map_or_else(|| self.body.size_hint(), SizeHint::with_exact)
    }
}
