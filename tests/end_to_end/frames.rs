//! HTTP/2 connection of the tests, frame by frame, for frames that no library writes. (RFC 9113, section 4; RFC 7541)

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
};

use crate::PATIENCE;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const ACK: u8 = 1;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An HTTP/2 connection with prior knowledge.
pub(crate) struct Frames {
    stream: TcpStream,
    /// Whether the peer has closed the connection.
    pub(crate) closed: bool,
}

/// A received frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// The end of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A response with this status (1 if the status is in the dynamic table) and this body.
    Answered(u16, Vec<u8>),
    /// A reset with this error code.
    Reset(u32),
    /// The connection was closed.
    Gone,
}

impl Frames {
    /// Connects, with these settings.
    pub(crate) fn connect(address: &str, settings: &[(u16, u32)]) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut frames = Self { stream, closed: false };
        frames.write(PREFACE);
        let pairs =
            settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
        frames.send(SETTINGS, 0, 0, &pairs.collect::<Vec<_>>());
        frames
    }

    /// The server side, after the preface was read and settings were sent.
    pub(crate) fn accept(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut frames = Self { stream, closed: false };
        frames.read(&mut [0; PREFACE.len()]);
        frames.send(SETTINGS, 0, 0, &[]);
        frames
    }

    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.write(&frame(kind, flags, stream, payload));
    }

    /// Writes bytes; a peer that has closed does not read them.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).is_err() {
            self.closed = true;
        }
    }

    /// Closes the connection without losing sent data: incoming data is read, since unread data causes a TCP reset.
    pub(crate) fn hang_up(mut self) {
        self.closed |= self.stream.shutdown(std::net::Shutdown::Write).is_err();
        while self.next().is_some() {}
    }

    /// The next frame; none at the end of the connection.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.read(&mut head)?;
        let [high, middle, low, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
        self.read(&mut payload)?;
        Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    /// Reads until a stream has ended; answers to settings on the way.
    pub(crate) fn end_of(&mut self, stream: u32) -> End {
        let (mut status, mut body) = (0, Vec::new());
        while let Some(frame) = self.next() {
            if frame.kind == SETTINGS && frame.flags & ACK == 0 {
                self.send(SETTINGS, ACK, 0, &[]);
            }
            if frame.stream != stream {
                continue;
            }
            match frame.kind {
                HEADERS if status == 0 => status = status_of(&frame.payload),
                DATA => body.extend(frame.payload),
                RST_STREAM => return End::Reset(u32::from_be_bytes(frame.payload[..4].try_into().unwrap())),
                _ => {}
            }
            if matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0 {
                return End::Answered(status, body);
            }
        }
        End::Gone
    }

    fn read(&mut self, buffer: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(buffer) {
            Ok(()) => Some(()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("nothing came for {PATIENCE:?}")
            }
            Err(_) => {
                self.closed = true;
                None
            }
        }
    }
}

/// One frame, in bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A HPACK block of literal fields, not indexed and not Huffman-coded.
pub(crate) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            // Integers with a prefix of seven bits. (RFC 7541, section 5.1)
            let mut rest = text.len();
            if rest < 127 {
                block.push(u8::try_from(rest).unwrap());
            } else {
                block.push(127);
                rest -= 127;
                while rest >= 128 {
                    block.push(u8::try_from(rest % 128 + 128).unwrap());
                    rest /= 128;
                }
                block.push(u8::try_from(rest).unwrap());
            }
            block.extend(text.as_bytes());
        }
    }
    block
}

/// The status at the beginning of a block; 1 if it is in the dynamic table. (RFC 7541, appendix A)
fn status_of(block: &[u8]) -> u16 {
    let sizes = block.iter().take_while(|byte| **byte & 0xe0 == 0x20).count();
    match block.get(sizes) {
        Some(0x88) => 200,
        Some(0x89) => 204,
        Some(0x8b) => 304,
        Some(0x8c) => 400,
        Some(0x8d) => 404,
        Some(0x8e) => 500,
        // A literal of that name.
        Some(0x48 | 0x18 | 0x08) => number(&block[sizes + 1..]),
        _ => 1,
    }
}

/// Three digits, plain or Huffman-coded. (RFC 7541, appendix B)
fn number(text: &[u8]) -> u16 {
    let length = usize::from(text[0] & 0x7f);
    let text_of = &text[1..=length];
    if text[0] & 0x80 == 0 {
        return std::str::from_utf8(text_of).unwrap().parse().unwrap();
    }
    let bits = text_of.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (32 - 8 * length);
    let (mut rest, mut number) = (bits, 0);
    for _ in 0..3 {
        // 0 to 2 have five bits, the others six.
        let (digit, width) = match rest >> 27 {
            small @ 0..=2 => (small, 5),
            _ => ((rest >> 26) - 0b01_1001 + 3, 6),
        };
        number = number * 10 + digit;
        rest <<= width;
    }
    u16::try_from(number).unwrap()
}
