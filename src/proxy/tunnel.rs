//! Tunnel between client and upstream after a protocol upgrade: copies bytes both ways until one end closes, both are
//! idle for too long, or the process ends. (RFC 9110, section 7.8)

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::{ClientConnection, ShutdownStage};
use crate::upstream::UpgradedStream;

/// A WebSocket frame that closes with 1001, "going away". (RFC 6455, sections 5.5.1 and 7.4.1)
const GOING_AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];

/// The same frame from a client, which has to mask its payload; here with zeros.
const GOING_AWAY_MASKED: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

/// Time limit for sending the closing frames.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);

/// Bytes of the copy buffer of each direction.
const BUFFER: usize = 8 << 10;

/// Connects the client to the upstream in a task. `idle_timeout` is how long both ends may be silent (Kong: Service
/// `read_timeout`). The tunnel keeps the connection's permit.
pub(super) fn open(
    client: OnUpgrade,
    upstream: UpgradedStream,
    idle_timeout: Duration,
    connection: &ClientConnection,
) {
    let (stage, permit) = (connection.stage.clone(), connection.permit.clone());
    tokio::spawn(async move {
        let _permit = permit;
        // The client's end is ready when the 101 has been written.
        let Ok(client) = client.await else { return };
        if let Err(error) = copy_both_ways(TokioIo::new(client), upstream, idle_timeout, stage).await {
            tracing::debug!("a tunnel ended: {error}");
        }
    });
}

/// Copies until the tunnel ends.
async fn copy_both_ways<C, U>(
    client: C,
    upstream: U,
    idle_timeout: Duration,
    mut stage: watch::Receiver<ShutdownStage>,
) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite,
    U: AsyncRead + AsyncWrite,
{
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_upstream, mut to_upstream) = tokio::io::split(upstream);
    let timer = IdleTimer { start: Instant::now(), last_activity: AtomicU64::new(0) };
    let both = async {
        let up = copy(&mut from_client, &mut to_upstream, &timer);
        let down = copy(&mut from_upstream, &mut to_client, &timer);
        tokio::try_join!(up, down).map(|_| ())
    };
    tokio::select! {
        ended = both => return ended,
        () = timer.wait_until_idle(idle_timeout) => return Err(io::ErrorKind::TimedOut.into()),
        // It fails only if the sender is gone, which means the same.
        _ = stage.wait_for(|stage| *stage == ShutdownStage::Terminated) => {}
    }
    let close = async {
        // An end in the middle of a frame cannot read the closing frame; the connection ends all the same.
        let _ = to_client.write_all(&GOING_AWAY).await;
        let _ = to_upstream.write_all(&GOING_AWAY_MASKED).await;
        let _ = to_client.shutdown().await;
        let _ = to_upstream.shutdown().await;
    };
    let _ = timeout(CLOSE_TIMEOUT, close).await;
    Ok(())
}

/// Copies one direction until its end, then shuts the other side down.
async fn copy<R, W>(from: &mut R, to: &mut W, timer: &IdleTimer) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        timer.record_activity();
        to.write_all(buffer.get(..read).unwrap_or_default()).await?;
        to.flush().await?;
    }
}

/// Time of the last activity of a tunnel.
struct IdleTimer {
    start: Instant,
    /// Milliseconds since `start`.
    last_activity: AtomicU64,
}

impl IdleTimer {
    fn record_activity(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_activity.store(now, Relaxed);
    }

    /// Waits until there has been no activity for this time.
    async fn wait_until_idle(&self, idle_timeout: Duration) {
        loop {
            let end = self.start + Duration::from_millis(self.last_activity.load(Relaxed)) + idle_timeout;
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts a tunnel and returns its outer ends.
    fn tunnel(
        idle_timeout: u64,
        stage: watch::Receiver<ShutdownStage>,
    ) -> (tokio::io::DuplexStream, tokio::io::DuplexStream, tokio::task::JoinHandle<io::Result<()>>) {
        let (client, inner_client) = tokio::io::duplex(64);
        let (upstream, inner_upstream) = tokio::io::duplex(64);
        let idle_timeout = Duration::from_secs(idle_timeout);
        (client, upstream, tokio::spawn(copy_both_ways(inner_client, inner_upstream, idle_timeout, stage)))
    }

    async fn read(end: &mut tokio::io::DuplexStream) -> Vec<u8> {
        let mut buffer = [0; 64];
        let read = end.read(&mut buffer).await.unwrap();
        buffer[..read].to_vec()
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_go_both_ways_until_one_end_closes() {
        let (_sender, stage) = watch::channel(ShutdownStage::Running);
        let (mut client, mut upstream, task) = tunnel(60, stage);
        client.write_all(b"up").await.unwrap();
        assert_eq!(read(&mut upstream).await, b"up");
        upstream.write_all(b"down").await.unwrap();
        assert_eq!(read(&mut client).await, b"down");
        drop(client);
        assert_eq!(read(&mut upstream).await, b"");
        drop(upstream);
        task.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_tunnel_ends() {
        let (_sender, stage) = watch::channel(ShutdownStage::Running);
        let (mut client, mut upstream, task) = tunnel(60, stage);
        tokio::time::sleep(Duration::from_secs(50)).await;
        client.write_all(b"x").await.unwrap();
        assert_eq!(read(&mut upstream).await, b"x");
        tokio::time::sleep(Duration::from_secs(50)).await;
        assert!(!task.is_finished());
        tokio::time::sleep(Duration::from_secs(11)).await;
        assert_eq!(task.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn both_ends_get_a_closing_frame_at_shutdown() {
        let (sender, stage) = watch::channel(ShutdownStage::Running);
        let (mut client, mut upstream, task) = tunnel(60, stage);
        sender.send_replace(ShutdownStage::Draining);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!task.is_finished(), "a tunnel may go on while requests drain");
        sender.send_replace(ShutdownStage::Terminated);
        assert_eq!(read(&mut client).await, GOING_AWAY);
        assert_eq!(read(&mut upstream).await, GOING_AWAY_MASKED);
        task.await.unwrap().unwrap();
    }
}
