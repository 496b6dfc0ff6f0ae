//! Settings of name resolution (`dns_*`).

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use super::{error::SettingFault, value::list};
use crate::uri::without_brackets;

/// Resolution of the names of upstreams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSettings {
    /// `dns_resolver`; empty for those of `/etc/resolv.conf`.
    pub resolver: Vec<SocketAddr>,
    /// `dns_hostsfile`.
    pub hosts_file: PathBuf,
    /// `dns_order`.
    pub order: Vec<DnsOrder>,
    /// `dns_valid_ttl`; none for the TTL of the records.
    pub valid_ttl: Option<Duration>,
    /// `dns_stale_ttl`.
    pub stale_ttl: Duration,
    /// `dns_not_found_ttl`.
    pub not_found_ttl: Duration,
    /// `dns_error_ttl`.
    pub error_ttl: Duration,
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

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            resolver: Vec::new(),
            hosts_file: PathBuf::from("/etc/hosts"),
            order: vec![DnsOrder::Last, DnsOrder::Srv, DnsOrder::A, DnsOrder::Cname],
            valid_ttl: None,
            stale_ttl: Duration::from_hours(1),
            not_found_ttl: Duration::from_secs(30),
            error_ttl: Duration::from_secs(1),
        }
    }
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

/// Reads the path of a file.
#[expect(clippy::unnecessary_wraps, reason = "other readers return errors")]
pub(super) fn file(_: &str, text: &str) -> Result<PathBuf, SettingFault> {
    Ok(PathBuf::from(text))
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
