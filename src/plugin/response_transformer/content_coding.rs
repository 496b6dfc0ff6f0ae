//! Content codings of bodies that are changed: gzip, deflate and Brotli are decoded, within bounds. (RFC 9110, section 8.4.)

use std::io::{self, Read};

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_ENCODING, ETAG},
};

use crate::body::{BodyBuffers, BodyError};

/// Most codings of one body, one within the other.
const MAX_CODINGS: usize = 3;

/// Bytes that are decoded at a time.
const CHUNK_BYTES: usize = 16 << 10;

/// A content coding that can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentCoding {
    Gzip,
    Deflate,
    Brotli,
}

impl ContentCoding {
    fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            _ => None,
        }
    }
}

/// The codings of a body, in the order in which they were applied.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ContentCodings(Vec<ContentCoding>);

impl ContentCodings {
    /// The codings that fields name; `None` if one of them cannot be decoded.
    pub(super) fn of(fields: &HeaderMap) -> Option<Self> {
        let mut codings = Vec::new();
        for value in fields.get_all(CONTENT_ENCODING) {
            let names = value.to_str().ok()?.split(',').map(str::trim);
            for name in names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity")) {
                codings.push(ContentCoding::from_name(name)?);
            }
        }
        (codings.len() <= MAX_CODINGS).then_some(Self(codings))
    }

    /// Whether the body is as it is.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes the fields that describe the encoded body. A strong validator becomes a weak one: it is of other bytes.
    pub(super) fn remove_fields(fields: &mut HeaderMap) {
        fields.remove(CONTENT_ENCODING);
        let weak = fields
            .get(ETAG)
            .filter(|tag| tag.as_bytes().starts_with(b"\""))
            .and_then(|tag| HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok());
        if let Some(weak) = weak {
            fields.insert(ETAG, weak);
        }
    }

    /// Decodes a body to at most `limit` bytes.
    ///
    /// # Errors
    /// It is damaged, or too large, or there is not enough memory.
    pub(super) fn decode(
        &self,
        body: Bytes,
        limit: usize,
        buffers: &BodyBuffers,
    ) -> Result<Bytes, BodyError> {
        // A response to HEAD has no bytes.
        if body.is_empty() {
            return Ok(body);
        }
        self.0.iter().rev().try_fold(body, |body, coding| match coding {
            ContentCoding::Gzip => read_all(MultiGzDecoder::new(&*body), limit, buffers),
            ContentCoding::Brotli => {
                read_all(brotli_decompressor::Decompressor::new(&*body, CHUNK_BYTES), limit, buffers)
            }
            // The name means the format of zlib; some senders leave its head out.
            ContentCoding::Deflate if is_zlib(&body) => read_all(ZlibDecoder::new(&*body), limit, buffers),
            ContentCoding::Deflate => read_all(DeflateDecoder::new(&*body), limit, buffers),
        })
    }
}

/// Whether bytes begin with a head of zlib. (RFC 1950, section 2.2.)
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [method, flags, ..]
        if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31))
}

fn read_all(mut decoder: impl Read, limit: usize, buffers: &BodyBuffers) -> Result<Bytes, BodyError> {
    let mut decoded = buffers.new_buffer(limit);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = match decoder.read(&mut chunk) {
            Ok(0) => return Ok(decoded.into_bytes()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(BodyError::Source(error.into())),
        };
        if decoded.len() + read > limit {
            return Err(BodyError::TooLarge);
        }
        decoded.append(chunk.get(..read).unwrap_or_default())?;
    }
}

/// The value of `Accept-Encoding` without the codings that cannot be decoded here.
pub(super) fn decodable(accepted: &HeaderValue) -> HeaderValue {
    let text = accepted.to_str().unwrap_or_default();
    let is_decodable = |item: &&str| {
        let name = item.split(';').next().unwrap_or_default().trim();
        name.eq_ignore_ascii_case("identity") || ContentCoding::from_name(name).is_some()
    };
    let left: Vec<&str> = text.split(',').map(str::trim).filter(is_decodable).collect();
    let left = if left.is_empty() { "identity".to_owned() } else { left.join(", ") };
    HeaderValue::try_from(left).unwrap_or(HeaderValue::from_static("identity"))
}

#[cfg(test)]
mod tests {
    use std::{io::Write, time::Duration};

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn codings(names: &[&'static str]) -> Option<ContentCodings> {
        let fields = names.iter().map(|name| (CONTENT_ENCODING, HeaderValue::from_static(name)));
        ContentCodings::of(&fields.collect())
    }

    #[test]
    fn codings_are_read() {
        use ContentCoding::{Brotli, Deflate, Gzip};
        for (names, expected) in [
            (&[][..], Some(vec![])),
            (&["identity"], Some(vec![])),
            (&["GZIP"], Some(vec![Gzip])),
            (&["x-gzip, br"], Some(vec![Gzip, Brotli])),
            (&["gzip", "deflate"], Some(vec![Gzip, Deflate])),
            (&["zstd"], None),
            (&["gzip, zstd"], None),
            (&["gzip, gzip, gzip, gzip"], None),
        ] {
            assert_eq!(codings(names).map(|codings| codings.0), expected, "{names:?}");
        }
    }

    #[test]
    fn accepted_codings_are_those_that_can_be_decoded() {
        for (accepted, expected) in [
            ("gzip, deflate, br, zstd", "gzip, deflate, br"),
            ("br;q=0.5, zstd;q=1, *", "br;q=0.5"),
            ("zstd", "identity"),
            ("", "identity"),
        ] {
            assert_eq!(decodable(&HeaderValue::from_static(accepted)), expected, "{accepted}");
        }
    }

    #[test]
    fn decoded_bodies_are_bounded() {
        let buffers = BodyBuffers::new(1 << 20, Duration::from_mins(1));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![b' '; 10 << 20]).unwrap();
        let bomb = Bytes::from(encoder.finish().unwrap());
        assert!(bomb.len() < 20_000);
        let gzip = codings(&["gzip"]).unwrap();
        assert!(matches!(gzip.decode(bomb.clone(), 1 << 16, &buffers), Err(BodyError::TooLarge)));
        assert!(matches!(gzip.decode(bomb.clone(), 10 << 20, &buffers), Err(BodyError::NoRoom)));
        assert_eq!(buffers.memory().held(), 0);
        let cut = bomb.slice(..bomb.len() - 9);
        let large = BodyBuffers::new(64 << 20, Duration::from_mins(1));
        assert!(matches!(gzip.decode(cut, 10 << 20, &large), Err(BodyError::Source(_))));
    }
}
