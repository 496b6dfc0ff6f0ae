//! Kong's syntax for listeners: `0.0.0.0:8000 reuseport backlog=16384, [::]:8443 ssl http2`, or `off`.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _},
    time::Duration,
};

use super::{
    error::SettingFault,
    value::{list, nearest},
};
use crate::uri::Authority;

/// A listener.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the syntax and stands for itself")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address; port 0 is any free port.
    pub address: SocketAddr,
    /// `ssl`: connections must speak TLS.
    pub tls: bool,
    /// `http2`: clients may speak HTTP/2.
    pub http2: bool,
    /// `proxy_protocol`: connections begin with the PROXY protocol.
    pub proxy_protocol: bool,
    /// `reuseport`: each worker may open a socket of its own.
    pub reuseport: bool,
    /// `deferred`: the kernel accepts a connection when data has arrived (`TCP_DEFER_ACCEPT`).
    pub deferred: bool,
    /// `backlog=N`: connections that may wait to be accepted; by default 16384, as in Kong's listeners.
    pub backlog: u32,
    /// `ipv6only=on|off`: whether an IPv6 socket refuses IPv4; by default on, as in nginx.
    pub ipv6_only: bool,
    /// `so_keepalive=on|off|IDLE:INTERVAL:COUNT`: keepalive probes of TCP.
    pub keepalive: SocketKeepAlive,
}

impl Listener {
    /// A listener without any flag.
    #[must_use]
    pub const fn plain(address: SocketAddr) -> Self {
        Self {
            address,
            tls: false,
            http2: false,
            proxy_protocol: false,
            reuseport: false,
            deferred: false,
            backlog: 16_384,
            ipv6_only: true,
            keepalive: SocketKeepAlive::System,
        }
    }
}

/// Keepalive probes of TCP on accepted connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKeepAlive {
    /// The default of the system.
    System,
    /// No probes.
    Off,
    /// Probes; unset values are those of the system.
    On {
        /// Idle time before the first probe.
        idle: Option<Duration>,
        /// The time between probes.
        interval: Option<Duration>,
        /// Unanswered probes after which the connection is closed.
        count: Option<u32>,
    },
}

const USAGE: &str = "must be of form: [off] | <ip>:<port> [ssl] [http2] [proxy_protocol] [deferred] [bind] [reuseport] \
                     [backlog=%d+] [ipv6only=on] [ipv6only=off] [so_keepalive=on] [so_keepalive=off] \
                     [so_keepalive=%w*:%w*:%d*], [... next entry ...]";

const FLAGS: [&str; 9] = [
    "ssl",
    "http2",
    "proxy_protocol",
    "deferred",
    "bind",
    "reuseport",
    "backlog",
    "ipv6only",
    "so_keepalive",
];

/// Reads a list of listeners. The system resolves host names; a name with several addresses gives several listeners.
pub(super) fn listeners(name: &str, text: &str) -> Result<Vec<Listener>, SettingFault> {
    parse(text, system_resolver).map_err(|help| SettingFault::new(format!("{name} {USAGE}"), help))
}

fn system_resolver(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok((host, port).to_socket_addrs()?.collect())
}

type AddressResolver = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// Parses a list of listeners; the error is a help text.
fn parse(text: &str, resolve: AddressResolver) -> Result<Vec<Listener>, String> {
    let entries = list(text);
    match &*entries {
        [] => return Err("write an address as `0.0.0.0:8000`, or `off`".into()),
        ["off"] => return Ok(Vec::new()),
        _ if entries.contains(&"off") => return Err("`off` cannot be combined with addresses".into()),
        _ => {}
    }
    let mut listeners: Vec<Listener> = Vec::new();
    for entry in entries {
        for listener in parse_entry(entry, resolve)? {
            let address = listener.address;
            if address.port() != 0 && listeners.iter().any(|listener| listener.address == address) {
                return Err(format!("{address} is listed twice; list it once, with all its flags"));
            }
            listeners.push(listener);
        }
    }
    Ok(listeners)
}

/// Parses an entry: an address and flags, in any order.
fn parse_entry(entry: &str, resolve: AddressResolver) -> Result<Vec<Listener>, String> {
    let mut flags = Listener::plain(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));
    let mut found = None;
    for word in entry.split_whitespace() {
        if set_flag(&mut flags, word)? {
            continue;
        }
        if let Some(first) = found.replace(word) {
            return Err(format!("separate two addresses by a comma; {}", unknown_flag(first, word)));
        }
    }
    let address = found.ok_or_else(|| format!("`{entry}` has no address; write one as `0.0.0.0:8000`"))?;
    let addresses = addresses(address, resolve)?;
    Ok(addresses.into_iter().map(|address| Listener { address, ..flags }).collect())
}

