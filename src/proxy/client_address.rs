//! Who the client is: the peer of the connection, or whom a trusted proxy says it speaks for.
//!
//! (Kong: `trusted_ips`, `real_ip_header`, `real_ip_recursive`; the rules are those of nginx's realip module.)

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::{
    settings::{RealIpHeader, Settings, TrustedIps},
    uri::without_brackets,
};

/// Whom to believe about the client's address.
#[derive(Clone, Debug)]
pub(super) struct RealIp {
    /// Peers whose word counts; none by default. (Kong: `trusted_ips`.)
    pub(super) trusted: TrustedIps,
    /// Where they say it. (Kong: `real_ip_header`.)
    pub(super) told_in: RealIpHeader,
    /// Whether to go on past trusted addresses in that field. (Kong: `real_ip_recursive`.)
    pub(super) recursive: bool,
}

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientAddress {
    /// Its address, as far as it is known.
    pub(super) address: IpAddr,
    /// Whether the peer of the connection is trusted, and with it its X-Forwarded fields.
    pub(super) trusted: bool,
}

impl From<&Settings> for RealIp {
    fn from(settings: &Settings) -> Self {
        Self {
            trusted: settings.trusted_ips.clone(),
            told_in: settings.real_ip_header.clone(),
            recursive: settings.real_ip_recursive,
        }
    }
}

impl RealIp {
    /// Finds out who the client is; `announced` is what the PROXY protocol says.
    pub(super) fn client(
        &self,
        peer: IpAddr,
        announced: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> ClientAddress {
        let peer = peer.to_canonical();
        if self.trusted.is_empty() || !self.trusts(peer) {
            return ClientAddress { address: peer, trusted: false };
        }
        let header = match &self.told_in {
            RealIpHeader::Header(name) => name,
            RealIpHeader::ProxyProtocol => {
                return ClientAddress { address: announced.unwrap_or(peer).to_canonical(), trusted: true };
            }
        };
        let mut address = peer;
        let lines = headers.get_all(header).iter().rev().filter_map(|line| line.to_str().ok());
        for item in lines.flat_map(|line| line.rsplit([',', ' '])).filter(|item| !item.is_empty()) {
            let Some(claimed) = parse(item) else { break };
            address = claimed;
            if !self.recursive || !self.trusts(claimed) {
                break;
            }
        }
        ClientAddress { address, trusted: true }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.contains(address)
    }
}

/// An address as proxies write it: bare, in brackets, with or without a port.
fn parse(item: &str) -> Option<IpAddr> {
    let item = item.trim();
    let address =
        without_brackets(item).parse::<IpAddr>().or_else(|_| item.parse::<SocketAddr>().map(|it| it.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks who the client is, behind 127.0.0.1 and 10.0.0.0/8.
    #[track_caller]
    fn check(recursive: bool, peer: &str, lines: &[&str], expected: &str, believed: bool) {
        let header = http::HeaderName::from_static("x-forwarded-for");
        let overrides = [
            ("trusted_ips", "127.0.0.1,10.0.0.0/8".to_owned()),
            ("real_ip_header", header.to_string()),
            ("real_ip_recursive", if recursive { "on" } else { "off" }.to_owned()),
        ];
        let settings = Settings::load(&overrides, std::iter::empty(), None).unwrap().settings;
        let real_ip = RealIp::from(&settings);
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(&header, line.parse().unwrap());
        }
        let client = real_ip.client(peer.parse().unwrap(), None, &headers);
        assert_eq!(client, ClientAddress { address: expected.parse().unwrap(), trusted: believed });
    }

    #[test]
    fn only_a_trusted_peer_is_believed() {
        check(false, "203.0.113.9", &["192.0.2.1"], "203.0.113.9", false);
        check(false, "127.0.0.1", &["192.0.2.1"], "192.0.2.1", true);
        check(false, "127.0.0.1", &[], "127.0.0.1", true);
        check(false, "127.0.0.1", &["unknown"], "127.0.0.1", true);
        check(false, "::ffff:127.0.0.1", &["[2001:db8::1]:99"], "2001:db8::1", true);
        check(false, "127.0.0.1", &["192.0.2.1:4711"], "192.0.2.1", true);
    }

    #[test]
    fn the_last_address_counts_or_the_last_untrusted_one() {
        let list = ["192.0.2.1, 198.51.100.2", "10.0.0.3"];
        check(false, "127.0.0.1", &list, "10.0.0.3", true);
        check(true, "127.0.0.1", &list, "198.51.100.2", true);
        check(true, "127.0.0.1", &["10.0.0.1, 10.0.0.2"], "10.0.0.1", true);
        check(true, "127.0.0.1", &["192.0.2.1, nonsense, 10.0.0.2"], "10.0.0.2", true);
    }

    #[test]
    fn the_proxy_protocol_counts_if_it_is_asked_for() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-real-ip", "192.0.2.1".parse().unwrap());
        for (told_in, peer, announced, expected) in [
            ("proxy_protocol", "127.0.0.1", Some("198.51.100.2"), "198.51.100.2"),
            ("proxy_protocol", "127.0.0.1", None, "127.0.0.1"),
            ("proxy_protocol", "203.0.113.9", Some("198.51.100.2"), "203.0.113.9"),
            ("X-Real-IP", "127.0.0.1", Some("198.51.100.2"), "192.0.2.1"),
        ] {
            let overrides = [("trusted_ips", "127.0.0.1".to_owned()), ("real_ip_header", told_in.to_owned())];
            let settings = Settings::load(&overrides, std::iter::empty(), None).unwrap().settings;
            let client = RealIp::from(&settings).client(address(peer), announced.map(address), &headers);
            assert_eq!(client.address, address(expected), "{told_in} {peer} {announced:?}");
        }
    }
}
