//! Settings of name resolution (`dns_*`).

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use super::{
    error::SettingFault,
    setting_row::{SettingRow, settings_table},
    value::{list, verbatim},
};
use crate::uri::without_brackets;

settings_table! {
    /// Resolution of the names of upstreams.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct DnsSettings at [dns] {
        /// Empty for those of `/etc/resolv.conf`.
        resolver: Vec<SocketAddr> => "dns_resolver" | "resolver_address" = "", servers,
            "Name servers, `ADDRESS` or `ADDRESS:PORT`, in place of those of /etc/resolv.conf";
        hosts_file: PathBuf => "dns_hostsfile" | "resolver_hosts_file" = "/etc/hosts", verbatim,
            "File of names that are resolved without a query";
        order: Vec<DnsOrder> => "dns_order" = "LAST,SRV,A,CNAME", order,
            "Kinds of records, in the order in which they are queried";
        /// None for the TTL of the records.
        valid_ttl: Option<Duration> => "dns_valid_ttl" | "resolver_valid_ttl" = "", optional_time,
            "Time that records are valid, in seconds, in place of their own";
        stale_ttl: Duration => "dns_stale_ttl" | "resolver_stale_ttl" = "3600", time,
            "Time that expired records may still be used, in seconds";
        not_found_ttl: Duration => "dns_not_found_ttl" = "30", time,
            "Longest time that a name without records is remembered, in seconds; the first time it is 1";
        error_ttl: Duration => "dns_error_ttl" | "resolver_error_ttl" = "1", time,
            "Time that a failed lookup is remembered, in seconds";
    }
}

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsOrder {
    /// The kind that the last lookup of the name found.
    Last,
    /// Hosts and ports of a service.
    Srv,
    /// Addresses of IPv4.
    A,
    /// Addresses of IPv6.
    Aaaa,
    /// An alias.
    Cname,
}

/// Reads addresses of name servers; the default port is 53.
pub(super) fn servers(name: &str, text: &str) -> Result<Vec<SocketAddr>, SettingFault> {
    let server = |item: &str| {
        let bare = || without_brackets(item).parse::<IpAddr>();
        item.parse().or_else(|_| bare().map(|ip| SocketAddr::new(ip, 53))).map_err(|_| {
            SettingFault::new(
                format!(
                    "{name} must be a comma separated list in the form of IPv4/6 or IPv4/6:port, got '{item}'"
                ),
                "write, for example, `10.0.0.2, 10.0.0.3:8600, [fd00::2]:53`",
            )
        })
    };
    list(text).into_iter().map(server).collect()
}

/// Reads kinds of records in their order.
pub(super) fn order(name: &str, text: &str) -> Result<Vec<DnsOrder>, SettingFault> {
    let kind = |item: &str| match item.to_ascii_uppercase().as_str() {
        "LAST" => Ok(DnsOrder::Last),
        "SRV" => Ok(DnsOrder::Srv),
        "A" => Ok(DnsOrder::A),
        "AAAA" => Ok(DnsOrder::Aaaa),
        "CNAME" => Ok(DnsOrder::Cname),
        _ => Err(SettingFault::new(
            format!("{name}: invalid entry '{item}' (LAST, SRV, A, AAAA, CNAME)"),
            "write, for example, `LAST,SRV,A,CNAME`",
        )),
    };
    list(text).into_iter().map(kind).collect()
}

/// Reads seconds, with or without a fraction.
pub(super) fn time(name: &str, text: &str) -> Result<Duration, SettingFault> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=4e9).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| {
        SettingFault::new(
            format!("{name} is not a time: '{text}'"),
            "write seconds without a unit, such as `30` or `0.5`",
        )
    })
}

/// Reads seconds of a setting that may be unset.
pub(super) fn optional_time(name: &str, text: &str) -> Result<Option<Duration>, SettingFault> {
    time(name, text).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: std::fmt::Debug + PartialEq>(
        read: fn(&str, &str) -> Result<T, SettingFault>,
        text: &str,
        expected: Result<T, &str>,
    ) {
        let read = read("name", text).map_err(|fault| fault.message);
        assert_eq!(read, expected.map_err(str::to_owned), "{text:?}");
    }

    #[test]
    fn servers_have_addresses_and_optional_ports() {
        let all = |texts: &[&str]| Ok(texts.iter().map(|text| text.parse().unwrap()).collect());
        check(servers, "10.0.0.2", all(&["10.0.0.2:53"]));
        check(
            servers,
            "10.0.0.2:8600, ::1, [::1], [::1]:54",
            all(&["10.0.0.2:8600", "[::1]:53", "[::1]:53", "[::1]:54"]),
        );
        let message =
            "name must be a comma separated list in the form of IPv4/6 or IPv4/6:port, got 'dns.test'";
        check(servers, "dns.test", Err(message));
    }

    #[test]
    fn an_order_lists_kinds_of_records() {
        check(order, "last, SRV,A", Ok(vec![DnsOrder::Last, DnsOrder::Srv, DnsOrder::A]));
        check(order, "A,MX", Err("name: invalid entry 'MX' (LAST, SRV, A, AAAA, CNAME)"));
    }

    #[test]
    fn times_are_seconds() {
        check(time, "30", Ok(Duration::from_secs(30)));
        check(time, "0.5", Ok(Duration::from_millis(500)));
        check(optional_time, "7", Ok(Some(Duration::from_secs(7))));
        for wrong in ["-1", "1s", "NaN", "1e99"] {
            check(time, wrong, Err(&format!("name is not a time: '{wrong}'")));
        }
    }
}
