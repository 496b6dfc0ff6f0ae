//! What a client sends in HTTP/2, frame by frame, between its socket and the HTTP library. (RFC 9113, section 4)
//!
//! Two things are found out here because the library does not tell them:
//!
//! - Whether an idle client begins a request: a PING or a window that grows is none.
//! - Trailers with pseudo-header fields, which make a request malformed (section 8.1). The library leaves such fields
//!   out without a word; but it refuses those that come after others. So each block of trailers gets a first field of
//!   ours, [`FIRST`], which the proxy drops from trailers anyway.

/// What HTTP/2 begins with. (RFC 9113, section 3.4)
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long the head of a frame is.
const HEAD: usize = 9;

/// The longest frame that we allow; the library refuses longer ones.
const LONGEST: usize = 16_384;

/// The most streams that are remembered as open: those that we reset are among them, if the client leaves it at that.
const MOST: usize = 4096;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

/// The field `trailer` without a value, as a literal that changes no table. (RFC 7541, section 6.2.2)
const FIRST: &[u8] = b"\x00\x07trailer\x00";

/// Reads along with what a client sends.
#[derive(Debug)]
pub(super) struct FrameReader {
    part: FramePart,
    /// The last stream that the client has opened.
    last: u32,
    /// Those that it has not ended, in order.
    open: Vec<u32>,
    /// Bytes that cannot be passed on before more have come.
    held: Vec<u8>,
    news: Option<H2Event>,
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FramePart {
    /// In the preface, after so many bytes.
    Preface(usize),
    /// At the beginning of a frame.
    Head,
    /// In a frame, so far from its end; whether a head is complete with it.
    Payload(usize, bool),
}

/// What the client did last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum H2Event {
    /// It is connected, or has finished the head of a request: it owes nothing.
    Settled,
    /// It has begun the head of a request.
    Begun,
}

/// Whether a connection speaks HTTP/2 that goes on like this after so many bytes of the preface; none if it is too
/// early to tell. Only the whole preface tells: `PRI` may be a method of HTTP/1.1, whose body is no frames.
pub(super) fn is_http2(before: usize, bytes: &[u8]) -> Option<bool> {
    let length = bytes.len().min(PREFACE.len().saturating_sub(before));
    if bytes.get(..length) != PREFACE.get(before..before + length) {
        return Some(false);
    }
    (before + length == PREFACE.len()).then_some(true)
}

impl FrameReader {
    /// Reads along from behind so many bytes of the preface.
    pub(super) fn after(preface: usize) -> Self {
        Self { part: FramePart::Preface(preface), last: 0, open: Vec::new(), held: Vec::new(), news: None }
    }

    /// Reads on. As many bytes as it returns are to be passed on as they are, and after them those in `more`; the
    /// rest is kept back until it is complete.
    pub(super) fn read(&mut self, bytes: &[u8], more: &mut Vec<u8>) -> usize {
        let mut same = 0;
        if self.held.is_empty() {
            same = self.skip(bytes);
            if same == bytes.len() {
                return same;
            }
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes.get(same..).unwrap_or_default());
        let mut done = 0;
        while let Some(rest) = held.get(done..).filter(|rest| !rest.is_empty()) {
            let skipped = self.skip(rest);
            more.extend_from_slice(rest.get(..skipped).unwrap_or_default());
            done += skipped;
            match H2Frame::of(rest.get(skipped..).unwrap_or_default()) {
                Some(trailers) => {
                    trailers.rewrite(more);
                    self.ended(u32::from_be_bytes(trailers.stream) & (u32::MAX >> 1));
                    done += HEAD + trailers.payload.len();
                }
                None => break,
            }
        }
        held.drain(..done);
        self.held = held;
        same
    }

    /// What the client has done since this was last asked.
    pub(super) fn news(&mut self) -> Option<H2Event> {
        self.news.take()
    }

    fn opens(&mut self, stream: u32, ends: bool) {
        self.last = stream;
        if !ends {
            if self.open.len() == MOST {
                self.open.remove(0);
            }
            self.open.push(stream);
        }
    }

    fn ended(&mut self, stream: u32) {
        if let Ok(place) = self.open.binary_search(&stream) {
            self.open.remove(place);
        }
    }

