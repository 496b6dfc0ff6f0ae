//! Plugins `pre-function` and `post-function`: snippets of Lua from the settings, in a sandbox.
//! (Kong: Pre-Function and Post-Function plugins; `untrusted_lua = sandbox`.)
//!
//! | file | what it holds |
//! |---|---|
//! | `interpreter` | interpreters, and the budget of a call |
//! | `call` | the request and the response of one call |
//! | `api`, `prelude.lua` | `kong`, `ngx` and the libraries that a snippet sees |
//! | `request_api`, `request_variables`, `response_api`, `client_api`, `json`, `text_api`, `regex_api`, `time_api` | functions behind these |
//! | `patterns`, `pattern_matcher` | Lua's patterns, in a limited number of steps |
//! | `body_filter` | bodies that a snippet changes |
//! | `names` | names in a snippet that the sandbox does not have |

// Lua has one kind of number; lengths, positions and statuses are far below its exact range.
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod api;
mod body_filter;
mod call;
mod client_api;
mod interpreter;
mod json;
mod names;
mod pattern_matcher;
mod patterns;
mod regex_api;
mod request_api;
mod request_variables;
mod response_api;
#[cfg(test)]
mod tests;
mod text_api;
mod time_api;

pub use interpreter::LuaInterpreters;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use bytes::Bytes;
use http::{StatusCode, header::CONTENT_LENGTH};

use super::{
    Exchange, Flow, HttpResponse, Plugin, PluginDef, PluginResult, PluginSetup, RequestRecord,
    setting_checks, setting_values, whole_body,
};
use crate::{
    body::{Body, BodyBuffers},
    diag::Diagnostic,
    document::{SyntaxError, Value},
    schema::{EntityFault, Field},
};
use body_filter::FilteredBody;
use call::{FinishedRequest, LuaCall, Phase, RequestState, Stop};
use interpreter::Snippet;

/// The plugin that runs before all others.
pub(super) const PRE_FUNCTION: PluginDef =
    PluginDef::new("pre-function", 1_000_000, FIELDS, compile_pre_function).checks(&[any_phase]);

/// The plugin that runs after all others.
pub(super) const POST_FUNCTION: PluginDef =
    PluginDef::new("post-function", -1000, FIELDS, compile_post_function).checks(&[any_phase]);

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

/// Number of the next plugin, for `kong.ctx.plugin`.
static NEXT: AtomicU64 = AtomicU64::new(1);

struct LuaFunctions {
    name: &'static str,
    number: u64,
    /// The path of the settings, for the log.
    place: String,
    interpreters: LuaInterpreters,
    buffers: BodyBuffers,
    /// Whether the body of a request is read before the snippets of `access` run.
    reads_body: bool,
    access: Vec<Snippet>,
    header_filter: Vec<Snippet>,
    body_filter: Arc<BodySnippets>,
    log: Vec<Snippet>,
}

/// Snippets of the phase `body_filter`, which a body keeps.
struct BodySnippets {
    name: &'static str,
    number: u64,
    place: String,
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
    let interpreters = setup.resources.lua.clone();
    let mut errors = Vec::new();
    let mut read = |field: &str| -> Vec<Snippet> {
        let texts: Vec<(usize, &str)> = setting_values::strings(setup.config, field).collect();
        let mut snippets = Vec::new();
        for (n, text) in texts {
            let at = setup.at.key(field).index(n);
            match Snippet::new(format!("{field}[{n}]"), text, &interpreters) {
                Ok(snippet) => {
                    let unknown = names::unknown(text, &interpreters);
                    setup
                        .warnings
                        .borrow_mut()
                        .extend(unknown.into_iter().map(|unknown| unknown.warning(&at)));
                    snippets.push(snippet);
                }
                Err(error) => {
                    let lines = text.split_inclusive('\n').take(error.line.saturating_sub(1));
                    // The end of the text is shown at its last line.
                    let byte =
                        lines.map(str::len).sum::<usize>().min(text.trim_end().len().saturating_sub(1));
                    let message = format!("invalid Lua in line {}: {}", error.line, error.message);
                    errors.push(Diagnostic::syntax(at.inside(), &SyntaxError { byte, message }));
                }
            }
        }
        snippets
    };
    // The phase `rewrite` comes before `access`, and nothing happens in between here.
    let mut access = read("rewrite");
    access.extend(read("access"));
    let (header_filter, body_filter, log) = (read("header_filter"), read("body_filter"), read("log"));
    if !errors.is_empty() {
        return Err(errors);
    }
    for (n, _) in setting_values::strings(setup.config, "certificate") {
        let message = "this snippet is not run: no phase of TLS handshakes is there for plugins";
        setup.warnings.borrow_mut().push(Diagnostic::warning(setup.at.key("certificate").index(n), message));
    }
    let number = NEXT.fetch_add(1, Relaxed);
    let place = setup.at.to_string();
    let texts =
        ["rewrite", "access"].into_iter().flat_map(|field| setting_values::strings(setup.config, field));
    let reads_body =
        texts.map(|(_, text)| text).any(|text| BODY_READERS.iter().any(|reader| text.contains(reader)));
    let body_filter = BodySnippets {
        name,
        number,
        place: place.clone(),
        interpreters: interpreters.clone(),
        snippets: body_filter,
    };
    Ok(Arc::new(LuaFunctions {
        name,
        number,
        place,
        interpreters,
        buffers: setup.resources.buffers.clone(),
        reads_body,
        access,
        header_filter,
        body_filter: Arc::new(body_filter),
        log,
    }))
}

