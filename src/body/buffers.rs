//! Bodies in memory: read whole or read ahead, in a budget of bytes that all requests share.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::{Body, BodyError};
use crate::budget::{MemoryBudget, Reservation};

/// The first room of a body, in bytes.
const FIRST_ROOM: usize = 4 << 10;

/// A body that is held may take as long as a client may pause, and a second more for each of these bytes.
const SLOWEST: usize = 16 << 10;

/// Reads bodies into memory. Clones share their budget.
#[derive(Clone, Debug)]
pub struct BodyBuffers {
    memory: MemoryBudget,
    pause: Duration,
}

impl BodyBuffers {
    /// Buffers of `most` bytes for all requests together, for clients that may pause for this long.
    #[must_use]
    pub fn new(most: usize, pause: Duration) -> Self {
        Self { memory: MemoryBudget::new(most), pause }
    }

    /// The budget: what is held of it, and what was refused.
    #[must_use]
    pub const fn memory(&self) -> &MemoryBudget {
        &self.memory
    }

    /// Reads a body to its end, but no more than `most` bytes. They count in the budget until the last handle to them
    /// is dropped.
    ///
    /// # Errors
    /// If the body is larger, breaks off or comes too slowly, or if the budget has no room for it.
    pub async fn read_whole(&self, mut body: Body, most: u64) -> Result<Bytes, BodyError> {
        let size = body.size_hint();
        if size.lower() > most {
            return Err(BodyError::TooLarge);
        }
        match body {
            Body::Empty => return Ok(Bytes::new()),
            Body::Full(bytes) => return Ok(bytes),
            Body::Incoming(_) | Body::Boxed(_) => {}
        }
        let largest = size.upper().map_or(most, |upper| upper.min(most));
        let mut held = self.held(usize::try_from(largest).unwrap_or(usize::MAX));
        let began = Instant::now();
        while let Some(frame) = self.frame(&mut body, began, held.bytes.len()).await {
            let Ok(data) = frame?.into_data() else { continue };
            if (held.bytes.len() as u64).saturating_add(data.len() as u64) > most {
                return Err(BodyError::TooLarge);
            }
            held.append(&data)?;
        }
        Ok(held.into_bytes())
    }

    /// Reads a body that has at most `most` bytes into memory: then its length is known, and it can be sent again. A
    /// larger one, and one for which the budget has no room, is passed on as it comes.
    ///
    /// A body of one piece stays in the buffer of its connection and does not count.
    ///
    /// # Errors
    /// If the body breaks off, or comes too slowly.
    pub async fn read_ahead(&self, mut body: Body, most: usize) -> Result<Body, BodyError> {
        let fits = |size: u64| usize::try_from(size).is_ok_and(|size| size <= most);
        if body.replay().is_some() || !fits(body.size_hint().lower()) {
            return Ok(body);
        }
        let began = Instant::now();
        let mut ahead = Ahead::Nothing;
        while let Some(frame) = self.frame(&mut body, began, ahead.len()).await {
            let data = match frame?.into_data() {
                Ok(data) => data,
                Err(trailers) => return Ok(ahead.followed_by(Some(trailers), body)),
            };
            if ahead.len() + data.len() > most {
                return Ok(ahead.followed_by(Some(Frame::data(data)), body));
            }
            let (all, surplus) = ahead.with(data, || self.held(most));
            ahead = all;
            if let Some(surplus) = surplus {
                return Ok(ahead.followed_by(Some(Frame::data(surplus)), body));
            }
        }
        Ok(Body::full(ahead.into_bytes()))
    }

    /// The same bytes, which count in the budget until the last handle to them is dropped.
    ///
    /// # Errors
    /// If the budget has no room for them.
    pub fn hold(&self, bytes: Vec<u8>) -> Result<Bytes, BodyError> {
        let counted = self.memory.reserve(bytes.capacity()).map_err(|_| BodyError::NoRoom)?;
        Ok(Held { bytes, most: 0, counted }.into_bytes())
    }

    /// Room for a body that grows to at most `most` bytes.
    #[must_use]
    pub fn held(&self, most: usize) -> Held {
        Held { bytes: Vec::new(), most, counted: self.memory.reservation() }
    }

    /// The next frame, unless the body, of which so many bytes were read, is too slow.
    async fn frame(
        &self,
        body: &mut Body,
        began: Instant,
        read: usize,
    ) -> Option<Result<Frame<Bytes>, BodyError>> {
        let more = Duration::from_secs((read / SLOWEST) as u64);
        timeout_at(began + self.pause + more, body.frame())
            .await
            .unwrap_or(Some(Err(BodyError::ClientTimeout)))
    }
}

