//! Headers that the gateway adds (`headers`, `headers_upstream`).

use super::{error::SettingFault, value::list};

/// A header that the gateway may add to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseHeader {
    /// `Server`, on responses of the gateway itself.
    Server,
    /// `Via`, on responses of upstreams.
    Via,
    /// `X-Kong-Proxy-Latency`.
    ProxyLatency,
    /// `X-Kong-Response-Latency`.
    ResponseLatency,
    /// `X-Kong-Upstream-Latency`.
    UpstreamLatency,
    /// `X-Kong-Admin-Latency`.
    AdminLatency,
    /// `X-Kong-Upstream-Status`.
    UpstreamStatus,
    /// `X-Kong-Request-Id`.
    RequestId,
}

/// A set of headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHeaders(u8);

impl ResponseHeaders {
    /// No header.
    pub const NONE: Self = Self(0);

    /// Whether the header is added.
    #[must_use]
    pub const fn contains(self, header: ResponseHeader) -> bool {
        self.0 & bit(header) != 0
    }

    const fn of(headers: &[ResponseHeader]) -> Self {
        let mut bits = 0;
        let mut rest = headers;
        while let [header, tail @ ..] = rest {
            bits |= bit(*header);
            rest = tail;
        }
        Self(bits)
    }
}

const SERVER_TOKENS: ResponseHeaders = ResponseHeaders::of(&[ResponseHeader::Server, ResponseHeader::Via]);
const LATENCY_TOKENS: ResponseHeaders = ResponseHeaders::of(&[
    ResponseHeader::ProxyLatency,
    ResponseHeader::ResponseLatency,
    ResponseHeader::UpstreamLatency,
    ResponseHeader::AdminLatency,
]);

const ENTRIES: &[(&str, ResponseHeaders)] = &[
    ("server_tokens", SERVER_TOKENS),
    ("latency_tokens", LATENCY_TOKENS),
    ("Server", ResponseHeaders::of(&[ResponseHeader::Server])),
    ("Via", ResponseHeaders::of(&[ResponseHeader::Via])),
    ("X-Kong-Proxy-Latency", ResponseHeaders::of(&[ResponseHeader::ProxyLatency])),
    ("X-Kong-Response-Latency", ResponseHeaders::of(&[ResponseHeader::ResponseLatency])),
    ("X-Kong-Upstream-Latency", ResponseHeaders::of(&[ResponseHeader::UpstreamLatency])),
    ("X-Kong-Admin-Latency", ResponseHeaders::of(&[ResponseHeader::AdminLatency])),
    ("X-Kong-Upstream-Status", ResponseHeaders::of(&[ResponseHeader::UpstreamStatus])),
    ("X-Kong-Request-Id", ResponseHeaders::of(&[ResponseHeader::RequestId])),
];

const fn bit(header: ResponseHeader) -> u8 {
    1 << header as u8
}

/// Reads `headers`.
pub(super) fn response(name: &str, text: &str) -> Result<ResponseHeaders, SettingFault> {
    entries(name, text, ENTRIES)
}

/// Reads `headers_upstream`, which can list one header.
pub(super) fn upstream_request_id(name: &str, text: &str) -> Result<bool, SettingFault> {
    let known: Vec<_> = ENTRIES.iter().copied().filter(|(entry, _)| *entry == "X-Kong-Request-Id").collect();
    Ok(entries(name, text, &known)?.contains(ResponseHeader::RequestId))
}

fn entries(
    name: &str,
    text: &str,
    known: &[(&str, ResponseHeaders)],
) -> Result<ResponseHeaders, SettingFault> {
    let items = list(text);
    if items.first() == Some(&"off") {
        return Ok(ResponseHeaders::NONE);
    }
    let mut headers = ResponseHeaders::NONE;
    for item in items {
        let Some((_, set)) = known.iter().find(|(entry, _)| entry.eq_ignore_ascii_case(item)) else {
            let words: Vec<_> = known.iter().map(|(entry, _)| *entry).collect();
            return Err(SettingFault::new(
                format!("{name}: invalid entry '{item}'"),
                format!("write `off`, or some of {}", words.join(", ")),
            ));
        };
        headers.0 |= set.0;
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::{super::Settings, ResponseHeader as H, *};

    #[track_caller]
    fn check(text: &str, expected: &[ResponseHeader]) {
        assert_eq!(response("headers", text), Ok(ResponseHeaders::of(expected)), "{text:?}");
    }

    #[test]
    fn entries_name_single_headers_and_groups() {
        check("server_tokens", &[H::Server, H::Via]);
        check("latency_tokens", &[H::ProxyLatency, H::ResponseLatency, H::UpstreamLatency, H::AdminLatency]);
        check("x-kong-request-id", &[H::RequestId]);
        check("X-Kong-Upstream-Status, Via", &[H::UpstreamStatus, H::Via]);
        check("off", &[]);
    }

    #[test]
    fn the_default_is_kongs() {
        let text = "server_tokens, latency_tokens, X-Kong-Request-Id";
        assert_eq!(Settings::default().headers, response("headers", text).unwrap());
        assert!(!Settings::default().headers.contains(H::UpstreamStatus));
    }

    #[test]
    fn an_unknown_entry_is_refused() {
        let message = |read: Result<_, SettingFault>| read.map(|_: ResponseHeaders| ()).unwrap_err().message;
        assert_eq!(message(response("headers", "server_tokens, foo")), "headers: invalid entry 'foo'");
        assert_eq!(
            upstream_request_id("headers_upstream", "via").unwrap_err().message,
            "headers_upstream: invalid entry 'via'"
        );
    }

    #[test]
    fn the_request_id_is_the_only_header_for_upstreams() {
        assert_eq!(upstream_request_id("headers_upstream", "x-kong-request-id"), Ok(true));
        assert_eq!(upstream_request_id("headers_upstream", "off"), Ok(false));
    }
}
