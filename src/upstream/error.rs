//! Why an upstream gave no answer, and what the client is told instead.

use std::{error::Error, fmt, io};

use http::StatusCode;

use super::tls;
use crate::body::BodyError;

/// A request that got no answer.
#[derive(Debug)]
pub struct SendFailure {
    /// What went wrong in the last try.
    pub cause: FailureCause,
    /// How many connections were asked for; 0 if there was no address to connect to.
    pub tries: u32,
}

/// What went wrong.
#[derive(Debug)]
pub enum FailureCause {
    /// The host name has no address.
    NameResolution(io::Error),
    /// There is no peer that works, or none at all.
    NoPeer,
    /// The connection was refused or could not be made.
    Connect(io::Error),
    /// There was no connection within the Service's `connect_timeout`.
    ConnectTimeout,
    /// The TLS handshake failed.
    Tls(io::Error),
    /// The request could not be written for as long as `write_timeout`.
    WriteTimeout,
    /// The request was written, and no response came within `read_timeout`.
    ReadTimeout,
    /// The connection was closed or reset before a response.
    Closed(Box<dyn Error + Send + Sync>),
    /// The response was not HTTP, or more of it than is allowed.
    Invalid(Box<dyn Error + Send + Sync>),
    /// The upstream switched protocols and was not asked to.
    UnaskedUpgrade,
    /// The body of the request broke off: the client is to blame.
    RequestBody(Box<dyn Error + Send + Sync>),
}

impl FailureCause {
    /// The status of the answer that the client gets.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NameResolution(_) | Self::NoPeer => StatusCode::SERVICE_UNAVAILABLE,
            Self::ConnectTimeout | Self::WriteTimeout | Self::ReadTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::RequestBody(_) => self.body_error().map_or(StatusCode::BAD_REQUEST, BodyError::status),
            Self::Connect(_) | Self::Tls(_) | Self::Closed(_) | Self::Invalid(_) | Self::UnaskedUpgrade => {
                StatusCode::BAD_GATEWAY
            }
        }
    }

    /// Why the body of the request broke off, if that is what went wrong.
    fn body_error(&self) -> Option<&BodyError> {
        let Self::RequestBody(error) = self else { return None };
        error.downcast_ref().or_else(|| error.source()?.downcast_ref())
    }

    /// The message of that answer, where it is not the status's default one.
    pub fn message(&self) -> Option<&'static str> {
        match self {
            Self::NameResolution(_) => Some("name resolution failed"),
            Self::NoPeer => Some("failure to get a peer from the ring-balancer"),
            Self::RequestBody(_) => self.body_error()?.message(),
            _ => None,
        }
    }

    /// Whether an upstream was looked for at all; if not, the answer carries no upstream latency.
    pub fn reached_upstream(&self) -> bool {
        !matches!(self, Self::NameResolution(_) | Self::NoPeer)
    }

    /// Sorts what hyper reports about an exchange.
    pub(super) fn of_exchange(error: hyper::Error) -> Self {
        if error.is_parse() {
            Self::Invalid(error.into())
        } else if error.is_user() && !error.is_canceled() {
            Self::RequestBody(error.into())
        } else {
            Self::Closed(error.into())
        }
    }

    /// A response that breaks the rules.
    pub(super) fn invalid(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Invalid(error.into())
    }
}

impl fmt::Display for SendFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} (connections tried: {})", self.cause, self.tries)
    }
}

impl fmt::Display for FailureCause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameResolution(error) => write!(out, "name resolution failed: {error}"),
            Self::NoPeer => out.write_str("no target of the upstream works"),
            Self::Connect(error) => write!(out, "connect failed: {error}"),
            Self::ConnectTimeout => out.write_str("no connection within connect_timeout"),
            Self::Tls(error) => write!(out, "TLS handshake failed: {}", tls::reason(error)),
            Self::WriteTimeout => out.write_str("the upstream took no data for longer than write_timeout"),
            Self::ReadTimeout => out.write_str("no response within read_timeout"),
            Self::Closed(error) => write!(out, "the upstream closed the connection: {error}"),
            Self::Invalid(error) => write!(out, "the upstream sent an invalid response: {error}"),
            Self::UnaskedUpgrade => out.write_str("the upstream switched protocols unasked"),
            Self::RequestBody(error) => write!(out, "the request body broke off: {error}"),
        }
    }
}

impl Error for SendFailure {}
impl Error for FailureCause {}
