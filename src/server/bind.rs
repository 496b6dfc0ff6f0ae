//! Listening sockets with Kong's options.

use std::{fmt, io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::TcpListener;

use crate::settings::{Listener, SocketKeepAlive};

/// Failure to bind a listener.
#[derive(Debug)]
pub struct BindError {
    /// Setting that names the address.
    pub setting: &'static str,
    /// Address and port.
    pub address: SocketAddr,
    /// Error of the system.
    pub error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, address, error } = self;
        write!(f, "cannot listen on {address} ({setting}): {error}")?;
        let help = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "another process has this port; stop it, or choose another one; two gateways share a port if both \
                 have the flag `reuseport`"
            }
            io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege; choose a higher one",
            io::ErrorKind::AddrNotAvailable => {
                "this machine has no such address; choose one it has, or 0.0.0.0 for all,"
            }
            _ => return Ok(()),
        };
        write!(f, "\nhelp: {help} with {setting}")
    }
}

impl std::error::Error for BindError {}

/// Binds a socket and listens on it. Must be called on the runtime.
///
/// # Errors
/// The address is in use, not permitted, or not an address of this machine.
pub fn bind(setting: &'static str, listener: &Listener) -> Result<TcpListener, BindError> {
    let address = listener.address;
    open(listener).map_err(|error| BindError { setting, address, error })
}

fn open(listener: &Listener) -> io::Result<TcpListener> {
    let address = listener.address;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // As nginx: [::] does not include the IPv4 addresses, but with `ipv6only=off`.
        socket.set_only_v6(listener.ipv6_only)?;
    }
    // A restart must not wait for connections of the previous process.
    socket.set_reuse_address(true)?;
    // One socket serves all threads. With `reuseport`, a second process may listen before the first one ends; without,
    // a port in use is an error.
    socket.set_reuse_port(listener.reuseport)?;
    // Accepted connections inherit it.
    set_keepalive(&socket, listener.keepalive)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(listener.backlog).unwrap_or(i32::MAX))?;
    TcpListener::from_std(socket.into())
}

fn set_keepalive(socket: &Socket, keepalive: SocketKeepAlive) -> io::Result<()> {
    match keepalive {
        SocketKeepAlive::System => Ok(()),
        SocketKeepAlive::Off => socket.set_keepalive(false),
        SocketKeepAlive::On { idle, interval, count } => {
            let mut probes = TcpKeepalive::new();
            if let Some(idle) = idle {
                probes = probes.with_time(idle);
            }
            if let Some(interval) = interval {
                probes = probes.with_interval(interval);
            }
            if let Some(count) = count {
                probes = probes.with_retries(count);
            }
            socket.set_keepalive(true)?;
            socket.set_tcp_keepalive(&probes)
        }
    }
}
