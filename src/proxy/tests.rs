//! Test of the memory that one request occupies.

use tokio::sync::watch;

use std::net::SocketAddr;

use super::*;
use crate::{router::RouterOptions, settings::Settings, snapshot::SnapshotCompiler};

/// The future is moved into its place for every request, so its size costs time.
#[test]
fn the_future_of_a_request_is_small() {
    let live = LiveSnapshot::new(SnapshotCompiler::new("specs".into(), RouterOptions::default()).empty());
    let proxy = Proxy::new(live, &Settings::default());
    let address = SocketAddr::from(([127, 0, 0, 1], 80));
    let stage = watch::channel(ShutdownStage::Running).1;
    let connection = ClientConnection::new(address, address, None, stage);
    let size = size_of_val(&proxy.answer(Request::new(Body::Empty), &connection));
    assert!(size <= 2568, "{size} bytes");
}
