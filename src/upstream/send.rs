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
    Request, Response, Version,
    header::{HOST, UPGRADE},
    request::Parts,
};
use tokio::time::{Instant, timeout};

use super::{
    Answer, Cause, Failure, Limits, Origin, Pool, Switched,
    connect::connect,
    http1::{self, Answered},
    http2,
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
        let (mut head, mut body) = request.into_parts();
        let mut tries = Tries { pool: self, peers, limits, count: 0, again: None };
        let mut connecting = Duration::ZERO;
        loop {
            let began = Instant::now();
            let found = tries.connection(began).await.map_err(|cause| tries.failure(cause))?;
            let handed_over = if found.reused { began } else { Instant::now() };
            connecting += handed_over.duration_since(began);
            if let Some(host) = &found.peer.host {
                head.headers.insert(HOST, host.clone());
            }
            let spare = body.replay();
            let Lost { cause, unsent } =
                match exchange(found.lease, &found.peer, (&head, body), limits, handed_over).await {
                    Ok((response, switched)) => {
                        let waiting = handed_over.elapsed();
                        tries.peers.ended(Ok((response.status(), waiting)));
                        return Ok(Answer { response, switched, tries: tries.count, connecting, waiting });
                    }
                    Err(lost) => lost,
                };
            let repeatable = matches!(cause, Cause::Closed(_)) && (found.reused || tries.left());
            let again = match unsent {
                Unsent::Body(body) => Some(body),
                Unsent::Head => spare,
                Unsent::Nothing => spare.filter(|_| head.method.is_idempotent()),
            };
            match again {
                Some(again) if repeatable => body = again,
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
    async fn connection(&mut self, now: Instant) -> Result<Found, Cause> {
        loop {
            let peer = match self.again.take() {
                Some(peer) => peer,
                None => {
                    let next = timeout(self.limits.connect, self.peers.next()).await;
                    let peer =
                        next.unwrap_or_else(|_| Err(Cause::NameResolution(ErrorKind::TimedOut.into())))?;
                    if let Some(lease) = self.pool.take(&peer.origin, now) {
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

/// An exchange that gave no response.
struct Lost {
    cause: Cause,
    unsent: Unsent,
}

/// What of a request was not written.
enum Unsent {
    /// Nothing of it was; its body is still there.
    Body(Body),
    /// Nothing of it was, but some of the body may have been taken.
    Head,
    /// Some of it was: it may be repeated if it is idempotent. (RFC 9110, section 9.2.2)
    Nothing,
}

impl From<Cause> for Lost {
    fn from(cause: Cause) -> Self {
        Self { cause, unsent: Unsent::Nothing }
    }
}

/// Writes a request and waits for the head of its response.
async fn exchange(
    lease: Lease,
    peer: &Peer,
    (head, body): (&Parts, Body),
    limits: &Limits,
    now: Instant,
) -> Result<(Response<Body>, Option<Switched>), Lost> {
    match lease {
        Lease::Own(link, home) => {
            let answered = http1::send(link, home, (head, body), limits, now).await.map_err(|lost| Lost {
                cause: lost.cause,
                unsent: if lost.unsent { Unsent::Head } else { Unsent::Nothing },
            })?;
            match answered {
                Answered::Response(response) => Ok((response, None)),
                Answered::Switched(..) if !head.headers.contains_key(UPGRADE) => {
                    Err(Cause::UnaskedUpgrade.into())
                }
                Answered::Switched(response, switched) => Ok((response, Some(switched))),
            }
        }
        Lease::Shared(stream) => {
            let mut request = Request::new(body);
            *request.method_mut() = head.method.clone();
            *request.uri_mut() = head.uri.clone();
            *request.headers_mut() = head.headers.clone();
            // In a box: few requests go this way, and it takes more room.
            let sent = Box::pin(http2::send(stream, &peer.origin, request, limits)).await;
            let response = sent.map_err(|lost| Lost {
                cause: lost.cause,
                unsent: lost.unsent.map_or(Unsent::Nothing, Unsent::Body),
            })?;
            Ok((response, None))
        }
    }
}
