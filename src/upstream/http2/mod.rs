//! HTTP/2 with an upstream: many requests share a connection, and it stays when one of them ends early.

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
    replay_body::{ReplayBody, is_untouched},
};
use super::{
    PoolSettings, UpstreamOrigin, UpstreamProtocol, UpstreamTimeouts,
    error::FailureCause,
    framing::FramingFields,
    head::{HeadForPeer, MAX_HEAD, RequestHead},
};
use crate::body::Body;

/// The most requests that a connection carries at a time; further ones open another. (As many as most servers allow.)
const STREAMS: u32 = 100;

/// How often a connection in use is asked whether it lives, and how long it may take to answer.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);

/// Bytes of one request that are buffered for an upstream that does not read.
const UNREAD: usize = 64 << 10;

/// Connections that requests share, by origin.
#[derive(Debug)]
pub(super) struct Http2Pool {
    settings: PoolSettings,
    all: Mutex<HashMap<UpstreamOrigin, Vec<SharedConnection>>>,
}

/// A new connection, which nobody shares yet.
#[derive(Debug)]
pub(super) struct Http2Connection(http2::SendRequest<Http2Upload>);

/// One of them.
#[derive(Debug)]
struct SharedConnection {
    sender: http2::SendRequest<Http2Upload>,
    streams: Arc<StreamLimits>,
}

/// What a connection carries.
#[derive(Debug)]
struct StreamLimits {
    open: AtomicU32,
    begun: AtomicU32,
    /// Milliseconds from `born` to when the last request ended.
    ended: AtomicU32,
    born: Instant,
}

/// One request's place on a shared connection.
#[derive(Debug)]
pub(super) struct StreamPermit {
    sender: http2::SendRequest<Http2Upload>,
    streams: Arc<StreamLimits>,
}

/// A request that got no response.
#[derive(Debug)]
pub(super) struct Http2SendError {
    pub(super) cause: FailureCause,
    /// Its body, if nothing of the request was written or looked at.
    pub(super) unsent: Option<Body>,
}

impl Http2Pool {
    pub(super) fn new(settings: PoolSettings) -> Self {
        Self { settings, all: Mutex::default() }
    }

    /// A place on a connection to `origin` that carries less than it can, and has carried fewer requests than it may.
    pub(super) fn take(&self, origin: &UpstreamOrigin) -> Option<StreamPermit> {
        let most = self.settings.max_requests;
        let all = self.lock();
        let fits = |it: &&SharedConnection| {
            let streams = &it.streams;
            !it.sender.is_closed()
                && streams.open.load(Relaxed) < STREAMS
                && streams.begun.load(Relaxed) < most
        };
        all.get(origin)?.iter().find(fits).map(SharedConnection::join)
    }

    /// Shares a new connection, and takes the first place on it.
    pub(super) fn share(
        &self,
        origin: &UpstreamOrigin,
        Http2Connection(sender): Http2Connection,
    ) -> StreamPermit {
        let streams = StreamLimits {
            open: AtomicU32::new(0),
            begun: AtomicU32::new(0),
            ended: AtomicU32::new(0),
            born: Instant::now(),
        };
        let shared = SharedConnection { sender, streams: Arc::new(streams) };
        let stream = shared.join();
        if self.settings.idle_per_origin > 0 {
            self.lock().entry(origin.clone()).or_default().push(shared);
        }
        stream
    }

    /// Closes connections that have carried nothing for too long at `now`, have carried as many requests as they may,
    /// or are closed; and of those that carry nothing all but as many as may be kept, the first ones.
    pub(super) fn sweep(&self, now: Instant) {
        let PoolSettings { idle_per_origin, idle_timeout, max_requests } = self.settings;
        self.lock().retain(|_, all| {
            all.retain(|it| it.is_wanted(now, idle_timeout, max_requests));
            let mut kept = 0;
            all.retain(|it| {
                kept += usize::from(it.is_idle());
                !it.is_idle() || kept <= idle_per_origin
            });
            !all.is_empty()
        });
    }

    /// Takes no further requests to these origins; what is under way goes on.
    pub(super) fn forget(&self, of: impl Fn(&UpstreamOrigin) -> bool) {
        self.lock().retain(|origin, _| !of(origin));
    }