    /// Goes on to the next byte that cannot be passed on as it is: a frame with trailers, or a part of a frame's head.
    fn skip(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.part {
                FramePart::Preface(before) => {
                    let read = rest.len().min(PREFACE.len() - before);
                    let after = before + read;
                    self.part = FramePart::Preface(after);
                    if after == PREFACE.len() {
                        self.part = FramePart::Head;
                        self.news = Some(H2Event::Settled);
                    }
                    at += read;
                }
                FramePart::Payload(left, completes) => {
                    let read = rest.len().min(left);
                    self.part = FramePart::Payload(left - read, completes);
                    at += read;
                }
                FramePart::Head => {
                    let Some([high, middle, low, kind, flags, stream @ ..]) = rest.first_chunk::<HEAD>()
                    else {
                        return at;
                    };
                    let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
                    let stream = u32::from_be_bytes(*stream) & (u32::MAX >> 1);
                    let ends = flags & END_STREAM != 0;
                    match *kind {
                        HEADERS if stream > self.last => {
                            self.news = Some(H2Event::Begun);
                            self.opens(stream, ends);
                        }
                        HEADERS if length <= LONGEST && self.open.binary_search(&stream).is_ok() => {
                            return at;
                        }
                        DATA if ends => self.ended(stream),
                        RST_STREAM => self.ended(stream),
                        _ => {}
                    }
                    let completes = matches!(*kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0;
                    self.part = FramePart::Payload(length, completes);
                    at += HEAD;
                }
            }
            if let FramePart::Payload(0, completes) = self.part {
                self.part = FramePart::Head;
                if completes {
                    self.news = Some(H2Event::Settled);
                }
            }
        }
        at
    }
}

/// A whole frame.
struct H2Frame<'a> {
    flags: u8,
    stream: [u8; 4],
    payload: &'a [u8],
}

impl<'a> H2Frame<'a> {
    /// The frame that these bytes begin with, if it is whole.
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let ([high, middle, low, _, flags, stream @ ..], rest) = bytes.split_first_chunk::<HEAD>()?;
        let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        Some(Self { flags: *flags, stream: *stream, payload: rest.get(..length)? })
    }

    /// Writes two frames for this one: the first field, and all others. What the library will refuse stays as it is.
    fn rewrite(&self, out: &mut Vec<u8>) {
        let Some(block) = self.block() else {
            write(out, HEADERS, self.flags, self.stream, &[self.payload]);
            return;
        };
        // A change of the table's size has to stay the first thing. (RFC 7541, section 4.2)
        let (sizes, fields) = block.split_at(size_updates(block));
        let flags = self.flags & !(END_HEADERS | PADDED | PRIORITY);
        write(out, HEADERS, flags, self.stream, &[sizes, FIRST]);
        write(out, CONTINUATION, self.flags & END_HEADERS, self.stream, &[fields]);
    }

    /// The fields, without what stands before and behind them. (RFC 9113, section 6.2)
    fn block(&self) -> Option<&'a [u8]> {
        let mut block = self.payload;
        let mut padding = 0;
        if self.flags & PADDED != 0 {
            let (length, rest) = block.split_first()?;
            (padding, block) = (usize::from(*length), rest);
        }
        if self.flags & PRIORITY != 0 {
            block = block.get(5..)?;
        }
        block.get(..block.len().checked_sub(padding)?)
    }
}

/// How many bytes the changes of the table's size take that a block begins with. (RFC 7541, sections 5.1 and 6.3)
fn size_updates(block: &[u8]) -> usize {
    let mut at = 0;
    while let Some(first) = block.get(at).filter(|byte| **byte & 0xe0 == 0x20) {
        at += 1;
        if first & 0x1f == 0x1f {
            let more = block.get(at..).unwrap_or_default();
            at += more.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
        }
    }
    at.min(block.len())
}

