//! LINES: one for each request, written when its answer has ended or was cut.
//!
//! A line is begun with the request and written when it is dropped: nobody can forget to write it, and a client that
//! leaves before there is an answer is counted with 499, as nginx does. Queries may hold secrets, and so a line does
//! not show them unless it is asked to. Writing is the work of one thread (`writer`); a worker only leaves the bytes.

mod clock;
mod writer;

use std::{
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, Method, Uri, Version, header};

use self::writer::LogWriter;
use crate::{
    request_id::RequestId,
    settings::{self, AccessLogFormat},
};

/// nginx's status of a request whose client left before an answer.
const CLIENT_LEFT: u16 = 499;

/// A log of requests.
#[derive(Debug)]
pub struct AccessLog {
    writer: LogWriter,
    format: AccessLogFormat,
    query: bool,
}

/// What of a request is logged.
#[derive(Clone, Copy, Debug)]
pub struct RequestFields<'a> {
    /// The address of who sent it.
    pub client: &'a str,
    /// Its method.
    pub method: &'a Method,
    /// Its target.
    pub target: &'a Uri,
    /// Its protocol.
    pub version: Version,
    /// Its fields.
    pub headers: &'a HeaderMap,
    /// Its name.
    pub id: &'a RequestId,
}

/// What only the format `json` tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct RouteFields<'a> {
    /// The name or id of the Route.
    pub route: Option<&'a str>,
    /// The name or id of the Service.
    pub service: Option<&'a str>,
    /// The upstream: name or address, and port.
    pub upstream: Option<(&'a str, u16)>,
    /// Milliseconds from the request's arrival to handing it to the upstream.
    pub proxy_latency: Option<u64>,
    /// Milliseconds from then to the head of the response.
    pub upstream_latency: Option<u64>,
}

/// One line to be; dropping it writes it.
#[derive(Debug)]
pub struct LogLine {
    log: Arc<AccessLog>,
    text: Vec<u8>,
    /// Where in the text the status and the size belong.
    place: usize,
    started: Instant,
    status: u16,
    bytes: u64,
}

impl AccessLog {
    /// Writes to this place from now on; none for no place.
    ///
    /// # Errors
    /// A file cannot be opened, or there can be no further thread.
    pub fn open(
        place: &settings::AccessLogTarget,
        format: AccessLogFormat,
        query: bool,
    ) -> io::Result<Option<Arc<Self>>> {
        let writer = LogWriter::open(place)?;
        Ok(writer.map(|writer| Arc::new(Self { writer, format, query })))
    }

    /// Whether lines tell of Routes and upstreams.
    #[must_use]
    pub fn logs_routes(&self) -> bool {
        self.format == AccessLogFormat::Json
    }

    /// Waits until what was logged is written, but not longer than this.
    pub fn flush(&self, limit: Duration) {
        self.writer.flush(limit);
    }

    /// Begins the line of a request.
    #[must_use]
    pub fn start_line(self: &Arc<Self>, asked: &RequestFields<'_>, started: Instant) -> LogLine {
        let mut text = Vec::with_capacity(256);
        let place = match self.format {
            AccessLogFormat::Combined => combined(&mut text, asked, self.query),
            // Writing into memory cannot fail.
            AccessLogFormat::Json => json(&mut text, asked, self.query).unwrap_or_default(),
        };
        LogLine { log: Arc::clone(self), text, place, started, status: CLIENT_LEFT, bytes: 0 }
    }

    /// Writes the line of a request that could not be read.
    pub fn log_unreadable(self: &Arc<Self>, client: &str, status: u16, bytes: u64, id: &RequestId) {
        let (headers, target, method) = (HeaderMap::new(), Uri::default(), Method::default());
        let asked = RequestFields {
            client,
            method: &method,
            target: &target,
            version: Version::HTTP_09,
            headers: &headers,
            id,
        };
        let mut line = self.start_line(&asked, Instant::now());
        line.record_response(status, RouteFields::default());
        line.add_sent_bytes(bytes);
    }
}

