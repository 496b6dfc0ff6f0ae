//! Tries: over which connection a request goes, and when it may go again.
//!
//! | what failed | is repeated |
//! |---|---|
//! | making a connection | up to `retries` times, and until every address of a host was tried once |
//! | an exchange of which nothing was written | on a new connection |
//! | one that an upstream of HTTP/2 says it did not look at | the same, if no more than 64 KiB of the body have gone |
//! | an idle connection, before a response | on a new connection, if the method is idempotent and the body is in memory |
//! | a new connection, before a response | the same, up to `retries` times |
//! | a timeout of an exchange | never: the upstream may be at work on it |
//! | an invalid response | never |
//!
//! Every try but one on a dead idle connection goes where [`Peers`] say, which hear how it ended.

use std::{
    future::{Future, poll_fn},
    io::ErrorKind,
    pin::pin,
    task::Poll,
    time::Duration,
};

use http::{Request, Response};
use tokio::time::{Instant, timeout};

use super::{
    ConnectionPool, FailureCause, SendFailure, UpgradedStream, UpstreamAnswer, UpstreamOrigin,
    UpstreamTimeouts,
    connect::connect,
    head::{HeadForPeer, RequestHead},
    http1::{self, ExchangeResult},
    http2,
    peers::{OriginAddresses, Peer, Peers},
    pool::ConnectionLease,
};
use crate::body::Body;

impl ConnectionPool {
    /// Sends a request to one origin; as [`ConnectionPool::send_over`], over all its addresses.
    ///
    /// # Errors
    /// A [`SendFailure`] says why no response came, and with which status to tell the client.
    pub async fn send(
        &self,
        origin: &UpstreamOrigin,
        limits: &UpstreamTimeouts,
        request: Request<Body>,
    ) -> Result<UpstreamAnswer, SendFailure> {
        let (head, body) = request.into_parts();
        self.send_over(&mut OriginAddresses::new(origin, limits.connect), limits, &head, body).await
    }

    /// Sends a request to one of several peers and waits for the head of the response.
    ///
    /// Host has to be among the fields. The framing is made here. The body of the answer fails when the upstream's
    /// body breaks off or stalls; dropping it early, or dropping this future, closes the connection.
    ///
    /// # Errors
    /// A [`SendFailure`] says why no response came, and with which status to tell the client.
    pub async fn send_over<P: Peers, H: RequestHead>(
        &self,
        peers: &mut P,
        limits: &UpstreamTimeouts,
        head: &H,
        mut body: Body,
    ) -> Result<UpstreamAnswer, SendFailure> {
        let mut tries = ConnectionAttempts { pool: self, peers, limits, count: 0, again: None };
        loop {
            let began = Instant::now();
            let found = tries.connection(began).await.map_err(|cause| tries.failure(cause))?;
            let handed_over = if found.reused { began } else { Instant::now() };
            let spare = body.replay();
            let said = HeadForPeer { head, host: found.peer.host.as_ref() };
            let sent = exchange(found.lease, &found.peer.origin, (&said, body), limits, handed_over).await;
            let SendError { cause, unsent } = match sent {
                Ok((response, switched)) => {
                    let came = Instant::now();
                    tries.peers.ended(Ok((response.status(), came.duration_since(handed_over))));
                    return Ok(UpstreamAnswer { response, switched, tries: tries.count, came });
                }
                Err(lost) => lost,
            };
            let repeatable = matches!(cause, FailureCause::Closed(_)) && (found.reused || tries.left());
            let again = match unsent {
                UnsentPart::Body(body) => Some(body),
                UnsentPart::Head => spare,
                UnsentPart::Nothing => spare.filter(|_| head.method().is_idempotent()),
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
struct ConnectionAttempts<'a, P> {
    pool: &'a ConnectionPool,
    peers: &'a mut P,
    limits: &'a UpstreamTimeouts,
    count: u32,
    /// The peer whose idle connection was dead: it gets a new one.
    again: Option<Peer>,
}

/// A connection for one exchange.
struct Checkout {
    peer: Peer,
    lease: ConnectionLease,
    reused: bool,
}

impl<P: Peers> ConnectionAttempts<'_, P> {
    /// Takes or makes a connection, to one peer after the other.
    async fn connection(&mut self, now: Instant) -> Result<Checkout, FailureCause> {
        loop {
            let peer = match self.again.take() {
                Some(peer) => peer,
                None => {
                    let peer = in_time(self.peers.next(), self.limits.connect).await?;
                    if let Some(lease) = self.pool.take(&peer.origin, now) {
                        return Ok(Checkout { peer, lease, reused: true });
                    }
                    peer
                }
            };
            self.count += 1;
            // In a box: most requests need no new connection, and none of the room that making one takes.
            match Box::pin(connect(peer.address, &peer.origin, self.limits.connect)).await {
                Ok(connection) => {
                    let lease = self.pool.lend(&peer.origin, connection);
                    return Ok(Checkout { peer, lease, reused: false });
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

    fn failure(&self, cause: FailureCause) -> SendFailure {
        SendFailure { cause, tries: self.count }
    }
}

/// Waits for a peer, but no longer than this. Mostly it is known at once, and no timer is needed.
async fn in_time(
    next: impl Future<Output = Result<Peer, FailureCause>>,
    limit: Duration,
) -> Result<Peer, FailureCause> {
    let mut next = pin!(next);
    match poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await {
        Poll::Ready(peer) => peer,
        Poll::Pending => {
            let late = |_| Err(FailureCause::NameResolution(ErrorKind::TimedOut.into()));
            timeout(limit, next).await.unwrap_or_else(late)
        }
    }
}

/// An exchange that gave no response.
struct SendError {
    cause: FailureCause,
    unsent: UnsentPart,
}

/// What of a request was not written.
enum UnsentPart {
    /// Nothing of it was; its body is still there.
    Body(Body),
    /// Nothing of it was, but some of the body may have been taken.
    Head,
    /// Some of it was: it may be repeated if it is idempotent. (RFC 9110, section 9.2.2)
    Nothing,
}

impl From<FailureCause> for SendError {
    fn from(cause: FailureCause) -> Self {
        Self { cause, unsent: UnsentPart::Nothing }
    }
}

/// Writes a request and waits for the head of its response.
async fn exchange<H: RequestHead>(
    lease: ConnectionLease,
    origin: &UpstreamOrigin,
    (said, body): (&HeadForPeer<'_, H>, Body),
    limits: &UpstreamTimeouts,
    now: Instant,
) -> Result<(Response<Body>, Option<UpgradedStream>), SendError> {
    match lease {
        ConnectionLease::Own(link, home) => {
            let answered =
                http1::send(link, home, (said, body), limits, now).await.map_err(|lost| SendError {
                    cause: lost.cause,
                    unsent: if lost.unsent { UnsentPart::Head } else { UnsentPart::Nothing },
                })?;
            match answered {
                ExchangeResult::Response(response) => Ok((response, None)),
                ExchangeResult::Switched(..) if !said.head.upgrades() => {
                    Err(FailureCause::UnaskedUpgrade.into())
                }
                ExchangeResult::Switched(response, switched) => Ok((response, Some(switched))),
            }
        }
        ConnectionLease::Shared(stream) => {
            // In a box: few requests go this way, and it takes more room.
            let sent = Box::pin(http2::send(stream, origin, (said, body), limits)).await;
            let response = sent.map_err(|lost| SendError {
                cause: lost.cause,
                unsent: lost.unsent.map_or(UnsentPart::Nothing, UnsentPart::Body),
            })?;
            Ok((response, None))
        }
    }
}
