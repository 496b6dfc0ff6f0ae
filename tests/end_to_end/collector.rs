//! Log collector: receives HTTP requests, answers each with a status, and records them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;

use crate::eventually;

/// A log server that runs until the test ends.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
}

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// The request line and the fields, a line each.
    pub(crate) head: String,
    pub(crate) body: Value,
    /// Number of the connection.
    pub(crate) connection: usize,
}

impl Collector {
    /// Answers with these statuses, and with 200 when they are used up.
    pub(crate) fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (keeping, statuses) = (Arc::clone(&taken), statuses.to_vec());
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (keeping, statuses) = (Arc::clone(&keeping), statuses.clone());
                thread::spawn(move || converse(&stream.unwrap(), connection, &keeping, &statuses));
            }
        });
        Self { address, taken }
    }

    /// The received requests, once there are this many.
    #[track_caller]
    pub(crate) fn takes(&self, count: usize) -> Vec<Taken> {
        eventually(&format!("{count} requests reach the collector"), || {
            let taken = self.taken.lock().unwrap().clone();
            (taken.len() >= count).then_some(taken)
        })
    }
}

fn converse(stream: &TcpStream, connection: usize, taken: &Mutex<Vec<Taken>>, statuses: &[u16]) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or_default() == 0 {
                return;
            }
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
        });
        let mut body = vec![0; length.unwrap_or_default()];
        reader.read_exact(&mut body).unwrap();
        let body = serde_json::from_slice(&body).unwrap();
        let mut taken = taken.lock().unwrap();
        let status = statuses.get(taken.len()).unwrap_or(&200);
        taken.push(Taken { head, body, connection });
        drop(taken);
        let mut stream = stream;
        write!(stream, "HTTP/1.1 {status} Status\r\nContent-Length: 0\r\n\r\n").unwrap();
    }
}
