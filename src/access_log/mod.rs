//! Access log: one line per request, written when its response has ended or was cut off.
//!
//! A line is started with the request and written when it is dropped, so that none can be missed; a client that leaves before
//! the response is logged with 499, as in nginx. Queries may hold secrets, so lines have none unless configured. A thread
//! writes the lines (`writer`); workers only queue them.

mod clock;
mod template;
mod writer;

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, Method, Uri, Version, header};

use self::{
    template::{LineEnd, LineTemplate, ResponseValues},
    writer::LogWriter,
};
use crate::{
    nginx_status::CLIENT_CLOSED_REQUEST,
    request_id::RequestId,
    settings::{self, AccessLogFormat, LogTemplate},
};

/// Log of requests.
#[derive(Debug)]
pub struct AccessLog {
    writer: LogWriter,
    format: AccessLogFormat,
    /// Takes the place of `format`.
    template: Option<LineTemplate>,
    /// Whether lines contain queries.
    with_query: bool,
}

/// Fields of a line that come from the request.
#[derive(Clone, Copy, Debug)]
pub struct RequestFields<'a> {
    /// Address of the client.
    pub client: &'a str,
    /// Method.
    pub method: &'a Method,
    /// Target.
    pub target: &'a Uri,
    /// Version of HTTP; 0.9 stands for a request that could not be read.
    pub version: Version,
    /// Header fields.
    pub headers: &'a HeaderMap,
    /// Connection.
    pub connection: ConnectionFields,
    /// Request id.
    pub id: &'a RequestId,
}

/// Fields of a line that come from the connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionFields {
    /// Port of the client's end.
    pub client_port: u16,
    /// Address and port of the gateway's end.
    pub local: SocketAddr,
    /// Version and cipher of TLS, if the connection has it.
    pub tls: Option<(&'static str, &'static str)>,
}

/// Fields of a line that only the format `json` has.
#[derive(Clone, Copy, Debug, Default)]
pub struct RouteFields<'a> {
    /// Name or id of the Route.
    pub route: Option<&'a str>,
    /// Name or id of the Service.
    pub service: Option<&'a str>,
    /// Upstream: name or address, and port.
    pub upstream: Option<(&'a str, u16)>,
    /// Milliseconds from the request's arrival to sending it to the upstream.
    pub proxy_latency: Option<u64>,
    /// Milliseconds from then to the head of the response.
    pub upstream_latency: Option<u64>,
    /// Status of the upstream's response.
    pub upstream_status: Option<u16>,
}

/// Line of a request. Dropping it writes it.
#[derive(Debug)]
pub struct LogLine {
    log: Arc<AccessLog>,
    text: Vec<u8>,
    /// Position of the status and the size in the text.
    status_position: usize,
    /// Values of a format with variables.
    values: Option<Box<ResponseValues>>,
    started: Instant,
    status: u16,
    bytes: u64,
}

impl AccessLog {
    /// Opens a log; `None` if it is off.
    ///
    /// # Errors
    /// The file cannot be opened, or the thread cannot be started.
    pub fn open(
        target: &settings::AccessLogTarget,
        format: AccessLogFormat,
        template: Option<&LogTemplate>,
        with_query: bool,
    ) -> io::Result<Option<Arc<Self>>> {
        let Some(writer) = LogWriter::open(target)? else { return Ok(None) };
        let template = template.map(|template| {
            let (line, unknown) = LineTemplate::new(template);
            if !unknown.is_empty() {
                let (name, unknown) = (&template.name, unknown.join(", $"));
                tracing::warn!(
                    "the format '{name}' of the access log has variables without a value: ${unknown}"
                );
            }
            line
        });
        Ok(Some(Arc::new(Self { writer, format, template, with_query })))
    }

    /// Whether lines contain Routes and upstreams.
    #[must_use]
    pub fn logs_routes(&self) -> bool {
        self.format == AccessLogFormat::Json || self.template.is_some()
    }

    /// Waits until all lines are written, at most for `limit`.
    pub fn flush(&self, limit: Duration) {
        self.writer.flush(limit);
    }

    /// Starts the line of a request.
    #[must_use]
    pub fn start_line(self: &Arc<Self>, request: &RequestFields<'_>, started: Instant) -> LogLine {
        let mut text = Vec::with_capacity(256);
        let (mut values, mut status_position) = (None, 0);
        if let Some(template) = &self.template {
            values = Some(template.begin(&mut text, request, self.with_query));
        } else {
            status_position = match self.format {
                AccessLogFormat::Combined => write_combined(&mut text, request, self.with_query),
                // Writing into memory cannot fail.
                AccessLogFormat::Json => write_json(&mut text, request, self.with_query).unwrap_or_default(),
            };
        }
        LogLine {
            log: Arc::clone(self),
            text,
            status_position,
            values,
            started,
            status: CLIENT_CLOSED_REQUEST,
            bytes: 0,
        }
    }

