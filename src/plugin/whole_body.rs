//! A body as a whole: what plugins that must see all of it read, up to a limit.

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;

use crate::body::Body;

/// Why a body is not there as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It has more bytes than the limit.
    TooLarge,
    /// Its sender stopped before its end.
    Broken,
}

/// Reads a body to its end, but no more than `limit` bytes.
pub(super) async fn read(mut body: Body, limit: u64) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > limit {
        return Err(Unread::TooLarge);
    }
    if let Body::Full(bytes) = body {
        return Ok(bytes);
    }
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if (all.len() + data.len()) as u64 > limit {
            return Err(Unread::TooLarge);
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}
