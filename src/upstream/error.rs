//! Errors of requests to upstreams, and the answers that clients get.

use std::{error::Error, fmt, io};

use http::StatusCode;

use super::tls;
use crate::body::BodyError;

/// A request without a response.
#[derive(Debug)]
pub struct SendFailure {
    /// The error of the last attempt.
    pub cause: FailureCause,
    /// Number of connections that were opened, or failed to open; 0 if there was no address, or only a connection that was
    /// kept open was used.
    pub attempts: u32,
}

/// Cause of a failure.
#[derive(Debug)]
pub enum FailureCause {
    /// The host name has no address.
    NameResolution(io::Error),
    /// There is no healthy peer, or no peer at all.
    NoPeer,
    /// The connection was refused, or could not be opened.
    Connect(io::Error),
    /// The connection was not open within the Service's `connect_timeout`.
    ConnectTimeout,
    /// The TLS handshake failed.
    Tls(io::Error),
    /// The upstream accepted no data for `write_timeout`.
    WriteTimeout,
    /// The request was written, and no response was received within `read_timeout`.
    ReadTimeout,
    /// The connection was closed or reset before a response.
    Closed(Box<dyn Error + Send + Sync>),
    /// The response was not valid HTTP, or exceeded a limit.
    Invalid(Box<dyn Error + Send + Sync>),
    /// The upstream switched protocols without an Upgrade field in the request.
    UnexpectedUpgrade,
    /// The body of the request failed: an error of the client.
    RequestBody(Box<dyn Error + Send + Sync>),
}

impl FailureCause {
    /// The status of the answer that the client gets.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NameResolution(_) | Self::NoPeer => StatusCode::SERVICE_UNAVAILABLE,
            Self::ConnectTimeout | Self::WriteTimeout | Self::ReadTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::RequestBody(_) => self.body_error().map_or(StatusCode::BAD_REQUEST, BodyError::status),
            Self::Connect(_)
            | Self::Tls(_)
            | Self::Closed(_)
            | Self::Invalid(_)
            | Self::UnexpectedUpgrade => StatusCode::BAD_GATEWAY,
        }
    }

    /// The error of the request body, if that is the cause.
    fn body_error(&self) -> Option<&BodyError> {
        let Self::RequestBody(error) = self else { return None };
        error.downcast_ref().or_else(|| error.source()?.downcast_ref())
    }

    /// The message of that answer, where it is not the default message of the status.
    pub fn message(&self) -> Option<&'static str> {
        match self {
            Self::NameResolution(_) => Some("name resolution failed"),
            Self::NoPeer => Some("failure to get a peer from the ring-balancer"),
            Self::RequestBody(_) => self.body_error()?.message(),
            _ => None,
        }
    }

    /// Whether an upstream was contacted; if not, the answer carries no upstream latency.
    pub fn reached_upstream(&self) -> bool {
        !matches!(self, Self::NameResolution(_) | Self::NoPeer)
    }

    /// Classifies an error that hyper reports about an exchange.
    pub(super) fn from_hyper(error: hyper::Error) -> Self {
        let h2 = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
        if let Some(refused) = h2.filter(|error| error.is_library()).and_then(RefusedByHttp2::new) {
            // What ends the connection may be the fault of another request's response.
            let is_own = h2.is_some_and(h2::Error::is_reset);
            if is_own { Self::Invalid(refused.into()) } else { Self::Closed(refused.into()) }
        } else if error.is_parse() {
            Self::Invalid(error.into())
        } else if error.is_user() && !error.is_canceled() {
            Self::RequestBody(error.into())
        } else {
            Self::Closed(error.into())
        }
    }

    /// An invalid response.
    pub(super) fn invalid(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Invalid(error.into())
    }
}

/// A response that the implementation of HTTP/2 refuses. It does not tell the reasons apart.
#[derive(Debug)]
struct RefusedByHttp2(h2::Reason);

impl RefusedByHttp2 {
    fn new(error: &h2::Error) -> Option<Self> {
        let is_refusal = |reason: &h2::Reason| {
            matches!(*reason, h2::Reason::PROTOCOL_ERROR | h2::Reason::ENHANCE_YOUR_CALM)
        };
        error.reason().filter(is_refusal).map(Self)
    }
}

impl fmt::Display for RefusedByHttp2 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "its head is larger than the bound of nginx_proxy_proxy_buffer_size \
             (KONG_NGINX_PROXY_PROXY_BUFFER_SIZE), or it is no valid HTTP/2 ({})",
            self.0.description()
        )
    }
}

impl Error for RefusedByHttp2 {}

impl fmt::Display for SendFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(out)?;
        match self.attempts {
            0 if !matches!(
                self.cause,
                FailureCause::Closed(_) | FailureCause::WriteTimeout | FailureCause::ReadTimeout
            ) =>
            {
                Ok(())
            }
            0 => out.write_str(
                " (on a connection that had been kept open; the request was not repeated, as the upstream may have \
                 received it)",
            ),
            attempts => write!(out, " (connections tried: {attempts})"),
        }
    }
}

impl fmt::Display for FailureCause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameResolution(error) => write!(out, "name resolution failed: {error}"),
            Self::NoPeer => out.write_str("no target of the upstream is healthy"),
            Self::Connect(error) => write!(out, "connect failed: {error}"),
            Self::ConnectTimeout => out.write_str("no connection within connect_timeout"),
            Self::Tls(error) => write!(out, "TLS handshake failed: {}", tls::reason(error)),
            Self::WriteTimeout => {
                out.write_str("the upstream accepted no data for longer than write_timeout")
            }
            Self::ReadTimeout => out.write_str("no response within read_timeout"),
            Self::Closed(error) => write!(out, "the upstream closed the connection: {error}"),
            Self::Invalid(error) => write!(out, "the upstream sent an invalid response: {error}"),
            Self::UnexpectedUpgrade => {
                out.write_str("the upstream switched protocols without an Upgrade field in the request")
            }
            Self::RequestBody(error) => write!(out, "the request body broke off: {error}"),
        }
    }
}

impl Error for SendFailure {}
impl Error for FailureCause {}