impl Default for BodyBuffers {
    /// 256 MiB, and a minute.
    fn default() -> Self {
        Self::new(256 << 20, Duration::from_mins(1))
    }
}

/// Bytes that are held; they count in the budget until this, and all that was made of it, is dropped.
#[derive(Debug)]
pub struct Held {
    bytes: Vec<u8>,
    /// More will not be needed.
    most: usize,
    counted: Reservation,
}

impl Held {
    /// How many bytes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// If the budget has no room for them.
    pub fn append(&mut self, data: &[u8]) -> Result<(), BodyError> {
        let needed = self.bytes.len() + data.len();
        let before = self.bytes.capacity();
        if needed > before {
            let room = before.saturating_mul(2).max(FIRST_ROOM).min(self.most).max(needed);
            let more = |room: usize| room.saturating_sub(before);
            let less = (before + before / 8 + FIRST_ROOM).max(needed).min(room);
            // Where twice the room is too much, a little more may not be.
            let room = match self.counted.grow(more(room)) {
                Ok(()) => room,
                Err(_) => self.counted.grow(more(less)).map(|()| less).map_err(|_| BodyError::NoRoom)?,
            };
            // While the bytes move there are two rooms, but of one body for each thread.
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// A handle to them.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        if self.is_empty() { Bytes::new() } else { Bytes::from_owner(self) }
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What has been read of a body: in one piece, as each frame by itself would take more room than a small piece.
enum Ahead {
    Nothing,
    /// One piece, in the buffer of its connection.
    Piece(Bytes),
    /// Several pieces.
    Copied(Held),
}

impl Ahead {
    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Piece(piece) => piece.len(),
            Self::Copied(held) => held.len(),
        }
    }

    /// The same and another piece; that piece comes back if there is no room for it.
    fn with(self, piece: Bytes, room: impl FnOnce() -> Held) -> (Self, Option<Bytes>) {
        let mut held = match self {
            Self::Nothing => return (Self::Piece(piece), None),
            Self::Piece(first) => {
                let mut held = room();
                if held.append(&first).is_err() {
                    return (Self::Piece(first), Some(piece));
                }
                held
            }
            Self::Copied(held) => held,
        };
        let surplus = held.append(&piece).is_err().then_some(piece);
        (Self::Copied(held), surplus)
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            Self::Piece(piece) => piece,
            Self::Copied(held) => held.into_bytes(),
        }
    }

    /// The whole body again.
    fn followed_by(self, next: Option<Frame<Bytes>>, rest: Body) -> Body {
        let bytes = self.into_bytes();
        let read = (!bytes.is_empty()).then(|| Frame::data(bytes));
        Body::boxed(PrefixedBody { ahead: [read, next].into_iter().flatten().collect(), rest })
    }
}

/// At most two frames that have been read ahead, and what comes after them.
struct PrefixedBody {
    ahead: VecDeque<Frame<Bytes>>,
    rest: Body,
}

