//! Attempts to send a request, and rules for repeating it.
//!
//! | failure | is repeated |
//! |---|---|
//! | opening a connection | up to `retries` times, and until every address of a host was tried once |
//! | an exchange of which nothing was written | on a new connection |
//! | a request that an HTTP/2 upstream reports as unprocessed | the same, if at most 64 KiB of the body were sent |
//! | an idle connection, before a response | on a new connection, if the method is idempotent and the body is in memory |
//! | a new connection, before a response | the same, up to `retries` times |
//! | a timeout of an exchange | never: the upstream may be processing the request |
//! | an invalid response | never |
//!
//! A request that is not repeated after a byte of it was written does not use an idle connection that its upstream may
//! close at this moment: one whose last response had no length (to HEAD), or whose `Keep-Alive: timeout` is nearly over.
//! Right before, the system is asked whether the socket is readable.
//!
//! An attempt on a reused connection that turns out to be closed is repeated on a new one to the same peer; every other
//! attempt goes to the next peer of [`Peers`], which receives its outcome.

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
    http1::{self, ExchangeResult, Repeatability},
    http2,
    peers::{OriginAddresses, Peer, Peers},
    pool::ConnectionLease,
};
use crate::body::Body;

impl ConnectionPool {
    /// Sends a request to one origin, over all its addresses, as [`ConnectionPool::send_over`] does.
    ///
    /// # Errors
    /// A [`SendFailure`] with the cause, and the status for the client, if no response was received.
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
    /// The fields have to include Host. The framing of the request is decided here. The body of the response fails when
    /// the upstream's body is incomplete or stalls; dropping it before its end, or dropping this future, closes the
    /// connection.
    ///
    /// # Errors
    /// A [`SendFailure`] with the cause, and the status for the client, if no response was received.
    pub async fn send_over<P: Peers, H: RequestHead>(
        &self,
        peers: &mut P,
        limits: &UpstreamTimeouts,
        head: &H,
        mut body: Body,
    ) -> Result<UpstreamAnswer, SendFailure> {
        let mut attempts = ConnectionAttempts { pool: self, peers, limits, count: 0, retry: None };
        loop {
            let began = Instant::now();
            let spare = body.try_clone();
            let is_repeatable = head.method().is_idempotent() && spare.is_some();
            let repeatability = if is_repeatable { Repeatability::Repeatable } else { Repeatability::Once };
            let checkout =
                attempts.acquire(repeatability, began).await.map_err(|cause| attempts.failure(cause))?;
            let handed_over = if checkout.reused { began } else { Instant::now() };
            let request = (&HeadForPeer { head, host: checkout.peer.host.as_ref() }, body);
            let sent = exchange(checkout.lease, &checkout.peer.origin, request, limits, handed_over).await;
            let SendError { cause, unsent } = match sent {
                Ok((response, upgraded)) => {
                    let received_at = Instant::now();
                    let time = received_at.duration_since(handed_over);
                    attempts.peers.report_outcome(Ok((response.status(), time)));
                    return Ok(UpstreamAnswer { response, upgraded, attempts: attempts.count, received_at });
                }
                Err(error) => error,
            };
            let is_repeatable =
                matches!(cause, FailureCause::Closed(_)) && (checkout.reused || attempts.has_more());
            let repeated = match unsent {
                UnsentPart::Body(body) => Some(body),
                UnsentPart::Head => spare,
                UnsentPart::Nothing => spare.filter(|_| head.method().is_idempotent()),
            };
            match repeated {
                Some(repeated) if is_repeatable => body = repeated,
                _ => {
                    attempts.peers.report_outcome(Err(&cause));
                    return Err(attempts.failure(cause));
                }
            }
            if checkout.reused {
                // The peer may be healthy: it closed a connection that was idle.
                attempts.retry = Some(checkout.peer);
            } else {
                attempts.peers.report_outcome(Err(&cause));
            }
        }
    }
}

