//! Lines in a format of nginx's `log_format`: values of the request at its beginning, values of the response at its end.

use std::{
    io::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderName, Version, header};

use super::{RequestFields, RouteFields, clock, field, protocol, referer, target, write_escaped};
use crate::settings::{LogEscape, LogPart, LogTemplate};

/// Format whose variables are known.
#[derive(Debug)]
pub(super) struct LineTemplate {
    parts: Vec<LogTemplatePart>,
    escape: LogEscape,
}

#[derive(Debug)]
enum LogTemplatePart {
    Text(String),
    Request(RequestVariable),
    Response(ResponseVariable),
}

/// Variable whose value is known when the request has arrived.
#[derive(Debug)]
enum RequestVariable {
    Client,
    LocalTime,
    IsoTime,
    UnixTime,
    RequestLine,
    Method,
    Target,
    Path,
    Query,
    Protocol,
    RequestId,
    Referer,
    Field(HeaderName),
    /// What has no value here, or always the same.
    Fixed(&'static str),
}

/// Variable whose value is known when the response has ended.
#[derive(Clone, Copy, Debug)]
enum ResponseVariable {
    Status,
    BodyBytes,
    Time,
    Upstream,
    UpstreamTime,
}

/// Values of the response in a line that has begun.
#[derive(Debug)]
pub(super) struct ResponseValues {
    /// Where each one stands in the text.
    positions: Vec<(usize, ResponseVariable)>,
    escape: LogEscape,
    upstream: String,
    upstream_time: Option<u64>,
}

/// Values that every line has at its end.
#[derive(Clone, Copy)]
pub(super) struct LineEnd {
    pub(super) status: u16,
    pub(super) bytes: u64,
    pub(super) time: Duration,
}

impl LineTemplate {
    /// The format, and the names of variables that have no value here.
    pub(super) fn new(template: &LogTemplate) -> (Self, Vec<String>) {
        let mut unknown = Vec::new();
        let parts = template.parts.iter().map(|part| match part {
            LogPart::Text(text) => LogTemplatePart::Text(text.clone()),
            LogPart::Variable(name) => variable(name).unwrap_or_else(|| {
                unknown.push(name.clone());
                LogTemplatePart::Request(RequestVariable::Fixed(""))
            }),
        });
        let parts = parts.collect();
        (Self { parts, escape: template.escape }, unknown)
    }

    /// Writes the values of a request.
    #[expect(
        clippy::unnecessary_box_returns,
        reason = "the line keeps it in a box until the response has ended"
    )]
    pub(super) fn begin(
        &self,
        text: &mut Vec<u8>,
        request: &RequestFields<'_>,
        with_query: bool,
    ) -> Box<ResponseValues> {
        let mut positions = Vec::new();
        for part in &self.parts {
            match part {
                LogTemplatePart::Text(literal) => text.extend_from_slice(literal.as_bytes()),
                LogTemplatePart::Request(variable) => {
                    self.write_variable(text, variable, request, with_query);
                }
                LogTemplatePart::Response(variable) => positions.push((text.len(), *variable)),
            }
        }
        Box::new(ResponseValues {
            positions,
            escape: self.escape,
            upstream: String::new(),
            upstream_time: None,
        })
    }

    fn write_variable(
        &self,
        text: &mut Vec<u8>,
        variable: &RequestVariable,
        request: &RequestFields<'_>,
        with_query: bool,
    ) {
        let is_readable = request.version != Version::HTTP_09;
        let target = target(request.target, with_query);
        let write = |text: &mut Vec<u8>, value: &[u8]| self.escape.write(text, value);
        match variable {
            RequestVariable::Client => write(text, request.client.as_bytes()),
            RequestVariable::LocalTime => clock::write_combined(text),
            RequestVariable::IsoTime => clock::write_json(text),
            RequestVariable::UnixTime => {
                let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                // Writing into memory cannot fail.
                let _ = write!(text, "{}.{:03}", time.as_secs(), time.subsec_millis());
            }
            RequestVariable::RequestId => write(text, request.id.as_str().as_bytes()),
            RequestVariable::Fixed(value) => write(text, value.as_bytes()),
            RequestVariable::Referer => {
                let value = field(request, &header::REFERER).map(|_| referer(request, with_query));
                write(text, value.unwrap_or_default());
            }
            RequestVariable::Field(name) => write(text, field(request, name).unwrap_or_default()),
            _ if !is_readable => write(text, b""),
            RequestVariable::RequestLine => {
                let line = format!("{} {target} {}", request.method, protocol(request.version));
                write(text, line.as_bytes());
            }
            RequestVariable::Method => write(text, request.method.as_str().as_bytes()),
            RequestVariable::Target => write(text, target.as_bytes()),
            RequestVariable::Path => write(text, request.target.path().as_bytes()),
            RequestVariable::Query => {
                let query = request.target.query().filter(|_| with_query);
                write(text, query.unwrap_or_default().as_bytes());
            }
            RequestVariable::Protocol => write(text, protocol(request.version).as_bytes()),
        }
    }
}

