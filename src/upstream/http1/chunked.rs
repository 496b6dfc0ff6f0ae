//! Decoder of chunked bodies. (RFC 9112, section 7.1)

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::InvalidResponse;

/// Limit of all chunk extensions and leading zeros of a body, and limit of its trailers, in bytes.
const MAX_EXTRA: usize = 16 * 1024;

/// The largest number of trailer fields.
const MAX_TRAILERS: usize = 100;

/// State of the decoding of a body.
#[derive(Debug, Default)]
pub(super) struct ChunkedDecoder {
    state: ChunkState,
    /// Size of the chunk, or the rest of it.
    size: u64,
    /// Number of bytes of extensions, blanks and leading zeros.
    extra: usize,
    trailers: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ChunkState {
    /// Before the first digit of a size.
    #[default]
    Start,
    Size,
    /// After a blank: no digit may follow.
    Blank,
    Extension,
    SizeEnd,
    Data,
    DataReturn,
    DataEnd,
    Trailers,
    Done,
}

/// A part of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ChunkPart {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
}

impl ChunkedDecoder {
    /// Whether the body is complete.
    pub(super) fn is_done(&self) -> bool {
        self.state == ChunkState::Done
    }

    /// Takes the next part from the front of the bytes that were read; `None` if more has to be read.
    pub(super) fn take(&mut self, read: &mut Bytes) -> Result<Option<ChunkPart>, InvalidResponse> {
        loop {
            match self.state {
                ChunkState::Done => return Ok(Some(ChunkPart::End)),
                ChunkState::Data if !read.is_empty() => {
                    let length = usize::try_from(self.size).map_or(read.len(), |size| size.min(read.len()));
                    self.size -= length as u64;
                    if self.size == 0 {
                        self.state = ChunkState::DataReturn;
                    }
                    return Ok(Some(ChunkPart::Data(read.split_to(length))));
                }
                ChunkState::Trailers if !read.is_empty() => {
                    if let Some(part) = self.trailers(read)? {
                        return Ok(Some(part));
                    }
                }
                state => {
                    let Some(byte) = read.first().copied() else { return Ok(None) };
                    read.advance(1);
                    self.state = self.next_state(state, byte)?;
                }
            }
        }
    }

    /// The state after one byte outside of data and trailers.
    fn next_state(&mut self, state: ChunkState, byte: u8) -> Result<ChunkState, InvalidResponse> {
        Ok(match (state, byte) {
            (ChunkState::Start | ChunkState::Size, digit) if digit.is_ascii_hexdigit() => {
                let digit = char::from(digit).to_digit(16).unwrap_or_default();
                let size = self.size.checked_mul(16).and_then(|size| size.checked_add(u64::from(digit)));
                self.size = size.ok_or(InvalidResponse::Chunk)?;
                if self.size == 0 { self.count_extra(ChunkState::Size)? } else { ChunkState::Size }
            }
            (ChunkState::Size | ChunkState::Blank | ChunkState::Extension, b'\r') => ChunkState::SizeEnd,
            (ChunkState::Size | ChunkState::Blank, b' ' | b'\t') => self.count_extra(ChunkState::Blank)?,
            (ChunkState::Size | ChunkState::Blank, b';') => ChunkState::Extension,
            (ChunkState::Extension, b'\t' | b' '..=b'~' | 0x80..) => {
                self.count_extra(ChunkState::Extension)?
            }
            (ChunkState::SizeEnd, b'\n') if self.size == 0 => ChunkState::Trailers,
            (ChunkState::SizeEnd, b'\n') => ChunkState::Data,
            (ChunkState::DataReturn, b'\r') => ChunkState::DataEnd,
            (ChunkState::DataEnd, b'\n') => ChunkState::Start,
            _ => return Err(InvalidResponse::Chunk),
        })
    }

    fn count_extra(&mut self, state: ChunkState) -> Result<ChunkState, InvalidResponse> {
        self.extra += 1;
        if self.extra > MAX_EXTRA { Err(InvalidResponse::Chunk) } else { Ok(state) }
    }

    /// Reads trailers up to the empty line.
    fn trailers(&mut self, read: &mut Bytes) -> Result<Option<ChunkPart>, InvalidResponse> {
        while let Some(byte) = read.first().copied() {
            read.advance(1);
            // httparse accepts a bare line feed as the end of a line, and two of them as the end of the fields.
            if byte == b'\n' && self.trailers.last() != Some(&b'\r') {
                return Err(InvalidResponse::Trailers);
            }
            self.trailers.push(byte);
            if self.trailers == b"\r\n" {
                self.state = ChunkState::Done;
                return Ok(Some(ChunkPart::End));
            }
            if self.trailers.ends_with(b"\r\n\r\n") {
                self.state = ChunkState::Done;
                return parse_trailers(&self.trailers).map(|trailers| Some(ChunkPart::Trailers(trailers)));
            }
            if self.trailers.len() > MAX_EXTRA {
                return Err(InvalidResponse::Trailers);
            }
        }
        Ok(None)
    }
}