impl LogLine {
    /// Notes what the answer is, and how it came about.
    pub fn record_response(&mut self, status: u16, about: RouteFields<'_>) {
        self.status = status;
        if self.log.format == AccessLogFormat::Json {
            // Writing into memory cannot fail.
            let _ = json_about(&mut self.text, about);
        }
    }

    /// Notes bytes of the body of the answer.
    pub fn add_sent_bytes(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let Self { log, text, place, started, status, bytes } = self;
        let (before, after) = text.split_at(*place);
        log.writer.leave(|lines| {
            lines.extend_from_slice(before);
            // Writing into memory cannot fail.
            let _ = match log.format {
                AccessLogFormat::Combined => write!(lines, "{status} {bytes}"),
                AccessLogFormat::Json => {
                    let took = started.elapsed().as_millis();
                    write!(lines, ",\"status\":{status},\"bytes\":{bytes},\"latency\":{took}")
                }
            };
            lines.extend_from_slice(after);
            lines.extend_from_slice(if log.format == AccessLogFormat::Json { b"}\n" } else { b"\n" });
        });
    }
}

/// As nginx's `combined`, and the id of the request as Kong adds it.
fn combined(text: &mut Vec<u8>, asked: &RequestFields<'_>, query: bool) -> usize {
    text.extend_from_slice(asked.client.as_bytes());
    text.extend_from_slice(b" - - [");
    clock::write_combined(text);
    text.extend_from_slice(b"] \"");
    if asked.version != Version::HTTP_09 {
        escape(text, asked.method.as_str().as_bytes());
        text.push(b' ');
        escape(text, target(asked.target, query).as_bytes());
        text.push(b' ');
        text.extend_from_slice(protocol(asked.version).as_bytes());
    }
    text.extend_from_slice(b"\" ");
    let place = text.len();
    text.extend_from_slice(b" \"");
    escape(text, referer(asked, query));
    text.extend_from_slice(b"\" \"");
    escape(text, field(asked, &header::USER_AGENT).unwrap_or(b"-"));
    text.extend_from_slice(b"\" kong_request_id: \"");
    text.extend_from_slice(asked.id.as_str().as_bytes());
    text.push(b'"');
    place
}

fn json(text: &mut Vec<u8>, asked: &RequestFields<'_>, query: bool) -> io::Result<usize> {
    text.extend_from_slice(b"{\"time\":\"");
    clock::write_json(text);
    write!(text, "\",\"request_id\":\"{}\",\"client_ip\":\"{}\"", asked.id, asked.client)?;
    if asked.version != Version::HTTP_09 {
        member(text, "method", asked.method.as_str().as_bytes())?;
        member(text, "path", target(asked.target, query).as_bytes())?;
        member(text, "protocol", protocol(asked.version).as_bytes())?;
    }
    for (name, value) in [
        ("host", field(asked, &header::HOST)),
        ("user_agent", field(asked, &header::USER_AGENT)),
        ("referer", field(asked, &header::REFERER).map(|_| referer(asked, query))),
    ] {
        if let Some(value) = value {
            member(text, name, value)?;
        }
    }
    Ok(text.len())
}

fn json_about(text: &mut Vec<u8>, about: RouteFields<'_>) -> io::Result<()> {
    for (name, value) in [("route", about.route), ("service", about.service)] {
        if let Some(value) = value {
            member(text, name, value.as_bytes())?;
        }
    }
    if let Some((host, port)) = about.upstream {
        member(text, "upstream", format!("{host}:{port}").as_bytes())?;
    }
    for (name, value) in
        [("proxy_latency", about.proxy_latency), ("upstream_latency", about.upstream_latency)]
    {
        if let Some(value) = value {
            write!(text, ",\"{name}\":{value}")?;
        }
    }
    Ok(())
}

/// A member of an object, not the first one.
fn member(text: &mut Vec<u8>, name: &str, value: &[u8]) -> io::Result<()> {
    write!(text, ",\"{name}\":")?;
    Ok(serde_json::to_writer(text, &String::from_utf8_lossy(value))?)
}

