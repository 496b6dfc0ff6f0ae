//! Header of the PROXY protocol, with which a load balancer names its client before the client's first byte.
//! ("The PROXY protocol", versions 1 and 2, at haproxy.org; Kong: flag `proxy_protocol` of a listener)
//!
//! A listener with that flag rejects connections without the header: otherwise a client could hide its address by leaving
//! the header out. `trusted_ips` and `real_ip_header` decide whether the named address is used.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::io::{AsyncRead, AsyncReadExt};

/// First bytes of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Longest header of version 1, with its line end.
const MAX_LINE: usize = 107;

/// Shortest header, `PROXY UNKNOWN` of version 1: this many bytes can be read without reading beyond a header.
const MIN_HEADER: usize = 15;

/// Length of version 2 before the addresses.
const BINARY_PREFIX: usize = 16;

/// Longest header. Extensions after the addresses may hold data of certificates. (As nginx's.)
const MAX_HEADER: usize = 4096;

/// Content of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// The addresses of the connection of a client.
    Client {
        /// Address and port of the client.
        source: SocketAddr,
        /// Address and port that the client connected to.
        destination: SocketAddr,
    },
    /// No client: a connection of the balancer itself, or of a client without an IP address.
    NoClient,
}

/// Error in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MalformedProxyHeader {
    /// The bytes begin neither like version 1 nor like version 2.
    Missing,
    /// Malformed header of version 1.
    Line,
    /// Malformed header of version 2.
    Binary,
    /// Header beyond the longest that is allowed.
    TooLong,
}

/// First bytes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionPrefix {
    /// A complete header, and its length in bytes.
    Complete(ProxyHeader, usize),
    /// A part of a header, and the least length in bytes that the whole header has.
    Incomplete(usize),
}

/// Parses the header at the begin of `bytes`.
///
/// # Errors
/// The bytes do not begin with a header.
pub fn parse(bytes: &[u8]) -> Result<ConnectionPrefix, MalformedProxyHeader> {
    let length = bytes.len().min(SIGNATURE.len());
    if bytes.get(..length) == SIGNATURE.get(..length) && !bytes.is_empty() {
        return parse_binary(bytes);
    }
    let word = b"PROXY ";
    let length = bytes.len().min(word.len());
    if bytes.get(..length) == word.get(..length) {
        parse_line(bytes)
    } else {
        Err(MalformedProxyHeader::Missing)
    }
}

/// Parses version 1: one line of text.
fn parse_line(bytes: &[u8]) -> Result<ConnectionPrefix, MalformedProxyHeader> {
    let within = bytes.get(..bytes.len().min(MAX_LINE)).unwrap_or_default();
    let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
        let missing = if within.ends_with(b"\r") { 1 } else { 2 };
        let least = within.len() + missing;
        return if least > MAX_LINE {
            Err(MalformedProxyHeader::Line)
        } else {
            Ok(ConnectionPrefix::Incomplete(least.max(MIN_HEADER)))
        };
    };
    let text = within
        .get(..end)
        .and_then(|line| std::str::from_utf8(line).ok())
        .ok_or(MalformedProxyHeader::Line)?;
    let header = parse_words(text).ok_or(MalformedProxyHeader::Line)?;
    Ok(ConnectionPrefix::Complete(header, end + 2))
}

/// Parses the words of a line: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443`, or `PROXY UNKNOWN` and any text.
fn parse_words(line: &str) -> Option<ProxyHeader> {
    let mut words = line.strip_prefix("PROXY ")?.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(ProxyHeader::NoClient);
    }
    let (source, destination) = (words.next()?, words.next()?);
    let (from, to) = (parse_port(words.next()?)?, parse_port(words.next()?)?);
    if words.next().is_some() {
        return None;
    }
    let address = |text: &str| -> Option<IpAddr> {
        match family {
            "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
            "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::from),
            _ => None,
        }
    };
    Some(ProxyHeader::Client {
        source: SocketAddr::new(address(source)?, from),
        destination: SocketAddr::new(address(destination)?, to),
    })
}

