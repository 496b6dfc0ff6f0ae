//! Balancers of the Upstreams. A balancer whose Upstream and targets are unchanged is reused, and keeps the state of its
//! peers and its background tasks.

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;

use super::changes::differs;
use crate::{
    balancer::Balancer,
    document::Value,
    entity::{Entities, Target, Upstream},
    upstream::TlsSettings,
};

/// Balancers of one configuration, by id of the Upstream.
#[derive(Debug, Default)]
pub(super) struct Balancers(HashMap<Uuid, KeptBalancer>);

/// Balancer, and the records that it was made from.
#[derive(Debug)]
struct KeptBalancer {
    upstream: Value,
    targets: Vec<Value>,
    check_tls: Arc<TlsSettings>,
    balancer: Arc<Balancer>,
}

impl Balancers {
    /// The balancers of the next configuration. `check_tls` returns the TLS settings of active checks.
    pub(super) fn next(
        &self,
        entities: &Entities,
        check_tls: impl Fn(&Upstream) -> Arc<TlsSettings>,
    ) -> Self {
        let next = |upstream: &Upstream| {
            let check_tls = check_tls(upstream);
            let targets = || targets(entities, upstream);
            let kept = self.0.get(&upstream.id);
            let same = kept.filter(|kept| {
                !differs(&kept.upstream, &upstream.record)
                    && kept.check_tls == check_tls
                    && kept.targets.len() == targets().count()
                    && kept.targets.iter().zip(targets()).all(|(before, now)| !differs(before, &now.record))
            });
            let balancer = match same {
                Some(kept) => kept.balancer.clone(),
                None => {
                    let before = kept.map(|kept| &*kept.balancer);
                    Arc::new(Balancer::of_upstream(upstream, targets(), check_tls.clone(), before))
                }
            };
            let targets = targets().map(|target| target.record.clone()).collect();
            (upstream.id, KeptBalancer { upstream: upstream.record.clone(), targets, check_tls, balancer })
        };
        Self(entities.upstreams.iter().map(next).collect())
    }

    /// The balancers by index of the Upstreams.
    pub(super) fn by_index(&self, entities: &Entities) -> Vec<Arc<Balancer>> {
        let balancer = |upstream: &Upstream| Some(self.0.get(&upstream.id)?.balancer.clone());
        entities.upstreams.iter().filter_map(balancer).collect()
    }
}

fn targets<'a>(entities: &'a Entities, upstream: &'a Upstream) -> impl Iterator<Item = &'a Target> {
    upstream.targets.iter().filter_map(|index| entities.targets.get(index.0))
}
