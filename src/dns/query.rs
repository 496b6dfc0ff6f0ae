//! The one door to the resolver: records of one kind of one name, and how long they are good.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{DnsError, DnsOptions, RecordKind};

/// Records of one kind.
#[derive(Debug, Default)]
pub(super) struct RecordSet {
    /// Addresses, for A and AAAA.
    pub(super) addresses: Vec<IpAddr>,
    /// Hosts, for SRV.
    pub(super) services: Vec<SrvRecord>,
    /// How long all of them are good.
    pub(super) ttl: Duration,
}

/// An SRV record.
#[derive(Debug)]
pub(super) struct SrvRecord {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    pub(super) name: Arc<str>,
}

#[cfg(feature = "dns")]
pub(super) use of_our_own::Door;

#[cfg(not(feature = "dns"))]
pub(super) use of_the_system::Door;

/// Asks name servers itself.
#[cfg(feature = "dns")]
mod of_our_own {
    use hickory_resolver::{
        Resolver, TokioResolver,
        config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
        net::{NetError, runtime::TokioRuntimeProvider},
        proto::rr::{RData, RecordType},
        system_conf::read_system_conf,
    };

    use super::{Arc, DnsError, DnsOptions, Duration, IpAddr, RecordKind, RecordSet, SrvRecord};

    pub(in crate::dns) struct Door(Result<TokioResolver, Arc<str>>);

    impl Door {
        /// One that asks the servers of `options`, or those of the system.
        pub(in crate::dns) fn open(options: &DnsOptions) -> Self {
            Self(resolver(options).map_err(|error| error.to_string().into()))
        }

        pub(in crate::dns) async fn query(
            &self,
            name: &str,
            kind: RecordKind,
        ) -> Result<RecordSet, DnsError> {
            let resolver = self.0.as_ref().map_err(|why| DnsError::Failed(why.clone()))?;
            let of = match kind {
                RecordKind::Srv => RecordType::SRV,
                RecordKind::A => RecordType::A,
                RecordKind::Aaaa => RecordType::AAAA,
            };
            let found = resolver.lookup(name, of).await.map_err(|error| {
                if error.is_no_records_found() {
                    DnsError::NotFound
                } else {
                    DnsError::Failed(error.to_string().into())
                }
            })?;
            let mut records = RecordSet { ttl: Duration::MAX, ..RecordSet::default() };
            for record in found.answers() {
                // The names on the way to an address age, too.
                records.ttl = records.ttl.min(Duration::from_secs(u64::from(record.ttl)));
                match &record.data {
                    RData::A(address) if kind == RecordKind::A => {
                        records.addresses.push(IpAddr::V4(address.0));
                    }
                    RData::AAAA(address) if kind == RecordKind::Aaaa => {
                        records.addresses.push(IpAddr::V6(address.0));
                    }
                    RData::SRV(it) if kind == RecordKind::Srv => records.services.push(SrvRecord {
                        priority: it.priority,
                        weight: it.weight,
                        port: it.port,
                        name: it.target.to_ascii().trim_end_matches('.').into(),
                    }),
                    _ => {}
                }
            }
            Ok(records)
        }
    }

    fn resolver(options: &DnsOptions) -> Result<TokioResolver, NetError> {
        let system = read_system_conf();
        let (mut config, mut resolving) = match system {
            Ok(system) => system,
            // Whoever names servers needs no file that does.
            Err(_) if !options.servers.is_empty() => (ResolverConfig::default(), ResolverOpts::default()),
            Err(error) => return Err(error),
        };
        if !options.servers.is_empty() {
            let servers = options.servers.iter().map(|server| {
                let mut it = NameServerConfig::udp_and_tcp(server.ip());
                for connection in &mut it.connections {
                    connection.port = server.port();
                }
                it
            });
            let (domain, search, _) = config.into_parts();
            config = ResolverConfig::from_parts(domain, search, servers.collect());
        }
        // Both are ours.
        resolving.use_hosts_file = ResolveHosts::Never;
        resolving.cache_size = 0;
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = resolving;
        builder.build()
    }
}

/// Asks the system, which tells addresses only, and not for how long they are good.
#[cfg(not(feature = "dns"))]
mod of_the_system {
    use super::{DnsError, DnsOptions, Duration, RecordKind, RecordSet};

    pub(in crate::dns) struct Door;

    impl Door {
        pub(in crate::dns) fn open(_: &DnsOptions) -> Self {
            Self
        }

        pub(in crate::dns) async fn query(
            &self,
            name: &str,
            kind: RecordKind,
        ) -> Result<RecordSet, DnsError> {
            if kind == RecordKind::Srv {
                return Err(DnsError::NotFound);
            }
            let found = tokio::net::lookup_host((name, 0)).await;
            let found = found.map_err(|error| DnsError::Failed(error.to_string().into()))?;
            let all = found.map(|it| it.ip()).filter(|it| it.is_ipv4() == (kind == RecordKind::A));
            let addresses: Vec<_> = all.collect();
            if addresses.is_empty() {
                return Err(DnsError::NotFound);
            }
            Ok(RecordSet { addresses, ttl: Duration::from_secs(30), ..RecordSet::default() })
        }
    }
}
