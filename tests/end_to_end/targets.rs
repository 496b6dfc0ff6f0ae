//! Upstream targets that answer with their names, and can be set to fail.

use std::{
    io::{BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering},
    },
};

use crate::{eventually, gateway::Gateway};

/// A target that answers with its name, until it is dropped.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    name: String,
    /// The status of its answers, except for `/steady`.
    status: AtomicU16,
    closed: AtomicBool,
    requests: AtomicUsize,
    checks: AtomicUsize,
    connections: AtomicUsize,
    /// How many connections are open.
    open: AtomicUsize,
}

impl Target {
    pub(crate) fn start(name: &str) -> Self {
        Self::start_at(name, Ipv4Addr::LOCALHOST.into(), 0)
    }

    /// Starts at this address of the loopback network; port 0 takes a free port.
    pub(crate) fn start_at(name: &str, ip: IpAddr, port: u16) -> Self {
        let listener = TcpListener::bind((ip, port)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            name: name.to_owned(),
            status: AtomicU16::new(200),
            closed: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
            checks: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        });
        let serving = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.closed.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, state) = (stream.unwrap(), serving.clone());
                std::thread::spawn(move || {
                    state.connections.fetch_add(1, Ordering::SeqCst);
                    state.open.fetch_add(1, Ordering::SeqCst);
                    state.converse(&stream);
                    state.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, state }
    }

    /// Sets the status of its answers; 0 closes the connection instead.
    pub(crate) fn answer(&self, status: u16) {
        self.state.status.store(status, Ordering::SeqCst);
    }

    /// Number of requests, without health checks.
    pub(crate) fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// Number of health checks.
    pub(crate) fn checks(&self) -> usize {
        self.state.checks.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Number of open connections.
    pub(crate) fn open(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        // The accept loop waits for one more connection.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn converse(&self, mut stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(head) = read_head(&mut reader) {
            let path = head.split(' ').nth(1).unwrap_or_default();
            let counter = if path == "/check" { &self.checks } else { &self.requests };
            counter.fetch_add(1, Ordering::SeqCst);
            let status = if path.ends_with("/steady") { 200 } else { self.status.load(Ordering::SeqCst) };
            let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
            let body = format!("{} {host}", self.name);
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {length}\r\n\r\n{body}");
            if status == 0
                || stream.write_all(answer.as_bytes()).is_err()
                || head.contains("connection: close")
            {
                return;
            }
        }
    }
}

/// The head of the next request, whose body (if it has one) comes as one line.
fn read_head(reader: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    if let Some(length) = head.to_ascii_lowercase().split("content-length: ").nth(1) {
        let length = length.split("\r\n").next()?.parse().ok()?;
        std::io::Read::read_exact(reader, &mut vec![0; length]).ok()?;
    }
    Some(head.replace("\r\n", "\n"))
}

/// Sends this many requests; the names of the targets that answered.
#[track_caller]
pub(crate) fn ask(gateway: &Gateway, path: &str, count: usize) -> Vec<String> {
    (0..count).map(|_| target_name(gateway, path, &[])).collect()
}

/// The name of the target that answered, or the first word of the gateway's own response.
#[track_caller]
pub(crate) fn target_name(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> String {
    let answer = gateway.ask("GET", path, headers);
    let text = answer.text();
    text.split([' ', '\n']).next().unwrap().to_owned()
}

/// Number of occurrences of a name.
pub(crate) fn count(names: &[String], name: &str) -> usize {
    names.iter().filter(|target| *target == name).count()
}

/// Waits until consecutive requests are answered by exactly these targets.
#[track_caller]
pub(crate) fn wait_for_targets(gateway: &Gateway, path: &str, names: &[&str]) {
    eventually(&format!("{path} goes to {names:?}"), || {
        let met = ask(gateway, path, names.len() * 2);
        let mut met: Vec<&str> = met.iter().map(String::as_str).collect();
        met.sort_unstable();
        met.dedup();
        (met == names).then_some(())
    });
}
