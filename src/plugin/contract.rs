//! Contract between the gateway and a plugin: its definition, its phases, and what a phase may decide.

use std::{future::Future, pin::Pin, sync::Arc};

use super::{Exchange, HttpResponse, PluginSetup, RequestRecord};
use crate::{
    diag::Diagnostic,
    document::{Mapping, Value},
    metrics::MetricGroups,
    openapi::api::SecurityKind,
    schema::{EntityFault, Field, HTTP_PLUGIN_PROTOCOLS, PluginSettings},
};

/// Definition of a plugin: all facts about it that other modules read. Made by [`PluginDef::new`].
#[derive(Clone, Copy, Debug)]
pub struct PluginDef {
    /// Its name in `kong.yaml`.
    pub name: &'static str,
    /// Plugins with a higher priority run earlier. Kong's number where Kong has the plugin.
    /// (Kong: "Plugin priority".)
    pub priority: i32,
    /// Whether an entry of the plugin may be bound to a Consumer.
    pub per_consumer: bool,
    /// The fields of `config` and the checks across them.
    pub settings: PluginSettings,
    /// The settings that hold an OpenAPI document, if the plugin answers from one.
    pub document: Option<DocumentFields>,
    /// Settings with which the plugin enforces a security scheme; `None` for a scheme that it does not cover.
    /// (OpenAPI: Security Scheme Object.)
    pub security: Option<fn(&SecurityKind) -> Option<Mapping>>,
    /// Makes a plugin from its settings.
    pub compile: CompilePlugin,
}

/// Names of the two settings of which one holds an OpenAPI document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentFields {
    /// The setting for the text of the document.
    pub text: &'static str,
    /// The setting for the name of its file, in the folder of specs.
    pub file: &'static str,
}

/// Function that makes a plugin from its checked settings. Work that does not depend on a request is done here.
pub type CompilePlugin = fn(&PluginSetup<'_>) -> PluginResult;

/// A plugin, or the diagnostics about its settings.
pub type PluginResult = Result<Arc<dyn Plugin>, Vec<Diagnostic>>;

impl PluginDef {
    /// A plugin that may be bound to everything but a Consumer.
    #[must_use]
    pub const fn new(
        name: &'static str,
        priority: i32,
        fields: &'static [Field],
        compile: CompilePlugin,
    ) -> Self {
        Self {
            name,
            priority,
            per_consumer: false,
            settings: PluginSettings { fields, checks: &[], protocols: &HTTP_PLUGIN_PROTOCOLS },
            document: None,
            security: None,
            compile,
        }
    }

    /// Adds checks across several settings.
    #[must_use]
    pub const fn checks(mut self, checks: &'static [fn(&Value) -> Option<EntityFault>]) -> Self {
        self.settings.checks = checks;
        self
    }

    /// Allows entries for a Consumer. Not for plugins that run before authentication, or do it.
    #[must_use]
    pub const fn per_consumer(mut self) -> Self {
        self.per_consumer = true;
        self
    }

    /// Sets the field `protocols` of its entries, where Kong has the plugin for more than HTTP.
    #[must_use]
    pub const fn protocols(mut self, field: &'static Field) -> Self {
        self.settings.protocols = field;
        self
    }

    /// Names the settings that hold an OpenAPI document.
    #[must_use]
    pub const fn answers_from(mut self, document: DocumentFields) -> Self {
        self.document = Some(document);
        self
    }

    /// Adds the function that turns a security scheme into settings.
    #[must_use]
    pub const fn enforces(mut self, settings: fn(&SecurityKind) -> Option<Mapping>) -> Self {
        self.security = Some(settings);
        self
    }
}

/// One configured plugin. Phases are Kong's. (Kong: "Plugin development", implementing custom logic.)
///
/// Every function has a default, so that a plugin implements only the phases that it takes part in.
pub trait Plugin: Send + Sync {
    /// Whether [`Plugin::rewrite`] is to be called.
    fn rewrites(&self) -> bool {
        false
    }

    /// Runs before the router, in global instances alone. The router reads the request with its changes.
    fn rewrite<'a>(&'a self, _exchange: &'a mut Exchange) -> Flow<'a> {
        Flow::Continue
    }

    /// Runs before the upstream is contacted. May change the request, or answer in place of the upstream.
    fn access<'a>(&'a self, _exchange: &'a mut Exchange) -> Flow<'a> {
        Flow::Continue
    }

    /// Whether [`Plugin::store_response`] is to be called.
    fn stores_responses(&self) -> bool {
        false
    }

    /// Runs on every response before the first [`Plugin::header_filter`], so that what a plugin stores is what the header
    /// filters run on again when it is sent from there.
    fn store_response(&self, _exchange: &mut Exchange, _response: &mut HttpResponse) {}

    /// Runs on every response, whether a plugin, the gateway or an upstream made it.
    fn header_filter(&self, _exchange: &mut Exchange, _response: &mut HttpResponse) {}

    /// Whether [`Plugin::log`] is to be called.
    fn logs(&self) -> bool {
        false
    }

    /// Runs when the last byte of a response was sent, or its client has disconnected. Must not block: slow work
    /// belongs to a queue (`plugin/delivery`).
    fn log(&self, _record: &RequestRecord) {}

    /// Metrics to collect for requests of the plugin's Routes.
    fn metric_groups(&self) -> MetricGroups {
        MetricGroups::default()
    }

    /// Resets state that requests have created and that a user may want back in its initial form. Counters of limits
    /// are not reset.
    fn reset_state(&self) {}

    /// The answer that [`Plugin::access`] would give to a request, for an explanation of it; `None` if it would give none, or
    /// if that is not known before it runs.
    fn expected_answer(&self, _exchange: &mut Exchange) -> Option<ExpectedAnswer> {
        None
    }

    /// A path that the plugin answers and that no request can have, for a warning; `None` if there is no such path.
    /// `prefixes` computes the path prefixes of the plugin's Routes.
    fn unreachable_path(&self, _prefixes: &mut dyn FnMut() -> Vec<Vec<u8>>) -> Option<String> {
        None
    }
}

/// The answer that a plugin would give to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedAnswer {
    /// Its status; 444 if the connection is closed without an answer.
    pub status: u16,
    /// Where it comes from, in a few words.
    pub origin: String,
}

/// Decision of an access phase.
pub enum Flow<'a> {
    /// Continue with the next plugin.
    Continue,
    /// Skip the remaining plugins and the upstream; send this response.
    Respond(HttpResponse),
    /// Await the decision. Plugins that decide at once do not pay for a future.
    Later(Pin<Box<dyn Future<Output = Flow<'a>> + Send + 'a>>),
}
