//! Two ends that speak another protocol from now on: bytes go both ways until one end closes. (RFC 9110, section 7.8)

use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::body::Body;

/// Ties the client's connection to the upstream's, if the upstream switched; tells whether it did.
pub(super) fn open(client: OnUpgrade, response: &mut Response<Body>) -> bool {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return false;
    }
    let Some(upstream) = response.extensions_mut().remove::<OnUpgrade>() else { return false };
    tokio::spawn(async move {
        // The client's end is ready once our 101 is written, so the upstream's is waited for first.
        let (Ok(upstream), Ok(client)) = (upstream.await, client.await) else { return };
        let (mut upstream, mut client) = (TokioIo::new(upstream), TokioIo::new(client));
        if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut upstream).await {
            tracing::debug!("a tunnel ended: {error}");
        }
    });
    true
}
