//! What a page asks first: the addresses of the proxy and of the other page as the browser reaches them, and what the
//! page may do.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};

use crate::uri::{Scheme, with_brackets, without_brackets};

/// Addresses of the listeners that are open.
#[derive(Clone, Debug, Default)]
pub struct PageAddresses {
    /// Listeners of the proxy, and whether they speak TLS.
    pub proxy: Vec<(SocketAddr, bool)>,
    /// Listeners of the portal.
    pub portal: Vec<(SocketAddr, bool)>,
    /// Listeners of the manager.
    pub manager: Vec<(SocketAddr, bool)>,
    /// Path of the manager.
    pub manager_path: String,
    /// URL of the manager that a setting gives.
    pub manager_url: Option<String>,
}

impl PageAddresses {
    /// Origins of the proxy for a browser that has reached a page by this host.
    pub(super) fn proxy_origins(&self, host: &str) -> Vec<String> {
        self.proxy.iter().map(|(address, is_tls)| origin(*address, *is_tls, host)).collect()
    }

    /// The page's description: addresses for a browser that has reached the page by this host.
    pub(super) fn describe(&self, host: &str) -> Value {
        let url = |listeners: &[(SocketAddr, bool)], path: &str| {
            // A page on the loopback interface is not for browsers of other machines.
            let is_reachable = |(address, _): &&(SocketAddr, bool)| {
                !address.ip().to_canonical().is_loopback() || is_loopback_host(host)
            };
            let (address, is_tls) = listeners.iter().find(is_reachable)?;
            Some(format!("{}{path}", origin(*address, *is_tls, host)))
        };
        let manager = self.manager_url.clone().filter(|_| !self.manager.is_empty());
        json!({
            "proxy": self.proxy_origins(host),
            "portal": url(&self.portal, "/"),
            "manager": manager.or_else(|| url(&self.manager, &self.manager_path)),
        })
    }
}

/// Origin of a listener for a browser that has reached another listener by this host.
fn origin(address: SocketAddr, is_tls: bool, host: &str) -> String {
    let ip = address.ip().to_canonical();
    // A listener on all addresses is reached by the same name; so is one of the loopback interface by another of its names.
    let keeps_host = ip.is_unspecified() || (ip.is_loopback() && is_name(host) && is_loopback_host(host));
    let ip_text = ip.to_string();
    let host = if keeps_host && is_plain(host) { without_brackets(host) } else { &ip_text };
    format!("{}://{}:{}", Scheme::from_tls(is_tls).as_str(), with_brackets(host), address.port())
}

fn is_loopback_host(host: &str) -> bool {
    let host = without_brackets(host);
    let address = host.parse::<IpAddr>();
    address.map_or_else(
        |_| host == "localhost" || host.ends_with(".localhost"),
        |address| address.to_canonical().is_loopback(),
    )
}

fn is_name(host: &str) -> bool {
    without_brackets(host).parse::<IpAddr>().is_err()
}

/// Whether a host has only characters that mean nothing in a header field of several parts.
fn is_plain(host: &str) -> bool {
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_the_browser_reaches() {
        for (listener, is_tls, host, expected) in [
            ("0.0.0.0:8000", false, "localhost", "http://localhost:8000"),
            ("0.0.0.0:8443", true, "gateway.example", "https://gateway.example:8443"),
            ("[::]:8000", false, "[fd00::1]", "http://[fd00::1]:8000"),
            ("127.0.0.1:8000", false, "localhost", "http://localhost:8000"),
            ("127.0.0.1:8000", false, "[::1]", "http://127.0.0.1:8000"),
            ("127.0.0.1:8000", false, "gateway.example", "http://127.0.0.1:8000"),
            ("10.0.0.1:8000", false, "localhost", "http://10.0.0.1:8000"),
            ("0.0.0.0:8000", false, "a;script-src", "http://0.0.0.0:8000"),
        ] {
            assert_eq!(origin(listener.parse().unwrap(), is_tls, host), expected, "{listener} {host}");
        }
    }

    #[test]
    fn a_page_of_the_loopback_interface_is_not_linked_for_other_machines() {
        let addresses = PageAddresses {
            portal: vec![("0.0.0.0:8003".parse().unwrap(), false)],
            manager: vec![("127.0.0.1:8002".parse().unwrap(), false)],
            manager_path: "/m/".to_owned(),
            ..PageAddresses::default()
        };
        assert_eq!(addresses.describe("gateway.example")["manager"], Value::Null);
        assert_eq!(addresses.describe("localhost")["manager"], "http://localhost:8002/m/");
        assert_eq!(addresses.describe("gateway.example")["portal"], "http://gateway.example:8003/");
        let named = PageAddresses { manager_url: Some("https://m.example".to_owned()), ..addresses };
        assert_eq!(named.describe("gateway.example")["manager"], "https://m.example");
    }
}