/// Parses a port of digits only, without leading zeros.
fn parse_port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// Parses version 2: signature, command, address family, length, and addresses.
fn parse_binary(bytes: &[u8]) -> Result<ConnectionPrefix, MalformedProxyHeader> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<BINARY_PREFIX>() else {
        return Ok(ConnectionPrefix::Incomplete(BINARY_PREFIX));
    };
    let [.., command, family, high, low] = *prefix;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if BINARY_PREFIX + length > MAX_HEADER {
        return Err(MalformedProxyHeader::TooLong);
    }
    let Some(addresses) = rest.get(..length) else {
        return Ok(ConnectionPrefix::Incomplete(BINARY_PREFIX + length));
    };
    let header = match command {
        // LOCAL: a connection of the balancer itself, such as a health check.
        0x20 => ProxyHeader::NoClient,
        0x21 => match family {
            0x11 => parse_addresses::<4>(addresses).ok_or(MalformedProxyHeader::Binary)?,
            0x21 => parse_addresses::<16>(addresses).ok_or(MalformedProxyHeader::Binary)?,
            // Unspecified, datagrams, Unix sockets: not a TCP client.
            0x00 | 0x12 | 0x22 | 0x31 | 0x32 => ProxyHeader::NoClient,
            _ => return Err(MalformedProxyHeader::Binary),
        },
        _ => return Err(MalformedProxyHeader::Binary),
    };
    Ok(ConnectionPrefix::Complete(header, BINARY_PREFIX + length))
}

/// Parses two addresses of `N` bytes and their ports; extensions after them are ignored.
fn parse_addresses<const N: usize>(bytes: &[u8]) -> Option<ProxyHeader>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = bytes.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let ([one, two, three, four], _) = rest.split_first_chunk::<4>()?;
    Some(ProxyHeader::Client {
        source: SocketAddr::new(IpAddr::from(*source), u16::from_be_bytes([*one, *two])),
        destination: SocketAddr::new(IpAddr::from(*destination), u16::from_be_bytes([*three, *four])),
    })
}

/// Reads the header from the beginning of a connection, and not a byte more.
///
/// # Errors
/// There is no valid header ([`io::ErrorKind::InvalidData`], with a [`MalformedProxyHeader`]), or the connection ends
/// before the header does.
pub(super) async fn receive<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<ProxyHeader> {
    let mut bytes = Vec::with_capacity(64);
    let mut wanted = MIN_HEADER;
    loop {
        let received = bytes.len();
        bytes.resize(wanted, 0);
        let read = stream.read(bytes.get_mut(received..).unwrap_or_default()).await?;
        bytes.truncate(received + read);
        match parse(&bytes) {
            Ok(ConnectionPrefix::Complete(header, _)) => return Ok(header),
            Ok(ConnectionPrefix::Incomplete(least)) if read > 0 => wanted = least,
            Ok(ConnectionPrefix::Incomplete(_)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(malformed) => return Err(io::Error::new(io::ErrorKind::InvalidData, malformed)),
        }
    }
}

impl ProxyHeader {
    /// Address of the client, if the header names one.
    pub const fn source(self) -> Option<SocketAddr> {
        match self {
            Self::Client { source, .. } => Some(source),
            Self::NoClient => None,
        }
    }
}

impl fmt::Display for MalformedProxyHeader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Missing => "it does not begin with a header of the PROXY protocol",
            Self::Line => "its header of the PROXY protocol, version 1, is malformed",
            Self::Binary => "its header of the PROXY protocol, version 2, is malformed",
            Self::TooLong => "its header of the PROXY protocol is longer than 4096 bytes",
        })
    }
}

impl std::error::Error for MalformedProxyHeader {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(source: &str, destination: &str) -> ProxyHeader {
        ProxyHeader::Client { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    /// A header of version 2.
    fn version_2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, addresses].concat()
    }