impl http_body::Body for PrefixedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.ahead.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let pieces = self.ahead.iter().filter_map(Frame::data_ref);
        let ahead: u64 = pieces.map(|data| data.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(ahead));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(ahead)) {
            hint.set_upper(upper);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    /// A body that comes in these pieces, and ends with trailers if they are told.
    struct Pieces(VecDeque<Frame<Bytes>>);

    impl hyper::body::Body for Pieces {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    /// Checks what is known of the length of a body, read ahead up to 5 bytes, and that nothing of it is lost.
    #[track_caller]
    fn check(pieces: &[&'static str], trailers: bool, expected: Option<u64>) {
        let mut frames: VecDeque<_> =
            pieces.iter().map(|it| Frame::data(Bytes::from_static(it.as_bytes()))).collect();
        frames.extend(trailers.then(|| Frame::trailers(HeaderMap::new())));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (length, repeatable, collected) = runtime.block_on(async {
            let body = BodyBuffers::default().read_ahead(Body::boxed(Pieces(frames)), 5).await.unwrap();
            let (length, repeatable) = (body.size_hint().exact(), body.replay().is_some());
            (length, repeatable, body.collect().await.unwrap())
        });
        assert_eq!(length, expected);
        assert_eq!(repeatable, expected.is_some());
        assert_eq!(collected.trailers().is_some(), trailers);
        assert_eq!(collected.to_bytes(), pieces.concat());
    }

    #[test]
    fn a_small_body_has_a_length_after_all() {
        check(&[], false, Some(0));
        check(&["abc"], false, Some(3));
        check(&["abc", "de"], false, Some(5));
        check(&["abc", "def"], false, None);
        check(&["abcdef", "ghi"], false, None);
    }

    #[test]
    fn trailers_are_not_lost() {
        check(&["abc"], true, None);
    }

    /// A body that comes in pieces of one byte, one each `pause`.
    struct Trickle {
        left: usize,
        pause: Duration,
        next: Option<Pin<Box<tokio::time::Sleep>>>,
    }

    impl hyper::body::Body for Trickle {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            let pause = self.pause;
            if !pause.is_zero() {
                let next = self.next.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
                std::task::ready!(next.as_mut().poll(context));
            }
            self.next = None;
            self.left -= 1;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    fn trickle(bytes: usize, pause: Duration) -> Body {
        Body::boxed(Trickle { left: bytes, pause, next: None })
    }

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn bodies_share_one_budget_until_they_are_dropped() {
        let buffers = BodyBuffers::new(80_000, MINUTE);
        let first = buffers.read_whole(trickle(40_000, Duration::ZERO), 50_000).await.unwrap();
        let held = buffers.memory().held();
        assert!((40_000..=50_000).contains(&held), "{held}");
        let second = buffers.clone().read_whole(trickle(40_000, Duration::ZERO), 50_000).await;
        assert!(matches!(second, Err(BodyError::NoRoom)));
        assert_eq!(buffers.memory().held(), held, "what was read of it is released");
        let part = first.slice(..10);
        drop(first);
        assert_eq!(buffers.memory().held(), held, "a part of it is still there");
        drop(part);
        assert_eq!(buffers.memory().held(), 0);
        let again = buffers.read_whole(trickle(40_000, Duration::ZERO), 50_000).await.unwrap();
        assert_eq!(again.len(), 40_000);
    }

    #[tokio::test]
    async fn a_body_is_no_larger_than_it_may_be() {
        let buffers = BodyBuffers::new(100_000, MINUTE);
        for (bytes, fits) in [(0, true), (10, true), (11, false)] {
            let read = buffers.read_whole(trickle(bytes, Duration::ZERO), 10).await;
            assert_eq!(read.is_ok(), fits, "{bytes}");
        }
        assert!(matches!(buffers.read_whole(Body::full("12345678901"), 10).await, Err(BodyError::TooLarge)));
        let limited = trickle(11, Duration::ZERO).limited(10);
        assert!(matches!(buffers.read_whole(limited, 100).await, Err(BodyError::OverLimit)));
        assert_eq!(buffers.memory().held(), 0);
    }

    #[tokio::test]
    async fn what_is_read_ahead_takes_no_more_room_than_its_bytes() {
        const MOST: usize = 10_000;
        let buffers = BodyBuffers::new(1 << 20, MINUTE);
        for (bytes, known) in [(MOST, true), (MOST + 1, false)] {
            let body = buffers.read_ahead(trickle(bytes, Duration::ZERO), MOST).await.unwrap();
            assert_eq!(body.size_hint().exact().is_some(), known);
            assert!(buffers.memory().held() <= MOST, "{}", buffers.memory().held());
            assert_eq!(body.collect().await.unwrap().to_bytes().len(), bytes);
            assert_eq!(buffers.memory().held(), 0);
        }
        let none = BodyBuffers::new(100, MINUTE);
        let body = none.read_ahead(trickle(MOST, Duration::ZERO), MOST).await.unwrap();
        assert_eq!(body.size_hint().exact(), None, "it passes as it comes where there is no room");
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_trickles_does_not_hold_its_room_for_ever() {
        let buffers = BodyBuffers::new(1 << 20, MINUTE);
        for (bytes, pause, in_time) in [(10, 1, true), (59, 1, true), (62, 1, false), (10_000, 30, false)] {
            let began = Instant::now();
            let body = trickle(bytes, Duration::from_secs(pause));
            let read = buffers.read_whole(body, 1 << 20).await;
            assert_eq!(read.is_ok(), in_time, "{bytes} bytes, one each {pause} s");
            assert!(began.elapsed() <= MINUTE);
            let body = trickle(bytes, Duration::from_secs(pause));
            assert_eq!(buffers.read_ahead(body, 1 << 16).await.is_ok(), in_time);
        }
    }
}
