//! Bodies in memory, read whole or ahead, within a budget of bytes that all requests share.

use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::{Body, BodyError};
use crate::budget::{MemoryBudget, Reservation};

/// The first capacity of a buffer, in bytes.
const INITIAL_CAPACITY: usize = 4 << 10;

/// The lowest rate of a body that is read into memory, in bytes per second: the body may take as long as the client may
/// pause, and a second more for each of these bytes. Else a client could hold memory for ever by sending single bytes.
const MIN_RATE: usize = 16 << 10;

/// Reader of bodies into memory. Clones share the budget.
#[derive(Clone, Debug)]
pub struct BodyBuffers {
    memory: MemoryBudget,
    pause: Duration,
}

impl BodyBuffers {
    /// Buffers of at most `limit` bytes for all requests together; a client may pause for `pause`.
    #[must_use]
    pub fn new(limit: usize, pause: Duration) -> Self {
        Self { memory: MemoryBudget::new(limit), pause }
    }

    /// The budget that bodies count in.
    #[must_use]
    pub const fn memory(&self) -> &MemoryBudget {
        &self.memory
    }

    /// Reads a body of at most `limit` bytes to its end. The bytes count in the budget until the last handle to them is
    /// dropped.
    ///
    /// # Errors
    /// If the body is longer, fails or is too slow, or if the budget is exhausted.
    pub async fn read_whole(&self, mut body: Body, limit: u64) -> Result<Bytes, BodyError> {
        let size = body.size_hint();
        if size.lower() > limit {
            return Err(BodyError::TooLarge);
        }
        match body {
            Body::Empty => return Ok(Bytes::new()),
            Body::Full(bytes) => return Ok(bytes),
            Body::Incoming(_) | Body::Boxed(_) => {}
        }
        let largest = size.upper().map_or(limit, |upper| upper.min(limit));
        let mut buffer = self.new_buffer(usize::try_from(largest).unwrap_or(usize::MAX));
        let began = Instant::now();
        while let Some(frame) = self.next_frame(&mut body, began, buffer.len()).await {
            let Ok(data) = frame?.into_data() else { continue };
            if (buffer.len() as u64).saturating_add(data.len() as u64) > limit {
                return Err(BodyError::TooLarge);
            }
            buffer.append(&data)?;
        }
        Ok(buffer.into_bytes())
    }

    /// Reads a body of at most `limit` bytes into memory, so that its length is known and it can be sent again. A longer
    /// body, and any body while the budget is exhausted, is passed on as it arrives.
    ///
    /// A body of one frame stays in the buffer of its connection and does not count in the budget.
    ///
    /// # Errors
    /// If the body fails or is too slow.
    pub async fn read_ahead(&self, mut body: Body, limit: usize) -> Result<Body, BodyError> {
        let fits = |size: u64| usize::try_from(size).is_ok_and(|size| size <= limit);
        if body.try_clone().is_some() || !fits(body.size_hint().lower()) {
            return Ok(body);
        }
        let began = Instant::now();
        let mut ahead = ReadAhead::Empty;
        while let Some(frame) = self.next_frame(&mut body, began, ahead.len()).await {
            let data = match frame?.into_data() {
                Ok(data) => data,
                Err(trailers) => return Ok(ahead.into_body(Some(trailers), body)),
            };
            if ahead.len() + data.len() > limit {
                return Ok(ahead.into_body(Some(Frame::data(data)), body));
            }
            let (longer, surplus) = ahead.push(data, || self.new_buffer(limit));
            ahead = longer;
            if let Some(surplus) = surplus {
                return Ok(ahead.into_body(Some(Frame::data(surplus)), body));
            }
        }
        Ok(Body::full(ahead.into_bytes()))
    }

    /// Counts bytes in the budget until the last handle to them is dropped.
    ///
    /// # Errors
    /// If the budget is exhausted.
    pub fn hold(&self, bytes: Vec<u8>) -> Result<Bytes, BodyError> {
        let reservation = self.memory.reserve(bytes.capacity()).map_err(|_| BodyError::NoRoom)?;
        Ok(BudgetedBuffer { bytes, limit: 0, reservation }.into_bytes())
    }

    /// An empty buffer for a body that grows to at most `limit` bytes.
    #[must_use]
    pub fn new_buffer(&self, limit: usize) -> BudgetedBuffer {
        BudgetedBuffer { bytes: Vec::new(), limit, reservation: self.memory.reservation() }
    }

