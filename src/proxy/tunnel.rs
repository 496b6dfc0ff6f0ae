//! Two ends that speak another protocol from now on: bytes go both ways until one end closes, nobody says anything for
//! too long, or the process ends. (RFC 9110, section 7.8)

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

/// The same from a client, which has to mask what it sends; here with zeros.
const GOING_AWAY_MASKED: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

/// How long the ends have to take it.
const FAREWELL: Duration = Duration::from_millis(200);

const BUFFER: usize = 8 << 10;

/// Ties the client's connection to the upstream's. `quiet` is how long both ends may be silent. (Kong: Service
/// `read_timeout`.) Until it ends, the client's connection keeps its place among those that may be open.
pub(super) fn open(
    client: OnUpgrade,
    upstream: UpgradedStream,
    quiet: Duration,
    connection: &ClientConnection,
) {
    let (stage, place) = (connection.stage.clone(), connection.place.clone());
    tokio::spawn(async move {
        let _place = place;
        // The client's end is ready once our 101 is written.
        let Ok(client) = client.await else { return };
        if let Err(error) = carry(TokioIo::new(client), upstream, quiet, stage).await {
            tracing::debug!("a tunnel ended: {error}");
        }
    });
}

async fn carry<C, U>(
    client: C,
    upstream: U,
    quiet: Duration,
    mut stage: watch::Receiver<ShutdownStage>,
) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite,
    U: AsyncRead + AsyncWrite,
{
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_upstream, mut to_upstream) = tokio::io::split(upstream);
    let life = IdleTimer { began: Instant::now(), last: AtomicU64::new(0) };
    let both = async {
        let up = copy(&mut from_client, &mut to_upstream, &life);
        let down = copy(&mut from_upstream, &mut to_client, &life);
        tokio::try_join!(up, down).map(|_| ())
    };
    tokio::select! {
        ended = both => return ended,
        () = life.quiet_for(quiet) => return Err(io::ErrorKind::TimedOut.into()),
        // It fails only when the process is gone already.
        _ = stage.wait_for(|stage| *stage == ShutdownStage::Over) => {}
    }
    let farewell = async {
        // An end in the middle of a frame will not understand, and is cut off all the same.
        let _ = to_client.write_all(&GOING_AWAY).await;
        let _ = to_upstream.write_all(&GOING_AWAY_MASKED).await;
        let _ = to_client.shutdown().await;
        let _ = to_upstream.shutdown().await;
    };
    let _ = timeout(FAREWELL, farewell).await;
    Ok(())
}

/// Copies until the end, and passes the end on.
async fn copy<R, W>(from: &mut R, to: &mut W, life: &IdleTimer) -> io::Result<()>
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
        life.goes_on();
        to.write_all(buffer.get(..read).unwrap_or_default()).await?;
        to.flush().await?;
    }
}

/// When something was last said.
struct IdleTimer {
    began: Instant,
    /// Milliseconds from `began`.
    last: AtomicU64,
}

impl IdleTimer {
    fn goes_on(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Relaxed);
    }

    /// Waits until nothing has been said for so long.
    async fn quiet_for(&self, quiet: Duration) {
        loop {
            let end = self.began + Duration::from_millis(self.last.load(Relaxed)) + quiet;
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

    /// Lets a tunnel carry, and gives back the outer ends.
    fn tunnel(
        quiet: u64,
        stage: watch::Receiver<ShutdownStage>,
    ) -> (tokio::io::DuplexStream, tokio::io::DuplexStream, tokio::task::JoinHandle<io::Result<()>>) {
        let (client, inner_client) = tokio::io::duplex(64);
        let (upstream, inner_upstream) = tokio::io::duplex(64);
        let quiet = Duration::from_secs(quiet);
        (client, upstream, tokio::spawn(carry(inner_client, inner_upstream, quiet, stage)))
    }

    async fn read(end: &mut tokio::io::DuplexStream) -> Vec<u8> {
        let mut buffer = [0; 64];
        let read = end.read(&mut buffer).await.unwrap();
        buffer[..read].to_vec()
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_go_both_ways_until_one_end_closes() {
        let (_sender, stage) = watch::channel(ShutdownStage::Open);
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
    async fn silence_has_an_end() {
        let (_sender, stage) = watch::channel(ShutdownStage::Open);
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
    async fn at_the_end_both_are_told() {
        let (sender, stage) = watch::channel(ShutdownStage::Open);
        let (mut client, mut upstream, task) = tunnel(60, stage);
        sender.send_replace(ShutdownStage::Draining);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!task.is_finished(), "a tunnel has its grace");
        sender.send_replace(ShutdownStage::Over);
        assert_eq!(read(&mut client).await, GOING_AWAY);
        assert_eq!(read(&mut upstream).await, GOING_AWAY_MASKED);
        task.await.unwrap().unwrap();
    }
}
