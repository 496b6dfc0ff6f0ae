//! Lines in a format of nginx's `log_format`: values of the request at its beginning, values of the response at its end.

use std::{
    io::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderName, Version, header};

use super::{RequestFields, RouteFields, clock, field, protocol, referer, target, write_escaped};
use crate::{
    base64_codec,
    settings::{LogEscape, LogPart, LogTemplate},
};

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
    /// The user name of Basic authentication, whether or not it was right. (nginx's `$remote_user`.)
    User,
    Cookie(String),
    Argument(String),
    HasArguments,
    Scheme,
    ClientPort,
    LocalAddress,
    LocalPort,
    TlsVersion,
    TlsCipher,
    /// What has no value here, or always the same.
    Fixed(&'static str),
}

/// Variable whose value is known when the response has ended.
#[derive(Clone, Debug)]
enum ResponseVariable {
    Status,
    BodyBytes,
    Time,
    Upstream,
    UpstreamTime,
    UpstreamStatus,
    Field(HeaderName),
    /// The value of a field, once the response is known.
    Value(Vec<u8>),
}

/// Values of the response in a line that has begun.
#[derive(Debug)]
pub(super) struct ResponseValues {
    /// Where each one stands in the text.
    positions: Vec<(usize, ResponseVariable)>,
    escape: LogEscape,
    upstream: String,
    upstream_time: Option<u64>,
    upstream_status: Option<u16>,
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
                LogTemplatePart::Response(variable) => positions.push((text.len(), variable.clone())),
            }
        }
        Box::new(ResponseValues {
            positions,
            escape: self.escape,
            upstream: String::new(),
            upstream_time: None,
            upstream_status: None,
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
            RequestVariable::User => write(text, &user(request).unwrap_or_default()),
            RequestVariable::Cookie(name) => write(text, cookie(request, name).unwrap_or_default()),
            RequestVariable::Argument(name) => {
                let query = request.target.query().filter(|_| with_query).unwrap_or_default();
                write(text, argument(query, name).unwrap_or_default().as_bytes());
            }
            RequestVariable::HasArguments => {
                let query = request.target.query().unwrap_or_default();
                write(text, if query.is_empty() { b"" } else { b"?" });
            }
            RequestVariable::Scheme => {
                write(text, if request.connection.tls.is_some() { b"https" } else { b"http" });
            }
            RequestVariable::ClientPort => write(text, request.connection.client_port.to_string().as_bytes()),
            RequestVariable::LocalAddress => {
                write(text, request.connection.local.ip().to_canonical().to_string().as_bytes());
            }
            RequestVariable::LocalPort => write(text, request.connection.local.port().to_string().as_bytes()),
            RequestVariable::TlsVersion => {
                write(
                    text,
                    request.connection.tls.map(|(version, _)| version).unwrap_or_default().as_bytes(),
                );
            }
            RequestVariable::TlsCipher => {
                write(text, request.connection.tls.map(|(_, cipher)| cipher).unwrap_or_default().as_bytes());
            }
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
    /// Records the header fields of the response and the upstream.
    pub(super) fn record(&mut self, headers: &HeaderMap, fields: RouteFields<'_>) {
        for (_, variable) in &mut self.positions {
            if let ResponseVariable::Field(name) = variable {
                let mut value = Vec::new();
                for (n, part) in headers.get_all(&*name).iter().enumerate() {
                    value.extend_from_slice(if n == 0 { b"" } else { b", " });
                    value.extend_from_slice(part.as_bytes());
                }
                *variable = ResponseVariable::Value(value);
            }
        }
        self.upstream_status = fields.upstream_status;
        if let Some((host, port)) = fields.upstream {
            self.upstream = format!("{host}:{port}");
        }
        self.upstream_time = fields.upstream_latency;
    }

    /// Writes the whole line: the text that has begun with the values of the response in their places.
    pub(super) fn end(&self, lines: &mut Vec<u8>, text: &[u8], end: LineEnd) {
        let mut written = 0;
        for (position, variable) in &self.positions {
            lines.extend_from_slice(text.get(written..*position).unwrap_or_default());
            written = *position;
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
                ResponseVariable::UpstreamStatus => {
                    let status = self.upstream_status.map(|status| status.to_string()).unwrap_or_default();
                    self.escape.write(lines, status.as_bytes());
                    Ok(())
                }
                // There was no response, so its fields have no values.
                ResponseVariable::Field(_) => {
                    self.escape.write(lines, b"");
                    Ok(())
                }
                ResponseVariable::Value(value) => {
                    self.escape.write(lines, value);
                    Ok(())
                }
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
        "remote_user" => Request::User,
        "scheme" => Request::Scheme,
        "is_args" => Request::HasArguments,
        "remote_port" => Request::ClientPort,
        "server_addr" => Request::LocalAddress,
        "server_port" => Request::LocalPort,
        "ssl_protocol" => Request::TlsVersion,
        "ssl_cipher" => Request::TlsCipher,
        "server_name" => Request::Fixed("kong"),
        "pipe" => Request::Fixed("."),
        "status" => return Some(LogTemplatePart::Response(ResponseVariable::Status)),
        "body_bytes_sent" => return Some(LogTemplatePart::Response(ResponseVariable::BodyBytes)),
        "request_time" => return Some(LogTemplatePart::Response(ResponseVariable::Time)),
        "upstream_addr" => return Some(LogTemplatePart::Response(ResponseVariable::Upstream)),
        "upstream_response_time" | "upstream_header_time" => {
            return Some(LogTemplatePart::Response(ResponseVariable::UpstreamTime));
        }
        "upstream_status" => return Some(LogTemplatePart::Response(ResponseVariable::UpstreamStatus)),
        _ => {
            if let Some(name) = name.strip_prefix("sent_http_") {
                return Some(LogTemplatePart::Response(ResponseVariable::Field(field_name(name)?)));
            }
            let named = |prefix: &str| name.strip_prefix(prefix).filter(|name| !name.is_empty());
            if let Some(name) = named("cookie_") {
                Request::Cookie(name.to_owned())
            } else if let Some(name) = named("arg_") {
                Request::Argument(name.to_owned())
            } else {
                Request::Field(field_name(named("http_")?)?)
            }
        }
    };
    Some(LogTemplatePart::Request(request))
}

/// The field that a variable names with `_` for `-`.
fn field_name(name: &str) -> Option<HeaderName> {
    HeaderName::from_bytes(name.replace('_', "-").as_bytes()).ok()
}

/// The user name of Basic authentication.
fn user(request: &RequestFields<'_>) -> Option<Vec<u8>> {
    let (scheme, token) = field(request, &header::AUTHORIZATION)?.split_at_checked(6)?;
    let decoded =
        base64_codec::decode(token.trim_ascii()).filter(|_| scheme.eq_ignore_ascii_case(b"basic "))?;
    let end = decoded.iter().position(|byte| *byte == b':')?;
    decoded.get(..end).map(<[u8]>::to_vec)
}

/// The value of a cookie.
fn cookie<'a>(request: &RequestFields<'a>, name: &str) -> Option<&'a [u8]> {
    let fields = request.headers.get_all(header::COOKIE).iter();
    fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';')).find_map(|pair| {
        let pair = pair.trim_ascii();
        pair.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
    })
}

/// The value of the first argument of this name, as it is written.
fn argument<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}
