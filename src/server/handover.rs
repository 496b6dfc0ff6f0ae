//! Hand-over of a port to another process that listens on it (`reuseport`): no connection is lost when the listener closes.
//!
//! The system distributes connections among all listeners of a port. Those that one of them has not accepted, or whose
//! handshake is not complete, are reset when it closes. So a listener first refuses to begin handshakes (a client
//! repeats its SYN after a second, and gets to the other listener), and accepts those that have begun.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, timeout_at},
};

/// Time for handshakes that have begun: a few round trips, and less than the second after which a SYN is repeated.
const HANDSHAKE_TIME: Duration = Duration::from_millis(250);

/// Accepts the connections whose handshakes have begun, and begins no others.
pub(super) async fn accept_begun(listener: &TcpListener, serve: impl Fn(TcpStream, SocketAddr)) {
    if let Err(error) = drop_first_packets(listener) {
        tracing::debug!("connections may be reset while the port is handed over: {error}");
    }
    let end = Instant::now() + HANDSHAKE_TIME;
    while let Ok(accepted) = timeout_at(end, listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => serve(stream, peer),
            // Such as a missing file descriptor, which other connections may free.
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Makes the system ignore packets that begin a connection: SYN without ACK.
#[cfg(target_os = "linux")]
fn drop_first_packets(listener: &TcpListener) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};

    /// Loads the byte at an offset of the TCP header (`BPF_LD | BPF_B | BPF_ABS`).
    const LOAD_BYTE: u16 = 0x30;
    /// Keeps the bits of a mask (`BPF_ALU | BPF_AND | BPF_K`).
    const AND: u16 = 0x54;
    /// Goes on at one of two instructions (`BPF_JMP | BPF_JEQ | BPF_K`).
    const JUMP_IF_EQUAL: u16 = 0x15;
    /// Returns the number of bytes of the packet to keep (`BPF_RET | BPF_K`).
    const RETURN: u16 = 0x06;
    const FLAGS_OFFSET: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;

    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS_OFFSET),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

#[cfg(not(target_os = "linux"))]
fn drop_first_packets(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
