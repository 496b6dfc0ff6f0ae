//! Tries: over which connection a request goes, and when it may go again.
//!
//! | what failed | is repeated |
//! |---|---|
//! | making a connection | up to `retries` times, and until every address was tried once |
//! | an exchange of which nothing was written | on a new connection |
//! | an idle connection, before a response | on a new connection, if the method is idempotent and the body is in memory |
//! | a new connection, before a response | the same, up to `retries` times |
//! | a timeout of an exchange | never: the upstream may be at work on it |
//! | an invalid response | never |

use std::{net::SocketAddr, time::Duration};

use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version, header::UPGRADE};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use super::{
    Answer, Cause, Failure, Limits, Origin, Pool,
    body::{Download, Upload},
    connect::{addresses, connect},
    http2::convert,
    pool::Lease,
};
use crate::body::Body;

impl Pool {
    /// Sends a request and waits for the head of the response.
    ///
    /// The target has to be in origin form, and Host has to be set. Header fields go out as they are; the framing is
    /// made here. The body of the answer fails when the upstream's body breaks off or stalls; dropping it early, or
    /// dropping this future, closes the connection.
    ///
    /// # Errors
    /// A [`Failure`] says why no response came, and with which status to tell the client.
    pub async fn send(
        &self,
        origin: &Origin,
        limits: &Limits,
        mut request: Request<Body>,
    ) -> Result<Answer, Failure> {
        *request.version_mut() = Version::HTTP_11;
        let mut tries = Tries { pool: self, origin, limits, addresses: Vec::new(), count: 0 };
        let mut connecting = Duration::ZERO;
        let mut idle = self.take(origin);
        loop {
            let reused = idle.is_some();
            let lease = match idle.take() {
                Some(lease) => lease,
                None => {
                    let began = Instant::now();
                    let lease = tries.connect().await;
                    connecting += began.elapsed();
                    lease.map_err(|cause| tries.failure(cause))?
                }
            };
            let spare = Spare::of(&request);
            let began = Instant::now();
            let (cause, unsent) = match exchange(lease, request, limits).await {
                Ok(response) => {
                    let waiting = began.elapsed();
                    return Ok(Answer { response, tries: tries.count, connecting, waiting });
                }
                Err(Lost { cause, unsent }) => (cause, unsent),
            };
            let repeatable = matches!(cause, Cause::Closed(_)) && (reused || tries.left());
            match unsent.map(|request| *request).or_else(|| spare.map(Spare::into_request)) {
                Some(again) if repeatable => request = again,
                _ => return Err(tries.failure(cause)),
            }
        }
    }
}

/// The connections that were asked for.
struct Tries<'a> {
    pool: &'a Pool,
    origin: &'a Origin,
    limits: &'a Limits,
    addresses: Vec<SocketAddr>,
    count: u32,
}

impl Tries<'_> {
    /// Makes a connection, over one address after the other.
    async fn connect(&mut self) -> Result<Lease, Cause> {
        if self.addresses.is_empty() {
            self.addresses = addresses(self.origin, self.limits.connect).await?;
        }
        loop {
            let turn = self.count as usize % self.addresses.len().max(1);
            let Some(&address) = self.addresses.get(turn) else {
                return Err(Cause::NameResolution(std::io::ErrorKind::NotFound.into()));
            };
            self.count += 1;
            match connect(address, self.origin, self.limits.connect).await {
                Ok(connection) => return Ok(self.pool.lend(self.origin, connection)),
                Err(cause) if !self.left() => return Err(cause),
                Err(_) => {}
            }
        }
    }

    fn left(&self) -> bool {
        self.count <= self.limits.retries || (self.count as usize) < self.addresses.len()
    }

    fn failure(&self, cause: Cause) -> Failure {
        Failure { cause, tries: self.count }
    }
}

/// A copy of a request that may be sent twice (RFC 9110, section 9.2.2).
struct Spare {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
}

impl Spare {
    fn of(request: &Request<Body>) -> Option<Self> {
        if !request.method().is_idempotent() {
            return None;
        }
        let body = request.body().replay()?;
        let headers = request.headers().clone();
        Some(Self { method: request.method().clone(), uri: request.uri().clone(), headers, body })
    }

    fn into_request(self) -> Request<Body> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}

/// An exchange that gave no response.
struct Lost {
    cause: Cause,
    /// The request, if nothing of it was written.
    unsent: Option<Box<Request<Body>>>,
}

impl From<Cause> for Lost {
    fn from(cause: Cause) -> Self {
        Self { cause, unsent: None }
    }
}

/// Writes a request and waits for the head of its response.
async fn exchange(mut lease: Lease, request: Request<Body>, limits: &Limits) -> Result<Response<Body>, Lost> {
    let upgrade = request.headers().contains_key(UPGRADE);
    let (head, body) = request.into_parts();
    let (upload, pace) = Upload::new(body);
    let mut request = Request::from_parts(head, upload);
    if lease.is_shared() {
        convert(&mut request, lease.origin());
    }
    let Some(connection) = lease.begin(pace.clone()) else {
        return Err(Cause::Connect(std::io::ErrorKind::NotConnected.into()).into());
    };
    let sending = connection.sender.try_send_request(request);
    let sent = match pace {
        None => timeout(limits.read, sending).await.map_err(|_| Cause::ReadTimeout)?,
        Some(pace) => tokio::select! {
            biased;
            sent = sending => sent,
            cause = pace.stalled(limits) => return Err(cause.into()),
        },
    };
    let response = sent.map_err(|mut error| Lost {
        unsent: error.take_message().map(|request| Box::new(request.map(Upload::into_body))),
        cause: Cause::of_exchange(error.into_error()),
    })?;
    wrap(response, lease, upgrade, limits)
}

/// Ties a response to its connection.
fn wrap(
    response: Response<Incoming>,
    lease: Lease,
    upgrade: bool,
    limits: &Limits,
) -> Result<Response<Body>, Lost> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        if !upgrade {
            return Err(Cause::UnaskedUpgrade.into());
        }
        lease.upgraded();
        return Ok(response.map(|_| Body::Empty));
    }
    Ok(response.map(|incoming| {
        if hyper::body::Body::is_end_stream(&incoming) {
            lease.give_back();
            Body::Empty
        } else {
            Body::boxed(Download::new(incoming, lease, limits.read))
        }
    }))
}
