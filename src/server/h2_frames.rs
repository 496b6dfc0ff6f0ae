//! Reader of the HTTP/2 frames that a client sends, between its socket and hyper. (RFC 9113, section 4)
//!
//! It exists for two facts that hyper does not report:
//!
//! - Whether an idle client begins a request: a PING or a `WINDOW_UPDATE` does not.
//! - Trailers with pseudo-header fields, which make a request malformed (section 8.1). hyper silently drops such fields,
//!   but it rejects those that follow other fields. So each block of trailers gets [`MARKER_FIELD`] as first field, which
//!   the proxy removes from trailers anyway.

/// Connection preface of HTTP/2. (RFC 9113, section 3.4)
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Length of the header of a frame.
const FRAME_HEADER: usize = 9;

/// Longest payload of a frame; hyper rejects longer ones.
const MAX_PAYLOAD: usize = 16_384;

/// Most streams that are recorded as open. Streams that the server has reset remain among them unless the client ends
/// them, too.
const MAX_OPEN: usize = 4096;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

/// The field `trailer` without a value, as a literal without indexing. (RFC 7541, section 6.2.2)
const MARKER_FIELD: &[u8] = b"\x00\x07trailer\x00";

/// Reader of the frames of one client.
#[derive(Debug)]
pub(super) struct FrameReader {
    position: FramePosition,
    /// Last stream that the client has opened.
    last_stream: u32,
    /// Streams that the client has not ended, in ascending order.
    open_streams: Vec<u32>,
    /// Bytes that cannot be forwarded before more have come.
    pending: Vec<u8>,
    event: Option<H2Event>,
}

/// Position of the next byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FramePosition {
    /// In the preface, after this number of bytes.
    Preface(usize),
    /// At the begin of a frame.
    Header,
    /// In a frame: the bytes to its end, and whether a head is complete with it.
    Payload(usize, bool),
}

/// Last event of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum H2Event {
    /// The end of the preface, or of the head of a request.
    HeadFinished,
    /// The begin of the head of a request.
    HeadBegun,
}

/// Whether a client speaks HTTP/2, if `bytes` follow `before` bytes of the preface; `None` if it is too early to tell.
/// Only the whole preface is decisive: `PRI` may be a method of HTTP/1.1, whose body has no frames.
pub(super) fn is_http2(before: usize, bytes: &[u8]) -> Option<bool> {
    let length = bytes.len().min(PREFACE.len().saturating_sub(before));
    if bytes.get(..length) != PREFACE.get(before..before + length) {
        return Some(false);
    }
    (before + length == PREFACE.len()).then_some(true)
}

impl FrameReader {
    /// A reader that begins after `preface` bytes of the preface.
    pub(super) fn after(preface: usize) -> Self {
        Self {
            position: FramePosition::Preface(preface),
            last_stream: 0,
            open_streams: Vec::new(),
            pending: Vec::new(),
            event: None,
        }
    }

    /// Reads bytes. The first bytes, as many as returned, are to be forwarded unchanged, then those in `rewritten`; the
    /// rest is kept until the frame is complete.
    pub(super) fn read(&mut self, bytes: &[u8], rewritten: &mut Vec<u8>) -> usize {
        let mut unchanged = 0;
        if self.pending.is_empty() {
            unchanged = self.skip(bytes);
            if unchanged == bytes.len() {
                return unchanged;
            }
        }
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend_from_slice(bytes.get(unchanged..).unwrap_or_default());
        let mut done = 0;
        while let Some(rest) = pending.get(done..).filter(|rest| !rest.is_empty()) {
            let skipped = self.skip(rest);
            rewritten.extend_from_slice(rest.get(..skipped).unwrap_or_default());
            done += skipped;
            match H2Frame::parse(rest.get(skipped..).unwrap_or_default()) {
                Some(trailers) => {
                    trailers.write_with_marker(rewritten);
                    self.close_stream(u32::from_be_bytes(trailers.stream) & (u32::MAX >> 1));
                    done += FRAME_HEADER + trailers.payload.len();
                }
                None => break,
            }
        }
        pending.drain(..done);
        self.pending = pending;
        unchanged
    }

    /// Takes the last event since the previous call.
    pub(super) fn take_event(&mut self) -> Option<H2Event> {
        self.event.take()
    }

    fn open_stream(&mut self, stream: u32, is_ended: bool) {
        self.last_stream = stream;
        if !is_ended {
            if self.open_streams.len() == MAX_OPEN {
                self.open_streams.remove(0);
            }
            self.open_streams.push(stream);
        }
    }

