//! One call of a snippet: the request and the response that it sees, and how it ended.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use mlua::{AppDataRefMut, Error, Lua, Result, Table};

pub(super) use super::request_state::{RequestState, ResponseField};
use super::snippet_owner::SnippetOwner;
use crate::plugin::{Exchange, HttpResponse, MatchedRoute, RequestIdentity, RequestRecord, ResponseOrigin};

/// Phases of a request in which snippets run. (Kong: "Plugin development", implementing custom logic.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before the router.
    Rewrite,
    /// Before the upstream is contacted.
    Access,
    /// When the head of the response is known.
    HeaderFilter,
    /// For each piece of the body of the response, and once at its end.
    BodyFilter,
    /// When the response was sent.
    Log,
}

impl Phase {
    /// The name in the settings, and in messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rewrite => "rewrite",
            Self::Access => "access",
            Self::HeaderFilter => "header_filter",
            Self::BodyFilter => "body_filter",
            Self::Log => "log",
        }
    }

    /// Whether the request can still be changed and answered.
    pub(super) const fn is_before_response(self) -> bool {
        matches!(self, Self::Rewrite | Self::Access)
    }
}

/// Why a snippet ended before its last line.
pub(super) enum Stop {
    /// It answers the request (`kong.response.exit`).
    Respond(Box<HttpResponse>),
    /// It ends its phase and lets the request go on (`ngx.exit(ngx.OK)`).
    Continue,
    /// It has replaced the response (`kong.response.exit` in the phase `header_filter`).
    Replaced,
    /// It used up a budget.
    OverBudget(Overrun),
}

/// The budget that a call has used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overrun {
    Instructions,
    Time,
    Memory,
    PatternSteps,
}

impl Overrun {
    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::Instructions => "the budget of instructions is used up",
            Self::Time => "the budget of time is used up",
            Self::Memory => "the budget of memory is used up",
            Self::PatternSteps => "a pattern takes too many steps on its text",
        }
    }
}

/// Where a request came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestPlace {
    pub(super) tls: bool,
    /// The host that it names.
    pub(super) host: String,
    /// The port of the listener.
    pub(super) port: u16,
}

impl RequestPlace {
    fn of_exchange(exchange: &Exchange) -> Self {
        let host = exchange.head().authority().host().to_owned();
        Self { tls: exchange.tls, host, port: exchange.port }
    }

    fn of_record(record: &RequestRecord) -> Self {
        let Ok(origin) = record.origin.parse::<http::Uri>() else { return Self::default() };
        let tls = origin.scheme_str() == Some("https");
        let port = origin.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Self { tls, host: origin.host().unwrap_or_default().to_owned(), port }
    }
}

/// A finished request, as snippets of the log phase see it.
pub(super) struct FinishedRequest {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) fields: HeaderMap,
    pub(super) client: std::net::IpAddr,
    pub(super) id: String,
    /// The time from the arrival of its head to its end.
    pub(super) duration: Duration,
    pub(super) place: RequestPlace,
    pub(super) matched: Option<Arc<MatchedRoute>>,
    pub(super) identity: Option<RequestIdentity>,
    pub(super) status: u16,
    pub(super) response_fields: HeaderMap,
    /// The entry of a log, JSON; `None` unless a snippet reads it.
    pub(super) entry: Option<Bytes>,
}

impl FinishedRequest {
    /// The request of a body that snippets filter; its response is kept apart.
    pub(super) fn of_exchange(exchange: &Exchange) -> Self {
        Self {
            method: exchange.upstream_method().clone(),
            path: exchange.path.clone(),
            query: exchange.upstream_query().map(str::to_owned),
            fields: exchange.edited_fields().into_owned(),
            client: exchange.client.ip(),
            id: exchange.request_id.to_string(),
            duration: exchange.started.elapsed(),
            place: RequestPlace::of_exchange(exchange),
            matched: exchange.matched.clone(),
            identity: exchange.identity.clone(),
            status: 0,
            response_fields: HeaderMap::new(),
            entry: None,
        }
    }

