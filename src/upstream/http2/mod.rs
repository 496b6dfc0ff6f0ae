//! HTTP/2 client: many requests share a connection, which stays open when one of them is cancelled.

mod body;
mod replay_body;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{
    HeaderValue, Request, Response, StatusCode, Uri, Version,
    header::{CONNECTION, CONTENT_LENGTH, HOST},
    uri::{Authority, Scheme},
};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout},
};

use self::{
    body::{Http2Download, Http2Upload},
    replay_body::{ReplayBody, is_unprocessed},
};
use super::{
    PoolSettings, UpstreamOrigin, UpstreamProtocol, UpstreamTimeouts,
    error::FailureCause,
    framing::FramingFields,
    head::{HeadForPeer, RequestHead, ResponseHeadBounds},
};
use crate::body::Body;

/// The largest number of concurrent requests on a connection; further ones open another. (Most servers allow as many.)
const MAX_STREAMS: u32 = 100;

/// Interval of PING frames on a connection in use, and the time within which the upstream has to answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes of one request that are buffered while the upstream does not read.
const SEND_BUFFER: usize = 64 << 10;

/// Shared connections, by origin.
#[derive(Debug)]
pub(super) struct Http2Pool {
    settings: PoolSettings,
    connections: Mutex<HashMap<UpstreamOrigin, Vec<SharedConnection>>>,
}

/// A new connection, not in the pool yet.
#[derive(Debug)]
pub(super) struct Http2Connection(http2::SendRequest<Http2Upload>);

/// A connection that requests share.
#[derive(Debug)]
struct SharedConnection {
    sender: http2::SendRequest<Http2Upload>,
    streams: Arc<StreamCounters>,
}

/// Counters of the streams of a connection.
#[derive(Debug)]
struct StreamCounters {
    open: AtomicU32,
    started: AtomicU32,
    /// Milliseconds from `created` to the end of the last request.
    last_end: AtomicU32,
    created: Instant,
}

/// Permit of one request to open a stream on a shared connection.
#[derive(Debug)]
pub(super) struct StreamPermit {
    sender: http2::SendRequest<Http2Upload>,
    streams: Arc<StreamCounters>,
}

/// A request without a response.
#[derive(Debug)]
pub(super) struct Http2SendError {
    pub(super) cause: FailureCause,
    /// Its body, if nothing of the request was written or processed.
    pub(super) unsent: Option<Body>,
}

impl Http2Pool {
    pub(super) fn new(settings: PoolSettings) -> Self {
        Self { settings, connections: Mutex::default() }
    }

    /// A stream on a connection to `origin` that is below its limits of concurrent and of total requests.
    pub(super) fn take(&self, origin: &UpstreamOrigin) -> Option<StreamPermit> {
        let max_requests = self.settings.max_requests;
        let connections = self.lock();
        let has_capacity = |connection: &&SharedConnection| {
            let streams = &connection.streams;
            !connection.sender.is_closed()
                && streams.open.load(Relaxed) < MAX_STREAMS
                && streams.started.load(Relaxed) < max_requests
        };
        connections.get(origin)?.iter().find(has_capacity).map(SharedConnection::open_stream)
    }

    /// Adds a new connection to the pool, and opens the first stream on it.
    pub(super) fn share(
        &self,
        origin: &UpstreamOrigin,
        Http2Connection(sender): Http2Connection,
    ) -> StreamPermit {
        let streams = StreamCounters {
            open: AtomicU32::new(0),
            started: AtomicU32::new(0),
            last_end: AtomicU32::new(0),
            created: Instant::now(),
        };
        let shared = SharedConnection { sender, streams: Arc::new(streams) };
        let stream = shared.open_stream();
        if self.settings.idle_per_origin > 0 {
            self.lock().entry(origin.clone()).or_default().push(shared);
        }
        stream
    }

    /// Removes connections that are closed, idle for too long at `now`, or idle after their last allowed request; of the
    /// idle ones that remain, keeps the first `idle_per_origin`.
    pub(super) fn sweep(&self, now: Instant) {
        let PoolSettings { idle_per_origin, idle_timeout, max_requests, .. } = self.settings;
        self.lock().retain(|_, connections| {
            connections.retain(|connection| connection.is_usable(now, idle_timeout, max_requests));
            let mut idle = 0;
            connections.retain(|connection| {
                idle += usize::from(connection.is_idle());
                !connection.is_idle() || idle <= idle_per_origin
            });
            !connections.is_empty()
        });
    }

    /// Removes the connections to all origins that `matches` accepts. Requests in progress go on.
    pub(super) fn remove_origins(&self, matches: impl Fn(&UpstreamOrigin) -> bool) {
        self.lock().retain(|origin, _| !matches(origin));
    }

