//! Responses that arrive before the client has sent its whole request: every client reads them.
//!
//! The clients are programs of other authors, which are skipped where they are missing.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener},
    process::Command,
};

use crate::{
    frames::SETTINGS,
    gateway::{Gateway, Setup},
    secure::{Hello, Secure},
};

/// Answers 403 after the head of a request, and reads on.
fn start_refusing_upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") {
                    if !matches!(stream.read(&mut byte), Ok(1)) {
                        return;
                    }
                    head.push(byte[0]);
                }
                let answer = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 5\r\nconnection: close\r\n\r\nearly";
                let _ = stream.write_all(answer).and_then(|()| stream.shutdown(Shutdown::Write));
                let mut buffer = vec![0; 64 << 10];
                while matches!(stream.read(&mut buffer), Ok(1..)) {}
            });
        }
    });
    port
}

/// Paths that are answered early, and their statuses.
const EARLY: [(&str, u16); 6] =
    [("/key", 401), ("/none", 404), ("/size", 413), ("/rate", 429), ("/dead", 502), ("/early", 403)];

fn start() -> Gateway {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let early = start_refusing_upstream();
    let config = format!(
        "\
_format_version: \"3.0\"
services:
- name: early
  url: http://127.0.0.1:{early}
  routes:
  - {{name: early, paths: [/early]}}
  - {{name: key, paths: [/key], plugins: [{{name: key-auth}}]}}
  - name: size
    paths: [/size]
    plugins:
    - name: request-size-limiting
      config: {{allowed_payload_size: 1, size_unit: kilobytes}}
  - {{name: rate, paths: [/rate], plugins: [{{name: rate-limiting, config: {{hour: 1, policy: local}}}}]}}
- {{name: dead, url: 'http://127.0.0.1:{free}', retries: 0, routes: [{{name: dead, paths: [/dead]}}]}}
"
    );
    let listen = ["run", "--proxy-listen", "127.0.0.1:0, 127.0.0.1:0 http2 ssl", "--admin-listen", "off"];
    let gateway = Setup::with(&config).start(&listen);
    // The rate limit is exhausted.
    assert_eq!(gateway.get("/rate").status, 403);
    gateway
}

/// Runs a script of a client for all early answers; its arguments are a URL, the size of the body, the number of times,
/// and the status that is expected each time.
fn check_client(program: &str, arguments: &[&str], is_tls: bool, sizes: &[usize], times: usize) {
    if !Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {program} is not installed");
        return;
    }
    let gateway = start();
    let base = if is_tls {
        format!("https://{}", gateway.tls_address("proxy"))
    } else {
        format!("http://{}", gateway.address("proxy"))
    };
    for size in sizes {
        for (path, status) in EARLY {
            if status == 413 && *size < 1024 {
                continue;
            }
            let output = Command::new(program)
                .args(arguments)
                .args([&format!("{base}{path}"), &size.to_string(), &times.to_string(), &status.to_string()])
                .env("NODE_TLS_REJECT_UNAUTHORIZED", "0")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{program} {path} {size} bytes: {said}{errors}");
        }
    }
}

const PYTHON: &str = r"
import http.client, ssl, sys, urllib.parse
url, size, times, status = urllib.parse.urlparse(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
for _ in range(times):
    if url.scheme == 'https':
        connection = http.client.HTTPSConnection(url.netloc, timeout=30, context=ssl._create_unverified_context())
    else:
        connection = http.client.HTTPConnection(url.netloc, timeout=30)
    connection.request('POST', url.path, b'a' * size)
    response = connection.getresponse()
    response.read()
    assert response.status == status, response.status
    connection.close()
";

const NODE_FETCH: &str = "
const [url, size, times, status] = process.argv.slice(1);
(async () => {
  for (let n = 0; n < Number(times); n++) {
    const response = await fetch(url, { method: 'POST', body: Buffer.alloc(Number(size), 97) });
    await response.text();
    if (response.status !== Number(status)) throw new Error(`status ${response.status}`);
  }
})().catch((error) => { console.log(error, error.cause); process.exit(1); });
";

/// The body comes as a stream: a single write of more than 10 MB exceeds a bound of Node.js itself.
const NODE_HTTP2: &str = "
const http2 = require('node:http2');
const { Readable } = require('node:stream');
const [url, size, times, status] = process.argv.slice(1);
const { origin, pathname } = new URL(url);
const fail = (why) => { console.log(why); process.exit(1); };
const pieces = function* () {
  for (let left = Number(size); left > 0; left -= 65536) yield Buffer.alloc(Math.min(left, 65536), 97);
};
const once = () => new Promise((resolve) => {
  const session = http2.connect(origin);
  session.on('error', fail);
  const stream = session.request({ ':method': 'POST', ':path': pathname });
  let received;
  stream.on('response', (head) => { received = head[':status']; });
  stream.on('error', fail);
  stream.on('close', () => { session.close(); resolve([received, stream.rstCode]); });
  stream.resume();
  Readable.from(pieces()).pipe(stream);
});
(async () => {
  for (let n = 0; n < Number(times); n++) {
    const [received, code] = await once();
    if (received !== Number(status) || code !== 0) fail(`status ${received}, RST_STREAM ${code}`);
  }
})();
";

#[test]
fn python_reads_an_early_answer() {
    check_client("python3", &["-c", PYTHON], true, &[40_000, 60_000, 100_000], 3);
    check_client("python3", &["-c", PYTHON], false, &[3_000_000, 12_000_000], 1);
}

#[test]
fn node_reads_an_early_answer() {
    check_client("node", &["-e", NODE_FETCH], false, &[100_000, 12_000_000], 1);
    check_client("node", &["-e", NODE_HTTP2], true, &[2, 100_000, 3_000_000], 3);
}

#[test]
fn curl_reads_an_early_answer() {
    if !Command::new("curl").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: curl is not installed");
        return;
    }
    let gateway = start();
    let address = gateway.tls_address("proxy");
    let folder = &gateway.folder;
    for (protocol, size, times) in
        [("--http1.1", 60_000, 3), ("--http2", 2, 20), ("--http2", 100_000, 3), ("--http2", 3_000_000, 1)]
    {
        folder.write("body", vec![b'a'; size]);
        let body = format!("@{}", folder.path().join("body").display());
        for (path, status) in EARLY.into_iter().filter(|(_, status)| *status != 413 || size > 1024) {
            for _ in 0..times {
                let url = format!("https://{address}{path}");
                let output = Command::new("curl")
                    .args([
                        "-sS",
                        "-k",
                        protocol,
                        "--data-binary",
                        &body,
                        "-o",
                        "/dev/null",
                        "-w",
                        "%{http_code}",
                        &url,
                    ])
                    .output()
                    .unwrap();
                let said = String::from_utf8_lossy(&output.stdout);
                assert_eq!(said, status.to_string(), "curl {protocol} {size} {path}: {:?}", output.stderr);
                assert!(output.status.success(), "{:?}", String::from_utf8_lossy(&output.stderr));
            }
        }
    }
}

#[test]
fn http_2_settings_are_sent_before_the_preface_of_the_client() {
    let gateway = start();
    let hello = Hello { protocols: &["h2"], ..Hello::default() };
    let mut client = Secure::connect(gateway.tls_address("proxy"), hello).unwrap();
    assert_eq!(client.protocol(), Some("h2"));
    let head = client.read_exact(9);
    assert_eq!(head[3], SETTINGS, "{head:?}");
}
