//! Chain of plugins: the plugins of one Route, in the order in which they run.

use std::{collections::HashMap, sync::Arc};

use super::{Exchange, Flow, HttpResponse, Plugin};
use crate::metrics::MetricGroups;

/// Plugins by falling priority, at most one of each name, with overrides for Consumers.
#[derive(Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether a phase has anything to run")]
pub struct PluginChain {
    steps: Vec<ChainStep>,
    /// Whether any step has overrides for Consumers.
    has_overrides: bool,
    /// Whether any plugin logs finished requests.
    logs: bool,
    /// Whether any plugin stores responses.
    stores_responses: bool,
    /// Whether any plugin has a phase before the router.
    rewrites: bool,
}

/// One plugin of a chain.
#[derive(Clone)]
pub struct ChainStep {
    /// Steps with a higher priority run earlier.
    pub priority: i32,
    /// The plugin's name.
    pub name: &'static str,
    /// The plugin for requests without an override; `None` if only some Consumers have the plugin.
    pub plugin: Option<Arc<dyn Plugin>>,
    /// Plugins that replace it for some Consumers.
    pub consumer_overrides: Option<Arc<ConsumerOverrides>>,
}

/// Plugins of one step for some Consumers, by index in [`Consumers`](super::Consumers).
pub type ConsumerOverrides = HashMap<usize, Arc<dyn Plugin>>;

/// The Consumer that was known when each step of a chain ran; empty if the chain has no overrides.
///
/// Later phases of a step use the plugin of its access phase, even if a later step has authenticated the Consumer.
#[derive(Clone, Debug, Default)]
pub struct ConsumerPerStep(Vec<Option<usize>>);

impl PluginChain {
    /// Adds a plugin. Replaces the plugin with the same name, so the widest scope has to be added first.
    pub fn add(&mut self, step: ChainStep) {
        self.steps.retain(|other| other.name != step.name);
        // Equal priorities run in reverse order of their names. (Kong: "Plugin priority".)
        let index =
            self.steps.partition_point(|other| (other.priority, other.name) > (step.priority, step.name));
        self.has_overrides |= step.consumer_overrides.is_some();
        let overrides =
            step.consumer_overrides.iter().flat_map(|consumer_overrides| consumer_overrides.values());
        self.rewrites |= step.plugin.as_ref().is_some_and(|plugin| plugin.rewrites());
        for plugin in step.plugin.iter().chain(overrides) {
            self.logs |= plugin.logs();
            self.stores_responses |= plugin.stores_responses();
        }
        self.steps.insert(index, step);
    }

    /// The plugins in the order they run.
    #[must_use]
    pub fn steps(&self) -> &[ChainStep] {
        &self.steps
    }

    /// Metrics that its plugins collect.
    #[must_use]
    pub fn metric_groups(&self) -> MetricGroups {
        let plugins = self.steps.iter().filter_map(|step| step.plugin.as_ref());
        plugins.fold(MetricGroups::default(), |groups, plugin| groups.union(plugin.metric_groups()))
    }

    /// Whether any plugin has a phase before the router.
    #[must_use]
    pub const fn rewrites(&self) -> bool {
        self.rewrites
    }

    /// Runs the phase before the router until a plugin responds.
    pub async fn rewrite(&self, exchange: &mut Exchange) -> Option<HttpResponse> {
        for plugin in self.steps.iter().filter_map(|step| step.plugin.as_ref()) {
            if let Some(response) = decide(plugin.rewrite(exchange)).await {
                return Some(response);
            }
        }
        None
    }

    /// Runs the access phase until a plugin responds. A step sees the Consumer that earlier steps have authenticated.
    pub async fn access(&self, exchange: &mut Exchange) -> Option<HttpResponse> {
        for step in &self.steps {
            let consumer = exchange.consumer();
            if self.has_overrides {
                exchange.consumer_per_step.0.push(consumer);
            }
            let Some(plugin) = step.plugin_for(consumer) else { continue };
            if let Some(response) = decide(plugin.access(exchange)).await {
                return Some(response);
            }
        }
        None
    }

    /// Lets plugins store a response, then runs the header filter phase of all plugins, including those that the access phase did not reach.
    /// (Kong: "Plugin development", plugin contexts.)
    pub fn header_filter(&self, exchange: &mut Exchange, response: &mut HttpResponse) {
        if self.stores_responses {
            for (n, step) in self.steps.iter().enumerate() {
                if let Some(plugin) = step.shared_plugin_for(consumer_of_step(exchange, n)) {
                    plugin.store_response(exchange, response);
                }
            }
        }
        for (n, step) in self.steps.iter().enumerate() {
            if let Some(plugin) = step.shared_plugin_for(consumer_of_step(exchange, n)) {
                plugin.header_filter(exchange, response);
            }
        }
    }

    /// Whether any plugin logs finished requests.
    #[must_use]
    pub const fn logs(&self) -> bool {
        self.logs
    }

    /// The plugins that log a finished request, in the order in which they do.
    #[must_use]
    pub fn loggers(&self, exchange: &Exchange) -> Vec<Arc<dyn Plugin>> {
        self.plugins_of(exchange).filter(|plugin| plugin.logs()).cloned().collect()
    }

    /// The plugins of a request. A step that the access phase did not reach uses the Consumer known at the end.
    fn plugins_of<'a>(&'a self, exchange: &'a Exchange) -> impl Iterator<Item = &'a Arc<dyn Plugin>> {
        let steps = self.steps.iter().enumerate();
        steps.filter_map(|(n, step)| step.shared_plugin_for(consumer_of_step(exchange, n)))
    }
}

/// Awaits the decision of a plugin: its response, or none if the request continues.
async fn decide(mut flow: Flow<'_>) -> Option<HttpResponse> {
    loop {
        match flow {
            Flow::Continue => return None,
            Flow::Respond(response) => return Some(response),
            Flow::Later(later) => flow = later.await,
        }
    }
}

/// The Consumer that was known when a step ran; for a step that did not run, the one that is known now.
fn consumer_of_step(exchange: &Exchange, step: usize) -> Option<usize> {
    exchange.consumer_per_step.0.get(step).copied().unwrap_or_else(|| exchange.consumer())
}

impl ChainStep {
    /// The plugin for a Consumer; `None` before authentication.
    #[must_use]
    pub fn plugin_for(&self, consumer: Option<usize>) -> Option<&dyn Plugin> {
        self.shared_plugin_for(consumer).map(|plugin| &**plugin)
    }

    fn shared_plugin_for(&self, consumer: Option<usize>) -> Option<&Arc<dyn Plugin>> {
        let specific = consumer
            .zip(self.consumer_overrides.as_deref())
            .and_then(|(consumer, consumer_overrides)| consumer_overrides.get(&consumer));
        specific.or(self.plugin.as_ref())
    }
}

impl std::fmt::Debug for PluginChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.steps.iter().map(|step| (step.priority, step.name))).finish()
    }
}
