//! Tries: over which connection a request goes, and when it may go again.
//!
//! | what failed | is repeated |
//! |---|---|
//! | making a connection | up to `retries` times, and until every address of a host was tried once |
//! | an exchange of which nothing was written | on a new connection |
//! | an idle connection, before a response | on a new connection, if the method is idempotent and the body is in memory |
//! | a new connection, before a response | the same, up to `retries` times |
//! | a timeout of an exchange | never: the upstream may be at work on it |
//! | an invalid response | never |
//!
//! Every try but one on a dead idle connection goes where [`Peers`] say, which hear how it ended.

use std::{io::ErrorKind, time::Duration};

use http::{
    HeaderMap, Method, Request, Response, StatusCode, Uri, Version,
    header::{HOST, UPGRADE},
};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use super::{
    Answer, Cause, Failure, Limits, Origin, Pool,
    body::{Download, Upload},
    connect::connect,
    http2::convert,
    peers::{Addresses, Peer, Peers},
    pool::Lease,
};
use crate::body::Body;

impl Pool {
    /// Sends a request to one origin; as [`Pool::send_over`], over all its addresses.
    ///
    /// # Errors
    /// A [`Failure`] says why no response came, and with which status to tell the client.
    pub async fn send(
        &self,
        origin: &Origin,
        limits: &Limits,
        request: Request<Body>,
    ) -> Result<Answer, Failure> {
        self.send_over(&mut Addresses::new(origin, limits.connect), limits, request).await
    }

    /// Sends a request to one of several peers and waits for the head of the response.
    ///
    /// The target has to be in origin form, and Host has to be set. Header fields go out as they are, but for Host,
    /// which a peer may want its own way; the framing is made here. The body of the answer fails when the upstream's
    /// body breaks off or stalls; dropping it early, or dropping this future, closes the connection.
    ///
    /// # Errors
    /// A [`Failure`] says why no response came, and with which status to tell the client.
    pub async fn send_over<P: Peers>(
        &self,
        peers: &mut P,
        limits: &Limits,
        mut request: Request<Body>,
    ) -> Result<Answer, Failure> {
        *request.version_mut() = Version::HTTP_11;
        let mut tries = Tries { pool: self, peers, limits, count: 0, again: None };
        let mut connecting = Duration::ZERO;
        loop {
            let began = Instant::now();
            let found = tries.connection().await.map_err(|cause| tries.failure(cause))?;
            if !found.reused {
                connecting += began.elapsed();
            }
            if let Some(host) = &found.peer.host {
                request.headers_mut().insert(HOST, host.clone());
            }
            let spare = Spare::of(&request);
            let began = Instant::now();
            let (cause, unsent) = match exchange(found.lease, request, limits).await {
                Ok(response) => {
                    let waiting = began.elapsed();
                    tries.peers.ended(Ok((response.status(), waiting)));
                    return Ok(Answer { response, tries: tries.count, connecting, waiting });
                }
                Err(Lost { cause, unsent }) => (cause, unsent),
            };
            let repeatable = matches!(cause, Cause::Closed(_)) && (found.reused || tries.left());
            match unsent.map(|request| *request).or_else(|| spare.map(Spare::into_request)) {
                Some(again) if repeatable => request = again,
                _ => {
                    tries.peers.ended(Err(&cause));
                    return Err(tries.failure(cause));
                }
            }
            if found.reused {
                // The peer may be well: it closed a connection that nobody used.
                tries.again = Some(found.peer);
            } else {
                tries.peers.ended(Err(&cause));
            }
        }
    }
}

/// The connections that were asked for.
struct Tries<'a, P> {
    pool: &'a Pool,
    peers: &'a mut P,
    limits: &'a Limits,
    count: u32,
    /// The peer whose idle connection was dead: it gets a new one.
    again: Option<Peer>,
}

/// A connection for one exchange.
struct Found {
    peer: Peer,
    lease: Lease,
    reused: bool,
}

impl<P: Peers> Tries<'_, P> {
    /// Takes or makes a connection, to one peer after the other.
    async fn connection(&mut self) -> Result<Found, Cause> {
        loop {
            let peer = match self.again.take() {
                Some(peer) => peer,
                None => {
                    let next = timeout(self.limits.connect, self.peers.next()).await;
                    let peer =
                        next.unwrap_or_else(|_| Err(Cause::NameResolution(ErrorKind::TimedOut.into())))?;
                    if let Some(lease) = self.pool.take(&peer.origin) {
                        return Ok(Found { peer, lease, reused: true });
                    }
                    peer
                }
            };
            self.count += 1;
            // In a box: most requests need no new connection, and none of the room that making one takes.
            match Box::pin(connect(peer.address, &peer.origin, self.limits.connect)).await {
                Ok(connection) => {
                    let lease = self.pool.lend(&peer.origin, connection);
                    return Ok(Found { peer, lease, reused: false });
                }
                Err(cause) => {
                    self.peers.ended(Err(&cause));
                    if !self.left() {
                        return Err(cause);
                    }
                }
            }
        }
    }

    fn left(&self) -> bool {
        self.count <= self.limits.retries || (self.count as usize) < self.peers.width()
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
        return Err(Cause::Connect(ErrorKind::NotConnected.into()).into());
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
