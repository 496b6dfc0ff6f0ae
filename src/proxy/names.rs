//! How names are looked up, as the settings say.

use crate::{
    dns::{DnsOptions, RecordKind},
    settings::{DnsOrder, DnsSettings},
};

/// The resolver's options.
pub(super) fn options(settings: &DnsSettings) -> DnsOptions {
    let kind = |it: &DnsOrder| match it {
        DnsOrder::Srv => Some(RecordKind::Srv),
        DnsOrder::A => Some(RecordKind::A),
        DnsOrder::Aaaa => Some(RecordKind::Aaaa),
        // The resolver follows names by itself.
        DnsOrder::Last | DnsOrder::Cname => None,
    };
    DnsOptions {
        servers: settings.resolver.clone(),
        hosts_file: settings.hosts_file.clone(),
        order: settings.order.iter().filter_map(kind).collect(),
        last_first: settings.order.contains(&DnsOrder::Last),
        valid_ttl: settings.valid_ttl,
        stale_ttl: settings.stale_ttl,
        not_found_ttl: settings.not_found_ttl,
        error_ttl: settings.error_ttl,
    }
}