impl LuaFunctions {
    fn call(&self, phase: Phase, state: RequestState) -> LuaCall {
        LuaCall {
            phase,
            plugin: self.number,
            plugin_name: self.name,
            state,
            exchange: None,
            request_body: None,
            response: None,
            from_upstream: false,
            finished: None,
            printed: None,
            stop: None,
        }
    }

    /// Runs the snippets of the access phase.
    fn run_access<'a>(&self, exchange: &mut Exchange, body: Option<Bytes>) -> Flow<'a> {
        let mut call = self.call(Phase::Access, RequestState::of(exchange));
        call.request_body = body;
        call.exchange = Some(exchange.take());
        let mut flow = Flow::Continue;
        for snippet in &self.access {
            let result;
            (call, result) = self.interpreters.run(snippet, call);
            match (call.stop.take(), result) {
                (Some(Stop::Respond(response)), _) => flow = Flow::Respond(*response),
                (None, Ok(())) if call.printed.is_some() => {
                    match response_api::finish_printed(&mut call, None) {
                        Ok(response) => flow = Flow::Respond(response),
                        Err(error) => flow = self.fail(&call, &error.to_string()),
                    }
                }
                (Some(Stop::Continue), _) | (None, Ok(())) => continue,
                (Some(Stop::OverBudget), _) => flow = self.fail(&call, "its budget is used up"),
                (None, Err(error)) => flow = self.fail(&call, &error.to_string()),
            }
            break;
        }
        if let Some(own) = call.exchange {
            *exchange = own;
        }
        flow
    }

    /// Logs why a snippet failed; the answer to its request. (Kong: an error of a plugin's handler.)
    fn fail<'a>(&self, call: &LuaCall, error: &str) -> Flow<'a> {
        self.log_error(error);
        let response = call.exchange.as_ref().map(|exchange| {
            exchange.error(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred")
        });
        response.map_or(Flow::Continue, Flow::Respond)
    }

    fn log_error(&self, error: &str) {
        log_error(self.name, &self.place, error);
    }
}

fn log_error(name: &str, place: &str, error: &str) {
    let message = error.lines().next().unwrap_or_default();
    let message = message.strip_prefix("runtime error: ").unwrap_or(message);
    tracing::error!("{name} at {place}: {message}");
}

impl Plugin for LuaFunctions {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        if self.access.is_empty() {
            return Flow::Continue;
        }
        if !self.reads_body {
            return self.run_access(exchange, None);
        }
        Flow::Later(Box::pin(async move {
            let body = std::mem::take(&mut exchange.body);
            match self.buffers.read_whole(body, MAX_BODY).await {
                Ok(bytes) => {
                    exchange.body = Body::full(bytes.clone());
                    self.run_access(exchange, Some(bytes))
                }
                Err(error) => Flow::Respond(whole_body::refusal(exchange, &error)),
            }
        }))
    }

    fn header_filter(&self, exchange: &mut Exchange, response: &mut HttpResponse) {
        let filters_body = !self.body_filter.snippets.is_empty();
        if self.header_filter.is_empty() && !filters_body && exchange.kept.is_empty() {
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
            call.exchange = Some(exchange.take());
            call.response = Some(std::mem::take(response));
            for snippet in &self.header_filter {
                let result;
                (call, result) = self.interpreters.run(snippet, call);
                match (call.stop.take(), result) {
                    (Some(Stop::OverBudget), _) => self.log_error("its budget is used up"),
                    (None, Err(error)) => self.log_error(&error.to_string()),
                    _ => (),
                }
            }
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
        call.finished = Some(FinishedRequest::of_record(record));
        for snippet in &self.log {
            let result;
            (call, result) = self.interpreters.run(snippet, call);
            match (call.stop.take(), result) {
                (Some(Stop::OverBudget), _) => self.log_error("its budget is used up"),
                (None, Err(error)) => self.log_error(&error.to_string()),
                _ => (),
            }
        }
    }
}