    /// How many connections carry nothing.
    pub(super) fn idle(&self) -> usize {
        self.lock().values().flatten().filter(|it| it.is_idle()).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UpstreamOrigin, Vec<SharedConnection>>> {
        // It holds no invariant that a panic could break.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedConnection {
    fn is_idle(&self) -> bool {
        self.streams.open.load(Relaxed) == 0
    }

    fn join(&self) -> StreamPermit {
        self.streams.begun.fetch_add(1, Relaxed);
        self.streams.open.fetch_add(1, Relaxed);
        StreamPermit { sender: self.sender.clone(), streams: self.streams.clone() }
    }

    fn is_wanted(&self, now: Instant, idle: Duration, most: u32) -> bool {
        if self.sender.is_closed() {
            return false;
        }
        let streams = &self.streams;
        let ended = streams.born + Duration::from_millis(streams.ended.load(Relaxed).into());
        let rests = now.saturating_duration_since(ended) >= idle || streams.begun.load(Relaxed) >= most;
        streams.open.load(Relaxed) > 0 || !rests
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let lived = u32::try_from(self.streams.born.elapsed().as_millis()).unwrap_or(u32::MAX);
        self.streams.ended.store(lived, Relaxed);
        self.streams.open.fetch_sub(1, Relaxed);
    }
}

/// Starts HTTP/2 on a stream.
pub(super) async fn handshake<T>(stream: T) -> Result<Http2Connection, FailureCause>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .max_send_buf_size(UNREAD)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(FailureCause::of_exchange)?;
    tokio::spawn(async move {
        // Whoever waits for a response or a body is told the error; nobody else wants it.
        drop(connection.await);
    });
    Ok(Http2Connection(sender))
}

/// Sends a request and waits for the head of its response.
pub(super) async fn send<H: RequestHead>(
    mut stream: StreamPermit,
    origin: &UpstreamOrigin,
    (said, body): (&HeadForPeer<'_, H>, Body),
    limits: &UpstreamTimeouts,
) -> Result<Response<Body>, Http2SendError> {
    let lost = |cause| Http2SendError { cause, unsent: None };
    let (kept, body) = ReplayBody::of(body);
    let (upload, pace) = Http2Upload::new(body);
    let mut request = Request::new(upload);
    *request.method_mut() = said.head.method().clone();
    *request.headers_mut() = said.to_map();
    let written = said.head.target().parse().map_err(http::Error::from).and_then(|target| {
        *request.uri_mut() = target;
        convert(&mut request, origin)
    });
    // Another target in its place would be another request.
    written.map_err(|error| lost(FailureCause::Invalid(error.into())))?;
    let sending = stream.sender.try_send_request(request);
    let sent = match pace {
        None => timeout(limits.read, sending).await.map_err(|_| lost(FailureCause::ReadTimeout))?,
        Some(pace) => tokio::select! {
            biased;
            sent = sending => sent,
            cause = pace.stalled(limits) => return Err(lost(cause)),
        },
    };
    let mut response = sent.map_err(|mut error| {
        let unsent = error.take_message().map(|request| request.into_body().into_body());
        let error = error.into_error();
        let again = || if is_untouched(&error) { kept.again() } else { None };
        Http2SendError { unsent: unsent.or_else(again), cause: FailureCause::of_exchange(error) }
    })?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(lost(FailureCause::UnaskedUpgrade));
    }
    let framing = FramingFields::of(response.headers(), Version::HTTP_2)
        .map_err(|it| lost(FailureCause::invalid(it)))?;
    if !framing.framing(response.status(), said.head.method()).keeps_length {
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

/// Puts a request for HTTP/1.1 into the form of HTTP/2: Host becomes `:authority`, and what is about a connection
/// goes. (RFC 9113, sections 8.2.2 and 8.3.1)
fn convert<B>(request: &mut Request<B>, origin: &UpstreamOrigin) -> Result<(), http::Error> {
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(CONNECTION);
    let host = request.headers_mut().remove(HOST);
    let authority = host.as_ref().map(HeaderValue::as_bytes).and_then(|it| Authority::try_from(it).ok());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(if matches!(origin.protocol, UpstreamProtocol::Https(_)) {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    });
    parts.authority = authority.or(parts.authority).or_else(|| Authority::try_from(&*origin.host).ok());
    // It has a scheme, an authority and a path, unless the host of the origin cannot be one.
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
        // A second try converts what has been converted.
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
