//! The plugins of each Route: of each name the instance with the narrowest scope, and what Consumers get in its
//! place. (Kong: "Plugin entity", precedence.)

use std::{collections::HashMap, sync::Arc};

use rustc_hash::FxHashMap;

use crate::{
    entity::{ConsumerIndex, PluginScope, RouteIndex, ServiceIndex},
    plugin::{ChainStep, ConsumerOverrides, Plugin, PluginChain, PluginDef},
};

/// All instances, by what they are bound to besides Consumers.
#[derive(Default)]
pub(super) struct PluginInstances(FxHashMap<(Option<RouteIndex>, Option<ServiceIndex>), ScopedInstances>);

/// Instances that are bound to the same Route and Service.
#[derive(Default)]
struct ScopedInstances {
    /// For everyone.
    all: Vec<PluginInstance>,
    /// For one Consumer each, by the name of the plugin.
    own: HashMap<&'static str, ConsumerInstances>,
}

struct ConsumerInstances {
    priority: i32,
    overlay: Arc<ConsumerOverrides>,
}

#[derive(Clone)]
struct PluginInstance {
    priority: i32,
    name: &'static str,
    plugin: Arc<dyn Plugin>,
}

impl PluginInstances {
    /// Adds an instance of a plugin.
    pub(super) fn add(&mut self, scope: PluginScope, def: &PluginDef, plugin: Arc<dyn Plugin>) {
        let PluginScope { route, service, consumer } = scope;
        let PluginDef { priority, name, .. } = *def;
        let bound = self.0.entry((route, service)).or_default();
        match consumer {
            None => bound.all.push(PluginInstance { priority, name, plugin }),
            Some(ConsumerIndex(consumer)) => {
                let own = bound
                    .own
                    .entry(name)
                    .or_insert_with(|| ConsumerInstances { priority, overlay: Arc::default() });
                Arc::make_mut(&mut own.overlay).insert(consumer, plugin);
            }
        }
    }

    /// The plugins of requests that no Route takes; nobody is known there.
    pub(super) fn global(&self) -> PluginChain {
        let mut chain = PluginChain::default();
        for it in self.0.get(&(None, None)).into_iter().flat_map(|bound| &bound.all) {
            let plugin = Some(it.plugin.clone());
            chain.add(ChainStep { priority: it.priority, name: it.name, plugin, overlay: None });
        }
        chain
    }

    /// The plugins of a Route.
    pub(super) fn of_route(&self, route: RouteIndex, service: Option<ServiceIndex>) -> PluginChain {
        let both = service.map(|_| (Some(route), service));
        let of_service = service.map(|_| (None, service));
        let of_route = Some((Some(route), None));
        let bound = |key: Option<_>| key.and_then(|key| self.0.get(&key));
        if self.0.is_empty() {
            return PluginChain::default();
        }
        let mut steps: HashMap<&'static str, ChainStep> = HashMap::new();
        for bound in [Some((None, None)), of_service, of_route, both].into_iter().filter_map(bound) {
            for it in &bound.all {
                step(&mut steps, it.name, it.priority).plugin = Some(it.plugin.clone());
            }
        }
        // A Consumer beats a Route or a Service, but not both together.
        let beats_consumers =
            |name| bound(both).is_some_and(|bound| bound.all.iter().any(|it| it.name == name));
        for (n, key) in [Some((None, None)), of_service, of_route, both].into_iter().enumerate() {
            for (name, own) in bound(key).into_iter().flat_map(|bound| &bound.own) {
                if n > 0 || !beats_consumers(*name) {
                    lay_over(step(&mut steps, name, own.priority), &own.overlay);
                }
            }
        }
        let mut chain = PluginChain::default();
        for step in steps.into_values() {
            chain.add(step);
        }
        chain
    }
}

fn step<'a>(
    steps: &'a mut HashMap<&'static str, ChainStep>,
    name: &'static str,
    priority: i32,
) -> &'a mut ChainStep {
    steps.entry(name).or_insert_with(|| ChainStep { priority, name, plugin: None, overlay: None })
}

/// Puts what is narrower over what is there; as long as there is one layer only, all Routes share it.
fn lay_over(step: &mut ChainStep, narrower: &Arc<ConsumerOverrides>) {
    match &mut step.overlay {
        None => step.overlay = Some(narrower.clone()),
        Some(wider) => {
            let all = narrower.iter().map(|(consumer, plugin)| (*consumer, plugin.clone()));
            Arc::make_mut(wider).extend(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::find;

    /// A plugin that is not empty, so that each has an address of its own.
    struct Marked(#[expect(dead_code, reason = "it is there for its size")] u8);

    impl Plugin for Marked {}

    const ROUTE: RouteIndex = RouteIndex(3);
    const SERVICE: ServiceIndex = ServiceIndex(5);
    const CONSUMER: ConsumerIndex = ConsumerIndex(7);

    /// `crs` is bound to Consumer, Route and Service, `g` to nothing.
    fn scope(text: &str) -> PluginScope {
        PluginScope {
            route: text.contains('r').then_some(ROUTE),
            service: text.contains('s').then_some(SERVICE),
            consumer: text.contains('c').then_some(CONSUMER),
        }
    }

    /// Of these instances, which runs for the Consumer, and which for others.
    #[track_caller]
    fn check(scopes: &str, consumer: &str, others: &str) {
        let def = find("request-termination").unwrap();
        let mut instances = PluginInstances::default();
        let mut made: Vec<(&str, Arc<dyn Plugin>)> = Vec::new();
        for text in scopes.split(' ') {
            let plugin: Arc<dyn Plugin> = Arc::new(Marked(1));
            instances.add(scope(text), def, plugin.clone());
            made.push((text, plugin));
        }
        let chain = instances.of_route(ROUTE, Some(SERVICE));
        let step = &chain.steps()[0];
        let name = |consumer| {
            let plugin = step.plugin_for(consumer)?;
            made.iter().find(|(_, it)| std::ptr::addr_eq(Arc::as_ptr(it), plugin)).map(|(text, _)| *text)
        };
        assert_eq!(name(Some(CONSUMER.0)).unwrap_or("-"), consumer, "{scopes}");
        assert_eq!(name(None).unwrap_or("-"), others, "{scopes}");
        assert_eq!(name(Some(8)).unwrap_or("-"), others, "{scopes}");
    }

    #[test]
    fn the_narrowest_scope_wins() {
        check("g s r", "r", "r");
        check("g s rs", "rs", "rs");
        check("rs r", "rs", "rs");
        check("g r c", "c", "r");
        check("rs c", "rs", "rs");
        check("cr rs", "cr", "rs");
        check("cs rs", "cs", "rs");
        check("crs cr cs rs c r s g", "crs", "rs");
        check("cr cs c", "cr", "-");
        check("cs c r", "cs", "r");
        check("c", "c", "-");
        check("c g", "c", "g");
    }
}
