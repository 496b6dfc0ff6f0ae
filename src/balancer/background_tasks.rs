//! Background tasks for the Upstreams of the current Snapshot: DNS lookups, active checks, and closing idle connections to
//! unhealthy peers.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use tokio::task::AbortHandle;

use super::{Balancer, check::run_checks};
use crate::{dns::DnsResolver, supervise::supervise, upstream::ConnectionPool};

/// Interval of lookups of a name that has an unhealthy address.
const UNHEALTHY_LOOKUP_INTERVAL: Duration = Duration::from_secs(5);

/// Background tasks of all Upstreams; they end when this is dropped.
#[derive(Debug, Default)]
pub struct BackgroundTasks {
    /// By address of the balancer in memory.
    running: HashMap<usize, UpstreamTasks>,
}

/// Tasks of one Upstream; they end when this is dropped.
#[derive(Debug)]
struct UpstreamTasks {
    /// Kept so that no other balancer can get the same address.
    _balancer: Arc<Balancer>,
    tasks: Vec<AbortHandle>,
}

impl BackgroundTasks {
    /// Runs the tasks of these balancers: starts missing ones, keeps running ones, and ends those of all other balancers.
    /// Must be called on the runtime.
    pub fn update(&mut self, balancers: &[Arc<Balancer>], resolver: &DnsResolver, pool: &ConnectionPool) {
        let key = |balancer: &Arc<Balancer>| Arc::as_ptr(balancer).addr();
        let mut before = std::mem::take(&mut self.running);
        for balancer in balancers {
            let running = before
                .remove(&key(balancer))
                .unwrap_or_else(|| UpstreamTasks::start(balancer, resolver, pool));
            self.running.insert(key(balancer), running);
        }
    }
}

impl UpstreamTasks {
    fn start(balancer: &Arc<Balancer>, resolver: &DnsResolver, pool: &ConnectionPool) -> Self {
        // A check of the previous balancer may have changed the health of a peer since this one was built.
        balancer.handle_health_change();
        let checks = |checks_healthy| {
            let balancer = balancer.clone();
            tokio::spawn(supervise("active checks", move || run_checks(balancer.clone(), checks_healthy)))
        };
        let closes_idle = {
            let (balancer, pool) = (balancer.clone(), pool.clone());
            tokio::spawn(supervise("idle connections", move || close_idle(balancer.clone(), pool.clone())))
        };
        let lookups = balancer.time_to_lookup().map(|_| {
            let (balancer, resolver) = (balancer.clone(), resolver.clone());
            let refresh = move || refresh_names(balancer.clone(), resolver.clone());
            tokio::spawn(supervise("names of targets", refresh))
        });
        let tasks = [checks(true), checks(false), closes_idle].into_iter().chain(lookups);
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

/// Looks the names of an Upstream up whenever that is due, and those with unhealthy addresses more often: a target that was
/// started again may have another address.
async fn refresh_names(balancer: Arc<Balancer>, resolver: DnsResolver) {
    loop {
        balancer.look_up_names(&resolver).await;
        while let Some(due) = balancer.time_to_lookup().filter(|due| !due.is_zero()) {
            let has_unhealthy = !balancer.unhealthy_names().is_empty();
            let pause = if has_unhealthy { due.min(UNHEALTHY_LOOKUP_INTERVAL) } else { due };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = balancer.lookup_wanted.notified() => {}
            }
            balancer.refresh_unhealthy_names(&resolver).await;
        }
        if balancer.time_to_lookup().is_none() {
            return;
        }
    }
}

/// Closes idle connections to peers that become unhealthy: they do not survive a restart of the peer.
async fn close_idle(balancer: Arc<Balancer>, pool: ConnectionPool) {
    loop {
        balancer.health_changed.notified().await;
        let ring = balancer.ring.load_full();
        let unhealthy: Vec<SocketAddr> =
            ring.peers.iter().filter(|peer| !peer.is_healthy()).map(|peer| peer.endpoint.address).collect();
        if !unhealthy.is_empty() {
            pool.close_idle(|origin| unhealthy.iter().any(|address| origin.has_address(*address)));
        }
    }
}
