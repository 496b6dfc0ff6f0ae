//! The PROXY protocol: what a load balancer says, before the first byte of its client, about who that is.
//! ("The PROXY protocol", versions 1 and 2, at haproxy.org; Kong: flag `proxy_protocol` of a listener)
//!
//! A listener with that flag takes no connection that begins in another way: who could leave it out could also leave
//! out what it says. Whether it is believed is for `trusted_ips` and `real_ip_header` to say.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest line of version 1, with its end.
const LINE: usize = 107;

/// The shortest one, `PROXY UNKNOWN`: so much can be read without reading too far. Version 2 is longer.
const SHORTEST: usize = 15;

/// How long version 2 is before what it says about addresses.
const FIXED: usize = 16;

/// The longest header; what follows the addresses may be a certificate's names. (As nginx's.)
const LONGEST: usize = 4096;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// The client, and the place that it connected to.
    Client {
        /// Its address and port.
        source: SocketAddr,
        /// The address and port that it connected to.
        destination: SocketAddr,
    },
    /// Nothing: the balancer speaks for itself, or for a client without an IP address.
    Nothing,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MalformedProxyHeader {
    /// They begin neither as version 1 nor as version 2 does.
    Missing,
    /// A line that says it is version 1, and is not.
    Line,
    /// The same of version 2.
    Binary,
    /// It is longer than anything that is allowed.
    TooLong,
}

/// What a beginning of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionPrefix {
    /// A whole header: what it says, and how many bytes it has.
    Whole(ProxyHeader, usize),
    /// A part of one, which has at least so many bytes in all.
    Part(usize),
}

/// Reads the header that `bytes` begin with.
///
/// # Errors
/// They begin with none.
pub fn parse(bytes: &[u8]) -> Result<ConnectionPrefix, MalformedProxyHeader> {
    let length = bytes.len().min(SIGNATURE.len());
    if bytes.get(..length) == SIGNATURE.get(..length) && !bytes.is_empty() {
        return binary(bytes);
    }
    let word = b"PROXY ";
    let length = bytes.len().min(word.len());
    if bytes.get(..length) == word.get(..length) { line(bytes) } else { Err(MalformedProxyHeader::Missing) }
}

/// Version 1: one line of text.
fn line(bytes: &[u8]) -> Result<ConnectionPrefix, MalformedProxyHeader> {
    let within = bytes.get(..bytes.len().min(LINE)).unwrap_or_default();
    let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
        let missing = if within.ends_with(b"\r") { 1 } else { 2 };
        let least = within.len() + missing;
        return if least > LINE {
            Err(MalformedProxyHeader::Line)
        } else {
            Ok(ConnectionPrefix::Part(least.max(SHORTEST)))
        };
    };
    let text =
        within.get(..end).and_then(|it| std::str::from_utf8(it).ok()).ok_or(MalformedProxyHeader::Line)?;
    let told = told(text).ok_or(MalformedProxyHeader::Line)?;
    Ok(ConnectionPrefix::Whole(told, end + 2))
}

/// What a line says: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443`, or `PROXY UNKNOWN` with anything behind it.
fn told(line: &str) -> Option<ProxyHeader> {
    let mut words = line.strip_prefix("PROXY ")?.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(ProxyHeader::Nothing);
    }
    let (source, destination) = (words.next()?, words.next()?);
    let (from, to) = (port(words.next()?)?, port(words.next()?)?);
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

/// Digits alone, and no zero before others.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// Version 2: a signature, what is told, of which family, how long, and the addresses.
fn binary(bytes: &[u8]) -> Result<ConnectionPrefix, MalformedProxyHeader> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else {
        return Ok(ConnectionPrefix::Part(FIXED));
    };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if FIXED + length > LONGEST {
        return Err(MalformedProxyHeader::TooLong);
    }
    let Some(said) = rest.get(..length) else { return Ok(ConnectionPrefix::Part(FIXED + length)) };
    let told = match command {
        // LOCAL: a health check of the balancer itself.
        0x20 => ProxyHeader::Nothing,
        0x21 => match family {
            0x11 => ends::<4>(said).ok_or(MalformedProxyHeader::Binary)?,
            0x21 => ends::<16>(said).ok_or(MalformedProxyHeader::Binary)?,
            // Unspecified, datagrams, sockets of Unix: none is a client of ours.
            0x00 | 0x12 | 0x22 | 0x31 | 0x32 => ProxyHeader::Nothing,
            _ => return Err(MalformedProxyHeader::Binary),
        },
        _ => return Err(MalformedProxyHeader::Binary),
    };
    Ok(ConnectionPrefix::Whole(told, FIXED + length))
}

