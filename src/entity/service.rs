//! A Service: an API behind the gateway. (Kong: Service object.)

use uuid::Uuid;

use crate::document::{Path, Value};

/// An API behind the gateway.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its id, given or derived from its name.
    pub id: Uuid,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// `http`, `https`, `grpc`, ...
    pub protocol: String,
    /// A host name or an address without brackets, or the name of an Upstream.
    pub host: String,
    /// 0 to 65535.
    pub port: u16,
    /// Put before the request's path; begins with `/`.
    pub path: Option<String>,
    /// How often a failed try is repeated, 0 to 32767.
    pub retries: u32,
    /// Milliseconds to establish a connection.
    pub connect_timeout: u64,
    /// Milliseconds between two writes.
    pub write_timeout: u64,
    /// Milliseconds between two reads.
    pub read_timeout: u64,
    /// Whether its Routes take part.
    pub enabled: bool,
    /// The complete record, defaults filled in, as the Admin API shows it.
    pub record: Value,
    /// Where it stands in the file.
    pub at: Path,
}