    pub(super) fn of_record(record: &RequestRecord, reads_entry: bool) -> Self {
        let answer = record.response.as_ref();
        Self {
            method: record.method.clone(),
            path: record.target.path().to_owned(),
            query: record.target.query().map(str::to_owned),
            fields: record.fields.clone(),
            client: record.client,
            id: record.id.to_string(),
            duration: record.duration,
            place: RequestPlace::of_record(record),
            matched: record.matched.clone(),
            identity: record.identity.clone(),
            status: answer.map_or(0, |answer| answer.status),
            response_fields: answer.map(|answer| answer.fields.clone()).unwrap_or_default(),
            entry: reads_entry.then(|| record.entry_with(&[])),
        }
    }
}

/// The origin of the response to a finished request.
pub(super) fn source_of(record: &RequestRecord) -> ResponseOrigin {
    match &record.upstream {
        None => ResponseOrigin::Plugin,
        Some(sent) => sent.status.map_or(ResponseOrigin::Gateway, ResponseOrigin::Upstream),
    }
}

/// One call, kept in the interpreter while it runs.
pub(super) struct LuaCall {
    pub(super) phase: Phase,
    pub(super) owner: SnippetOwner,
    pub(super) state: RequestState,
    /// The request; none in the phase `log`.
    pub(super) exchange: Option<Exchange>,
    /// The body of the request, if it was read.
    pub(super) request_body: Option<Bytes>,
    /// The response, in the phase `header_filter`; the head of it in `body_filter`.
    pub(super) response: Option<HttpResponse>,
    /// The origin of the response.
    pub(super) source: ResponseOrigin,
    /// The finished request, in the phase `log`.
    pub(super) finished: Option<FinishedRequest>,
    /// What `ngx.print` and `ngx.status` have put together.
    pub(super) printed: Option<PrintedAnswer>,
    pub(super) stop: Option<Stop>,
}

/// The answer that `ngx.print`, `ngx.say` and `ngx.status` put together.
#[derive(Default)]
pub(super) struct PrintedAnswer {
    pub(super) status: Option<StatusCode>,
    pub(super) text: Vec<u8>,
}

/// The call that runs in an interpreter.
pub(super) fn current(lua: &Lua) -> Result<AppDataRefMut<'_, LuaCall>> {
    lua.app_data_mut::<LuaCall>().ok_or_else(|| {
        Error::runtime("no request is there while the snippet is loaded; call it in the function")
    })
}

impl LuaCall {
    pub(super) const fn new(phase: Phase, owner: SnippetOwner, state: RequestState) -> Self {
        Self {
            phase,
            owner,
            state,
            exchange: None,
            request_body: None,
            response: None,
            source: ResponseOrigin::Plugin,
            finished: None,
            printed: None,
            stop: None,
        }
    }

    /// Where the request came to.
    pub(super) fn place(&self) -> RequestPlace {
        let exchange = self.exchange.as_ref().map(RequestPlace::of_exchange);
        exchange.or_else(|| Some(self.finished.as_ref()?.place.clone())).unwrap_or_default()
    }

    /// The Route that the request matched, with its Service.
    pub(super) fn matched(&self) -> Option<&Arc<MatchedRoute>> {
        let exchange = self.exchange.as_ref().and_then(|exchange| exchange.matched.as_ref());
        exchange.or_else(|| self.finished.as_ref()?.matched.as_ref())
    }

    /// The identity of the request.
    pub(super) fn identity(&self) -> Option<&RequestIdentity> {
        let exchange = self.exchange.as_ref().and_then(|exchange| exchange.identity.as_ref());
        exchange.or_else(|| self.finished.as_ref()?.identity.as_ref())
    }

    /// `kong.ctx.plugin`.
    pub(super) fn plugin_context(&self, lua: &Lua) -> Result<Table> {
        self.state.of_plugin(self.owner.number(), lua)
    }