    fn close_stream(&mut self, stream: u32) {
        if let Ok(index) = self.open_streams.binary_search(&stream) {
            self.open_streams.remove(index);
        }
    }

    /// Advances to the next byte that cannot be forwarded unchanged: a frame with trailers, or an incomplete frame header.
    fn skip(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.position {
                FramePosition::Preface(before) => {
                    let read = rest.len().min(PREFACE.len() - before);
                    let after = before + read;
                    self.position = FramePosition::Preface(after);
                    if after == PREFACE.len() {
                        self.position = FramePosition::Header;
                        self.event = Some(H2Event::HeadFinished);
                    }
                    at += read;
                }
                FramePosition::Payload(left, ends_head) => {
                    let read = rest.len().min(left);
                    self.position = FramePosition::Payload(left - read, ends_head);
                    at += read;
                }
                FramePosition::Header => {
                    let Some([high, middle, low, kind, flags, stream @ ..]) =
                        rest.first_chunk::<FRAME_HEADER>()
                    else {
                        return at;
                    };
                    let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
                    let stream = u32::from_be_bytes(*stream) & (u32::MAX >> 1);
                    let is_ended = flags & END_STREAM != 0;
                    match *kind {
                        HEADERS if stream > self.last_stream => {
                            self.event = Some(H2Event::HeadBegun);
                            self.open_stream(stream, is_ended);
                        }
                        HEADERS
                            if length <= MAX_PAYLOAD && self.open_streams.binary_search(&stream).is_ok() =>
                        {
                            return at;
                        }
                        DATA if is_ended => self.close_stream(stream),
                        RST_STREAM => self.close_stream(stream),
                        _ => {}
                    }
                    let ends_head = matches!(*kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0;
                    self.position = FramePosition::Payload(length, ends_head);
                    at += FRAME_HEADER;
                }
            }
            if let FramePosition::Payload(0, ends_head) = self.position {
                self.position = FramePosition::Header;
                if ends_head {
                    self.event = Some(H2Event::HeadFinished);
                }
            }
        }
        at
    }
}

/// Complete frame.
struct H2Frame<'a> {
    flags: u8,
    stream: [u8; 4],
    payload: &'a [u8],
}

impl<'a> H2Frame<'a> {
    /// The frame at the begin of `bytes`, if it is complete.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let ([high, middle, low, _, flags, stream @ ..], rest) = bytes.split_first_chunk::<FRAME_HEADER>()?;
        let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        Some(Self { flags: *flags, stream: *stream, payload: rest.get(..length)? })
    }

    /// Writes the fields in two frames: the marker, and all others. A frame that hyper will reject stays unchanged.
    fn write_with_marker(&self, out: &mut Vec<u8>) {
        let Some(block) = self.field_block() else {
            write_frame(out, HEADERS, self.flags, self.stream, &[self.payload]);
            return;
        };
        // Updates of the table size have to stay first. (RFC 7541, section 4.2)
        let (sizes, fields) = block.split_at(size_updates(block));
        let flags = self.flags & !(END_HEADERS | PADDED | PRIORITY);
        write_frame(out, HEADERS, flags, self.stream, &[sizes, MARKER_FIELD]);
        write_frame(out, CONTINUATION, self.flags & END_HEADERS, self.stream, &[fields]);
    }

    /// The encoded fields, without padding and priority. (RFC 9113, section 6.2)
    fn field_block(&self) -> Option<&'a [u8]> {
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

/// Length of the table size updates at the begin of a block. (RFC 7541, sections 5.1 and 6.3)
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