    /// Writes the line of a request that the parser rejected.
    pub fn log_unreadable(self: &Arc<Self>, client: &str, status: u16, bytes: u64, id: &RequestId) {
        let (headers, target, method) = (HeaderMap::new(), Uri::default(), Method::default());
        let request = RequestFields {
            client,
            method: &method,
            target: &target,
            version: Version::HTTP_09,
            headers: &headers,
            connection: ConnectionFields {
                client_port: 0,
                local: (Ipv4Addr::UNSPECIFIED, 0).into(),
                tls: None,
            },
            id,
        };
        let mut line = self.start_line(&request, Instant::now());
        line.record_response(status, &headers, RouteFields::default());
        line.add_sent_bytes(bytes);
    }
}

impl LogLine {
    /// Records the response.
    pub fn record_response(&mut self, status: u16, headers: &HeaderMap, fields: RouteFields<'_>) {
        self.status = status;
        if let Some(values) = &mut self.values {
            values.record(headers, fields);
        } else if self.log.format == AccessLogFormat::Json {
            // Writing into memory cannot fail.
            let _ = write_route_fields(&mut self.text, fields);
        }
    }

    /// Adds bytes of the response body.
    pub fn add_sent_bytes(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let Self { log, text, status_position, values, started, status, bytes } = self;
        if let Some(values) = values {
            let end = LineEnd { status: *status, bytes: *bytes, time: started.elapsed() };
            log.writer.push(|lines| {
                values.end(lines, text, end);
                lines.push(b'\n');
            });
            return;
        }
        let (before, after) = text.split_at(*status_position);
        log.writer.push(|lines| {
            lines.extend_from_slice(before);
            // Writing into memory cannot fail.
            let _ = match log.format {
                AccessLogFormat::Combined => write!(lines, "{status} {bytes}"),
                AccessLogFormat::Json => {
                    let latency = started.elapsed().as_millis();
                    write!(lines, ",\"status\":{status},\"bytes\":{bytes},\"latency\":{latency}")
                }
            };
            lines.extend_from_slice(after);
            lines.extend_from_slice(if log.format == AccessLogFormat::Json { b"}\n" } else { b"\n" });
        });
    }
}

/// Writes a line in nginx's format `combined` with Kong's request id; returns the position of the status.
fn write_combined(text: &mut Vec<u8>, request: &RequestFields<'_>, with_query: bool) -> usize {
    text.extend_from_slice(request.client.as_bytes());
    text.extend_from_slice(b" - - [");
    clock::write_combined(text);
    text.extend_from_slice(b"] \"");
    if request.version != Version::HTTP_09 {
        write_escaped(text, request.method.as_str().as_bytes());
        text.push(b' ');
        write_escaped(text, target(request.target, with_query).as_bytes());
        text.push(b' ');
        text.extend_from_slice(protocol(request.version).as_bytes());
    }
    text.extend_from_slice(b"\" ");
    let position = text.len();
    text.extend_from_slice(b" \"");
    write_escaped(text, referer(request, with_query));
    text.extend_from_slice(b"\" \"");
    write_escaped(text, field(request, &header::USER_AGENT).unwrap_or(b"-"));
    text.extend_from_slice(b"\" kong_request_id: \"");
    text.extend_from_slice(request.id.as_str().as_bytes());
    text.push(b'"');
    position
}

/// Writes a line in JSON without its end; returns the position of the status.
fn write_json(text: &mut Vec<u8>, request: &RequestFields<'_>, with_query: bool) -> io::Result<usize> {
    text.extend_from_slice(b"{\"time\":\"");
    clock::write_json(text);
    write!(text, "\",\"request_id\":\"{}\",\"client_ip\":\"{}\"", request.id, request.client)?;
    if request.version != Version::HTTP_09 {
        write_member(text, "method", request.method.as_str().as_bytes())?;
        write_member(text, "path", target(request.target, with_query).as_bytes())?;
        write_member(text, "protocol", protocol(request.version).as_bytes())?;
    }
    for (name, value) in [
        ("host", field(request, &header::HOST)),
        ("user_agent", field(request, &header::USER_AGENT)),
        ("referer", field(request, &header::REFERER).map(|_| referer(request, with_query))),
    ] {
        if let Some(value) = value {
            write_member(text, name, value)?;
        }
    }
    Ok(text.len())
}

