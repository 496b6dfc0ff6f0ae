//! Stand-in for a plugin in quarantine: refuses every request.

use std::sync::Arc;

use http::StatusCode;

use super::{Exchange, Flow, Plugin};

struct Blocker {
    message: String,
}

/// The stand-in for the plugin with this name.
#[must_use]
pub fn blocker(name: &str) -> Arc<dyn Plugin> {
    Arc::new(Blocker { message: format!("the plugin '{name}' is quarantined") })
}

impl Plugin for Blocker {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        Flow::Respond(exchange.error(StatusCode::SERVICE_UNAVAILABLE, &self.message))
    }
}
