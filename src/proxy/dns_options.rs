//! Options of the DNS resolver, from the settings.

use crate::{
    dns::{DnsOptions, RecordKind},
    settings::{DnsOrder, DnsSettings},
};

/// Options of the resolver for these settings.
pub(super) fn dns_options(settings: &DnsSettings) -> DnsOptions {
    let record_kind = |order: &DnsOrder| match order {
        DnsOrder::Srv => Some(RecordKind::Srv),
        DnsOrder::A => Some(RecordKind::A),
        DnsOrder::Aaaa => Some(RecordKind::Aaaa),
        // The resolver follows CNAME records by itself.
        DnsOrder::Last | DnsOrder::Cname => None,
    };
    DnsOptions {
        servers: settings.resolver.clone(),
        hosts_file: settings.hosts_file.clone(),
        order: settings.order.iter().filter_map(record_kind).collect(),
        last_first: settings.order.contains(&DnsOrder::Last),
        valid_ttl: settings.valid_ttl,
        stale_ttl: settings.stale_ttl,
        not_found_ttl: settings.not_found_ttl,
        error_ttl: settings.error_ttl,
    }
}