/// Writes the fields of a Route and an upstream.
fn write_route_fields(text: &mut Vec<u8>, fields: RouteFields<'_>) -> io::Result<()> {
    for (name, value) in [("route", fields.route), ("service", fields.service)] {
        if let Some(value) = value {
            write_member(text, name, value.as_bytes())?;
        }
    }
    if let Some((host, port)) = fields.upstream {
        write_member(text, "upstream", format!("{host}:{port}").as_bytes())?;
    }
    for (name, value) in
        [("proxy_latency", fields.proxy_latency), ("upstream_latency", fields.upstream_latency)]
    {
        if let Some(value) = value {
            write!(text, ",\"{name}\":{value}")?;
        }
    }
    Ok(())
}

/// Writes a member of a JSON object, except the first one.
fn write_member(text: &mut Vec<u8>, name: &str, value: &[u8]) -> io::Result<()> {
    write!(text, ",\"{name}\":")?;
    Ok(serde_json::to_writer(text, &String::from_utf8_lossy(value))?)
}

fn field<'a>(request: &RequestFields<'a>, name: &HeaderName) -> Option<&'a [u8]> {
    request.headers.get(name).map(http::HeaderValue::as_bytes)
}

fn target(uri: &Uri, with_query: bool) -> &str {
    if with_query { uri.path_and_query().map_or("/", |target| target.as_str()) } else { uri.path() }
}

/// Value of Referer; without its query unless queries are logged.
fn referer<'a>(request: &RequestFields<'a>, with_query: bool) -> &'a [u8] {
    let whole = field(request, &header::REFERER).unwrap_or(b"-");
    let end = whole.iter().position(|byte| matches!(byte, b'?' | b'#')).filter(|_| !with_query);
    end.and_then(|end| whole.get(..end)).unwrap_or(whole)
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// Writes bytes, escaped so that they cannot end a line or a string. (As nginx's.)
fn write_escaped(text: &mut Vec<u8>, bytes: &[u8]) {
    let needs_escape = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=31 | 127..=255);
    let mut rest = bytes;
    while let Some((plain, [byte, after @ ..])) =
        rest.iter().position(needs_escape).map(|position| rest.split_at(position))
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

    fn request<'a>(target: &'a Uri, headers: &'a HeaderMap, id: &'a RequestId) -> RequestFields<'a> {
        RequestFields {
            client: "192.0.2.1",
            method: &Method::GET,
            target,
            version: Version::HTTP_11,
            headers,
            connection: ConnectionFields {
                client_port: 5000,
                local: (Ipv4Addr::LOCALHOST, 8000).into(),
                tls: None,
            },
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
    fn check(format: AccessLogFormat, with_query: bool, before: &str, after: &str) {
        let (target, headers) = (Uri::from_static("/a?key=secret"), headers());
        let id = RequestId::from_bits(1);
        let request = request(&target, &headers, &id);
        let mut text = Vec::new();
        let position = match format {
            AccessLogFormat::Combined => write_combined(&mut text, &request, with_query),
            AccessLogFormat::Json => write_json(&mut text, &request, with_query).unwrap(),
        };
        let text = String::from_utf8(text).unwrap();
        let (first, second) = text.split_at(position);
        let first = first.split_once(if with_query { "] " } else { "Z\"" }).map_or(first, |(_, rest)| rest);
        assert!(first.ends_with(before), "{first}");
        assert_eq!(second, after);
    }

    #[test]
    fn combined_is_the_format_of_nginx_with_the_request_id() {
        let after = " \"https://a.example/page?token=secret\" \"a \\x22quoted\\x22 one\" kong_request_id: \"00000000000000000000000000000001\"";
        check(AccessLogFormat::Combined, true, "\"GET /a?key=secret HTTP/1.1\" ", after);
        let after = after.replace("?token=secret", "");
        check(AccessLogFormat::Combined, false, "\"GET /a HTTP/1.1\" ", &after);
    }

    #[test]
    fn json_is_an_object_without_its_end() {
        let before = ",\"method\":\"GET\",\"path\":\"/a\",\"protocol\":\"HTTP/1.1\",\
             \"user_agent\":\"a \\\"quoted\\\" one\",\"referer\":\"https://a.example/page\"";
        check(AccessLogFormat::Json, false, before, "");
        let mut text = b"{\"a\":1".to_vec();
        let fields = RouteFields {
            route: Some("r"),
            upstream: Some(("u", 80)),
            upstream_latency: Some(2),
            ..RouteFields::default()
        };
        write_route_fields(&mut text, fields).unwrap();
        assert_eq!(text, b"{\"a\":1,\"route\":\"r\",\"upstream\":\"u:80\",\"upstream_latency\":2");
    }

    #[test]
    fn no_byte_can_end_a_line_or_a_string() {
        let mut text = Vec::new();
        write_escaped(&mut text, b"a\"b\\c\nd\xffe");
        assert_eq!(text, b"a\\x22b\\x5Cc\\x0Ad\\xFFe");
    }
}
