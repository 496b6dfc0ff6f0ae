//! Plugins `pre-function` and `post-function`: snippets of Lua from the settings, in a sandbox.
//! (Kong: Pre-Function and Post-Function plugins; `untrusted_lua = sandbox`.)
//!
//! | file | what it holds |
//! |---|---|
//! | `snippets`, `names` | reading of snippets; names in them that the sandbox does not have |
//! | `interpreter` | interpreters, one for each worker |
//! | `snippet_owner` | the plugin of a snippet, and its lines in the log |
//! | `call`, `call_budget` | the request and the response of one call, and what it may use |
//! | `request_state` | what the phases of a request share |
//! | `entry_snippets` | snippets of the plugins that log |
//! | `api`, `prelude.lua` | `kong`, `ngx` and the libraries that a snippet sees |
//! | `request_api`, `request_variables`, `response_api`, `client_api`, `json`, `text_api`, `regex_api`, `time_api` | functions behind these |
//! | `patterns`, `pattern_matcher` | Lua's patterns, in a limited number of steps |
//! | `body_filter` | bodies that a snippet changes |

// Lua has one kind of number; lengths, positions and statuses are far below its exact range.
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod api;
mod body_filter;
mod call;
mod call_budget;
mod client_api;
mod entry_snippets;
mod interpreter;
mod json;
mod pattern_matcher;
mod patterns;
mod regex_api;
mod request_api;
mod request_state;
mod request_variables;
mod response_api;
#[cfg(test)]
mod sandbox_tests;
mod snippet_owner;
mod snippets;
#[cfg(test)]
mod tests;
mod text_api;
mod time_api;
mod unknown_names;

pub(super) use entry_snippets::EntrySnippets;
pub use interpreter::LuaInterpreters;

use std::sync::Arc;

use bytes::Bytes;
use http::{StatusCode, header::CONTENT_LENGTH};

use super::{
    Exchange, Flow, HttpResponse, Plugin, PluginDef, PluginResult, PluginSetup, RequestRecord,
    setting_checks, setting_values, whole_body,
};
use crate::{
    body::{Body, BodyBuffers},
    diag::Diagnostic,
    document::Value,
    schema::{EntityFault, Field, PLUGIN_PROTOCOLS},
};
use body_filter::FilteredBody;
use call::{FinishedRequest, LuaCall, Phase, RequestState, Stop};
use interpreter::Snippet;
use snippet_owner::SnippetOwner;
use snippets::{SnippetReader, reads_log_entry};

/// The plugin that runs before all others.
pub(super) const PRE_FUNCTION: PluginDef =
    PluginDef::new("pre-function", 1_000_000, FIELDS, compile_pre_function)
        .checks(&[any_phase])
        .protocols(&PLUGIN_PROTOCOLS);

/// The plugin that runs after all others.
pub(super) const POST_FUNCTION: PluginDef =
    PluginDef::new("post-function", -1000, FIELDS, compile_post_function)
        .checks(&[any_phase])
        .protocols(&PLUGIN_PROTOCOLS);

const FIELDS: &[Field] = &[
    snippets("certificate", "Lua that runs while a TLS connection is made; not run by this gateway"),
    snippets("rewrite", "Lua that runs when the head of a request has arrived"),
    snippets("access", "Lua that runs before the upstream is contacted"),
    snippets("header_filter", "Lua that runs when the head of the response is known"),
    snippets("body_filter", "Lua that runs for each piece of the body of the response"),
    snippets("log", "Lua that runs when the response was sent"),
];

const PHASES: &[&str] = &["certificate", "rewrite", "access", "header_filter", "body_filter", "log"];

const fn snippets(name: &'static str, description: &'static str) -> Field {
    Field::new(name, setting_checks::STRINGS).required().default("[]").describe(description)
}

fn any_phase(config: &Value) -> Option<EntityFault> {
    setting_checks::at_least_one(config, PHASES)
}

/// The largest body of a request that snippets can read, in bytes.
const MAX_BODY: u64 = 8 << 20;

