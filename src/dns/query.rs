//! Client of the name servers: queries one kind of records of one name.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{DnsError, DnsOptions, RecordKind};

/// Records of one kind.
#[derive(Debug, Default)]
pub(super) struct RecordSet {
    /// Addresses, for A and AAAA.
    pub(super) addresses: Vec<IpAddr>,
    /// Hosts, for SRV.
    pub(super) services: Vec<SrvRecord>,
    /// Least TTL of the records.
    pub(super) ttl: Duration,
}

/// SRV record. (RFC 2782)
#[derive(Debug)]
pub(super) struct SrvRecord {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    pub(super) name: Arc<str>,
}

#[cfg(feature = "dns")]
pub(super) use hickory::HickoryClient as DnsClient;

#[cfg(not(feature = "dns"))]
pub(super) use system::SystemClient as DnsClient;

/// Client that queries name servers itself.
#[cfg(feature = "dns")]
mod hickory {
    use hickory_resolver::{
        Resolver, TokioResolver,
        config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
        net::{NetError, runtime::TokioRuntimeProvider},
        proto::rr::{RData, RecordType},
        system_conf::read_system_conf,
    };

    use super::{Arc, DnsError, DnsOptions, Duration, IpAddr, RecordKind, RecordSet, SrvRecord};

    pub(in crate::dns) struct HickoryClient(Result<TokioResolver, Arc<str>>);

    impl HickoryClient {
        /// A client of the name servers of `options`, or of those of the system.
        pub(in crate::dns) fn new(options: &DnsOptions) -> Self {
            Self(resolver(options).map_err(|error| error.to_string().into()))
        }

        pub(in crate::dns) async fn query(
            &self,
            name: &str,
            kind: RecordKind,
        ) -> Result<RecordSet, DnsError> {
            let resolver = self.0.as_ref().map_err(|message| DnsError::Failed(message.clone()))?;
            let record_type = match kind {
                RecordKind::Srv => RecordType::SRV,
                RecordKind::A => RecordType::A,
                RecordKind::Aaaa => RecordType::AAAA,
            };
            let response = resolver.lookup(name, record_type).await.map_err(|error| {
                if error.is_no_records_found() {
                    DnsError::NotFound
                } else {
                    DnsError::Failed(error.to_string().into())
                }
            })?;
            let mut records = RecordSet { ttl: Duration::MAX, ..RecordSet::default() };
            for record in response.answers() {
                // CNAME records limit the lifetime, too.
                records.ttl = records.ttl.min(Duration::from_secs(u64::from(record.ttl)));
                match &record.data {
                    RData::A(address) if kind == RecordKind::A => {
                        records.addresses.push(IpAddr::V4(address.0));
                    }
                    RData::AAAA(address) if kind == RecordKind::Aaaa => {
                        records.addresses.push(IpAddr::V6(address.0));
                    }
                    RData::SRV(service) if kind == RecordKind::Srv => records.services.push(SrvRecord {
                        priority: service.priority,
                        weight: service.weight,
                        port: service.port,
                        name: service.target.to_ascii().trim_end_matches('.').into(),
                    }),
                    _ => {}
                }
            }
            Ok(records)
        }
    }

    fn resolver(options: &DnsOptions) -> Result<TokioResolver, NetError> {
        let system = read_system_conf();
        let (mut config, mut resolver_options) = match system {
            Ok(system) => system,
            // With configured servers, resolv.conf is not needed.
            Err(_) if !options.servers.is_empty() => (ResolverConfig::default(), ResolverOpts::default()),
            Err(error) => return Err(error),
        };
        if !options.servers.is_empty() {
            let servers = options.servers.iter().map(|server| {
                let mut config = NameServerConfig::udp_and_tcp(server.ip());
                for connection in &mut config.connections {
                    connection.port = server.port();
                }
                config
            });
            let (domain, search, _) = config.into_parts();
            config = ResolverConfig::from_parts(domain, search, servers.collect());
        }
        // The hosts file and the cache are those of this module.
        resolver_options.use_hosts_file = ResolveHosts::Never;
        resolver_options.cache_size = 0;
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = resolver_options;
        builder.build()
    }
}

/// Client of the system's resolver, which returns only addresses, without a TTL.
#[cfg(not(feature = "dns"))]
mod system {
    use super::{DnsError, DnsOptions, Duration, RecordKind, RecordSet};

    pub(in crate::dns) struct SystemClient;

    impl SystemClient {
        pub(in crate::dns) fn new(_: &DnsOptions) -> Self {
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
            let all = found.map(|socket| socket.ip()).filter(|ip| ip.is_ipv4() == (kind == RecordKind::A));
            let addresses: Vec<_> = all.collect();
            if addresses.is_empty() {
                return Err(DnsError::NotFound);
            }
            Ok(RecordSet { addresses, ttl: Duration::from_secs(30), ..RecordSet::default() })
        }
    }
}
