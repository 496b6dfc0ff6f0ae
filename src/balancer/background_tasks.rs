//! What runs in the background for the Upstreams of the current Snapshot: lookups of names, checks, and the end of
//! idle connections to peers that went down.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use tokio::task::AbortHandle;

use super::{Balancer, check::check_forever};
use crate::{dns::DnsResolver, supervise::supervise, upstream::ConnectionPool};

/// Keeps Upstreams up to date, for as long as it is there.
#[derive(Debug, Default)]
pub struct BackgroundTasks {
    /// By where the balancer is in memory.
    running: HashMap<usize, UpstreamTasks>,
}

/// The tasks of one Upstream; they end when this is dropped.
#[derive(Debug)]
struct UpstreamTasks {
    /// As long as this is here, no other can be at its place.
    _balancer: Arc<Balancer>,
    tasks: Vec<AbortHandle>,
}

impl BackgroundTasks {
    /// From now on these are kept: what runs for others ends, what runs for these goes on. Must be called on the
    /// runtime.
    pub fn keep(&mut self, balancers: &[Arc<Balancer>], resolver: &DnsResolver, pool: &ConnectionPool) {
        let place = |balancer: &Arc<Balancer>| Arc::as_ptr(balancer).addr();
        let mut before = std::mem::take(&mut self.running);
        for balancer in balancers {
            let running = before
                .remove(&place(balancer))
                .unwrap_or_else(|| UpstreamTasks::start(balancer, resolver, pool));
            self.running.insert(place(balancer), running);
        }
    }
}

impl UpstreamTasks {
    fn start(balancer: &Arc<Balancer>, resolver: &DnsResolver, pool: &ConnectionPool) -> Self {
        // A check of the one before may have turned a peer over since this one was made.
        balancer.turned_over();
        let checking = |working| {
            let balancer = balancer.clone();
            tokio::spawn(supervise("active checks", move || check_forever(balancer.clone(), working)))
        };
        let closing = {
            let (balancer, pool) = (balancer.clone(), pool.clone());
            tokio::spawn(supervise("idle connections", move || close_idle(balancer.clone(), pool.clone())))
        };
        let following = balancer.next_lookup().map(|_| {
            let (balancer, resolver) = (balancer.clone(), resolver.clone());
            let follow = move || follow_names(balancer.clone(), resolver.clone());
            tokio::spawn(supervise("names of targets", follow))
        });
        let tasks = [checking(true), checking(false), closing].into_iter().chain(following);
        let tasks = tasks.map(|task| task.abort_handle()).collect();
        Self { _balancer: balancer.clone(), tasks }
    }
}

impl Drop for UpstreamTasks {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn follow_names(balancer: Arc<Balancer>, resolver: DnsResolver) {
    loop {
        balancer.look_up(&resolver).await;
        let Some(pause) = balancer.next_lookup() else { return };
        tokio::time::sleep(pause).await;
    }
}

/// Closes idle connections to peers that went down: they will be good for nothing when it is up again.
async fn close_idle(balancer: Arc<Balancer>, pool: ConnectionPool) {
    loop {
        balancer.turned.notified().await;
        let ring = balancer.ring.load_full();
        let down: Vec<SocketAddr> =
            ring.peers.iter().filter(|it| !it.works()).map(|it| it.place.address).collect();
        if !down.is_empty() {
            pool.close_idle(|origin| down.iter().any(|address| origin.is_at(*address)));
        }
    }
}
