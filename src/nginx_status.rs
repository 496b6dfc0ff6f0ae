//! Status codes that nginx adds to those of HTTP. Kong's logs, metrics and answers have them.

/// A head, or one of its fields, is too large. Clients receive 400.
pub const REQUEST_HEADER_TOO_LARGE: u16 = 494;

/// The client closed the connection before it had the response.
pub const CLIENT_CLOSED_REQUEST: u16 = 499;
