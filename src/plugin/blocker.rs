//! Stand-in for a plugin in quarantine: refuses every request.

use std::sync::Arc;

use http::StatusCode;

use super::{Exchange, ExpectedAnswer, Flow, Plugin};

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

    fn expected_answer(&self, _exchange: &mut Exchange) -> Option<ExpectedAnswer> {
        Some(ExpectedAnswer {
            status: StatusCode::SERVICE_UNAVAILABLE.as_u16(),
            origin: self.message.clone(),
        })
    }
}