    /// The request.
    ///
    /// # Errors
    /// In the phase `log`.
    pub(super) fn exchange(&mut self) -> Result<&mut Exchange> {
        let phase = self.phase.name();
        self.exchange
            .as_mut()
            .ok_or_else(|| Error::runtime(format!("function cannot be called in {phase} phase")))
    }

    /// The error of a function that is called once there is a response.
    pub(super) fn only_before_response(&self) -> Error {
        let phase = self.phase.name();
        Error::runtime(format!("function cannot be called in {phase} phase (only in: rewrite, access)"))
    }

    /// The request, before there is a response: later changes would change nothing.
    pub(super) fn request_to_change(&mut self) -> Result<&mut Exchange> {
        if !self.phase.is_before_response() {
            return Err(self.only_before_response());
        }
        self.exchange()
    }

    /// The method of the request, with the changes of plugins.
    pub(super) fn method(&self) -> Option<&Method> {
        let exchange = self.exchange.as_ref().map(Exchange::upstream_method);
        exchange.or_else(|| self.finished.as_ref().map(|finished| &finished.method))
    }

    /// The path of the request.
    pub(super) fn path(&self) -> &str {
        let exchange = self.exchange.as_ref().map(|exchange| exchange.path.as_str());
        exchange.or_else(|| self.finished.as_ref().map(|finished| finished.path.as_str())).unwrap_or("/")
    }

    /// The query of the request, with the changes of plugins.
    pub(super) fn query(&self) -> Option<&str> {
        match (&self.exchange, &self.finished) {
            (Some(exchange), _) => exchange.upstream_query(),
            (None, Some(finished)) => finished.query.as_deref(),
            (None, None) => None,
        }
    }

    /// The values of a field of the request, with the changes of plugins.
    pub(super) fn request_values(&self, name: &HeaderName) -> Vec<HeaderValue> {
        if let Some(exchange) = &self.exchange {
            let edits = exchange.upstream.edits();
            let sent = exchange.head().fields().get_all(name).iter().filter(|_| !edits.replaces(name));
            let set = edits.values().filter(|(edited, _)| *edited == name).map(|(_, value)| value);
            return sent.chain(set).cloned().collect();
        }
        let fields = self.finished.as_ref().map(|finished| finished.fields.get_all(name));
        fields.into_iter().flatten().cloned().collect()
    }

    /// All fields of the request, with the changes of plugins.
    pub(super) fn request_fields(&self) -> HeaderMap {
        match (&self.exchange, &self.finished) {
            (Some(exchange), _) => exchange.edited_fields().into_owned(),
            (None, Some(finished)) => finished.fields.clone(),
            (None, None) => HeaderMap::new(),
        }
    }

    /// The status of the response; none before there is one.
    pub(super) fn status(&self) -> Option<u16> {
        let response = self.response.as_ref().map(|response| response.status().as_u16());
        response.or_else(|| self.finished.as_ref().map(|finished| finished.status))
    }

    /// The fields of the response; none before there is one.
    pub(super) fn response_fields(&self) -> Option<&HeaderMap> {
        let response = self.response.as_ref().map(http::Response::headers);
        response.or_else(|| self.finished.as_ref().map(|finished| &finished.response_fields))
    }

    /// Changes the status of the response.
    pub(super) fn set_status(&mut self, status: StatusCode) -> Result<()> {
        match (&mut self.response, self.phase) {
            (Some(response), Phase::HeaderFilter) => *response.status_mut() = status,
            _ => return Err(self.too_late()),
        }
        Ok(())
    }

    /// Changes a field of the response: now, or as soon as there is one.
    pub(super) fn change_response(&mut self, change: ResponseField) -> Result<()> {
        self.state.keep(change.size())?;
        match (&mut self.response, self.phase) {
            (Some(response), Phase::HeaderFilter) => change.apply(response.headers_mut()),
            (None, phase) if phase.is_before_response() => self.state.change_response(change),
            _ => return Err(self.too_late()),
        }
        Ok(())
    }

    fn too_late(&self) -> Error {
        Error::runtime(format!(
            "function cannot be called in {} phase (only in: header_filter)",
            self.phase.name()
        ))
    }
}
