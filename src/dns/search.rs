//! Which records are asked for, in which order, and what they make together.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    DnsAnswer, DnsError, DnsOptions, RecordKind, ResolvedHost, SrvFields, hosts::HostsFile, query::Door,
};

/// Answers that may be used for no time at all are used for this long.
const SHORTEST: Duration = Duration::from_secs(1);
/// What a file says does not age; this is as good as for ever.
const LONGEST: Duration = Duration::from_hours(24);

/// All that is needed to look a name up.
pub(super) struct NameSearch {
    pub(super) options: DnsOptions,
    hosts: HostsFile,
    door: Door,
}

impl NameSearch {
    pub(super) fn new(options: DnsOptions) -> Self {
        Self { hosts: HostsFile::read(&options.hosts_file), door: Door::open(&options), options }
    }

    /// Looks a name up: in the file, then by the kinds of records, `last` first and alone.
    pub(super) async fn find(&self, name: &str, last: Option<RecordKind>) -> Result<DnsAnswer, DnsError> {
        if let Some((kind, addresses)) = self.hosts.find(name, &self.options.order) {
            let hosts = addresses.into_iter().map(|ip| ResolvedHost { ip, service: None }).collect();
            return Ok(answer(kind, hosts, LONGEST));
        }
        if let Some(last) = last.filter(|_| self.options.last_first) {
            match self.of_kind(name, last).await {
                Err(DnsError::NotFound) => {}
                found => return found,
            }
        }
        // All at once: a server that knows nothing of SRV, and says nothing, holds up the addresses only once.
        let (srv, a, aaaa) = tokio::join!(
            self.if_wanted(name, RecordKind::Srv, last),
            self.if_wanted(name, RecordKind::A, last),
            self.if_wanted(name, RecordKind::Aaaa, last),
        );
        let mut found = [(RecordKind::Srv, srv), (RecordKind::A, a), (RecordKind::Aaaa, aaaa)];
        let place = |kind: RecordKind| self.options.order.iter().position(|it| *it == kind);
        found.sort_by_key(|(kind, _)| place(*kind));
        let mut worst = DnsError::NotFound;
        for (_, found) in found {
            match found {
                Err(DnsError::NotFound) => {}
                Err(fault) => worst = fault,
                found => return found,
            }
        }
        Err(worst)
    }

    /// What a name has of a kind that is in the order, and was not asked for already.
    async fn if_wanted(
        &self,
        name: &str,
        kind: RecordKind,
        last: Option<RecordKind>,
    ) -> Result<DnsAnswer, DnsError> {
        let asked = self.options.last_first && last == Some(kind);
        if asked || !self.options.order.contains(&kind) {
            return Err(DnsError::NotFound);
        }
        self.of_kind(name, kind).await
    }

    async fn of_kind(&self, name: &str, kind: RecordKind) -> Result<DnsAnswer, DnsError> {
        let records = self.door.query(name, kind).await?;
        let mut ttl = records.ttl;
        let mut hosts: Vec<ResolvedHost> =
            records.addresses.iter().map(|ip| ResolvedHost { ip: *ip, service: None }).collect();
        // Only the hosts of the best priority take part (RFC 2782).
        let best = records.services.iter().map(|it| it.priority).min();
        for service in records.services.iter().filter(|it| Some(it.priority) == best) {
            let Ok((addresses, good)) = self.addresses(&service.name).await else { continue };
            ttl = ttl.min(good);
            hosts.extend(addresses.into_iter().map(|ip| ResolvedHost {
                ip,
                service: Some(SrvFields {
                    port: service.port,
                    weight: service.weight.max(1),
                    name: Arc::clone(&service.name),
                }),
            }));
        }
        if hosts.is_empty() { Err(DnsError::NotFound) } else { Ok(answer(kind, hosts, self.good_for(ttl))) }
    }

    /// The addresses of a host that an SRV record names.
    async fn addresses(&self, name: &str) -> Result<(Vec<std::net::IpAddr>, Duration), DnsError> {
        if let Some((_, addresses)) = self.hosts.find(name, &self.options.order) {
            return Ok((addresses, LONGEST));
        }
        let mut fault = DnsError::NotFound;
        for kind in [RecordKind::A, RecordKind::Aaaa] {
            match self.door.query(&format!("{name}."), kind).await {
                Ok(records) if !records.addresses.is_empty() => return Ok((records.addresses, records.ttl)),
                Ok(_) => {}
                Err(it) => fault = it,
            }
        }
        Err(fault)
    }

    fn good_for(&self, ttl: Duration) -> Duration {
        self.options.valid_ttl.unwrap_or(ttl).clamp(SHORTEST, LONGEST)
    }
}

fn answer(kind: RecordKind, mut hosts: Vec<ResolvedHost>, good: Duration) -> DnsAnswer {
    hosts.sort_unstable();
    hosts.dedup();
    DnsAnswer { kind, hosts, expires: Instant::now() + good }
}
