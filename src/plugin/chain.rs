//! The plugins of one Route, in the order they run.

use std::sync::Arc;

use super::{Exchange, Flow, Plugin, Response};

/// Plugins by falling priority; one of each name.
#[derive(Clone, Default)]
pub struct Chain {
    steps: Vec<Step>,
}

/// One plugin in its place.
#[derive(Clone)]
pub struct Step {
    /// Higher runs earlier.
    pub priority: i32,
    /// The plugin's name.
    pub name: &'static str,
    /// The plugin.
    pub plugin: Arc<dyn Plugin>,
}

impl Chain {
    /// Adds a plugin. A later one of the same name replaces it, so add the widest scope first.
    pub fn add(&mut self, step: Step) {
        self.steps.retain(|it| it.name != step.name);
        // Equal priorities run in reverse order of their names. (Kong: "Plugin priority".)
        let place = self.steps.partition_point(|it| (it.priority, it.name) > (step.priority, step.name));
        self.steps.insert(place, step);
    }

    /// The plugins in the order they run.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Runs the access phase until a plugin answers.
    pub async fn access(&self, exchange: &mut Exchange) -> Option<Response> {
        for step in &self.steps {
            let mut flow = step.plugin.access(exchange);
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

    /// Runs the header filter phase of every plugin: also of those that an answer kept from their access phase.
    /// (Kong: "Plugin development", plugin contexts.)
    pub fn header_filter(&self, exchange: &Exchange, response: &mut Response) {
        for step in &self.steps {
            step.plugin.header_filter(exchange, response);
        }
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.steps.iter().map(|step| (step.priority, step.name))).finish()
    }
}