    /// Reads the next frame; fails if the body, of which `read` bytes have been read since `began`, is too slow.
    async fn next_frame(
        &self,
        body: &mut Body,
        began: Instant,
        read: usize,
    ) -> Option<Result<Frame<Bytes>, BodyError>> {
        let transfer = Duration::from_secs((read / MIN_RATE) as u64);
        timeout_at(began + self.pause + transfer, body.frame())
            .await
            .unwrap_or(Some(Err(BodyError::ClientTimeout)))
    }
}

impl Default for BodyBuffers {
    /// 256 MiB, and pauses of a minute.
    fn default() -> Self {
        Self::new(256 << 20, Duration::from_mins(1))
    }
}

/// Growing buffer whose bytes count in the budget until the buffer and all handles made of it are dropped.
#[derive(Debug)]
pub struct BudgetedBuffer {
    bytes: Vec<u8>,
    /// The largest capacity that can be needed.
    limit: usize,
    reservation: Reservation,
}

impl BudgetedBuffer {
    /// Number of bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the buffer is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// If the budget is exhausted.
    pub fn append(&mut self, data: &[u8]) -> Result<(), BodyError> {
        let needed = self.bytes.len() + data.len();
        let before = self.bytes.capacity();
        if needed > before {
            let doubled = before.saturating_mul(2).max(INITIAL_CAPACITY).min(self.limit).max(needed);
            let smaller = (before + before / 8 + INITIAL_CAPACITY).max(needed).min(doubled);
            let mut reserve = |capacity: usize| self.reservation.grow(capacity.saturating_sub(before));
            // Where the budget has no room for twice the capacity, it may have some for a smaller one.
            let capacity = match reserve(doubled) {
                Ok(()) => doubled,
                Err(_) => reserve(smaller).map(|()| smaller).map_err(|_| BodyError::NoRoom)?,
            };
            // While the bytes are moved both allocations exist; that is one body for each thread, and not counted.
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Releases capacity that is not used.
    pub fn shrink_to_fit(&mut self) {
        let before = self.bytes.capacity();
        self.bytes.shrink_to_fit();
        self.reservation.shrink(before - self.bytes.capacity());
    }

    /// Makes a handle to the bytes.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        if self.is_empty() { Bytes::new() } else { Bytes::from_owner(self) }
    }
}

impl AsRef<[u8]> for BudgetedBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Beginning of a body that has been read ahead. Several frames are copied into one buffer, as a handle for each frame
/// would take more memory than a small frame.
enum ReadAhead {
    Empty,
    /// One frame, in the buffer of its connection.
    Single(Bytes),
    /// Several frames.
    Copied(BudgetedBuffer),
}

impl ReadAhead {
    fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Single(data) => data.len(),
            Self::Copied(buffer) => buffer.len(),
        }
    }

    /// Appends data; returns it if the budget has no room for it.
    fn push(self, data: Bytes, new_buffer: impl FnOnce() -> BudgetedBuffer) -> (Self, Option<Bytes>) {
        let mut buffer = match self {
            Self::Empty => return (Self::Single(data), None),
            Self::Single(first) => {
                let mut buffer = new_buffer();
                if buffer.append(&first).is_err() {
                    return (Self::Single(first), Some(data));
                }
                buffer
            }
            Self::Copied(buffer) => buffer,
        };
        let surplus = buffer.append(&data).is_err().then_some(data);
        (Self::Copied(buffer), surplus)
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::Single(data) => data,
            Self::Copied(buffer) => buffer.into_bytes(),
        }
    }

    /// The whole body again: what was read ahead, the frame that was read after it, and the rest.
    fn into_body(self, next: Option<Frame<Bytes>>, rest: Body) -> Body {
        let bytes = self.into_bytes();
        let read = (!bytes.is_empty()).then(|| Frame::data(bytes));
        Body::prefixed([read, next].into_iter().flatten().collect(), rest)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        pin::Pin,
        task::{Context, Poll},
    };

    use http::HeaderMap;

    use super::*;

    /// A body of these frames.
    struct FrameSequence(VecDeque<Frame<Bytes>>);

    impl hyper::body::Body for FrameSequence {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    /// Checks the known length of a body that is read ahead up to 5 bytes, and that its content is complete.
    #[track_caller]
    fn check(pieces: &[&'static str], trailers: bool, expected: Option<u64>) {
        let mut frames: VecDeque<_> =
            pieces.iter().map(|piece| Frame::data(Bytes::from_static(piece.as_bytes()))).collect();
        frames.extend(trailers.then(|| Frame::trailers(HeaderMap::new())));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (length, repeatable, collected) = runtime.block_on(async {
            let body =
                BodyBuffers::default().read_ahead(Body::boxed(FrameSequence(frames)), 5).await.unwrap();
            let (length, repeatable) = (body.size_hint().exact(), body.try_clone().is_some());
            (length, repeatable, body.collect().await.unwrap())
        });
        assert_eq!(length, expected);
        assert_eq!(repeatable, expected.is_some());
        assert_eq!(collected.trailers().is_some(), trailers);
        assert_eq!(collected.to_bytes(), pieces.concat());
    }

    #[test]
    fn a_small_body_that_is_read_ahead_has_a_length() {
        check(&[], false, Some(0));
        check(&["abc"], false, Some(3));
        check(&["abc", "de"], false, Some(5));
        check(&["abc", "def"], false, None);
        check(&["abcdef", "ghi"], false, None);
    }

    #[test]
    fn trailers_follow_a_body_that_is_read_ahead() {
        check(&["abc"], true, None);
    }

    /// A body of frames of one byte, with a `pause` before each.
    struct SlowBody {
        left: usize,
        pause: Duration,
        next: Option<Pin<Box<tokio::time::Sleep>>>,
    }

    impl hyper::body::Body for SlowBody {
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

    fn slow_body(bytes: usize, pause: Duration) -> Body {
        Body::boxed(SlowBody { left: bytes, pause, next: None })
    }

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn bodies_share_one_budget_until_they_are_dropped() {
        let buffers = BodyBuffers::new(80_000, MINUTE);
        let first = buffers.read_whole(slow_body(40_000, Duration::ZERO), 50_000).await.unwrap();
        let held = buffers.memory().held();
        assert!((40_000..=50_000).contains(&held), "{held}");
        let second = buffers.clone().read_whole(slow_body(40_000, Duration::ZERO), 50_000).await;
        assert!(matches!(second, Err(BodyError::NoRoom)));
        assert_eq!(buffers.memory().held(), held, "a failed read releases its bytes");
        let part = first.slice(..10);
        drop(first);
        assert_eq!(buffers.memory().held(), held, "a slice holds all of them");
        drop(part);
        assert_eq!(buffers.memory().held(), 0);
        let again = buffers.read_whole(slow_body(40_000, Duration::ZERO), 50_000).await.unwrap();
        assert_eq!(again.len(), 40_000);
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let buffers = BodyBuffers::new(100_000, MINUTE);
        for (bytes, fits) in [(0, true), (10, true), (11, false)] {
            let read = buffers.read_whole(slow_body(bytes, Duration::ZERO), 10).await;
            assert_eq!(read.is_ok(), fits, "{bytes}");
        }
        assert!(matches!(buffers.read_whole(Body::full("12345678901"), 10).await, Err(BodyError::TooLarge)));
        let limited = slow_body(11, Duration::ZERO).limited(10);
        assert!(matches!(buffers.read_whole(limited, 100).await, Err(BodyError::OverLimit)));
        assert_eq!(buffers.memory().held(), 0);
    }

    #[tokio::test]
    async fn a_body_that_is_read_ahead_takes_no_more_memory_than_its_bytes() {
        const LIMIT: usize = 10_000;
        let buffers = BodyBuffers::new(1 << 20, MINUTE);
        for (bytes, known) in [(LIMIT, true), (LIMIT + 1, false)] {
            let body = buffers.read_ahead(slow_body(bytes, Duration::ZERO), LIMIT).await.unwrap();
            assert_eq!(body.size_hint().exact().is_some(), known);
            assert!(buffers.memory().held() <= LIMIT, "{}", buffers.memory().held());
            assert_eq!(body.collect().await.unwrap().to_bytes().len(), bytes);
            assert_eq!(buffers.memory().held(), 0);
        }
        let none = BodyBuffers::new(100, MINUTE);
        let body = none.read_ahead(slow_body(LIMIT, Duration::ZERO), LIMIT).await.unwrap();
        assert_eq!(
            body.size_hint().exact(),
            None,
            "a body passes as it arrives while the budget is exhausted"
        );
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_does_not_hold_memory_for_ever() {
        let buffers = BodyBuffers::new(1 << 20, MINUTE);
        for (bytes, pause, in_time) in [(10, 1, true), (59, 1, true), (62, 1, false), (10_000, 30, false)] {
            let began = Instant::now();
            let body = slow_body(bytes, Duration::from_secs(pause));
            let read = buffers.read_whole(body, 1 << 20).await;
            assert_eq!(read.is_ok(), in_time, "{bytes} bytes, one each {pause} s");
            assert!(began.elapsed() <= MINUTE);
            let body = slow_body(bytes, Duration::from_secs(pause));
            assert_eq!(buffers.read_ahead(body, 1 << 16).await.is_ok(), in_time);
        }
    }
}