    /// Checks the content of a header, that no byte behind it is read, and that no part of it is taken for the whole.
    #[track_caller]
    fn check(header: &[u8], expected: ProxyHeader) {
        let with_more = [header, b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(parse(&with_more), Ok(ConnectionPrefix::Complete(expected, header.len())));
        for length in 0..header.len() {
            let Ok(ConnectionPrefix::Incomplete(least)) = parse(&header[..length]) else {
                panic!("complete after {length} bytes")
            };
            assert!(length < least && least <= header.len(), "{least} after {length}");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut rest = &with_more[..];
        assert_eq!(runtime.block_on(receive(&mut rest)).unwrap(), expected);
        assert_eq!(rest, b"GET / HTTP/1.1\r\n");
    }

    #[test]
    fn version_1_is_a_line() {
        check(
            b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
            client("192.0.2.1:56324", "198.51.100.1:443"),
        );
        check(b"PROXY TCP6 2001:db8::1 ::1 0 65535\r\n", client("[2001:db8::1]:0", "[::1]:65535"));
        let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let line = format!("PROXY TCP6 {longest} {longest} 65535 65535\r\n");
        check(line.as_bytes(), client(&format!("[{longest}]:65535"), &format!("[{longest}]:65535")));
        check(b"PROXY UNKNOWN\r\n", ProxyHeader::NoClient);
        check(b"PROXY UNKNOWN ffff:f...f:ffff 65535\r\n", ProxyHeader::NoClient);
    }

    #[test]
    fn version_2_is_binary() {
        let four = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 4, 1, 0xbb];
        check(&version_2(0x21, 0x11, &four), client("192.0.2.1:56324", "198.51.100.1:443"));
        let with_more = [&four[..], b"\x01\x00\x02h2\xea\x00\x01x"].concat();
        check(&version_2(0x21, 0x11, &with_more), client("192.0.2.1:56324", "198.51.100.1:443"));
        let six = [&[0; 15][..], &[1], &[0; 15], &[2], &[0, 80, 1, 0xbb]].concat();
        check(&version_2(0x21, 0x21, &six), client("[::1]:80", "[::2]:443"));
        check(&version_2(0x20, 0x00, b""), ProxyHeader::NoClient);
        check(&version_2(0x20, 0x11, &four), ProxyHeader::NoClient);
        check(&version_2(0x21, 0x00, b"xx"), ProxyHeader::NoClient);
        check(&version_2(0x21, 0x31, &[0; 216]), ProxyHeader::NoClient);
    }

    #[test]
    fn malformed_headers_are_rejected() {
        let check_error = |bytes: &[u8], expected| assert_eq!(parse(bytes), Err(expected), "{bytes:?}");
        for bytes in
            [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01", b"PROXY\r\n", b"proxy TCP4", b"\r\n\r\n\0\r\nQUIP"]
        {
            check_error(bytes, MalformedProxyHeader::Missing);
        }
        for line in [
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 x\r\n",
            "PROXY TCP4 192.0.2.1  198.51.100.1 56324 443\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 +1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY \r\n",
        ] {
            check_error(line.as_bytes(), MalformedProxyHeader::Line);
        }
        check_error(&[b"PROXY UNKNOWN ", &[b'x'; 100][..]].concat(), MalformedProxyHeader::Line);
        for (command, family) in [(0x22, 0x11), (0x11, 0x11), (0x21, 0x13), (0x21, 0x41)] {
            check_error(&version_2(command, family, &[0; 12]), MalformedProxyHeader::Binary);
        }
        check_error(&version_2(0x21, 0x11, &[0; 11]), MalformedProxyHeader::Binary);
        check_error(&version_2(0x21, 0x21, &[0; 35]), MalformedProxyHeader::Binary);
        check_error(&version_2(0x21, 0x11, &[0; 4081]), MalformedProxyHeader::TooLong);
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(bytes in proptest::collection::vec(any::<u8>(), 0..300), is_binary in any::<bool>()) {
            let start: &[u8] = if is_binary { SIGNATURE } else { b"PROXY " };
            let bytes = [start, &bytes].concat();
            match parse(&bytes) {
                Ok(ConnectionPrefix::Complete(_, length)) => {
                    prop_assert!(length <= bytes.len());
                    prop_assert_eq!(parse(&bytes[..length]), parse(&bytes));
                }
                Ok(ConnectionPrefix::Incomplete(least)) => prop_assert!(bytes.len() < least && least <= MAX_HEADER),
                Err(_) => {}
            }
        }

        #[test]
        fn a_written_header_is_read_again(source in any::<SocketAddr>(), destination in any::<SocketAddr>()) {
            let family = match (source.ip(), destination.ip()) {
                (IpAddr::V4(_), IpAddr::V4(_)) => "TCP4",
                (IpAddr::V6(_), IpAddr::V6(_)) => "TCP6",
                _ => return Ok(()),
            };
            let line = format!(
                "PROXY {family} {} {} {} {}\r\n",
                source.ip(), destination.ip(), source.port(), destination.port()
            );
            let Ok(ConnectionPrefix::Complete(ProxyHeader::Client { source: read, .. }, _)) = parse(line.as_bytes()) else {
                panic!("{line}")
            };
            prop_assert_eq!((read.ip(), read.port()), (source.ip(), source.port()));
        }
    }
}