    /// Number of connections without a request.
    pub(super) fn idle(&self) -> usize {
        self.lock().values().flatten().filter(|connection| connection.is_idle()).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UpstreamOrigin, Vec<SharedConnection>>> {
        // It holds no invariant that a panic could break.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedConnection {
    fn is_idle(&self) -> bool {
        self.streams.open.load(Relaxed) == 0
    }

    fn open_stream(&self) -> StreamPermit {
        self.streams.started.fetch_add(1, Relaxed);
        self.streams.open.fetch_add(1, Relaxed);
        StreamPermit { sender: self.sender.clone(), streams: self.streams.clone() }
    }

    fn is_usable(&self, now: Instant, idle_timeout: Duration, max_requests: u32) -> bool {
        if self.sender.is_closed() {
            return false;
        }
        let streams = &self.streams;
        let last_end = streams.created + Duration::from_millis(streams.last_end.load(Relaxed).into());
        let has_expired = now.saturating_duration_since(last_end) >= idle_timeout
            || streams.started.load(Relaxed) >= max_requests;
        streams.open.load(Relaxed) > 0 || !has_expired
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let elapsed = u32::try_from(self.streams.created.elapsed().as_millis()).unwrap_or(u32::MAX);
        self.streams.last_end.store(elapsed, Relaxed);
        self.streams.open.fetch_sub(1, Relaxed);
    }
}

/// Starts HTTP/2 on a byte stream.
pub(super) async fn handshake<T>(
    stream: T,
    head_bounds: ResponseHeadBounds,
) -> Result<Http2Connection, FailureCause>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(head_bounds.bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(FailureCause::from_hyper)?;
    tokio::spawn(async move {
        // Each response and each body receives the error, so that it is not needed here.
        drop(connection.await);
    });
    Ok(Http2Connection(sender))
}

/// Sends a request and waits for the head of its response.
pub(super) async fn send<H: RequestHead>(
    mut stream: StreamPermit,
    origin: &UpstreamOrigin,
    (head, body): (&HeadForPeer<'_, H>, Body),
    limits: &UpstreamTimeouts,
) -> Result<Response<Body>, Http2SendError> {
    let failed = |cause| Http2SendError { cause, unsent: None };
    let (replay, body) = ReplayBody::new(body);
    let (upload, progress) = Http2Upload::new(body);
    let mut request = Request::new(upload);
    *request.method_mut() = head.head.method().clone();
    *request.headers_mut() = head.to_map();
    let written = head.head.target().parse().map_err(http::Error::from).and_then(|target| {
        *request.uri_mut() = target;
        convert(&mut request, origin)
    });
    // A request with a target that is not valid is not sent, as any other target would be another request.
    written.map_err(|error| failed(FailureCause::Invalid(error.into())))?;
    let sending = stream.sender.try_send_request(request);
    let sent = match progress {
        None => timeout(limits.read, sending).await.map_err(|_| failed(FailureCause::ReadTimeout))?,
        Some(progress) => tokio::select! {
            biased;
            sent = sending => sent,
            cause = progress.wait_for_stall(limits) => return Err(failed(cause)),
        },
    };
    let mut response = sent.map_err(|mut error| {
        let unsent = error.take_message().map(|request| request.into_body().into_body());
        let error = error.into_error();
        let replayed = || if is_unprocessed(&error) { replay.into_body() } else { None };
        Http2SendError { unsent: unsent.or_else(replayed), cause: FailureCause::from_hyper(error) }
    })?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(failed(FailureCause::UnexpectedUpgrade));
    }
    let framing = FramingFields::from_headers(response.headers(), Version::HTTP_2)
        .map_err(|error| failed(FailureCause::invalid(error)))?;
    if !framing.framing(response.status(), head.head.method()).keeps_length {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    Ok(response.map(|incoming| {
        if hyper::body::Body::is_end_stream(&incoming) {
            Body::Empty
        } else {
            Body::boxed(Http2Download::new(incoming, stream, limits.read))
        }
    }))
}

/// Converts a request from HTTP/1.1 to HTTP/2: Host becomes `:authority`, and fields of the connection are removed.
/// (RFC 9113, sections 8.2.2 and 8.3.1)
fn convert<B>(request: &mut Request<B>, origin: &UpstreamOrigin) -> Result<(), http::Error> {
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(CONNECTION);
    let host = request.headers_mut().remove(HOST);
    let authority = host.as_ref().map(HeaderValue::as_bytes).and_then(|host| Authority::try_from(host).ok());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(if matches!(origin.protocol, UpstreamProtocol::Https(_)) {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    });
    parts.authority = authority.or(parts.authority).or_else(|| Authority::try_from(&*origin.host).ok());
    // The URI has a scheme, an authority and a path, unless the host of the origin is not a valid authority.
    *request.uri_mut() = Uri::from_parts(parts)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(target: &str, host: &str, expected: &str) {
        let mut request = Request::builder()
            .uri(target)
            .header("host", host)
            .header("connection", "keep-alive")
            .header("te", "trailers")
            .body(())
            .unwrap();
        convert(&mut request, &UpstreamOrigin::http("up.example", 80).over_http2()).unwrap();
        assert_eq!(request.uri(), expected);
        let names: Vec<&str> = request.headers().keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names, ["te"]);
        // A second attempt converts a request that is converted already.
        convert(&mut request, &UpstreamOrigin::http("up.example", 80).over_http2()).unwrap();
        assert_eq!(request.uri(), expected);
    }

    #[test]
    fn host_becomes_the_authority() {
        check("/a.B/C?x=1", "api.example:81", "http://api.example:81/a.B/C?x=1");
        check("/", "[::1]:81", "http://[::1]:81/");
        check("/", "not a host", "http://up.example/");
    }
}
