//! Upstream that writes scripted bytes; the last segment of the path is the number of the script.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use crate::{PATIENCE, pause};

/// The bytes written in response to a request.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Written in this order, with a pause between two pieces.
    pub(crate) pieces: Vec<Vec<u8>>,
    /// Whether the connection is closed after that.
    pub(crate) closes: bool,
}

/// A service that runs for as long as the test.
pub(crate) struct Scripted {
    pub(crate) port: u16,
    requests: Arc<Vec<AtomicUsize>>,
}

impl Script {
    /// A script that writes all bytes at once and closes the connection.
    pub(crate) fn all(text: impl AsRef<[u8]>) -> Self {
        Self { pieces: vec![text.as_ref().to_vec()], closes: true }
    }

    /// A script that writes pieces of this size and keeps the connection open.
    pub(crate) fn cut(text: impl AsRef<[u8]>, size: usize) -> Self {
        Self { pieces: text.as_ref().chunks(size).map(<[u8]>::to_vec).collect(), closes: false }
    }

    /// The same script, which closes the connection at the end.
    pub(crate) fn closing(self) -> Self {
        Self { closes: true, ..self }
    }
}

impl Scripted {
    pub(crate) fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests: Arc<Vec<_>> = Arc::new(scripts.iter().map(|_| AtomicUsize::new(0)).collect());
        let counted = Arc::clone(&requests);
        let scripts = Arc::new(scripts);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (counted, scripts) = (Arc::clone(&counted), Arc::clone(&scripts));
                std::thread::spawn(move || serve(stream.unwrap(), &scripts, &counted));
            }
        });
        Self { port, requests }
    }

    /// How often a script was written.
    pub(crate) fn played(&self, number: usize) -> usize {
        self.requests[number].load(SeqCst)
    }

    /// A configuration that sends all requests here, with this further setting of the Service.
    pub(crate) fn config(&self, setting: &str) -> String {
        format!(
            "_format_version: \"3.0\"\nservices:\n- name: scripted\n  url: http://127.0.0.1:{}\n  {setting}\n  \
             routes: [{{name: all, paths: [/]}}]\n",
            self.port
        )
    }
}

fn serve(mut stream: TcpStream, scripts: &[Script], counted: &[AtomicUsize]) {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    while let Some(head) = head(&mut stream) {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let number: usize =
            path.rsplit('/').next().and_then(|segment| segment.parse().ok()).unwrap_or_default();
        counted[number].fetch_add(1, SeqCst);
        let script = &scripts[number];
        for (nth, piece) in script.pieces.iter().enumerate() {
            if nth > 0 {
                pause(2);
            }
            if stream.write_all(piece).is_err() {
                return;
            }
        }
        if script.closes {
            let _ = stream.shutdown(Shutdown::Write);
            return;
        }
    }
}

fn head(stream: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}
