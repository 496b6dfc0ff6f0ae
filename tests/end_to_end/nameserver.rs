//! Name server of the tests: it answers from a table that can change, over UDP and TCP. (RFC 1035, section 4)

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{Arc, Mutex},
};

/// A name server that runs until its process ends.
pub(crate) struct Nameserver {
    pub(crate) address: SocketAddr,
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    /// By name and type.
    records: HashMap<(String, u16), Records>,
    queries: Vec<(String, u16)>,
    fails: bool,
    /// Whether answers are too long for UDP.
    truncates: bool,
    /// Number of queries over TCP.
    over_tcp: usize,
}

/// The time to live in seconds, and the data of each record.
type Records = (u32, Vec<Vec<u8>>);

/// A record of an answer: name, type, time to live and data.
type Answered = (String, u16, u32, Vec<u8>);

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const SRV: u16 = 33;

impl Nameserver {
    pub(crate) fn start() -> Self {
        let (socket, listener) = crate::eventually("a port is free for UDP and TCP", || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let listener = TcpListener::bind(socket.local_addr().unwrap()).ok()?;
            Some((socket, listener))
        });
        let address = socket.local_addr().unwrap();
        let table: Arc<Mutex<Table>> = Arc::default();
        let talking = table.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let table = talking.clone();
                // The client may have disconnected.
                std::thread::spawn(move || drop(serve_tcp(stream, &table)));
            }
        });
        let answering = table.clone();
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                let answer = {
                    let mut table = answering.lock().unwrap();
                    let truncates = table.truncates;
                    table.answer(&query[..length], truncates)
                };
                // The client may have disconnected.
                let _ = socket.send_to(&answer, from);
            }
        });
        Self { address, table }
    }

    /// Sets the addresses of a name, all of one type; an empty list removes them.
    pub(crate) fn a(&self, name: &str, ttl: u32, addresses: &[&str]) {
        let octets = |address: &&str| match address.parse().unwrap() {
            IpAddr::V4(it) => it.octets().to_vec(),
            IpAddr::V6(it) => it.octets().to_vec(),
        };
        let kind = if addresses.iter().any(|address| address.contains(':')) { AAAA } else { A };
        self.put(name, kind, ttl, addresses.iter().map(octets).collect());
    }

    /// Makes a name an alias of another one.
    pub(crate) fn cname(&self, name: &str, ttl: u32, other: &str) {
        self.put(name, CNAME, ttl, vec![labels(other)]);
    }

    /// Makes all answers too long for UDP.
    pub(crate) fn truncate(&self) {
        self.table.lock().unwrap().truncates = true;
    }

    /// Number of queries over TCP.
    pub(crate) fn tcp_queries(&self) -> usize {
        self.table.lock().unwrap().over_tcp
    }

    /// Sets the SRV records of a name: priority, weight, port, host.
    pub(crate) fn srv(&self, name: &str, ttl: u32, hosts: &[(u16, u16, u16, &str)]) {
        let one = |(priority, weight, port, host): &(u16, u16, u16, &str)| {
            let mut data = Vec::new();
            for number in [priority, weight, port] {
                data.extend(number.to_be_bytes());
            }
            data.extend(labels(host));
            data
        };
        self.put(name, SRV, ttl, hosts.iter().map(one).collect());
    }

    /// Answers every query with a server failure, or no longer.
    pub(crate) fn set_failing(&self, fails: bool) {
        self.table.lock().unwrap().fails = fails;
    }

    /// Number of queries for the addresses of a name.
    pub(crate) fn queries(&self, name: &str) -> usize {
        let table = self.table.lock().unwrap();
        table.queries.iter().filter(|(query_name, kind)| query_name == name && *kind == A).count()
    }

    fn put(&self, name: &str, kind: u16, ttl: u32, records: Vec<Vec<u8>>) {
        self.table.lock().unwrap().records.insert((name.to_owned(), kind), (ttl, records));
    }
}

impl Table {
    fn answer(&mut self, query: &[u8], truncated: bool) -> Vec<u8> {
        let (name, end) = read_name(query);
        let kind = u16::from_be_bytes([query[end], query[end + 1]]);
        self.queries.push((name.clone(), kind));
        let exists =
            self.records.iter().any(|((record_name, _), (_, all))| *record_name == name && !all.is_empty());
        let code = match (self.fails, exists) {
            (true, _) => 2,
            (false, true) => 0,
            (false, false) => 3,
        };
        let records = if code == 0 && !truncated { self.find(&name, kind) } else { Vec::new() };
        let mut answer = query[..2].to_vec();
        // A response of a recursive server, with one question, and only answers.
        let flags = if truncated { 0x83 } else { 0x81 };
        answer.extend([flags, 0x80 | code, 0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
        answer.extend(&query[12..end + 4]);
        for (owner, kind, ttl, record) in &records {
            answer.extend(labels(owner));
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1]);
            answer.extend(ttl.to_be_bytes());
            answer.extend(u16::try_from(record.len()).unwrap().to_be_bytes());
            answer.extend(record);
        }
        answer
    }

    /// The records of a type, and the aliases that lead to them.
    fn find(&self, name: &str, kind: u16) -> Vec<Answered> {
        let (mut found, mut name) = (Vec::new(), name.to_owned());
        // A longer chain of aliases would be a cycle.
        for _ in 0..10 {
            let mut add = |kind| {
                let (ttl, all) = self.records.get(&(name.clone(), kind))?;
                found.extend(all.iter().map(|record| (name.clone(), kind, *ttl, record.clone())));
                all.first()
            };
            if add(kind).is_some() {
                break;
            }
            match add(CNAME) {
                Some(other) => name = read_labels(other, 0).0,
                None => break,
            }
        }
        found
    }
}

/// Answers the queries of one connection, each with a length prefix. (RFC 1035, section 4.2.2)
fn serve_tcp(mut stream: TcpStream, table: &Mutex<Table>) -> std::io::Result<()> {
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query)?;
        let answer = {
            let mut table = table.lock().unwrap();
            table.over_tcp += 1;
            table.answer(&query, false)
        };
        let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length[..], &answer].concat())?;
    }
}

/// The name in a query, and its end.
fn read_name(query: &[u8]) -> (String, usize) {
    read_labels(query, 12)
}

/// The name at this offset, and its end.
fn read_labels(bytes: &[u8], mut at: usize) -> (String, usize) {
    let mut labels = Vec::new();
    while bytes[at] > 0 {
        let end = at + 1 + usize::from(bytes[at]);
        labels.push(String::from_utf8_lossy(&bytes[at + 1..end]).to_ascii_lowercase());
        at = end;
    }
    (labels.join("."), at + 1)
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