/// The help text about the one of two words that looks less like an address.
fn unknown_flag(first: &str, second: &str) -> String {
    let word = if first.contains(':') { second } else { first };
    let suggestion =
        nearest(word, FLAGS).map_or_else(String::new, |flag| format!("; did you mean `{flag}`?"));
    format!("`{word}` is not a flag of a listener{suggestion}")
}

/// Sets a flag; false if the word is not a flag.
fn set_flag(listener: &mut Listener, word: &str) -> Result<bool, String> {
    let (flag, value) = match word.split_once('=') {
        Some((flag, value)) => (flag, Some(value)),
        None => (word, None),
    };
    match (flag, value) {
        ("ssl", None) => listener.tls = true,
        ("http2", None) => listener.http2 = true,
        ("proxy_protocol", None) => listener.proxy_protocol = true,
        ("deferred", None) => listener.deferred = true,
        ("reuseport", None) => listener.reuseport = true,
        // Every listener has a socket of its own anyway.
        ("bind", None) => {}
        ("backlog", Some(number)) => {
            listener.backlog =
                number.parse().ok().filter(|backlog| i32::try_from(*backlog).is_ok()).ok_or_else(|| {
                    format!("`{word}` needs a number from 0 to {}, as in `backlog=16384`", i32::MAX)
                })?;
        }
        ("ipv6only", Some(value @ ("on" | "off"))) => listener.ipv6_only = value == "on",
        ("so_keepalive", Some(value)) => listener.keepalive = keepalive(value)?,
        (_, Some(_)) => return Err(unknown_flag(word, word)),
        (_, None) => return Ok(false),
    }
    Ok(true)
}

fn keepalive(value: &str) -> Result<SocketKeepAlive, String> {
    let parts: Vec<_> = value.split(':').collect();
    let read = match &*parts {
        ["off"] => Some(SocketKeepAlive::Off),
        ["on"] => Some(SocketKeepAlive::On { idle: None, interval: None, count: None }),
        [idle, interval, count] => (|| {
            let count = if count.is_empty() { None } else { Some(count.parse().ok()?) };
            Some(SocketKeepAlive::On { idle: time(idle)?, interval: time(interval)?, count })
        })(),
        _ => None,
    };
    read.ok_or_else(|| {
        format!(
            "`so_keepalive={value}` needs `on`, `off`, or times and a count as in `so_keepalive=30m:10s:5`"
        )
    })
}

/// Parses a time: digits, and a unit other than seconds. An empty text leaves the time to the system.
#[expect(clippy::option_option, reason = "the outer one is an error, the inner one an empty part")]
fn time(text: &str) -> Option<Option<Duration>> {
    if text.is_empty() {
        return Some(None);
    }
    let unit = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let number: u32 = text[..text.len() - unit.len()].parse().ok()?;
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    Some(Some(Duration::from_secs(u64::from(number) * seconds)))
}

fn addresses(text: &str, resolve: AddressResolver) -> Result<Vec<SocketAddr>, String> {
    if let Ok(address) = text.parse() {
        return Ok(vec![address]);
    }
    if text.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()) {
        return Err(format!("`{text}` has no port; write it as `{text}:8000`"));
    }
    if text.matches(':').count() > 1 {
        return Err(format!("`{text}` is not an address; an IPv6 address is written as `[::1]:8000`"));
    }
    let authority = Authority::split(text);
    let Some(digits) = authority.port_text() else {
        return Err(format!("`{text}` is neither an address nor a flag of a listener"));
    };
    let port = authority
        .port()
        .ok_or_else(|| format!("`{digits}` is not a port; write a number from 1 to 65535"))?;
    match authority.host() {
        "*" => Ok(vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)]),
        "" => Err(format!("`{text}` has no address; write it as `0.0.0.0:{port}`")),
        host => match resolve(host, port) {
            Ok(addresses) if !addresses.is_empty() => Ok(without_repeats(addresses)),
            Ok(_) => Err(format!("`{host}` has no address; write the address itself, as `127.0.0.1:{port}`")),
            Err(error) => Err(format!(
                "`{host}` could not be resolved ({error}); write the address itself, as `127.0.0.1:{port}`"
            )),
        },
    }
}