impl ResponseValues {
    /// Records the upstream.
    pub(super) fn record(&mut self, fields: RouteFields<'_>) {
        if let Some((host, port)) = fields.upstream {
            self.upstream = format!("{host}:{port}");
        }
        self.upstream_time = fields.upstream_latency;
    }

    /// Writes the whole line: the text that has begun with the values of the response in their places.
    pub(super) fn end(&self, lines: &mut Vec<u8>, text: &[u8], end: LineEnd) {
        let mut written = 0;
        for &(position, variable) in &self.positions {
            lines.extend_from_slice(text.get(written..position).unwrap_or_default());
            written = position;
            // Writing into memory cannot fail.
            let _ = match variable {
                ResponseVariable::Status => write!(lines, "{}", end.status),
                ResponseVariable::BodyBytes => write!(lines, "{}", end.bytes),
                ResponseVariable::Time => write!(lines, "{}", Seconds(end.time.as_millis())),
                ResponseVariable::Upstream => {
                    self.escape.write(lines, self.upstream.as_bytes());
                    Ok(())
                }
                ResponseVariable::UpstreamTime => match self.upstream_time {
                    Some(time) => write!(lines, "{}", Seconds(time.into())),
                    None => {
                        self.escape.write(lines, b"");
                        Ok(())
                    }
                },
            };
        }
        lines.extend_from_slice(text.get(written..).unwrap_or_default());
    }
}

impl LogEscape {
    /// Writes a value; an empty one as nginx does.
    fn write(self, text: &mut Vec<u8>, value: &[u8]) {
        match self {
            Self::Default if value.is_empty() => text.push(b'-'),
            Self::Default => write_escaped(text, value),
            Self::Json => {
                let value = String::from_utf8_lossy(value);
                // A text can always be written as JSON; the quotes are those of the format.
                let quoted = serde_json::to_string(&value).unwrap_or_default();
                let inner = quoted.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"'));
                text.extend_from_slice(inner.unwrap_or_default().as_bytes());
            }
            Self::None => {
                for &byte in value {
                    if matches!(byte, b'\n' | b'\r') {
                        // Writing into memory cannot fail.
                        let _ = write!(text, "\\x{byte:02X}");
                    } else {
                        text.push(byte);
                    }
                }
            }
        }
    }
}

/// Milliseconds as seconds with three digits.
struct Seconds(u128);

impl std::fmt::Display for Seconds {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// The variable with this name of nginx's.
fn variable(name: &str) -> Option<LogTemplatePart> {
    use RequestVariable as Request;
    let request = match name {
        "remote_addr" => Request::Client,
        "time_local" => Request::LocalTime,
        "time_iso8601" => Request::IsoTime,
        "msec" => Request::UnixTime,
        "request" => Request::RequestLine,
        "request_method" => Request::Method,
        "request_uri" => Request::Target,
        "uri" | "document_uri" => Request::Path,
        "args" | "query_string" => Request::Query,
        "server_protocol" => Request::Protocol,
        "request_id" | "kong_request_id" => Request::RequestId,
        "host" => Request::Field(header::HOST),
        "http_referer" => Request::Referer,
        "content_type" => Request::Field(header::CONTENT_TYPE),
        "content_length" => Request::Field(header::CONTENT_LENGTH),
        // As in the format of Kong: credentials are not read for the log.
        "remote_user" => Request::Fixed(""),
        "server_name" => Request::Fixed("kong"),
        "pipe" => Request::Fixed("."),
        "status" => return Some(LogTemplatePart::Response(ResponseVariable::Status)),
        "body_bytes_sent" => return Some(LogTemplatePart::Response(ResponseVariable::BodyBytes)),
        "request_time" => return Some(LogTemplatePart::Response(ResponseVariable::Time)),
        "upstream_addr" => return Some(LogTemplatePart::Response(ResponseVariable::Upstream)),
        "upstream_response_time" | "upstream_header_time" => {
            return Some(LogTemplatePart::Response(ResponseVariable::UpstreamTime));
        }
        _ => {
            let field = name.strip_prefix("http_")?.replace('_', "-");
            Request::Field(HeaderName::from_bytes(field.as_bytes()).ok()?)
        }
    };
    Some(LogTemplatePart::Request(request))
}
