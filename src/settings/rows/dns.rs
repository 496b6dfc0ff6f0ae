//! Settings of name resolution.

use super::{
    super::dns::{file, optional_time, order, servers, time},
    SettingRow, read,
};

pub(super) const ROWS: &[SettingRow] = &[
    SettingRow::new(
        "dns_resolver",
        "",
        "Name servers, `ADDRESS` or `ADDRESS:PORT`, in place of those of /etc/resolv.conf",
        read!(dns.resolver, servers),
    )
    .aliases(&["resolver_address"]),
    SettingRow::new(
        "dns_hostsfile",
        "/etc/hosts",
        "File of names that are resolved without a query",
        read!(dns.hosts_file, file),
    )
    .aliases(&["resolver_hosts_file"]),
    SettingRow::new(
        "dns_order",
        "LAST,SRV,A,CNAME",
        "Kinds of records, in the order in which they are queried",
        read!(dns.order, order),
    ),
    SettingRow::new(
        "dns_valid_ttl",
        "",
        "Time that records are valid, in seconds, in place of their own",
        read!(dns.valid_ttl, optional_time),
    )
    .aliases(&["resolver_valid_ttl"]),
    SettingRow::new(
        "dns_stale_ttl",
        "3600",
        "Time that expired records may still be used, in seconds",
        read!(dns.stale_ttl, time),
    )
    .aliases(&["resolver_stale_ttl"]),
    SettingRow::new(
        "dns_not_found_ttl",
        "30",
        "Longest time that a name without records is remembered, in seconds; the first time it is 1",
        read!(dns.not_found_ttl, time),
    ),
    SettingRow::new(
        "dns_error_ttl",
        "1",
        "Time that a failed lookup is remembered, in seconds",
        read!(dns.error_ttl, time),
    )
    .aliases(&["resolver_error_ttl"]),
];