/// Drops repeated addresses, and keeps the order.
fn without_repeats(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut kept = Vec::new();
    for address in addresses {
        if !kept.contains(&address) {
            kept.push(address);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake_resolver(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match host {
            "localhost" => Ok(["[::1]", "127.0.0.1", "127.0.0.1"]
                .map(|ip| format!("{ip}:{port}").parse().unwrap())
                .to_vec()),
            "nowhere" => Ok(Vec::new()),
            _ => Err(io::Error::other("no such host")),
        }
    }

    fn at(address: &str) -> Listener {
        Listener::plain(address.parse().unwrap())
    }

    #[track_caller]
    fn check(text: &str, expected: &[Listener]) {
        assert_eq!(parse(text, fake_resolver).as_deref(), Ok(expected), "{text:?}");
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        assert_eq!(parse(text, fake_resolver), Err(expected.to_owned()), "{text:?}");
    }

    #[test]
    fn addresses_are_read() {
        check("off", &[]);
        check(" off ", &[]);
        check("0.0.0.0:8000", &[at("0.0.0.0:8000")]);
        check("*:8000", &[at("0.0.0.0:8000")]);
        check("[::]:8000", &[at("[::]:8000")]);
        check("127.0.0.1:0, 127.0.0.1:0", &[at("127.0.0.1:0"), at("127.0.0.1:0")]);
        check("127.0.0.1:8001,[::1]:8001", &[at("127.0.0.1:8001"), at("[::1]:8001")]);
        check("localhost:8001", &[at("[::1]:8001"), at("127.0.0.1:8001")]);
    }

    #[test]
    fn flags_are_read_in_any_order() {
        check(
            "0.0.0.0:8000 reuseport backlog=16384, 0.0.0.0:8443 http2 ssl reuseport backlog=512",
            &[
                Listener { reuseport: true, ..at("0.0.0.0:8000") },
                Listener { reuseport: true, http2: true, tls: true, backlog: 512, ..at("0.0.0.0:8443") },
            ],
        );
        check("ssl 0.0.0.0:8443", &[Listener { tls: true, ..at("0.0.0.0:8443") }]);
        check(
            "[::]:8000 proxy_protocol deferred bind ipv6only=off",
            &[Listener { proxy_protocol: true, deferred: true, ipv6_only: false, ..at("[::]:8000") }],
        );
    }

    #[test]
    fn keepalive_is_read() {
        let with = |keepalive| Listener { keepalive, ..at("0.0.0.0:80") };
        let on = |idle, interval, count| SocketKeepAlive::On {
            idle: Option::map(idle, Duration::from_secs),
            interval: Option::map(interval, Duration::from_secs),
            count,
        };
        check("0.0.0.0:80 so_keepalive=off", &[with(SocketKeepAlive::Off)]);
        check("0.0.0.0:80 so_keepalive=on", &[with(on(None, None, None))]);
        check("0.0.0.0:80 so_keepalive=30m::10", &[with(on(Some(1800), None, Some(10)))]);
        check("0.0.0.0:80 so_keepalive=:5s:", &[with(on(None, Some(5), None))]);
        check_refused(
            "0.0.0.0:80 so_keepalive=1w::",
            "`so_keepalive=1w::` needs `on`, `off`, or times and a count as in `so_keepalive=30m:10s:5`",
        );
    }

    #[test]
    fn errors_come_with_help() {
        for (text, expected) in [
            ("", "write an address as `0.0.0.0:8000`, or `off`"),
            ("off, 0.0.0.0:8000", "`off` cannot be combined with addresses"),
            ("ssl", "`ssl` has no address; write one as `0.0.0.0:8000`"),
            ("0.0.0.0", "`0.0.0.0` has no port; write it as `0.0.0.0:8000`"),
            (":8000", "`:8000` has no address; write it as `0.0.0.0:8000`"),
            ("8000", "`8000` is neither an address nor a flag of a listener"),
            ("::1:8000x", "`::1:8000x` is not an address; an IPv6 address is written as `[::1]:8000`"),
            ("::1", "`::1` is not an address; an IPv6 address is written as `[::1]:8000`"),
            ("0.0.0.0:80000", "`80000` is not a port; write a number from 1 to 65535"),
            (
                "0.0.0.0:80 htpp2",
                "separate two addresses by a comma; `htpp2` is not a flag of a listener; did you mean `http2`?",
            ),
            ("0.0.0.0:80 ipv6only=maybe", "`ipv6only=maybe` is not a flag of a listener"),
            (
                "0.0.0.0:80 backlog=x",
                "`backlog=x` needs a number from 0 to 2147483647, as in `backlog=16384`",
            ),
            ("0.0.0.0:80, 0.0.0.0:80 ssl", "0.0.0.0:80 is listed twice; list it once, with all its flags"),
            ("nowhere:80", "`nowhere` has no address; write the address itself, as `127.0.0.1:80`"),
            (
                "kong.invalid:80",
                "`kong.invalid` could not be resolved (no such host); write the address itself, as `127.0.0.1:80`",
            ),
        ] {
            check_refused(text, expected);
        }
    }

    #[test]
    fn the_message_is_that_of_kong() {
        let fault = listeners("proxy_listen", "").unwrap_err();
        assert!(
            fault.message.starts_with("proxy_listen must be of form: [off] | <ip>:<port> [ssl] [http2] ")
        );
    }
}
