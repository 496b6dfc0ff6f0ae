//! Plugin chains of the Routes: of each plugin the instance with the narrowest scope, and the instances of Consumers.
//! (Kong: "Plugin entity", precedence.)

use std::{collections::HashMap, sync::Arc};

use rustc_hash::FxHashMap;

use crate::{
    entity::{ConsumerIndex, PluginScope, RouteIndex, ServiceIndex},
    plugin::{self, ChainStep, ConsumerOverrides, Plugin, PluginChain, PluginDef},
};

/// A priority below those of the plugins that authenticate, and above all others that answer.
const AFTER_AUTHENTICATION: i32 = 1_000;

/// All instances, by Route and Service of their scope.
#[derive(Default)]
pub(super) struct PluginInstances(FxHashMap<(Option<RouteIndex>, Option<ServiceIndex>), ScopedInstances>);

/// Instances with the same Route and Service in their scope.
#[derive(Default)]
struct ScopedInstances {
    /// Instances for all Consumers.
    all: Vec<PluginInstance>,
    /// Instances for one Consumer each, by name of the plugin.
    per_consumer: HashMap<&'static str, ConsumerInstances>,
}

struct ConsumerInstances {
    priority: i32,
    consumer_overrides: Arc<ConsumerOverrides>,
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
        let PluginDef { priority, name, .. } = *def;
        self.insert(scope, name, priority, plugin);
    }

    fn insert(&mut self, scope: PluginScope, name: &'static str, priority: i32, plugin: Arc<dyn Plugin>) {
        let PluginScope { route, service, consumer } = scope;
        let scoped = self.0.entry((route, service)).or_default();
        match consumer {
            None => scoped.all.push(PluginInstance { priority, name, plugin }),
            Some(ConsumerIndex(consumer)) => {
                let instances = scoped
                    .per_consumer
                    .entry(name)
                    .or_insert_with(|| ConsumerInstances { priority, consumer_overrides: Arc::default() });
                Arc::make_mut(&mut instances.consumer_overrides).insert(consumer, plugin);
            }
        }
    }

    /// Refuses the requests of a plugin that is missing or has errors, in its place among the others.
    pub(super) fn block(&mut self, scope: PluginScope, name: &str) {
        let is_of_consumer = scope.consumer.is_some();
        let def = plugin::find(name).filter(|def| !is_of_consumer || def.per_consumer);
        let blocker = plugin::blocker(name);
        let (name, priority) = match def {
            Some(def) => (def.name, def.priority),
            // Only after authentication is the Consumer known.
            None if is_of_consumer => (blocker_name(name), AFTER_AUTHENTICATION),
            None => (blocker_name(name), i32::MAX),
        };
        self.insert(scope, name, priority, blocker);
    }

    /// The plugins of requests without a Route. Consumers are not known there.
    pub(super) fn global(&self) -> PluginChain {
        let mut chain = PluginChain::default();
        for instance in self.0.get(&(None, None)).into_iter().flat_map(|scoped| &scoped.all) {
            let PluginInstance { priority, name, plugin } = instance.clone();
            chain.add(ChainStep { priority, name, plugin: Some(plugin), consumer_overrides: None });
        }
        chain
    }

    /// The plugins of a Route.
    pub(super) fn of_route(&self, route: RouteIndex, service: Option<ServiceIndex>) -> PluginChain {
        let both = service.map(|_| (Some(route), service));
        let of_service = service.map(|_| (None, service));
        let of_route = Some((Some(route), None));
        let scoped = |key: Option<_>| key.and_then(|key| self.0.get(&key));
        if self.0.is_empty() {
            return PluginChain::default();
        }
        let mut steps: HashMap<&'static str, ChainStep> = HashMap::new();
        for scoped in [Some((None, None)), of_service, of_route, both].into_iter().filter_map(scoped) {
            for instance in &scoped.all {
                step(&mut steps, instance.name, instance.priority).plugin = Some(instance.plugin.clone());
            }
        }
        // An instance for a Consumer precedes one for a Route or a Service, but not one for both.
        let beats_consumers =
            |name| scoped(both).is_some_and(|scoped| scoped.all.iter().any(|instance| instance.name == name));
        for (n, key) in [Some((None, None)), of_service, of_route, both].into_iter().enumerate() {
            for (name, instances) in scoped(key).into_iter().flat_map(|scoped| &scoped.per_consumer) {
                if n > 0 || !beats_consumers(*name) {
                    add_overrides(step(&mut steps, name, instances.priority), &instances.consumer_overrides);
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

/// A name under which a missing plugin has a step of its own.
fn blocker_name(name: &str) -> &'static str {
    plugin::kongs_name(name).unwrap_or("(plugin in quarantine)")
}

fn step<'a>(
    steps: &'a mut HashMap<&'static str, ChainStep>,
    name: &'static str,
    priority: i32,
) -> &'a mut ChainStep {
    steps.entry(name).or_insert_with(|| ChainStep { priority, name, plugin: None, consumer_overrides: None })
}

/// Adds overrides of a narrower scope to a step. Overrides of a single scope are shared by all Routes.
fn add_overrides(step: &mut ChainStep, narrower: &Arc<ConsumerOverrides>) {
    match &mut step.consumer_overrides {
        None => step.consumer_overrides = Some(narrower.clone()),
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

    /// Plugin with a size, so that each instance has an address of its own.
    struct Marked(#[expect(dead_code, reason = "it gives the type a size")] u8);

    impl Plugin for Marked {}

    const ROUTE: RouteIndex = RouteIndex(3);
    const SERVICE: ServiceIndex = ServiceIndex(5);
    const CONSUMER: ConsumerIndex = ConsumerIndex(7);

    /// The scope of letters: `c` for Consumer, `r` for Route, `s` for Service, `g` for a global instance.
    fn scope(text: &str) -> PluginScope {
        PluginScope {
            route: text.contains('r').then_some(ROUTE),
            service: text.contains('s').then_some(SERVICE),
            consumer: text.contains('c').then_some(CONSUMER),
        }
    }

    /// Checks which of these instances runs for the Consumer, and which for others.
    #[track_caller]
    fn check(scopes: &str, consumer: &str, others: &str) {
        let def = find("request-termination").unwrap();
        let mut instances = PluginInstances::default();
        let mut plugins: Vec<(&str, Arc<dyn Plugin>)> = Vec::new();
        for text in scopes.split(' ') {
            let plugin: Arc<dyn Plugin> = Arc::new(Marked(1));
            instances.add(scope(text), def, plugin.clone());
            plugins.push((text, plugin));
        }
        let chain = instances.of_route(ROUTE, Some(SERVICE));
        let step = &chain.steps()[0];
        let name = |consumer| {
            let plugin = step.plugin_for(consumer)?;
            plugins
                .iter()
                .find(|(_, known)| std::ptr::addr_eq(Arc::as_ptr(known), plugin))
                .map(|(text, _)| *text)
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
