//! NAMES: host names become addresses, and what was found is kept for as long as its owner allows.
//!
//! A name is looked up once, however many ask for it at the same time. An answer that is too old is still given
//! while a new one is on its way, and for `stale_ttl` after if none comes. (Kong: `dns_*` settings.)
//!
//! | part | what it is for |
//! |---|---|
//! | [`cache`] | answers and their ages; one lookup for all who ask |
//! | [`search`] | which records are asked for, in which order, and what they make together |
//! | [`hosts`] | names that a file knows |
//! | [`query`] | the one door to the resolver |

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

/// How names are looked up. The defaults are Kong's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsOptions {
    /// Name servers in place of those that `resolv.conf` names; none keeps those. (Kong: `dns_resolver`.)
    pub servers: Vec<SocketAddr>,
    /// The file of names that are known without a query. (Kong: `dns_hostsfile`.)
    pub hosts_file: PathBuf,
    /// Which records are asked for, the first that exist are taken. (Kong: `dns_order`.)
    pub order: Vec<RecordKind>,
    /// Whether a name is asked first for what it had last. (Kong: `LAST` in `dns_order`.)
    pub last_first: bool,
    /// How long an answer is good, in place of what its owner says. (Kong: `dns_valid_ttl`.)
    pub valid_ttl: Option<Duration>,
    /// How long an answer may still be given after that. (Kong: `dns_stale_ttl`.)
    pub stale_ttl: Duration,
    /// How long it is remembered that a name has no records. (Kong: `dns_not_found_ttl`.)
    pub not_found_ttl: Duration,
    /// How long it is remembered that a lookup failed. (Kong: `dns_error_ttl`.)
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

/// A kind of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// Hosts and ports that offer a service (RFC 2782).
    Srv,
    /// Addresses of IPv4.
    A,
    /// Addresses of IPv6.
    Aaaa,
}

impl RecordKind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Srv => "SRV",
            Self::A => "A",
            Self::Aaaa => "AAAA",
        }
    }
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsAnswer {
    /// The kind of its records.
    pub kind: RecordKind,
    /// Where it is, at least one place; sorted, so that equal answers are equal.
    pub hosts: Vec<ResolvedHost>,
    /// Until when it is good.
    pub expires: Instant,
}

/// One place that a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResolvedHost {
    /// Its address.
    pub ip: IpAddr,
    /// What an SRV record says besides.
    pub service: Option<SrvFields>,
}

/// What an SRV record says besides an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SrvFields {
    /// The port, in place of any other.
    pub port: u16,
    /// Its part of the traffic beside the others, at least 1.
    pub weight: u16,
    /// The name of the host, without the dot at its end.
    pub name: Arc<str>,
}

/// Why a name stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsError {
    /// It has no records of the kinds that were asked for.
    NotFound,
    /// Nobody could say.
    Failed(Arc<str>),
}

impl fmt::Display for DnsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => out.write_str("the name has no address"),
            Self::Failed(why) => out.write_str(why),
        }
    }
}

impl std::error::Error for DnsError {}

impl From<DnsError> for io::Error {
    fn from(fault: DnsError) -> Self {
        let kind = if fault == DnsError::NotFound { io::ErrorKind::NotFound } else { io::ErrorKind::Other };
        Self::new(kind, fault)
    }
}