/// Two addresses of so many bytes, and their ports; what follows them is of no concern.
fn ends<const N: usize>(said: &[u8]) -> Option<ProxyHeader>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = said.split_first_chunk::<N>()?;
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
/// There is none ([`io::ErrorKind::InvalidData`], with a [`MalformedProxyHeader`]), or the connection ends before it does.
pub(super) async fn receive<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<ProxyHeader> {
    let mut bytes = Vec::with_capacity(64);
    let mut wanted = SHORTEST;
    loop {
        let known = bytes.len();
        bytes.resize(wanted, 0);
        let read = stream.read(bytes.get_mut(known..).unwrap_or_default()).await?;
        bytes.truncate(known + read);
        match parse(&bytes) {
            Ok(ConnectionPrefix::Whole(told, _)) => return Ok(told),
            Ok(ConnectionPrefix::Part(least)) if read > 0 => wanted = least,
            Ok(ConnectionPrefix::Part(_)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(malformed) => return Err(io::Error::new(io::ErrorKind::InvalidData, malformed)),
        }
    }
}

impl ProxyHeader {
    /// The client that it names.
    pub const fn source(self) -> Option<SocketAddr> {
        match self {
            Self::Client { source, .. } => Some(source),
            Self::Nothing => None,
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
    fn second(command: u8, family: u8, said: &[u8]) -> Vec<u8> {
        let length = u16::try_from(said.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, said].concat()
    }

    /// Checks what a header says, that a request behind it is left alone, and that no part of it is enough.
    #[track_caller]
    fn check(header: &[u8], expected: ProxyHeader) {
        let with_more = [header, b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(parse(&with_more), Ok(ConnectionPrefix::Whole(expected, header.len())));
        for length in 0..header.len() {
            let Ok(ConnectionPrefix::Part(least)) = parse(&header[..length]) else {
                panic!("{length} are enough")
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
        check(b"PROXY UNKNOWN\r\n", ProxyHeader::Nothing);
        check(b"PROXY UNKNOWN ffff:f...f:ffff 65535\r\n", ProxyHeader::Nothing);
    }

    #[test]
    fn version_2_is_binary() {
        let four = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 4, 1, 0xbb];
        check(&second(0x21, 0x11, &four), client("192.0.2.1:56324", "198.51.100.1:443"));
        let with_more = [&four[..], b"\x01\x00\x02h2\xea\x00\x01x"].concat();
        check(&second(0x21, 0x11, &with_more), client("192.0.2.1:56324", "198.51.100.1:443"));
        let six = [&[0; 15][..], &[1], &[0; 15], &[2], &[0, 80, 1, 0xbb]].concat();
        check(&second(0x21, 0x21, &six), client("[::1]:80", "[::2]:443"));
        check(&second(0x20, 0x00, b""), ProxyHeader::Nothing);
        check(&second(0x20, 0x11, &four), ProxyHeader::Nothing);
        check(&second(0x21, 0x00, b"xx"), ProxyHeader::Nothing);
        check(&second(0x21, 0x31, &[0; 216]), ProxyHeader::Nothing);
    }

    #[test]
    fn all_else_is_refused() {
        let refused = |bytes: &[u8], expected| assert_eq!(parse(bytes), Err(expected), "{bytes:?}");
        for bytes in
            [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01", b"PROXY\r\n", b"proxy TCP4", b"\r\n\r\n\0\r\nQUIP"]
        {
            refused(bytes, MalformedProxyHeader::Missing);
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
            refused(line.as_bytes(), MalformedProxyHeader::Line);
        }
        refused(&[b"PROXY UNKNOWN ", &[b'x'; 100][..]].concat(), MalformedProxyHeader::Line);
        for (command, family) in [(0x22, 0x11), (0x11, 0x11), (0x21, 0x13), (0x21, 0x41)] {
            refused(&second(command, family, &[0; 12]), MalformedProxyHeader::Binary);
        }
        refused(&second(0x21, 0x11, &[0; 11]), MalformedProxyHeader::Binary);
        refused(&second(0x21, 0x21, &[0; 35]), MalformedProxyHeader::Binary);
        refused(&second(0x21, 0x11, &[0; 4081]), MalformedProxyHeader::TooLong);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300), second in any::<bool>()) {
            let start: &[u8] = if second { SIGNATURE } else { b"PROXY " };
            let bytes = [start, &bytes].concat();
            match parse(&bytes) {
                Ok(ConnectionPrefix::Whole(_, length)) => {
                    prop_assert!(length <= bytes.len());
                    prop_assert_eq!(parse(&bytes[..length]), parse(&bytes));
                }
                Ok(ConnectionPrefix::Part(least)) => prop_assert!(bytes.len() < least && least <= LONGEST),
                Err(_) => {}
            }
        }

        #[test]
        fn what_is_written_is_read(source in any::<SocketAddr>(), destination in any::<SocketAddr>()) {
            let family = match (source.ip(), destination.ip()) {
                (IpAddr::V4(_), IpAddr::V4(_)) => "TCP4",
                (IpAddr::V6(_), IpAddr::V6(_)) => "TCP6",
                _ => return Ok(()),
            };
            let line = format!(
                "PROXY {family} {} {} {} {}\r\n",
                source.ip(), destination.ip(), source.port(), destination.port()
            );
            let Ok(ConnectionPrefix::Whole(ProxyHeader::Client { source: read, .. }, _)) = parse(line.as_bytes()) else {
                panic!("{line}")
            };
            prop_assert_eq!((read.ip(), read.port()), (source.ip(), source.port()));
        }
    }
}
