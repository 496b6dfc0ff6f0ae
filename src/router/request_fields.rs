//! Fields of requests in Kong's expression language, and their values.

use std::sync::LazyLock;

use atc_router::ast::{Type, Value};
use atc_router::context::Context;
use atc_router::schema::Schema;

use super::RouterRequest;
use super::hosts::HostName;
use crate::uri::Scheme;

/// The name of the field whose match is removed from the path.
pub(super) const PATH: &str = "http.path";

/// The names of all fields and their types; `*` is a name that the author chooses.
/// (Kong: "Expressions router", matching fields.)
const FIELDS: &[(&str, Type)] = &[
    ("net.protocol", Type::String),
    ("tls.sni", Type::String),
    ("http.method", Type::String),
    ("http.host", Type::String),
    (PATH, Type::String),
    ("http.path.segments.*", Type::String),
    ("http.path.segments.len", Type::Int),
    ("http.headers.*", Type::String),
    ("http.queries.*", Type::String),
    ("net.src.ip", Type::IpAddr),
    ("net.src.port", Type::Int),
    ("net.dst.ip", Type::IpAddr),
    ("net.dst.port", Type::Int),
];

/// The schema of all fields, for the engine.
pub(super) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let mut schema = Schema::default();
    for (name, kind) in FIELDS {
        let kind = match kind {
            Type::Int => Type::Int,
            Type::IpAddr => Type::IpAddr,
            _ => Type::String,
        };
        schema.add_field(name, kind);
    }
    schema
});

/// The names of all fields, for error messages.
pub(super) fn field_names() -> String {
    FIELDS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// A field that an expression uses.
#[derive(Debug)]
pub(super) struct RequestField {
    /// The name in the expression.
    name: String,
    source: FieldSource,
}

/// The source of the value of a field.
#[derive(Debug)]
enum FieldSource {
    Protocol,
    ServerName,
    Method,
    Host,
    Path,
    /// The segments of the path from the first to the last index, both from 0 and included.
    Segments(usize, usize),
    SegmentCount,
    /// A header; the name has underscores in place of dashes.
    Header(String),
    Query(String),
    ClientIp,
    ClientPort,
    DestinationIp,
    DestinationPort,
    /// A field without a value: a segment whose number is invalid.
    Nothing,
}

impl RequestField {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), source: FieldSource::of(name) }
    }

    /// Adds the values of a request to the context of the engine; a header or a query argument may have several.
    pub(super) fn add_to(
        &self,
        request: &RouterRequest<'_>,
        host: Option<&HostName>,
        context: &mut Context<'_>,
    ) {
        let mut text = |text: &[u8]| {
            context.add_value(&self.name, Value::String(String::from_utf8_lossy(text).into_owned()));
        };
        match &self.source {
            FieldSource::Protocol if request.scheme == Scheme::Https => text(b"https"),
            FieldSource::Protocol => text(b"http"),
            FieldSource::ServerName => request.sni.into_iter().for_each(|name| text(name.as_bytes())),
            FieldSource::Method => text(request.method.as_bytes()),
            FieldSource::Host => host.into_iter().for_each(|host| text(host.name())),
            FieldSource::Path => text(request.path),
            FieldSource::Segments(first, last) => {
                let all: Vec<&[u8]> = segments(request.path).collect();
                all.get(*first..=*last).into_iter().for_each(|segments| text(&segments.join(&b'/')));
            }
            FieldSource::Header(name) => {
                let lines =
                    request.headers.iter().filter(|(field_name, _)| is_header(name, field_name.as_str()));
                lines.for_each(|(_, value)| text(value.as_bytes()));
            }
            FieldSource::Query(name) => {
                let arguments = form_urlencoded::parse(request.query.unwrap_or_default().as_bytes());
                arguments.filter(|(key, _)| key == name).for_each(|(_, value)| text(value.as_bytes()));
            }
            _ => {
                if let Some(value) = self.typed_value(request, host) {
                    context.add_value(&self.name, value);
                }
            }
        }
    }

    /// The value of a field that is a number or an address.
    fn typed_value(&self, request: &RouterRequest<'_>, host: Option<&HostName>) -> Option<Value> {
        let RouterRequest { source, destination, .. } = request;
        Some(match self.source {
            FieldSource::SegmentCount => {
                Value::Int(i64::try_from(segments(request.path).count()).unwrap_or(i64::MAX))
            }
            FieldSource::ClientIp => Value::IpAddr(source.ip().to_canonical()),
            FieldSource::ClientPort => Value::Int(source.port().into()),
            FieldSource::DestinationIp => Value::IpAddr(destination.ip().to_canonical()),
            FieldSource::DestinationPort => {
                Value::Int(host.and_then(|host| host.port).unwrap_or(destination.port()).into())
            }
            _ => return None,
        })
    }
}

impl FieldSource {
    fn of(name: &str) -> Self {
        match name {
            "net.protocol" => return Self::Protocol,
            "tls.sni" => return Self::ServerName,
            "http.method" => return Self::Method,
            "http.host" => return Self::Host,
            PATH => return Self::Path,
            "http.path.segments.len" => return Self::SegmentCount,
            "net.src.ip" => return Self::ClientIp,
            "net.src.port" => return Self::ClientPort,
            "net.dst.ip" => return Self::DestinationIp,
            "net.dst.port" => return Self::DestinationPort,
            _ => {}
        }
        if let Some(header) = name.strip_prefix("http.headers.") {
            return Self::Header(header.to_owned());
        }
        if let Some(argument) = name.strip_prefix("http.queries.") {
            return Self::Query(argument.to_owned());
        }
        let range = name.strip_prefix("http.path.segments.").and_then(|range| {
            let (first, last) = range.split_once('_').unwrap_or((range, range));
            Some((first.parse().ok()?, last.parse().ok()?))
        });
        match range {
            Some((first, last)) if first <= last => Self::Segments(first, last),
            _ => Self::Nothing,
        }
    }
}

/// The segments of a path; empty ones at the end are omitted.
fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let start = path.strip_prefix(b"/").unwrap_or(path);
    let end = start.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let inner = start.get(..end).unwrap_or_default();
    inner.split(|byte| *byte == b'/').filter(move |_| !inner.is_empty())
}

fn is_header(written: &str, name: &str) -> bool {
    let plain = |byte: u8| if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
    written.len() == name.len() && written.bytes().zip(name.bytes()).all(|(a, b)| plain(a) == plain(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_stand_between_slashes() {
        #[track_caller]
        fn check(path: &str, expected: &[&str]) {
            let actual: Vec<_> = segments(path.as_bytes()).map(String::from_utf8_lossy).collect();
            assert_eq!(actual, expected, "{path}");
        }
        check("/", &[]);
        check("/a", &["a"]);
        check("/a/b//", &["a", "b"]);
        check("//a", &["", "a"]);
        check("", &[]);
    }

    #[test]
    fn a_header_is_written_with_underscores_in_any_case() {
        assert!(is_header("x_key", "x-key"));
        assert!(is_header("X_Key", "x_key"));
        assert!(!is_header("x_key", "x-keys"));
    }
}