/// Connections for the attempts of one request.
struct ConnectionAttempts<'a, P> {
    pool: &'a ConnectionPool,
    peers: &'a mut P,
    limits: &'a UpstreamTimeouts,
    count: u32,
    /// The peer whose idle connection was closed, and to which a new one is opened.
    retry: Option<Peer>,
}

/// A connection for one exchange.
struct Checkout {
    peer: Peer,
    lease: ConnectionLease,
    reused: bool,
}

impl<P: Peers> ConnectionAttempts<'_, P> {
    /// Takes an idle connection or opens one, to one peer after the other.
    async fn acquire(
        &mut self,
        repeatability: Repeatability,
        now: Instant,
    ) -> Result<Checkout, FailureCause> {
        loop {
            let peer = match self.retry.take() {
                Some(peer) => peer,
                None => {
                    let peer = next_peer_within(self.peers.next(), self.limits.connect).await?;
                    if let Some(lease) = self.pool.lease_idle(&peer.origin, repeatability, now) {
                        return Ok(Checkout { peer, lease, reused: true });
                    }
                    peer
                }
            };
            self.count += 1;
            // Boxed, as most requests open no connection and should not carry the size of this future.
            let bounds = self.pool.head_bounds();
            match Box::pin(connect(peer.address, &peer.origin, self.limits.connect, bounds)).await {
                Ok(connection) => {
                    let lease = self.pool.lease_new(&peer.origin, connection);
                    return Ok(Checkout { peer, lease, reused: false });
                }
                Err(cause) => {
                    self.peers.report_outcome(Err(&cause));
                    if !self.has_more() {
                        return Err(cause);
                    }
                }
            }
        }
    }

    /// Whether another connection may be opened.
    fn has_more(&self) -> bool {
        self.count <= self.limits.retries || (self.count as usize) < self.peers.min_attempts()
    }

    fn failure(&self, cause: FailureCause) -> SendFailure {
        SendFailure { cause, attempts: self.count }
    }
}

/// Waits for a peer, at most for `limit`. Most often it is known at once, and no timer is made.
async fn next_peer_within(
    next: impl Future<Output = Result<Peer, FailureCause>>,
    limit: Duration,
) -> Result<Peer, FailureCause> {
    let mut next = pin!(next);
    match poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await {
        Poll::Ready(peer) => peer,
        Poll::Pending => {
            let timed_out = |_| Err(FailureCause::NameResolution(ErrorKind::TimedOut.into()));
            timeout(limit, next).await.unwrap_or_else(timed_out)
        }
    }
}

/// An exchange without a response.
struct SendError {
    cause: FailureCause,
    unsent: UnsentPart,
}

/// Part of a request that was not written.
enum UnsentPart {
    /// All of it, and its body is still available.
    Body(Body),
    /// All of it, but some of the body may have been read.
    Head,
    /// Some of it was written: it may be repeated if the method is idempotent. (RFC 9110, section 9.2.2)
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
    (head, body): (&HeadForPeer<'_, H>, Body),
    limits: &UpstreamTimeouts,
    now: Instant,
) -> Result<(Response<Body>, Option<UpgradedStream>), SendError> {
    match lease {
        ConnectionLease::Exclusive(connection, slot) => {
            let sent = http1::send(connection, slot, (head, body), limits, now).await;
            let result = sent.map_err(|error| SendError {
                cause: error.cause,
                unsent: if error.unsent { UnsentPart::Head } else { UnsentPart::Nothing },
            })?;
            match result {
                ExchangeResult::Response(response) => Ok((response, None)),
                ExchangeResult::Upgraded(..) if !head.head.upgrades() => {
                    Err(FailureCause::UnexpectedUpgrade.into())
                }
                ExchangeResult::Upgraded(response, stream) => Ok((response, Some(stream))),
            }
        }
        ConnectionLease::Shared(stream) => {
            // Boxed, as few requests use HTTP/2, and its future is larger.
            let sent = Box::pin(http2::send(stream, origin, (head, body), limits)).await;
            let response = sent.map_err(|error| SendError {
                cause: error.cause,
                unsent: error.unsent.map_or(UnsentPart::Nothing, UnsentPart::Body),
            })?;
            Ok((response, None))
        }
    }
}
