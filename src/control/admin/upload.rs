//! Upload limits of the Admin API: the size of each body, and the memory of all bodies together, counted as they
//! arrive.

use std::{num::NonZeroU64, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::AdminRefusal;
use crate::body::Body;

/// Largest number of bytes of all bodies whose requests are not answered yet.
const MAX_TOTAL_BYTES: usize = 256 << 20;
/// Unit in which they are counted, in bytes.
const PERMIT_BYTES: usize = 4 << 10;

/// Limits of request bodies.
#[derive(Debug)]
pub(super) struct UploadLimiter {
    memory: Arc<Semaphore>,
    /// Largest size of one body, in bytes.
    most: usize,
}

/// A body, and its share of the memory limit.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) bytes: Bytes,
    pub(super) permit: UploadPermit,
}

/// Share of a body in the memory limit. It is held as long as anything that was made of the body.
#[derive(Debug)]
pub(super) struct UploadPermit {
    _permit: Option<OwnedSemaphorePermit>,
}

impl UploadLimiter {
    /// Creates the limits; `most` is the largest size of one body in bytes.
    pub(super) fn new(most: Option<NonZeroU64>) -> Self {
        let most = most.map_or(usize::MAX, |bytes| usize::try_from(bytes.get()).unwrap_or(usize::MAX));
        Self { memory: Arc::new(Semaphore::new(MAX_TOTAL_BYTES / PERMIT_BYTES)), most }
    }

    /// Reads a body of at most `most` bytes.
    pub(super) async fn read(&self, mut body: Body, most: usize) -> Result<Upload, AdminRefusal> {
        let most = most.min(self.most);
        let (mut bytes, mut permit, mut counted) = (BytesMut::new(), None, 0);
        let refuse = |status, message: &str| Err(AdminRefusal::plain(status, message));
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return refuse(StatusCode::BAD_REQUEST, "the body is incomplete");
            };
            let Ok(data) = frame.into_data() else { continue };
            if data.len() > most - bytes.len() {
                return Err(AdminRefusal::status(StatusCode::PAYLOAD_TOO_LARGE));
            }
            bytes.extend_from_slice(&data);
            let units = bytes.len().div_ceil(PERMIT_BYTES);
            let more = u32::try_from(units - counted).unwrap_or(u32::MAX);
            let Ok(more) = Arc::clone(&self.memory).try_acquire_many_owned(more) else {
                return refuse(StatusCode::SERVICE_UNAVAILABLE, "too many request bodies are in progress");
            };
            counted = units;
            match &mut permit {
                None => permit = Some(more),
                Some(permit) => permit.merge(more),
            }
        }
        Ok(Upload { bytes: bytes.freeze(), permit: UploadPermit { _permit: permit } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_body_and_all_bodies_together_are_limited() {
        let uploads = UploadLimiter { memory: Arc::new(Semaphore::new(2)), most: 3 * PERMIT_BYTES };
        let refused = |result: Result<Upload, AdminRefusal>| match result {
            Err(AdminRefusal::Plain(status, _)) => status.as_u16(),
            other => panic!("{other:?}"),
        };
        let first = uploads.read(Body::full(vec![b'x'; PERMIT_BYTES + 1]), 3 * PERMIT_BYTES).await.unwrap();
        assert_eq!(first.bytes.len(), PERMIT_BYTES + 1);
        assert_eq!(refused(uploads.read(Body::full("x"), PERMIT_BYTES).await), 503);
        drop(first);
        assert_eq!(uploads.read(Body::full("x"), PERMIT_BYTES).await.unwrap().bytes, "x");
        assert_eq!(refused(uploads.read(Body::full(vec![b'x'; 9]), 8).await), 413);
    }
}