fn field<'a>(asked: &RequestFields<'a>, name: &HeaderName) -> Option<&'a [u8]> {
    asked.headers.get(name).map(http::HeaderValue::as_bytes)
}

fn target(uri: &Uri, query: bool) -> &str {
    if query { uri.path_and_query().map_or("/", |it| it.as_str()) } else { uri.path() }
}

/// The page that the client came from, which has a query of its own.
fn referer<'a>(asked: &RequestFields<'a>, query: bool) -> &'a [u8] {
    let whole = field(asked, &header::REFERER).unwrap_or(b"-");
    let end = whole.iter().position(|byte| matches!(byte, b'?' | b'#')).filter(|_| !query);
    end.and_then(|end| whole.get(..end)).unwrap_or(whole)
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// Writes bytes so that they cannot end a line or a string. (As nginx's.)
fn escape(text: &mut Vec<u8>, bytes: &[u8]) {
    let dangerous = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=31 | 127..=255);
    let mut rest = bytes;
    while let Some((plain, [byte, after @ ..])) =
        rest.iter().position(dangerous).map(|place| rest.split_at(place))
    {
        text.extend_from_slice(plain);
        // Writing into memory cannot fail.
        let _ = write!(text, "\\x{byte:02X}");
        rest = after;
    }
    text.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<'a>(target: &'a Uri, headers: &'a HeaderMap, id: &'a RequestId) -> RequestFields<'a> {
        RequestFields {
            client: "192.0.2.1",
            method: &Method::GET,
            target,
            version: Version::HTTP_11,
            headers,
            id,
        }
    }

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", "a \"quoted\" one".parse().unwrap());
        headers.insert("referer", "https://a.example/page?token=secret".parse().unwrap());
        headers
    }

    /// Checks a line without its time and its end.
    #[track_caller]
    fn check(format: AccessLogFormat, query: bool, before: &str, after: &str) {
        let (target, headers) = (Uri::from_static("/a?key=secret"), headers());
        let id = RequestId::from_bits(1);
        let asked = asked(&target, &headers, &id);
        let mut text = Vec::new();
        let place = match format {
            AccessLogFormat::Combined => combined(&mut text, &asked, query),
            AccessLogFormat::Json => json(&mut text, &asked, query).unwrap(),
        };
        let text = String::from_utf8(text).unwrap();
        let (first, second) = text.split_at(place);
        let first = first.split_once(if query { "] " } else { "Z\"" }).map_or(first, |(_, rest)| rest);
        assert!(first.ends_with(before), "{first}");
        assert_eq!(second, after);
    }

    #[test]
    fn combined_is_nginx_s_and_the_id() {
        let after = " \"https://a.example/page?token=secret\" \"a \\x22quoted\\x22 one\" kong_request_id: \"00000000000000000000000000000001\"";
        check(AccessLogFormat::Combined, true, "\"GET /a?key=secret HTTP/1.1\" ", after);
        let after = after.replace("?token=secret", "");
        check(AccessLogFormat::Combined, false, "\"GET /a HTTP/1.1\" ", &after);
    }

    #[test]
    fn json_is_an_object_to_be_closed() {
        let before = ",\"method\":\"GET\",\"path\":\"/a\",\"protocol\":\"HTTP/1.1\",\
             \"user_agent\":\"a \\\"quoted\\\" one\",\"referer\":\"https://a.example/page\"";
        check(AccessLogFormat::Json, false, before, "");
        let mut text = b"{\"a\":1".to_vec();
        let about = RouteFields {
            route: Some("r"),
            upstream: Some(("u", 80)),
            upstream_latency: Some(2),
            ..RouteFields::default()
        };
        json_about(&mut text, about).unwrap();
        assert_eq!(text, b"{\"a\":1,\"route\":\"r\",\"upstream\":\"u:80\",\"upstream_latency\":2");
    }

    #[test]
    fn no_byte_ends_a_line_or_a_string() {
        let mut text = Vec::new();
        escape(&mut text, b"a\"b\\c\nd\xffe");
        assert_eq!(text, b"a\\x22b\\x5Cc\\x0Ad\\xFFe");
    }
}
