//! The balancers of Upstreams. One whose Upstream and targets did not change is used again: what it knows of its peers
//! goes on, and so does what runs for it.

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;

use super::changes::differs;
use crate::{
    balancer::Balancer,
    document::Value,
    entity::{Entities, Target, Upstream},
    upstream::TlsSettings,
};

/// The balancers of one configuration.
#[derive(Debug, Default)]
pub(super) struct Balancers(HashMap<Uuid, KeptBalancer>);

/// A balancer, and what it was made from.
#[derive(Debug)]
struct KeptBalancer {
    upstream: Value,
    targets: Vec<Value>,
    check_tls: Arc<TlsSettings>,
    balancer: Arc<Balancer>,
}

impl Balancers {
    /// Those of a configuration that comes after this one; `check_tls` says how TLS is spoken in checks.
    pub(super) fn next(
        &self,
        entities: &Entities,
        check_tls: impl Fn(&Upstream) -> Arc<TlsSettings>,
    ) -> Self {
        let one = |upstream: &Upstream| {
            let check_tls = check_tls(upstream);
            let targets = || targets(entities, upstream);
            let kept = self.0.get(&upstream.id);
            let same = kept.filter(|it| {
                !differs(&it.upstream, &upstream.record)
                    && it.check_tls == check_tls
                    && it.targets.len() == targets().count()
                    && it.targets.iter().zip(targets()).all(|(before, now)| !differs(before, &now.record))
            });
            let balancer = match same {
                Some(kept) => kept.balancer.clone(),
                None => {
                    let before = kept.map(|it| &*it.balancer);
                    Arc::new(Balancer::of_upstream(upstream, targets(), check_tls.clone(), before))
                }
            };
            let targets = targets().map(|it| it.record.clone()).collect();
            (upstream.id, KeptBalancer { upstream: upstream.record.clone(), targets, check_tls, balancer })
        };
        Self(entities.upstreams.iter().map(one).collect())
    }

    /// The balancers by the places of the Upstreams.
    pub(super) fn of(&self, entities: &Entities) -> Vec<Arc<Balancer>> {
        entities.upstreams.iter().filter_map(|it| Some(self.0.get(&it.id)?.balancer.clone())).collect()
    }
}

fn targets<'a>(entities: &'a Entities, upstream: &'a Upstream) -> impl Iterator<Item = &'a Target> {
    upstream.targets.iter().filter_map(|it| entities.targets.get(it.0))
}
