//! Address of the client: the peer of the connection, or the client that a trusted proxy names.
//!
//! (Kong: `trusted_ips`, `real_ip_header`, `real_ip_recursive`; the rules are those of nginx's realip module.)

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::{
    settings::{RealIpHeader, Settings, TrustedIps},
    uri::without_brackets,
};

/// How the address of a client is found.
#[derive(Clone, Debug)]
pub(super) struct RealIp {
    /// Trusted peers; none by default. (Kong: `trusted_ips`.)
    pub(super) trusted: TrustedIps,
    /// Further peers that may name the client, and nothing else. (nginx: `set_real_ip_from`.)
    pub(super) named_by: TrustedIps,
    /// Source of the address that trusted peers send. (Kong: `real_ip_header`.)
    pub(super) source: RealIpHeader,
    /// Whether to skip trusted addresses in that field, from its end. (Kong: `real_ip_recursive`.)
    pub(super) recursive: bool,
}

/// Address of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientAddress {
    /// IP address in canonical form: IPv4 where it is mapped into IPv6.
    pub(super) address: IpAddr,
    /// Whether the peer of the connection is trusted, and so its X-Forwarded fields.
    pub(super) trusted: bool,
}

impl From<&Settings> for RealIp {
    fn from(settings: &Settings) -> Self {
        Self {
            trusted: settings.trusted_ips.clone(),
            named_by: settings.real_ip_from.clone(),
            source: settings.real_ip_header.clone(),
            recursive: settings.real_ip_recursive,
        }
    }
}

impl RealIp {
    /// The client of a request. `proxy_protocol_client` is the address in the PROXY protocol header, if there is one.
    pub(super) fn client(
        &self,
        peer: IpAddr,
        proxy_protocol_client: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> ClientAddress {
        let peer = peer.to_canonical();
        if !self.names_client(peer) {
            return ClientAddress { address: peer, trusted: false };
        }
        let trusted = self.trusted.contains(peer);
        let header = match &self.source {
            RealIpHeader::Header(name) => name,
            RealIpHeader::ProxyProtocol => {
                return ClientAddress {
                    address: proxy_protocol_client.unwrap_or(peer).to_canonical(),
                    trusted,
                };
            }
        };
        let mut address = peer;
        let lines = headers.get_all(header).iter().rev().filter_map(|line| line.to_str().ok());
        for item in lines.flat_map(|line| line.rsplit([',', ' '])).filter(|item| !item.is_empty()) {
            let Some(claimed) = parse_address(item) else { break };
            address = claimed;
            if !self.recursive || !self.names_client(claimed) {
                break;
            }
        }
        ClientAddress { address, trusted }
    }

    fn names_client(&self, address: IpAddr) -> bool {
        self.trusted.contains(address) || self.named_by.contains(address)
    }
}

/// Parses an address as proxies write it: bare, in brackets, with or without a port.
fn parse_address(item: &str) -> Option<IpAddr> {
    let item = item.trim();
    let address = without_brackets(item)
        .parse::<IpAddr>()
        .or_else(|_| item.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the client address if 127.0.0.1 and 10.0.0.0/8 are trusted.
    #[track_caller]
    fn check(recursive: bool, peer: &str, lines: &[&str], expected: &str, trusted: bool) {
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
        assert_eq!(client, ClientAddress { address: expected.parse().unwrap(), trusted });
    }

    #[test]
    fn set_real_ip_from_trusts_the_address_and_nothing_else() {
        let overrides = [("nginx_proxy_set_real_ip_from", "127.0.0.1".to_owned())];
        let real_ip = RealIp::from(&Settings::load(&overrides, std::iter::empty(), None).unwrap().settings);
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-real-ip"),
            http::HeaderValue::from_static("192.0.2.1"),
        )]);
        for (peer, expected) in [("127.0.0.1", "192.0.2.1"), ("127.0.0.2", "127.0.0.2")] {
            let client = real_ip.client(peer.parse().unwrap(), None, &headers);
            assert_eq!(client, ClientAddress { address: expected.parse().unwrap(), trusted: false });
        }
    }

    #[test]
    fn only_a_trusted_peer_can_name_the_client() {
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
        for (source, peer, from_proxy_protocol, expected) in [
            ("proxy_protocol", "127.0.0.1", Some("198.51.100.2"), "198.51.100.2"),
            ("proxy_protocol", "127.0.0.1", None, "127.0.0.1"),
            ("proxy_protocol", "203.0.113.9", Some("198.51.100.2"), "203.0.113.9"),
            ("X-Real-IP", "127.0.0.1", Some("198.51.100.2"), "192.0.2.1"),
        ] {
            let overrides = [("trusted_ips", "127.0.0.1".to_owned()), ("real_ip_header", source.to_owned())];
            let settings = Settings::load(&overrides, std::iter::empty(), None).unwrap().settings;
            let client =
                RealIp::from(&settings).client(address(peer), from_proxy_protocol.map(address), &headers);
            assert_eq!(client.address, address(expected), "{source} {peer} {from_proxy_protocol:?}");
        }
    }
}