/// Writes a frame.
fn write_frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: [u8; 4], payload: &[&[u8]]) {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    // A payload comes from one frame, so that its length has 24 bits.
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
        write_frame(&mut out, kind, flags, stream.to_be_bytes(), &[payload]);
        out
    }

    /// The bytes that are forwarded if `bytes` come in pieces of this size.
    fn forwarded(frames: &mut FrameReader, bytes: &[u8], size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in bytes.chunks(size) {
            let mut rewritten = Vec::new();
            let unchanged = frames.read(piece, &mut rewritten);
            out.extend_from_slice(&piece[..unchanged]);
            out.extend_from_slice(&rewritten);
        }
        out
    }

    /// Checks which frames replace the second block of a stream.
    #[track_caller]
    fn check(flags: u8, payload: &[u8], expected: &[Vec<u8>]) {
        let before =
            [PREFACE.to_vec(), frame(HEADERS, END_HEADERS, 1, b"\x83"), frame(DATA, 0, 1, b"abc")].concat();
        let after = frame(PING, 0, 0, b"12345678");
        let sent = [before.clone(), frame(HEADERS, flags, 1, payload), after.clone()].concat();
        let expected = [before, expected.concat(), after].concat();
        for size in [1, 2, 7, 10, 33, 1000] {
            assert_eq!(forwarded(&mut FrameReader::after(0), &sent, size), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn trailers_get_the_marker_field() {
        let all = END_STREAM | END_HEADERS;
        let first = frame(HEADERS, END_STREAM, 1, MARKER_FIELD);
        let rest = |flags, fields: &[u8]| frame(CONTINUATION, flags, 1, fields);
        check(all, b"\x82", &[first.clone(), rest(END_HEADERS, b"\x82")]);
        check(END_STREAM, b"\x82", &[first.clone(), rest(0, b"\x82")]);
        check(all, b"", &[first.clone(), rest(END_HEADERS, b"")]);
        check(all | PADDED, b"\x02\x82xx", &[first.clone(), rest(END_HEADERS, b"\x82")]);
        check(all | PRIORITY, b"\0\0\0\0\x05\x82", &[first, rest(END_HEADERS, b"\x82")]);
        let sized = frame(HEADERS, END_STREAM, 1, &[b"\x20\x3f\xe1\x1f", MARKER_FIELD].concat());
        check(all, b"\x20\x3f\xe1\x1f\x82", &[sized, rest(END_HEADERS, b"\x82")]);
    }

    #[test]
    fn a_frame_that_hyper_rejects_stays_unchanged() {
        for (flags, payload) in [(PADDED, &b"\x05\x82"[..]), (PADDED, b""), (PRIORITY, b"\0\0")] {
            check(flags, payload, &[frame(HEADERS, flags, 1, payload)]);
        }
    }

    #[test]
    fn only_an_open_stream_has_trailers() {
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
            assert_eq!(forwarded(&mut FrameReader::after(0), &sent, 1000), sent, "{then:?}");
        }
    }

    #[test]
    fn only_heads_of_requests_are_events() {
        let mut frames = FrameReader::after(0);
        let mut after = |bytes: &[u8]| {
            forwarded(&mut frames, bytes, 1000);
            frames.take_event()
        };
        assert_eq!(after(&PREFACE[..10]), None);
        assert_eq!(after(&PREFACE[10..]), Some(H2Event::HeadFinished));
        assert_eq!(after(&frame(PING, 0, 0, b"12345678")), None);
        assert_eq!(after(&frame(8, 0, 0, &[0, 0, 0, 9])), None);
        let whole = frame(HEADERS, END_HEADERS, 1, b"\x82\x84");
        assert_eq!(after(&whole[..10]), Some(H2Event::HeadBegun));
        assert_eq!(after(&whole[10..]), Some(H2Event::HeadFinished));
        assert_eq!(after(&frame(HEADERS, 0, 3, b"\x82")), Some(H2Event::HeadBegun));
        assert_eq!(after(&frame(CONTINUATION, 0, 3, b"\x82")), None);
        assert_eq!(after(&frame(CONTINUATION, END_HEADERS, 3, b"\x82")), Some(H2Event::HeadFinished));
    }

    #[test]
    fn only_the_whole_preface_begins_http_2() {
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
        fn other_frames_are_forwarded_unchanged(
            sizes in proptest::collection::vec((0_u8..12, 0_usize..300), 0..20),
            piece in 1_usize..400,
        ) {
            // Each HEADERS opens a stream of its own, so that none has trailers.
            let mut bytes = PREFACE.to_vec();
            for (n, (kind, size)) in (1_u32..).zip(sizes) {
                bytes.extend(frame(kind, END_HEADERS, n, &vec![7; size]));
            }
            prop_assert_eq!(forwarded(&mut FrameReader::after(0), &bytes, piece), bytes);
        }

        #[test]
        fn any_bytes_are_accepted(bytes in proptest::collection::vec(any::<u8>(), 0..2000), piece in 1_usize..100) {
            let mut frames = FrameReader { position: FramePosition::Header, ..FrameReader::after(0) };
            forwarded(&mut frames, &bytes, piece);
            prop_assert!(frames.pending.len() <= FRAME_HEADER + MAX_PAYLOAD);
        }
    }
}
