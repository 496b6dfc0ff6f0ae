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
    Answer, Cause, Failure, Limits, Origin, Pool, Switched,
    connect::connect,
    head::{Head, Said},
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
        let (head, body) = request.into_parts();
        self.send_over(&mut Addresses::new(origin, limits.connect), limits, &head, body).await
    }

    /// Sends a request to one of several peers and waits for the head of the response.
    ///
    /// Host has to be among the fields. The framing is made here. The body of the answer fails when the upstream's
    /// body breaks off or stalls; dropping it early, or dropping this future, closes the connection.
    ///
    /// # Errors
    /// A [`Failure`] says why no response came, and with which status to tell the client.
    pub async fn send_over<P: Peers, H: Head>(
        &self,
        peers: &mut P,
        limits: &Limits,
        head: &H,
        mut body: Body,
    ) -> Result<Answer, Failure> {
        let mut tries = Tries { pool: self, peers, limits, count: 0, again: None };
        loop {
            let began = Instant::now();
            let found = tries.connection(began).await.map_err(|cause| tries.failure(cause))?;
            let handed_over = if found.reused { began } else { Instant::now() };
            let spare = body.replay();
            let said = Said { head, host: found.peer.host.as_ref() };
            let sent = exchange(found.lease, &found.peer.origin, (&said, body), limits, handed_over).await;
            let Lost { cause, unsent } = match sent {
                Ok((response, switched)) => {
                    let came = Instant::now();
                    tries.peers.ended(Ok((response.status(), came.duration_since(handed_over))));
                    return Ok(Answer { response, switched, tries: tries.count, came });
                }
                Err(lost) => lost,
            };
            let repeatable = matches!(cause, Cause::Closed(_)) && (found.reused || tries.left());
            let again = match unsent {
                Unsent::Body(body) => Some(body),
                Unsent::Head => spare,
                Unsent::Nothing => spare.filter(|_| head.method().is_idempotent()),
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
                    let peer = in_time(self.peers.next(), self.limits.connect).await?;
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

/// Waits for a peer, but no longer than this. Mostly it is known at once, and no timer is needed.
async fn in_time(next: impl Future<Output = Result<Peer, Cause>>, limit: Duration) -> Result<Peer, Cause> {
    let mut next = pin!(next);
    match poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await {
        Poll::Ready(peer) => peer,
        Poll::Pending => {
            let late = |_| Err(Cause::NameResolution(ErrorKind::TimedOut.into()));
            timeout(limit, next).await.unwrap_or_else(late)
        }
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
async fn exchange<H: Head>(
    lease: Lease,
    origin: &Origin,
    (said, body): (&Said<'_, H>, Body),
    limits: &Limits,
    now: Instant,
) -> Result<(Response<Body>, Option<Switched>), Lost> {
    match lease {
        Lease::Own(link, home) => {
            let answered = http1::send(link, home, (said, body), limits, now).await.map_err(|lost| Lost {
                cause: lost.cause,
                unsent: if lost.unsent { Unsent::Head } else { Unsent::Nothing },
            })?;
            match answered {
                Answered::Response(response) => Ok((response, None)),
                Answered::Switched(..) if !said.head.upgrades() => Err(Cause::UnaskedUpgrade.into()),
                Answered::Switched(response, switched) => Ok((response, Some(switched))),
            }
        }
        Lease::Shared(stream) => {
            // In a box: few requests go this way, and it takes more room.
            let sent = Box::pin(http2::send(stream, origin, (said, body), limits)).await;
            let response = sent.map_err(|lost| Lost {
                cause: lost.cause,
                unsent: lost.unsent.map_or(Unsent::Nothing, Unsent::Body),
            })?;
            Ok((response, None))
        }
    }
}
