//! Search of a name: kinds of records to query, their order, and the answer from them.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    DnsAnswer, DnsError, DnsOptions, RecordKind, ResolvedHost, SrvFields, hosts::HostsFile, query::DnsClient,
};

/// Least lifetime of an answer.
const MIN_LIFETIME: Duration = Duration::from_secs(1);
/// Longest lifetime of an answer.
const MAX_LIFETIME: Duration = Duration::from_hours(24);
/// Lifetime of an answer from the hosts file, which has no TTL and may change at any time.
const HOSTS_LIFETIME: Duration = Duration::from_secs(5);

/// Search by the options, the hosts file and the name servers.
pub(super) struct NameSearch {
    pub(super) options: DnsOptions,
    hosts: HostsFile,
    client: DnsClient,
}

impl NameSearch {
    pub(super) fn new(options: DnsOptions) -> Self {
        Self { hosts: HostsFile::read(&options.hosts_file), client: DnsClient::new(&options), options }
    }

    /// Looks a name up: in the hosts file, then by kinds of records. The kind `last` is queried first and alone.
    pub(super) async fn find(&self, name: &str, last: Option<RecordKind>) -> Result<DnsAnswer, DnsError> {
        if let Some((kind, addresses)) = self.hosts.find(name, &self.options.order) {
            let hosts = addresses.into_iter().map(|ip| ResolvedHost { ip, service: None }).collect();
            return Ok(new_answer(kind, hosts, HOSTS_LIFETIME));
        }
        if let Some(last) = last.filter(|_| self.options.last_first) {
            match self.query_kind(name, last).await {
                Err(DnsError::NotFound) => {}
                found => return found,
            }
        }
        // All kinds at once: a server that does not answer queries for SRV delays the addresses only once.
        let (srv, a, aaaa) = tokio::join!(
            self.query_configured(name, RecordKind::Srv, last),
            self.query_configured(name, RecordKind::A, last),
            self.query_configured(name, RecordKind::Aaaa, last),
        );
        let mut results = [(RecordKind::Srv, srv), (RecordKind::A, a), (RecordKind::Aaaa, aaaa)];
        let rank = |kind: RecordKind| self.options.order.iter().position(|other| *other == kind);
        results.sort_by_key(|(kind, _)| rank(*kind));
        let mut last_error = DnsError::NotFound;
        for (_, result) in results {
            match result {
                Err(DnsError::NotFound) => {}
                Err(error) => last_error = error,
                found => return found,
            }
        }
        Err(last_error)
    }

    /// Queries a kind if it is in `order` and has not been queried as `last`.
    async fn query_configured(
        &self,
        name: &str,
        kind: RecordKind,
        last: Option<RecordKind>,
    ) -> Result<DnsAnswer, DnsError> {
        let is_queried = self.options.last_first && last == Some(kind);
        if is_queried || !self.options.order.contains(&kind) {
            return Err(DnsError::NotFound);
        }
        self.query_kind(name, kind).await
    }

    /// Queries one kind of records of a name.
    async fn query_kind(&self, name: &str, kind: RecordKind) -> Result<DnsAnswer, DnsError> {
        let records = self.client.query(name, kind).await?;
        let mut ttl = records.ttl;
        let mut hosts: Vec<ResolvedHost> =
            records.addresses.iter().map(|ip| ResolvedHost { ip: *ip, service: None }).collect();
        // Only hosts of the best priority are used. (RFC 2782)
        let best = records.services.iter().map(|service| service.priority).min();
        for service in records.services.iter().filter(|service| Some(service.priority) == best) {
            let Ok((addresses, lifetime)) = self.service_addresses(&service.name).await else { continue };
            ttl = ttl.min(lifetime);
            hosts.extend(addresses.into_iter().map(|ip| ResolvedHost {
                ip,
                service: Some(SrvFields {
                    port: service.port,
                    weight: service.weight.max(1),
                    name: Arc::clone(&service.name),
                }),
            }));
        }
        if hosts.is_empty() {
            Err(DnsError::NotFound)
        } else {
            Ok(new_answer(kind, hosts, self.lifetime(ttl)))
        }
    }

    /// Addresses of the host of an SRV record, and their lifetime.
    async fn service_addresses(&self, name: &str) -> Result<(Vec<std::net::IpAddr>, Duration), DnsError> {
        if let Some((_, addresses)) = self.hosts.find(name, &self.options.order) {
            return Ok((addresses, MAX_LIFETIME));
        }
        let mut last_error = DnsError::NotFound;
        for kind in [RecordKind::A, RecordKind::Aaaa] {
            match self.client.query(&format!("{name}."), kind).await {
                Ok(records) if !records.addresses.is_empty() => return Ok((records.addresses, records.ttl)),
                Ok(_) => {}
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    /// Lifetime of an answer with this TTL.
    fn lifetime(&self, ttl: Duration) -> Duration {
        self.options.valid_ttl.unwrap_or(ttl).clamp(MIN_LIFETIME, MAX_LIFETIME)
    }
}

fn new_answer(kind: RecordKind, mut hosts: Vec<ResolvedHost>, lifetime: Duration) -> DnsAnswer {
    hosts.sort_unstable();
    hosts.dedup();
    let now = Instant::now();
    DnsAnswer { kind, hosts, looked_up: now, expires: now + lifetime }
}