fn write(out: &mut Vec<u8>, kind: u8, flags: u8, stream: [u8; 4], payload: &[&[u8]]) {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    // A payload is a part of one frame, whose length has 24 bits.
    let [_, length @ ..] = u32::try_from(length).unwrap_or_default().to_be_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream);
    for part in payload {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, kind, flags, stream.to_be_bytes(), &[payload]);
        out
    }

    /// What comes out of a connection that brings these bytes, in pieces of this size.
    fn passed(frames: &mut FrameReader, bytes: &[u8], size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in bytes.chunks(size) {
            let mut more = Vec::new();
            let same = frames.read(piece, &mut more);
            out.extend_from_slice(&piece[..same]);
            out.extend_from_slice(&more);
        }
        out
    }

    /// Checks what becomes of the second block of a stream.
    #[track_caller]
    fn check(flags: u8, payload: &[u8], expected: &[Vec<u8>]) {
        let before =
            [PREFACE.to_vec(), frame(HEADERS, END_HEADERS, 1, b"\x83"), frame(DATA, 0, 1, b"abc")].concat();
        let after = frame(PING, 0, 0, b"12345678");
        let sent = [before.clone(), frame(HEADERS, flags, 1, payload), after.clone()].concat();
        let expected = [before, expected.concat(), after].concat();
        for size in [1, 2, 7, 10, 33, 1000] {
            assert_eq!(passed(&mut FrameReader::after(0), &sent, size), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn trailers_get_a_first_field() {
        let all = END_STREAM | END_HEADERS;
        let first = frame(HEADERS, END_STREAM, 1, FIRST);
        let rest = |flags, fields: &[u8]| frame(CONTINUATION, flags, 1, fields);
        check(all, b"\x82", &[first.clone(), rest(END_HEADERS, b"\x82")]);
        check(END_STREAM, b"\x82", &[first.clone(), rest(0, b"\x82")]);
        check(all, b"", &[first.clone(), rest(END_HEADERS, b"")]);
        check(all | PADDED, b"\x02\x82xx", &[first.clone(), rest(END_HEADERS, b"\x82")]);
        check(all | PRIORITY, b"\0\0\0\0\x05\x82", &[first, rest(END_HEADERS, b"\x82")]);
        let sized = frame(HEADERS, END_STREAM, 1, &[b"\x20\x3f\xe1\x1f", FIRST].concat());
        check(all, b"\x20\x3f\xe1\x1f\x82", &[sized, rest(END_HEADERS, b"\x82")]);
    }

    #[test]
    fn what_the_library_refuses_stays_as_it_is() {
        for (flags, payload) in [(PADDED, &b"\x05\x82"[..]), (PADDED, b""), (PRIORITY, b"\0\0")] {
            check(flags, payload, &[frame(HEADERS, flags, 1, payload)]);
        }
    }

    #[test]
    fn only_a_stream_that_is_open_has_trailers() {
        let open = frame(HEADERS, END_HEADERS, 3, b"\x83");
        let again = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, b"\x83");
        let reset = frame(RST_STREAM, 0, 3, &[0, 0, 0, 8]);
        for then in [
            vec![again(1)],
            vec![frame(DATA, END_STREAM, 3, b"abc"), again(3)],
            vec![reset, again(3)],
            vec![frame(HEADERS, END_HEADERS | END_STREAM, 5, b"\x83"), again(5)],
        ] {
            let sent = [PREFACE.to_vec(), open.clone(), then.concat()].concat();
            assert_eq!(passed(&mut FrameReader::after(0), &sent, 1000), sent, "{then:?}");
        }
    }

    #[test]
    fn only_heads_of_requests_are_news() {
        let mut frames = FrameReader::after(0);
        let mut after = |bytes: &[u8]| {
            passed(&mut frames, bytes, 1000);
            frames.news()
        };
        assert_eq!(after(&PREFACE[..10]), None);
        assert_eq!(after(&PREFACE[10..]), Some(H2Event::Settled));
        assert_eq!(after(&frame(PING, 0, 0, b"12345678")), None);
        assert_eq!(after(&frame(8, 0, 0, &[0, 0, 0, 9])), None);
        let whole = frame(HEADERS, END_HEADERS, 1, b"\x82\x84");
        assert_eq!(after(&whole[..10]), Some(H2Event::Begun));
        assert_eq!(after(&whole[10..]), Some(H2Event::Settled));
        assert_eq!(after(&frame(HEADERS, 0, 3, b"\x82")), Some(H2Event::Begun));
        assert_eq!(after(&frame(CONTINUATION, 0, 3, b"\x82")), None);
        assert_eq!(after(&frame(CONTINUATION, END_HEADERS, 3, b"\x82")), Some(H2Event::Settled));
    }

    #[test]
    fn http_2_begins_like_nothing_else() {
        for (before, bytes, expected) in [
            (0, PREFACE, Some(true)),
            (0, b"PRI ", None),
            (0, b"PRI", None),
            (3, b" * HT", None),
            (0, &PREFACE[..23], None),
            (23, b"\nrest", Some(true)),
            (4, &PREFACE[4..], Some(true)),
            (0, b"PRI * HTTP/1.1\r\n", Some(false)),
            (4, b"/ HTTP/1.1\r\n", Some(false)),
            (3, b"C", Some(false)),
            (0, b"", None),
            (0, b"POST / HTTP/1.1", Some(false)),
            (0, b"G", Some(false)),
        ] {
            assert_eq!(is_http2(before, bytes), expected, "{bytes:?} after {before}");
        }
    }

    proptest! {
        #[test]
        fn nothing_else_is_changed_and_no_byte_is_lost(
            sizes in proptest::collection::vec((0_u8..12, 0_usize..300), 0..20),
            piece in 1_usize..400,
        ) {
            // Each HEADERS opens a stream of its own, so that none has trailers.
            let mut bytes = PREFACE.to_vec();
            for (n, (kind, size)) in (1_u32..).zip(sizes) {
                bytes.extend(frame(kind, END_HEADERS, n, &vec![7; size]));
            }
            prop_assert_eq!(passed(&mut FrameReader::after(0), &bytes, piece), bytes);
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..2000), piece in 1_usize..100) {
            let mut frames = FrameReader { part: FramePart::Head, ..FrameReader::after(0) };
            passed(&mut frames, &bytes, piece);
            prop_assert!(frames.held.len() <= HEAD + LONGEST);
        }
    }
}
