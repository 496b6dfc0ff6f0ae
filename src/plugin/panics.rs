//! `panics`, a plugin for tests: panics in the phase that its settings name.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::Frame;

use super::{
    Exchange, Flow, HttpResponse, Plugin, PluginDef, PluginResult, PluginSetup, RequestRecord, setting_values,
};
use crate::{
    body::{Body, BodyError},
    schema::{Field, FieldKind},
};

pub(super) const DEF: PluginDef = PluginDef::new(
    "panics",
    5,
    &[Field::new("phase", FieldKind::String).describe("the phase that panics").required()],
    compile,
);

struct Panics(String);

struct PanickingBody;

#[expect(clippy::unnecessary_wraps, reason = "the contract lets plugins reject their settings")]
fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    Ok(Arc::new(Panics(setting_values::string(setup.config, "phase").unwrap_or_default())))
}

impl Panics {
    fn panic_in(&self, phase: &str) {
        assert!(self.0 != phase, "as intended, in {phase}");
    }
}

impl Plugin for Panics {
    fn access<'a>(&'a self, _: &'a mut Exchange) -> Flow<'a> {
        self.panic_in("access");
        Flow::Later(Box::pin(async {
            tokio::task::yield_now().await;
            self.panic_in("later");
            Flow::Continue
        }))
    }

    fn header_filter(&self, _: &mut Exchange, response: &mut HttpResponse) {
        self.panic_in("header_filter");
        if self.0 == "body" {
            *response.body_mut() = Body::boxed(PanickingBody);
        }
    }

    fn logs(&self) -> bool {
        true
    }

    fn log(&self, _: &RequestRecord) {
        self.panic_in("log");
    }
}

impl http_body::Body for PanickingBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        panic!("as intended, in a body")
    }
}
