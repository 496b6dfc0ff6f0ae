//! Resolution of host names to addresses, and a cache of the answers for their lifetime.
//!
//! Concurrent lookups of a name share one query. An expired answer is still returned while a new lookup runs, and for
//! `stale_ttl` if that fails. (Kong: `dns_*` settings.) An answer whose address cannot be reached is replaced by a new one
//! before it expires ([`DnsResolver::refresh`]).
//!
//! | part | content |
//! |---|---|
//! | `cache` | cache of answers; shared lookups |
//! | `search` | kinds of records to query, their order, and the answer from them |
//! | `hosts` | names in the hosts file |
//! | `query` | client of the name servers |

mod cache;
mod hosts;
mod query;
mod search;

pub use cache::DnsResolver;

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

/// Options of the resolver. The defaults are Kong's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsOptions {
    /// Name servers; empty for those of `resolv.conf`. (Kong: `dns_resolver`.)
    pub servers: Vec<SocketAddr>,
    /// File of names that are resolved without a query. (Kong: `dns_hostsfile`.)
    pub hosts_file: PathBuf,
    /// Kinds of records, by falling preference. (Kong: `dns_order`.)
    pub order: Vec<RecordKind>,
    /// Whether the kind of the last answer is queried first. (Kong: `LAST` in `dns_order`.)
    pub last_first: bool,
    /// Lifetime of answers, instead of the TTL of the records. (Kong: `dns_valid_ttl`.)
    pub valid_ttl: Option<Duration>,
    /// Time for which an expired answer may still be used. (Kong: `dns_stale_ttl`.)
    pub stale_ttl: Duration,
    /// Longest lifetime of the answer that a name has no records, which begins with a second and grows. (Kong:
    /// `dns_not_found_ttl`.)
    pub not_found_ttl: Duration,
    /// Lifetime of a failure. (Kong: `dns_error_ttl`.)
    pub error_ttl: Duration,
}

impl Default for DnsOptions {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            hosts_file: PathBuf::from("/etc/hosts"),
            order: vec![RecordKind::Srv, RecordKind::A],
            last_first: true,
            valid_ttl: None,
            stale_ttl: Duration::from_hours(1),
            not_found_ttl: Duration::from_secs(30),
            error_ttl: Duration::from_secs(1),
        }
    }
}

/// Kind of DNS records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// Hosts and ports of a service (RFC 2782).
    Srv,
    /// Addresses of IPv4.
    A,
    /// Addresses of IPv6.
    Aaaa,
}

impl RecordKind {
    /// Name of the kind.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Srv => "SRV",
            Self::A => "A",
            Self::Aaaa => "AAAA",
        }
    }
}

/// Answer for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsAnswer {
    /// Kind of the records.
    pub kind: RecordKind,
    /// Hosts, at least one; sorted, so that equal answers compare equal.
    pub hosts: Vec<ResolvedHost>,
    /// Time of the lookup.
    pub looked_up: Instant,
    /// Time at which the answer expires.
    pub expires: Instant,
}

impl DnsAnswer {
    /// The addresses as a list for logs, of which only the first few are shown.
    #[must_use]
    pub fn addresses(&self) -> String {
        const SHOWN: usize = 5;
        let shown: Vec<String> = self.hosts.iter().take(SHOWN).map(|host| host.ip.to_string()).collect();
        let more = if self.hosts.len() > SHOWN { ", ..." } else { "" };
        format!("{}{more}", shown.join(", "))
    }
}

/// Host of an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResolvedHost {
    /// IP address.
    pub ip: IpAddr,
    /// Further fields of an SRV record.
    pub service: Option<SrvFields>,
}

/// Fields of an SRV record, besides the address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SrvFields {
    /// Port, instead of the configured one.
    pub port: u16,
    /// Weight among the hosts, at least 1.
    pub weight: u16,
    /// Name of the host, without the dot at its end.
    pub name: Arc<str>,
}

/// Error of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsError {
    /// The name has no records of the queried kinds.
    NotFound,
    /// The lookup failed, with this message.
    Failed(Arc<str>),
}

impl fmt::Display for DnsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => out.write_str("the name has no address"),
            Self::Failed(message) => out.write_str(message),
        }
    }
}

impl std::error::Error for DnsError {}

impl From<DnsError> for io::Error {
    fn from(error: DnsError) -> Self {
        let kind = if error == DnsError::NotFound { io::ErrorKind::NotFound } else { io::ErrorKind::Other };
        Self::new(kind, error)
    }
}
