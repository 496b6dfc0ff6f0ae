//! `teapot`: answers every request with 418.

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;

use super::{Exchange, Flow, Plugin, PluginDef, PluginResult, PluginSetup};
use crate::schema::{Field, FieldKind};

/// Priority 5: plugins with a higher priority run earlier.
pub(super) const DEF: PluginDef = PluginDef::new("teapot", 5, FIELDS, compile).per_consumer();

const FIELDS: &[Field] =
    &[Field::new("message", FieldKind::String).required().default("\"short and stout\"")];

#[derive(Deserialize)]
struct Teapot {
    message: String,
}

/// Runs once for each configured plugin. Work that does not depend on a request is done here.
fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    Ok(Arc::new(setup.read_settings::<Teapot>()?))
}

impl Plugin for Teapot {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        Flow::Respond(exchange.error(StatusCode::IM_A_TEAPOT, &self.message))
    }
}
