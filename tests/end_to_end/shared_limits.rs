//! Limits that several nodes share, counted in Redis. The server of these tests has the protocol of Redis (RESP 2) and
//! the effect of the gateway's script; the script itself runs only in a real Redis (docs/testing.md).

use std::{
    collections::{HashMap, HashSet},
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use crate::{
    client::Answer,
    eventually,
    gateway::{Gateway, Setup},
};

/// A Redis server that holds counters.
struct Redis {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    counters: Mutex<HashMap<String, u64>>,
    scripts: Mutex<HashSet<String>>,
    /// The commands before the first script, on each connection.
    setup_commands: Mutex<Vec<Vec<String>>>,
    gone: AtomicBool,
}

impl Redis {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = serving.clone();
                // An aborted connection shows in the outcome of the request.
                thread::spawn(move || drop(shared.serve(&stream)));
            }
        });
        Self { address, shared }
    }

    /// Closes every connection, or answers again.
    fn set_gone(&self, gone: bool) {
        self.shared.gone.store(gone, SeqCst);
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        let (mut reader, mut writer) = (BufReader::new(stream), stream);
        while !self.gone.load(SeqCst) {
            let command = read(&mut reader)?;
            if self.gone.load(SeqCst) {
                break;
            }
            writer.write_all(self.answer(&command).as_bytes())?;
        }
        Ok(())
    }

    fn answer(&self, command: &[String]) -> String {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        match &*words {
            ["AUTH" | "SELECT", ..] => {
                self.setup_commands.lock().unwrap().push(command.to_vec());
                "+OK\r\n".to_owned()
            }
            ["SCRIPT", "LOAD", script] => {
                assert!(script.contains("redis.call('INCR', key)"));
                let hash = sha1_smol::Sha1::from(script).digest().to_string();
                self.scripts.lock().unwrap().insert(hash.clone());
                format!("+{hash}\r\n")
            }
            ["EVALSHA", hash, ..] if !self.scripts.lock().unwrap().contains(*hash) => {
                "-NOSCRIPT No matching script.\r\n".to_owned()
            }
            ["EVALSHA", _, keys, rest @ ..] => {
                let (keys, limits) = rest.split_at(keys.parse().unwrap());
                let limits: Vec<u64> = limits.chunks(2).map(|pair| pair[0].parse().unwrap()).collect();
                let mut counters = self.counters.lock().unwrap();
                let used =
                    |counters: &HashMap<String, u64>, key: &str| counters.get(key).copied().unwrap_or(0);
                let room = keys.iter().zip(limits).all(|(key, limit)| used(&counters, key) < limit);
                if room {
                    for key in keys {
                        *counters.entry((*key).to_owned()).or_default() += 1;
                    }
                }
                let counts = keys.iter().map(|key| format!(":{}\r\n", used(&counters, key)));
                format!("*{}\r\n:{}\r\n{}", keys.len() + 1, u8::from(room), counts.collect::<String>())
            }
            _ => format!("-ERR unknown command {words:?}\r\n"),
        }
    }
}

/// One command: a list of texts, each with its length before it.
fn read(reader: &mut impl BufRead) -> io::Result<Vec<String>> {
    let mut number = |mark: char| {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let digits = line.trim_end().strip_prefix(mark).ok_or(io::ErrorKind::UnexpectedEof)?;
        digits.parse::<usize>().map_err(io::Error::other)
    };
    let count = number('*')?;
    (0..count)
        .map(|_| {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let length: usize = line.trim_end().trim_start_matches('$').parse().map_err(io::Error::other)?;
            let mut text = vec![0; length + 2];
            reader.read_exact(&mut text)?;
            text.truncate(length);
            String::from_utf8(text).map_err(io::Error::other)
        })
        .collect()
}

fn start(redis: &Redis, more: &str) -> Gateway {
    let port = redis.address.port();
    Setup::with(&format!(
        "\
_format_version: \"3.0\"
routes:
- name: any
  paths: [/]
  plugins:
  - name: request-termination
    config: {{status_code: 200, message: in}}
  - name: rate-limiting
    config: {{year: 3, limit_by: ip, policy: redis, redis: {{host: 127.0.0.1, port: {port}}}, {more}}}
"
    ))
    .run()
}

fn left(answer: &Answer) -> Option<&str> {
    Some(answer.header("x-ratelimit-remaining-year")).filter(|value| !value.is_empty())
}

#[test]
fn nodes_share_their_counters() {
    let redis = Redis::start();
    let (one, other) = (start(&redis, ""), start(&redis, ""));
    for (n, (node, remaining)) in [(&one, "2"), (&other, "1"), (&one, "0")].iter().enumerate() {
        let answer = node.get("/");
        assert_eq!((answer.status, left(&answer)), (200, Some(*remaining)), "request {n}");
    }
    for node in [&one, &other] {
        let answer = node.get("/");
        assert_eq!((answer.status, left(&answer)), (429, Some("0")));
        assert_ne!(answer.header("retry-after"), "");
    }
    // Refused requests are not counted.
    let counters = redis.shared.counters.lock().unwrap();
    assert_eq!(counters.values().collect::<Vec<_>>(), [&3], "{counters:?}");
}

#[test]
fn a_connection_begins_with_the_credentials_and_the_database() {
    let redis = Redis::start();
    let older = "redis_username: gate, redis_password: \"{vault://env/redis-password}\", redis_database: 7";
    let port = redis.address.port();
    let gateway = Setup::with(&format!(
        "\
_format_version: \"3.0\"
routes:
- name: any
  paths: [/]
  plugins:
  - {{name: request-termination, config: {{status_code: 200}}}}
  - name: rate-limiting
    config: {{year: 3, policy: redis, redis_host: 127.0.0.1, redis_port: {port}, {older}}}
"
    ))
    .env("REDIS_PASSWORD", "s3cret")
    .run();
    assert_eq!(left(&gateway.get("/")), Some("2"));
    let setup_commands = redis.shared.setup_commands.lock().unwrap().clone();
    assert_eq!(setup_commands, [vec!["AUTH", "gate", "s3cret"], vec!["SELECT", "7"]]);
}

#[test]
fn without_redis_requests_pass_uncounted_or_are_refused() {
    let redis = Redis::start();
    let (tolerant, strict) = (start(&redis, ""), start(&redis, "fault_tolerant: false"));
    assert_eq!(left(&tolerant.get("/")), Some("2"));
    redis.set_gone(true);
    for _ in 0..5 {
        let answer = tolerant.get("/");
        assert_eq!((answer.status, left(&answer)), (200, None));
        let answer = strict.get("/");
        assert_eq!((answer.status, left(&answer)), (500, None));
        assert!(answer.text().contains("An unexpected error occurred"), "{}", answer.text());
    }
    tolerant.wait_for_log("requests are not counted there");
    redis.set_gone(false);
    eventually("requests are counted again", || left(&tolerant.get("/")).map(drop));
}
