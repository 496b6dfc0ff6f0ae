//! The plugins of one Route, in the order they run.

use std::{collections::HashMap, sync::Arc};

use super::{Exchange, Flow, HttpResponse, Plugin};
use crate::metrics::MetricGroups;

/// Plugins by falling priority; one of each name, and in its place what some Consumers get instead.
#[derive(Clone, Default)]
pub struct PluginChain {
    steps: Vec<ChainStep>,
    /// Whether any Consumer gets something of its own.
    varies: bool,
    /// Whether any plugin wants to be told of requests that are over.
    logs: bool,
}

/// One plugin in its place.
#[derive(Clone)]
pub struct ChainStep {
    /// Higher runs earlier.
    pub priority: i32,
    /// The plugin's name.
    pub name: &'static str,
    /// What runs here, unless the Consumer has something of its own; none if only some Consumers have it.
    pub plugin: Option<Arc<dyn Plugin>>,
    /// What runs here for some Consumers.
    pub consumer_overrides: Option<Arc<ConsumerOverrides>>,
}

/// What runs in one place for some Consumers, by their place in [`Consumers`](super::Consumers).
pub type ConsumerOverrides = HashMap<usize, Arc<dyn Plugin>>;

/// Which Consumer each step of a chain knew when it ran; nothing as long as no step asks.
#[derive(Clone, Debug, Default)]
pub struct ConsumerPerStep(Vec<Option<usize>>);

impl PluginChain {
    /// Adds a plugin. A later one of the same name replaces it, so add the widest scope first.
    pub fn add(&mut self, step: ChainStep) {
        self.steps.retain(|other| other.name != step.name);
        // Equal priorities run in reverse order of their names. (Kong: "Plugin priority".)
        let place =
            self.steps.partition_point(|other| (other.priority, other.name) > (step.priority, step.name));
        self.varies |= step.consumer_overrides.is_some();
        let own = step.consumer_overrides.iter().flat_map(|consumer_overrides| consumer_overrides.values());
        self.logs |= step.plugin.iter().chain(own).any(|plugin| plugin.logs());
        self.steps.insert(place, step);
    }

    /// The plugins in the order they run.
    #[must_use]
    pub fn steps(&self) -> &[ChainStep] {
        &self.steps
    }

    /// What its plugins want to be counted of requests.
    #[must_use]
    pub fn metric_groups(&self) -> MetricGroups {
        let plugins = self.steps.iter().filter_map(|step| step.plugin.as_ref());
        plugins.fold(MetricGroups::default(), |groups, plugin| groups.union(plugin.metric_groups()))
    }

    /// Runs the access phase until a plugin answers. A step sees the Consumer that the steps before it found.
    pub async fn access(&self, exchange: &mut Exchange) -> Option<HttpResponse> {
        for step in &self.steps {
            let consumer = exchange.consumer();
            if self.varies {
                exchange.consumer_per_step.0.push(consumer);
            }
            let Some(plugin) = step.plugin_for(consumer) else { continue };
            let mut flow = plugin.access(exchange);
            loop {
                match flow {
                    Flow::Continue => break,
                    Flow::Respond(response) => return Some(response),
                    Flow::Later(later) => flow = later.await,
                }
            }
        }
        None
    }

    /// Runs the header filter phase of every plugin that had its turn, and of those that an answer kept from it.
    /// (Kong: "Plugin development", plugin contexts.)
    pub fn header_filter(&self, exchange: &Exchange, response: &mut HttpResponse) {
        for plugin in self.plugins_of(exchange) {
            plugin.header_filter(exchange, response);
        }
    }

    /// Whether any plugin wants to be told of requests that are over.
    #[must_use]
    pub const fn logs(&self) -> bool {
        self.logs
    }

    /// The plugins that are told when a request is over, in the order they are.
    #[must_use]
    pub fn loggers(&self, exchange: &Exchange) -> Vec<Arc<dyn Plugin>> {
        self.plugins_of(exchange).filter(|plugin| plugin.logs()).cloned().collect()
    }

    /// The plugins of a request: those that had their turn, and those that an answer kept from it.
    fn plugins_of<'a>(&'a self, exchange: &'a Exchange) -> impl Iterator<Item = &'a Arc<dyn Plugin>> {
        self.steps.iter().enumerate().filter_map(|(n, step)| {
            let consumer =
                exchange.consumer_per_step.0.get(n).copied().unwrap_or_else(|| exchange.consumer());
            step.plugin_of(consumer)
        })
    }
}

impl ChainStep {
    /// What runs here for a Consumer; no Consumer is known without authentication.
    #[must_use]
    pub fn plugin_for(&self, consumer: Option<usize>) -> Option<&dyn Plugin> {
        self.plugin_of(consumer).map(|plugin| &**plugin)
    }

    fn plugin_of(&self, consumer: Option<usize>) -> Option<&Arc<dyn Plugin>> {
        let own = consumer
            .zip(self.consumer_overrides.as_deref())
            .and_then(|(consumer, consumer_overrides)| consumer_overrides.get(&consumer));
        own.or(self.plugin.as_ref())
    }
}

impl std::fmt::Debug for PluginChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.steps.iter().map(|step| (step.priority, step.name))).finish()
    }
}
