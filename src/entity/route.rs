//! A Route: a rule that picks requests for a Service. (Kong: Route object.)

use std::net::IpAddr;

use uuid::Uuid;

use super::ServiceIndex;
use crate::document::{Path, Value};

/// A rule that picks requests for a Service.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its id, given or derived from its name.
    pub id: Uuid,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The Service it leads to.
    pub service: Option<ServiceIndex>,
    /// `http`, `https`, `grpc`, ...; at least one.
    pub protocols: Vec<String>,
    /// Upper-case methods; empty means all.
    pub methods: Vec<String>,
    /// `name`, `name:port`, `*.suffix` or `prefix.*`; empty means all.
    pub hosts: Vec<String>,
    /// Prefixes that begin with `/`, or regular expressions that begin with `~/`; empty means all.
    pub paths: Vec<String>,
    /// Header names as written, each with the values of which one must be there; `~*` begins a regular expression.
    pub headers: Vec<(String, Vec<String>)>,
    /// Names of TLS server name indication, wildcards as in hosts; empty means all.
    pub snis: Vec<String>,
    /// Client addresses; empty means all.
    pub sources: Vec<Endpoint>,
    /// Server addresses; empty means all.
    pub destinations: Vec<Endpoint>,
    /// The status that sends clients from http to https: 426, 301, 302, 307 or 308.
    pub https_redirect_status_code: u16,
    /// Among routes with regular expressions, higher wins.
    pub regex_priority: i64,
    /// Whether the matched prefix is cut off before the request goes upstream.
    pub strip_path: bool,
    /// How the Service's path and the request's are joined.
    pub path_handling: PathHandling,
    /// Whether the upstream sees the client's Host header.
    pub preserve_host: bool,
    /// Whether a request body is held until it is complete.
    pub request_buffering: bool,
    /// Whether a response body is held back.
    pub response_buffering: bool,
    /// Unix time in seconds, if the file says so; breaks ties in the flavour `traditional`.
    pub created_at: Option<i64>,
    /// The complete record, defaults filled in, as the Admin API shows it.
    pub record: Value,
    /// Where it stands in the file.
    pub at: Path,
}

/// One entry of `sources` or `destinations`: an address, a port, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// An address and how many of its leading bits count.
    pub ip: Option<(IpAddr, u8)>,
    /// A port.
    pub port: Option<u16>,
}

/// How the Service's path and the request's are joined. (Kong: Route object, `path_handling`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PathHandling {
    /// With exactly one slash between them.
    #[default]
    V0,
    /// Put together as they are; only in the flavour `traditional`.
    V1,
}
