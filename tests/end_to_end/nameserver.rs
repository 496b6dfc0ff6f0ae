//! A little name server: it answers from a table that can change, over UDP (RFC 1035, section 4).

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
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
}

/// The time to live in seconds, and what each record says.
type Records = (u32, Vec<Vec<u8>>);

const A: u16 = 1;
const SRV: u16 = 33;

impl Nameserver {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let table: Arc<Mutex<Table>> = Arc::default();
        let answering = table.clone();
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                let answer = answering.lock().unwrap().answer(&query[..length]);
                // Who asked may have gone.
                let _ = socket.send_to(&answer, from);
            }
        });
        Self { address, table }
    }

    /// From now on a name has these addresses; none takes it away.
    pub(crate) fn a(&self, name: &str, ttl: u32, addresses: &[&str]) {
        let octets = |it: &&str| it.parse::<Ipv4Addr>().unwrap().octets().to_vec();
        self.put(name, A, ttl, addresses.iter().map(octets).collect());
    }

    /// From now on a name has these hosts: priority, weight, port, name.
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

    /// From now on it answers nothing but its own failure, or does again.
    pub(crate) fn fail(&self, fails: bool) {
        self.table.lock().unwrap().fails = fails;
    }

    /// How often it was asked for the addresses of a name.
    pub(crate) fn queries(&self, name: &str) -> usize {
        let table = self.table.lock().unwrap();
        table.queries.iter().filter(|(it, kind)| it == name && *kind == A).count()
    }

    fn put(&self, name: &str, kind: u16, ttl: u32, records: Vec<Vec<u8>>) {
        self.table.lock().unwrap().records.insert((name.to_owned(), kind), (ttl, records));
    }
}

impl Table {
    fn answer(&mut self, query: &[u8]) -> Vec<u8> {
        let (name, end) = read_name(query);
        let kind = u16::from_be_bytes([query[end], query[end + 1]]);
        self.queries.push((name.clone(), kind));
        let found = self.records.get(&(name.clone(), kind)).filter(|(_, all)| !all.is_empty());
        let exists = self.records.iter().any(|((it, _), (_, all))| *it == name && !all.is_empty());
        let code = if self.fails {
            2
        } else if exists {
            0
        } else {
            3
        };
        let (ttl, records) = found.filter(|_| code == 0).cloned().unwrap_or_default();
        let mut answer = query[..2].to_vec();
        // A response of a server that recurses, with one question and nothing beside the answers.
        answer.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
        answer.extend(&query[12..end + 4]);
        for record in &records {
            answer.extend([0xC0, 12]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1]);
            answer.extend(ttl.to_be_bytes());
            answer.extend(u16::try_from(record.len()).unwrap().to_be_bytes());
            answer.extend(record);
        }
        answer
    }
}

/// The name in a question, and where it ends.
fn read_name(query: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] > 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_ascii_lowercase());
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
