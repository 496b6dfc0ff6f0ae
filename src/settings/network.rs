//! Peers and ports between clients and listeners (`trusted_ips`, `port_maps`).

use std::{collections::BTreeMap, net::IpAddr};

use super::{error::SettingFault, value::list};
use crate::ip_network::IpNetwork;

/// Peers whose headers about the client are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedIps {
    /// Blocks of addresses.
    pub networks: Vec<IpNetwork>,
    /// Whether peers on UNIX sockets are trusted (`unix:`).
    pub unix: bool,
}

impl TrustedIps {
    /// Whether the peer is trusted.
    #[must_use]
    pub fn contains(&self, peer: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(peer))
    }

    /// Whether no peer is trusted, so that headers need not be read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }
}

/// Ports that clients see, by port of the listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortMaps(BTreeMap<u16, u16>);

impl PortMaps {
    /// The port by which clients reach a port of a listener.
    #[must_use]
    pub fn public(&self, listener: u16) -> u16 {
        self.0.get(&listener).copied().unwrap_or(listener)
    }
}

/// Reads `trusted_ips`.
pub(super) fn trusted_ips(name: &str, text: &str) -> Result<TrustedIps, SettingFault> {
    let mut trusted = TrustedIps::default();
    for item in list(text) {
        match IpNetwork::parse(item) {
            Some(network) => trusted.networks.push(network),
            None if item == "unix:" => trusted.unix = true,
            None => {
                return Err(SettingFault::new(
                    format!(
                        "{name} must be a comma separated list in the form of IPv4 or IPv6 address or CIDR block \
                         or 'unix:', got '{item}'"
                    ),
                    "write, for example, `10.0.0.0/8, 192.168.1.7, fd00::/8`",
                ));
            }
        }
    }
    Ok(trusted)
}

/// Reads `port_maps`.
pub(super) fn port_maps(name: &str, text: &str) -> Result<PortMaps, SettingFault> {
    let mut maps = PortMaps::default();
    for item in list(text) {
        let ports =
            item.split_once(':').and_then(|(public, listener)| Some((port(public)?, port(listener)?)));
        let Some((public, listener)) = ports else {
            return Err(SettingFault::new(
                format!("invalid port mapping (`{name}`): {item}"),
                "write the port that clients see, a colon, and the port of the listener, as in `80:8000`",
            ));
        };
        maps.0.insert(listener, public);
    }
    Ok(maps)
}

fn port(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(trusted: &str, peer: &str, expected: bool) {
        let trusted_ips = trusted_ips("trusted_ips", trusted).unwrap();
        assert_eq!(trusted_ips.contains(peer.parse().unwrap()), expected, "{peer} in {trusted}");
    }

    #[test]
    fn a_peer_is_trusted_if_a_block_contains_it() {
        for (trusted, peer, expected) in [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.0/8", "10.255.0.9", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::1", "::1", true),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.0/104", "10.0.0.1", true),
            ("192.0.2.0/24, 198.51.100.0/24", "198.51.100.255", true),
            ("unix:", "127.0.0.1", false),
        ] {
            check(trusted, peer, expected);
        }
    }

    #[test]
    fn an_invalid_block_gets_the_message_of_kong() {
        for wrong in ["bad", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "10.0.0.0/+8", "unix"] {
            let message = trusted_ips("trusted_ips", wrong).unwrap_err().message;
            assert_eq!(
                message,
                format!(
                    "trusted_ips must be a comma separated list in the form of IPv4 or IPv6 address or CIDR \
                     block or 'unix:', got '{wrong}'"
                )
            );
        }
    }

    #[test]
    fn ports_are_mapped_to_what_clients_see() {
        let maps = port_maps("port_maps", "80:8000, 443:8443").unwrap();
        assert_eq!((maps.public(8000), maps.public(8443), maps.public(9000)), (80, 443, 9000));
        for wrong in ["80", "0:8000", "80:0", "80:65536", "a:b", "80:8000:1"] {
            let message = port_maps("port_maps", wrong).unwrap_err().message;
            assert_eq!(message, format!("invalid port mapping (`port_maps`): {wrong}"));
        }
    }
}