/// Names with which a snippet reads the body of a request.
const BODY_READERS: &[&str] = &[
    "get_raw_body",
    "kong.request.get_body",
    "get_body_data",
    "get_post_args",
    "request.get_body",
    "request_body",
];

struct LuaFunctions {
    owner: SnippetOwner,
    interpreters: LuaInterpreters,
    buffers: BodyBuffers,
    rewrite: RequestSnippets,
    access: RequestSnippets,
    header_filter: Vec<Snippet>,
    body_filter: Arc<BodySnippets>,
    log: Vec<Snippet>,
    /// Whether a snippet of the phase `log` reads the whole entry.
    reads_entry: bool,
}

/// Snippets of a phase before there is a response.
struct RequestSnippets {
    phase: Phase,
    snippets: Vec<Snippet>,
    /// Whether the body of the request is read before they run.
    reads_body: bool,
}

/// Snippets of the phase `body_filter`, which a body keeps.
struct BodySnippets {
    owner: SnippetOwner,
    interpreters: LuaInterpreters,
    snippets: Vec<Snippet>,
}

fn compile_pre_function(setup: &PluginSetup<'_>) -> PluginResult {
    compile("pre-function", setup)
}

fn compile_post_function(setup: &PluginSetup<'_>) -> PluginResult {
    compile("post-function", setup)
}

fn compile(name: &'static str, setup: &PluginSetup<'_>) -> PluginResult {
    let mut reader = SnippetReader::new(setup);
    let mut read = |field: &str| -> Vec<Snippet> {
        let texts = setting_values::strings(setup.config, field);
        let read = texts.filter_map(|(n, text)| {
            reader.read(format!("{field}[{n}]"), text, &setup.at.key(field).index(n))
        });
        read.collect()
    };
    let reads_body = |field: &str| {
        setting_values::strings(setup.config, field)
            .any(|(_, text)| BODY_READERS.iter().any(|reader| text.contains(reader)))
    };
    let mut request_snippets = |phase: Phase| RequestSnippets {
        phase,
        snippets: read(phase.name()),
        reads_body: reads_body(phase.name()),
    };
    let (rewrite, access) = (request_snippets(Phase::Rewrite), request_snippets(Phase::Access));
    let (header_filter, body_filter, log) = (read("header_filter"), read("body_filter"), read("log"));
    reader.finish()?;
    for (n, _) in setting_values::strings(setup.config, "certificate") {
        let message = "this snippet is not run: plugins have no phase in TLS handshakes";
        setup.warnings.borrow_mut().push(Diagnostic::warning(setup.at.key("certificate").index(n), message));
    }
    let owner = SnippetOwner::new(name, setup);
    let interpreters = setup.resources.lua.clone();
    let body_filter =
        BodySnippets { owner: owner.clone(), interpreters: interpreters.clone(), snippets: body_filter };
    Ok(Arc::new(LuaFunctions {
        owner,
        interpreters,
        buffers: setup.resources.buffers.clone(),
        rewrite,
        access,
        header_filter,
        body_filter: Arc::new(body_filter),
        reads_entry: setting_values::strings(setup.config, "log").any(|(_, text)| reads_log_entry(text)),
        log,
    }))
}

impl LuaFunctions {
    fn call(&self, phase: Phase, state: RequestState) -> LuaCall {
        LuaCall::new(phase, self.owner.clone(), state)
    }

