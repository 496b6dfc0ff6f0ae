//! TCP connection without HTTP, for tests of bytes and of their timing.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
};

use crate::PATIENCE;

/// A connection to a server, and the bytes received so far.
pub(crate) struct Raw {
    stream: TcpStream,
    pub(crate) received: String,
}

impl Raw {
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, received: String::new() }
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until this text was received.
    #[track_caller]
    pub(crate) fn read_until(&mut self, text: &str) {
        while !self.received.contains(text) {
            assert!(self.read(), "the connection ended before {text:?}: {:?}", self.received);
        }
    }

    /// Reads until the server closes the connection.
    pub(crate) fn read_to_end(mut self) -> String {
        while self.read() {}
        self.received
    }

    #[track_caller]
    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(read) => {
                self.received.push_str(&String::from_utf8_lossy(&buffer[..read]));
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}, after {:?}", self.received),
        }
    }
}
