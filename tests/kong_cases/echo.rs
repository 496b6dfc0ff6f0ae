//! Upstream of the tests. It responds with the request as JSON, unless the target contains a keyword:
//!
//! | keyword | behaviour |
//! |---|---|
//! | `XSLOW` | never answers |
//! | `XCLOSE`, `XRESET` | closes or resets the connection |
//! | `XGARBAGE`, `XPARTIAL`, `XHTTP10` | sends no HTTP, an incomplete body, or HTTP/1.0 |
//! | `XHDRS`, `XCORSUP`, `XCHUNK` | sends fields that a gateway handles, or a chunked body |
//! | `XST404` | responds with this status |

use std::{
    io::{BufReader, Read, Result, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use serde_json::json;

use crate::connection::{latin1, read_chunks, read_fields, read_line};

/// A service that runs until the test process ends.
pub(crate) struct Echo(String);

const FIELDS: &str = "HTTP/1.1 200 OK\r\nServer: upstream-srv/1\r\nVia: 1.0 inner\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nX-Kong-Response-Latency: 999\r\nX-Kong-Upstream-Latency: 888\r\nX-Kong-Request-Id: from-upstream\r\nX-Powered-By: me\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: keep-alive, X-Hop\r\nX-Hop: hop\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nTrailer: X-T\r\nUpgrade: foo\r\nX-Accel-Expires: 1\r\nX-Accel-Redirect-Not: 1\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nETag: \"x\"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nAccess-Control-Allow-Origin: http://up.example\r\nVary: Accept\r\n\r\nhdrs";
const CORS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: http://up.example\r\nAccess-Control-Allow-Credentials: true\r\nAccess-Control-Allow-Methods: UP\r\nVary: Accept-Encoding\r\n\r\nok";
const CHUNKS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";

/// Responses by keyword, and whether the connection stays open.
const KEYWORD_RESPONSES: &[(&str, &str, bool)] = &[
    ("XCLOSE", "", false),
    ("XGARBAGE", "this is not http\r\n\r\n", false),
    ("XPARTIAL", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly-part", false),
    ("XHTTP10", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold", false),
    ("XHDRS", FIELDS, true),
    ("XCORSUP", CORS, true),
    ("XCHUNK", CHUNKS, true),
];

impl Echo {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A gateway that is killed breaks its connections; that is no failure of the service.
                std::thread::spawn(|| drop(serve(stream)));
            }
        });
        Self(port)
    }

    pub(crate) fn port(&self) -> &str {
        &self.0
    }
}

fn serve(mut stream: TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let line = read_line(&mut reader)?;
        if line.is_empty() {
            return Ok(());
        }
        let fields = read_fields(&mut reader)?;
        let body = read_body(&mut reader, &fields)?;
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if target.contains("XSLOW") {
            // The gateway gives up first.
            reader.read_to_end(&mut Vec::new())?;
            return Ok(());
        }
        if target.contains("XRESET") {
            return socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        if let Some((_, text, stays)) = KEYWORD_RESPONSES.iter().find(|(word, ..)| target.contains(word)) {
            stream.write_all(text.as_bytes())?;
            if *stays {
                continue;
            }
            return Ok(());
        }
        let body: String = body.iter().map(|byte| char::from(*byte)).collect();
        let request = json!({ "request_line": line, "headers": fields, "body": body }).to_string();
        stream.write_all(&answer(method, target, &line, &request))?;
    }
}

fn answer(method: &str, target: &str, line: &str, request: &str) -> Vec<u8> {
    let status = target.split("XST").nth(1).and_then(|rest| rest.get(..3));
    let status = status.map_or_else(|| "200 OK".to_owned(), |code| format!("{code} Status"));
    if status.starts_with("204") || status.starts_with("304") {
        return format!("HTTP/1.1 {status}\r\n\r\n").into_bytes();
    }
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        request.len()
    );
    if method == "HEAD" {
        return latin1(&format!("{head}X-Echo-Line: {line}\r\n\r\n"));
    }
    format!("{head}\r\n{request}").into_bytes()
}

fn read_body(reader: &mut BufReader<TcpStream>, fields: &[(String, String)]) -> Result<Vec<u8>> {
    let value = |name: &str| {
        fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    };
    if let Some(length) = value("content-length").and_then(|length| length.parse().ok()) {
        let mut body = Vec::new();
        reader.take(length).read_to_end(&mut body)?;
        return Ok(body);
    }
    if value("transfer-encoding") == Some("chunked") { read_chunks(reader) } else { Ok(Vec::new()) }
}
