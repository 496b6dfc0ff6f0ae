//! What a request costs before anything is done with it.

use tokio::sync::watch;

use std::net::SocketAddr;

use super::*;
use crate::{router::RouterOptions, snapshot::SnapshotCompiler};

/// What is moved into its place for every request.
#[test]
fn a_request_needs_little_room() {
    let live = LiveSnapshot::new(SnapshotCompiler::new("specs".into(), RouterOptions::default()).empty());
    let proxy = Proxy::new(live, &Settings::default());
    let here = SocketAddr::from(([127, 0, 0, 1], 80));
    let stage = watch::channel(ShutdownStage::Open).1;
    let connection = ClientConnection::new(here, here, None, stage);
    let room = size_of_val(&proxy.answer(Request::new(Body::Empty), &connection));
    assert!(room <= 2560, "{room} bytes");
}