fn parse_trailers(text: &[u8]) -> Result<HeaderMap, InvalidResponse> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_TRAILERS];
    let Ok(httparse::Status::Complete((end, found))) = httparse::parse_headers(text, &mut slots) else {
        return Err(InvalidResponse::Trailers);
    };
    if end != text.len() {
        return Err(InvalidResponse::Trailers);
    }
    let mut trailers = HeaderMap::with_capacity(found.len());
    for field in found {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| InvalidResponse::Trailers)?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| InvalidResponse::Trailers)?;
        trailers.append(name, value);
    }
    Ok(trailers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes a body that arrives in pieces of this size: its data, its trailers, and the bytes that follow.
    fn read(text: &[u8], piece: usize) -> Result<(Vec<u8>, HeaderMap, Vec<u8>), InvalidResponse> {
        let (mut chunked, mut data, mut trailers) = (ChunkedDecoder::default(), Vec::new(), HeaderMap::new());
        let mut rest = Bytes::copy_from_slice(text);
        loop {
            let mut piece_bytes = rest.split_to(piece.min(rest.len()));
            assert!(!piece_bytes.is_empty(), "there is no end in {text:?}");
            while let Some(part) = chunked.take(&mut piece_bytes)? {
                match part {
                    ChunkPart::Data(bytes) => data.extend_from_slice(&bytes),
                    ChunkPart::Trailers(fields) => trailers = fields,
                    ChunkPart::End => {}
                }
                if chunked.is_done() {
                    return Ok((data, trailers, [piece_bytes, rest].concat()));
                }
            }
        }
    }

    /// Checks the decoding of a body, in pieces of every size.
    #[track_caller]
    fn check(text: &str, data: &str, trailers: &[(&'static str, &str)], rest: &str) {
        let fields: HeaderMap =
            trailers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        for piece in 1..=text.len() {
            let found = read(text.as_bytes(), piece).unwrap();
            assert_eq!(found, (data.into(), fields.clone(), rest.into()), "{text:?} in pieces of {piece}");
        }
    }

    #[test]
    fn chunks_are_joined() {
        check("2\r\nok\r\n0\r\n\r\n", "ok", &[], "");
        check("1\r\no\r\n00A\r\n0123456789\r\n0\r\n\r\nHTTP", "o0123456789", &[], "HTTP");
        check("2;a=\"b\"\r\nok\r\n0 \r\n\r\n", "ok", &[], "");
        check("2\t;a\r\nok\r\n000\r\nx-sum: 1\r\nx: 2\r\n\r\n", "ok", &[("x-sum", "1"), ("x", "2")], "");
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for text in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "0x2\r\nok",
            " 2\r\nok",
            "2 2\r\nok",
            "2\nok",
            "2\r\rok",
            "2\r\nok0\r\n",
            "2\r\nokk\r\n",
            "2\r\nok\n0\r\n",
            "2;a\nb\r\nok",
            "2;a\0\r\nok",
            "10000000000000000\r\n",
            "0\r\na b\r\n\r\n",
            "0\r\n: b\r\n\r\n",
            "0\r\na : b\r\n\r\n",
            "0\r\na: b\n\nxyz\r\n\r\n",
            "0\r\na: b\n\r\n\r\n",
            "0\r\n\n\r\n\r\n",
            "0\r\na: b\r\n c\r\n\r\n",
            "0\r\na: \r b\r\n\r\n",
            "0\r\na: \0\r\n\r\n",
            "0\n\n",
        ] {
            for piece in [1, text.len()] {
                assert!(read(text.as_bytes(), piece).is_err(), "{text:?}");
            }
        }
        let long = format!("2;{}\r\nok\r\n", "x".repeat(MAX_EXTRA + 1));
        assert!(matches!(read(long.as_bytes(), 1000), Err(InvalidResponse::Chunk)));
        let zeros = format!("{}2\r\nok\r\n", "0".repeat(MAX_EXTRA + 1));
        assert!(matches!(read(zeros.as_bytes(), 1000), Err(InvalidResponse::Chunk)));
        let many = format!("0\r\n{}\r\n", "x: 1\r\n".repeat(MAX_TRAILERS + 1));
        assert!(matches!(read(many.as_bytes(), 1000), Err(InvalidResponse::Trailers)));
        let long = format!("0\r\nx: {}\r\n\r\n", "x".repeat(MAX_EXTRA));
        assert!(matches!(read(long.as_bytes(), 1000), Err(InvalidResponse::Trailers)));
    }

    proptest! {
        #[test]
        fn the_result_does_not_depend_on_how_a_body_is_split(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            piece in 1_usize..60,
        ) {
            let mut text = Vec::new();
            for chunk in &chunks {
                text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                text.extend_from_slice(chunk);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\n\r\n");
            let (data, trailers, rest) = read(&text, piece).unwrap();
            prop_assert_eq!(data, chunks.concat());
            prop_assert!(trailers.is_empty() && rest.is_empty());
        }

        #[test]
        fn the_result_does_not_depend_on_how_any_bytes_are_split(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "0", "2", "A", "\r\n", "\r", "\n", ";a", " ", "ok", "x: 1", "0\r\n", "\r\n\r\n", "HTTP/1.1 200 OK\r\n",
                ]),
                0..16,
            ),
            piece in 1_usize..20,
        ) {
            // Data, bytes that follow, and an error: data before an error is returned in any case.
            let taken = |piece: usize| {
                let text = words.concat();
                let (mut chunked, mut data, mut left) = (ChunkedDecoder::default(), Vec::new(), Vec::new());
                for piece_bytes in text.as_bytes().chunks(piece) {
                    let mut piece_bytes = Bytes::copy_from_slice(piece_bytes);
                    while !chunked.is_done() {
                        match chunked.take(&mut piece_bytes) {
                            Ok(Some(ChunkPart::Data(bytes))) => data.extend_from_slice(&bytes),
                            Ok(Some(_)) => {}
                            Ok(None) => break,
                            Err(error) => return (data, left, Some(error)),
                        }
                    }
                    left.extend_from_slice(&piece_bytes);
                }
                (data, left, None)
            };
            prop_assert_eq!(taken(piece), taken(1000));
        }

        #[test]
        fn the_decoder_never_panics(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let (mut chunked, mut read) = (ChunkedDecoder::default(), Bytes::from(text));
            while let Ok(Some(part)) = chunked.take(&mut read) {
                if part == ChunkPart::End || chunked.is_done() {
                    break;
                }
            }
        }
    }
}