    /// Runs a phase before there is a response, after the body is read if a snippet reads it.
    fn run_phase<'a>(&'a self, phase: &'a RequestSnippets, exchange: &'a mut Exchange) -> Flow<'a> {
        if phase.snippets.is_empty() {
            return Flow::Continue;
        }
        if !phase.reads_body {
            return self.run_snippets(phase, exchange, None);
        }
        Flow::Later(Box::pin(async move {
            let body = std::mem::take(&mut exchange.body);
            match self.buffers.read_whole(body, MAX_BODY).await {
                Ok(bytes) => {
                    exchange.body = Body::full(bytes.clone());
                    self.run_snippets(phase, exchange, Some(bytes))
                }
                Err(error) => Flow::Respond(whole_body::refusal(exchange, &error)),
            }
        }))
    }

    fn run_snippets<'a>(
        &self,
        phase: &RequestSnippets,
        exchange: &mut Exchange,
        body: Option<Bytes>,
    ) -> Flow<'a> {
        let mut call = self.call(phase.phase, RequestState::of(exchange));
        call.request_body = body;
        call.exchange = Some(exchange.take());
        let mut flow = Flow::Continue;
        for snippet in &phase.snippets {
            let result;
            (call, result) = self.interpreters.run(snippet, call);
            match (call.stop.take(), result) {
                (Some(Stop::Respond(response)), _) => flow = Flow::Respond(*response),
                (None, Ok(())) if call.printed.is_some() => {
                    match response_api::finish_printed(&mut call, None) {
                        Ok(response) => flow = Flow::Respond(response),
                        Err(error) => flow = self.fail(snippet, &call, &error.to_string()),
                    }
                }
                (Some(Stop::Continue | Stop::Replaced), _) | (None, Ok(())) => continue,
                (Some(Stop::OverBudget(overrun)), _) => {
                    flow = self.fail(snippet, &call, &snippet.over_budget(overrun));
                }
                (None, Err(error)) => flow = self.fail(snippet, &call, &error.to_string()),
            }
            break;
        }
        if let Some(own) = call.exchange {
            *exchange = own;
        }
        flow
    }

    /// Logs why a snippet failed; the answer to its request. (Kong: an error of a plugin's handler.)
    fn fail<'a>(&self, snippet: &Snippet, call: &LuaCall, error: &str) -> Flow<'a> {
        self.owner.log_error(snippet, error);
        let response = call.exchange.as_ref().map(|exchange| {
            exchange.error(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred")
        });
        response.map_or(Flow::Continue, Flow::Respond)
    }

    /// Runs snippets whose failure is logged and changes nothing.
    fn run_observers(&self, snippets: &[Snippet], mut call: LuaCall) -> LuaCall {
        for snippet in snippets {
            let result;
            (call, result) = self.interpreters.run(snippet, call);
            match (call.stop.take(), result) {
                (Some(Stop::OverBudget(overrun)), _) => self.owner.log_over_budget(snippet, overrun),
                (Some(Stop::Replaced), _) => break,
                (None, Err(error)) => self.owner.log_error(snippet, &error.to_string()),
                _ => (),
            }
        }
        call
    }
}

impl Plugin for LuaFunctions {
    fn rewrites(&self) -> bool {
        !self.rewrite.snippets.is_empty()
    }

    fn rewrite<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        self.run_phase(&self.rewrite, exchange)
    }

    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        self.run_phase(&self.access, exchange)
    }

    fn header_filter(&self, exchange: &mut Exchange, response: &mut HttpResponse) {
        let filters_body = !self.body_filter.snippets.is_empty();
        let has_phases = filters_body || !self.header_filter.is_empty() || !self.log.is_empty();
        if !has_phases && exchange.kept.get::<RequestState>().is_none() {
            return;
        }
        let state = RequestState::of(exchange);
        state.apply_to(response);
        if filters_body {
            // What a snippet makes of the body may have another length.
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        if !self.header_filter.is_empty() {
            let mut call = self.call(Phase::HeaderFilter, state.clone());
            call.source = exchange.response_origin;
            call.exchange = Some(exchange.take());
            call.response = Some(std::mem::take(response));
            call = self.run_observers(&self.header_filter, call);
            if let Some(own) = call.exchange {
                *exchange = own;
            }
            if let Some(own) = call.response {
                *response = own;
            }
        }
        if filters_body {
            FilteredBody::put(&self.body_filter, exchange, state, response);
        }
    }

    fn logs(&self) -> bool {
        !self.log.is_empty()
    }

    fn log(&self, record: &RequestRecord) {
        let state = record.kept.get::<RequestState>().cloned().unwrap_or_default();
        let mut call = self.call(Phase::Log, state);
        call.finished = Some(FinishedRequest::of_record(record, self.reads_entry));
        call.source = call::source_of(record);
        drop(self.run_observers(&self.log, call));
    }
}
