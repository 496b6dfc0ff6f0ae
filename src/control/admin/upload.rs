//! Bodies of requests to the Admin API: bounded one by one and all together, counted as they come.

use std::{num::NonZeroU64, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::AdminRefusal;
use crate::body::Body;

/// How many bytes all bodies together may have that were not answered yet.
const MOST_TOGETHER: usize = 256 << 20;
/// They are counted in steps of this size.
const STEP: usize = 4 << 10;

/// The room for all bodies together.
#[derive(Debug)]
pub(super) struct Uploads {
    room: Arc<Semaphore>,
    /// What settings say of each.
    most: usize,
}

/// A body, and its part of that room.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) bytes: Bytes,
    pub(super) room: Room,
}

/// The part of a body in the room for all of them; whoever keeps what was made of the body keeps it.
#[derive(Debug)]
pub(super) struct Room {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Uploads {
    /// No body is larger than settings say.
    pub(super) fn bounded_by(most: Option<NonZeroU64>) -> Self {
        let most = most.map_or(usize::MAX, |it| usize::try_from(it.get()).unwrap_or(usize::MAX));
        Self { room: Arc::new(Semaphore::new(MOST_TOGETHER / STEP)), most }
    }

    /// Reads a body of at most so many bytes.
    pub(super) async fn read(&self, mut body: Body, most: usize) -> Result<Upload, AdminRefusal> {
        let most = most.min(self.most);
        let (mut bytes, mut room, mut counted) = (BytesMut::new(), None, 0);
        let plain = |status, message: &str| Err(AdminRefusal::Plain(status, message.to_owned()));
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return plain(StatusCode::BAD_REQUEST, "the body ended before its end");
            };
            let Ok(data) = frame.into_data() else { continue };
            if data.len() > most - bytes.len() {
                return plain(StatusCode::PAYLOAD_TOO_LARGE, "Payload too large");
            }
            bytes.extend_from_slice(&data);
            let steps = bytes.len().div_ceil(STEP);
            let more = u32::try_from(steps - counted).unwrap_or(u32::MAX);
            let Ok(more) = Arc::clone(&self.room).try_acquire_many_owned(more) else {
                return plain(StatusCode::SERVICE_UNAVAILABLE, "too many bodies are being sent at once");
            };
            counted = steps;
            match &mut room {
                None => room = Some(more),
                Some(room) => room.merge(more),
            }
        }
        Ok(Upload { bytes: bytes.freeze(), room: Room { _permit: room } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_are_bounded_one_by_one_and_together() {
        let uploads = Uploads { room: Arc::new(Semaphore::new(2)), most: 3 * STEP };
        let refused = |result: Result<Upload, AdminRefusal>| match result {
            Err(AdminRefusal::Plain(status, _)) => status.as_u16(),
            other => panic!("{other:?}"),
        };
        let first = uploads.read(Body::full(vec![b'x'; STEP + 1]), 3 * STEP).await.unwrap();
        assert_eq!(first.bytes.len(), STEP + 1);
        assert_eq!(refused(uploads.read(Body::full("x"), STEP).await), 503);
        drop(first);
        assert_eq!(uploads.read(Body::full("x"), STEP).await.unwrap().bytes, "x");
        assert_eq!(refused(uploads.read(Body::full(vec![b'x'; 9]), 8).await), 413);
    }
}
