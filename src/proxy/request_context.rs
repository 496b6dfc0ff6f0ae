//! Context of a request: its exchange with the plugins, the chain that it goes through, and its connection.

use std::{
    mem,
    ops::{Deref, DerefMut},
    sync::{Arc, PoisonError, atomic::AtomicU64},
    time::UNIX_EPOCH,
};

use http::Response;

use super::{
    ClientConnection, Proxy,
    log_values::{logged_status, milliseconds},
    plugin_log::PluginLog,
    request_log::answer_kind,
};
use crate::{
    body::Body,
    plugin::{Exchange, PluginChain, RequestRecord, ResponseRecord},
    settings::PortMaps,
    uri::Scheme,
};

/// A request in its plugin chain. Dropping it before [`RequestContext::close`] means that the client has left; the
/// plugins log the request then, too.
pub(super) struct RequestContext<'a> {
    exchange: Exchange,
    chain: &'a PluginChain,
    connection: &'a ClientConnection,
    proxy: &'a Proxy,
    /// Bytes of the request body, if a plugin logs them.
    received: Option<Arc<AtomicU64>>,
    /// Whether the monitor of the traffic records the request.
    is_watched: bool,
    is_closed: bool,
}

impl<'a> RequestContext<'a> {
    pub(super) fn new(
        exchange: Exchange,
        chain: &'a PluginChain,
        connection: &'a ClientConnection,
        proxy: &'a Proxy,
    ) -> Self {
        let is_watched = proxy.traffic.as_ref().is_some_and(|monitor| monitor.is_watched());
        Self { exchange, chain, connection, proxy, received: None, is_watched, is_closed: false }
    }

    /// Whether the request is recorded, for a plugin that logs or for those who watch the traffic.
    pub(super) const fn is_logged(&self) -> bool {
        self.chain.logs() || self.is_watched
    }

    /// Replaces the chain of global plugins by that of the Route.
    pub(super) fn enter_chain(&mut self, chain: &'a PluginChain) {
        self.chain = chain;
        if self.is_logged() && !matches!(self.exchange.body, Body::Empty) {
            let received = Arc::new(AtomicU64::new(0));
            let body = mem::take(&mut self.exchange.body);
            self.exchange.body = body.counted(received.clone());
            self.received = Some(received);
        }
    }

    pub(super) const fn chain(&self) -> &'a PluginChain {
        self.chain
    }

    /// The record that plugins log when the response has ended; `None` if no plugin logs the request. Moves the head
    /// out of the exchange. `response` is `None` if the client left before there was one.
    pub(super) fn close(&mut self, response: Option<&Response<Body>>) -> Option<Box<PluginLog>> {
        if mem::replace(&mut self.is_closed, true) || !self.is_logged() {
            return None;
        }
        let plugins = self.chain.loggers(&self.exchange);
        if plugins.is_empty() && !self.is_watched {
            return None;
        }
        let exchange = &mut self.exchange;
        let started = exchange.started;
        let origin = client_origin(exchange, self.connection, &self.proxy.port_maps);
        let head = exchange.take_head();
        let client = exchange.client.ip();
        let mut record =
            RequestRecord::new(exchange.request_id, head.method, head.target, head.fields, client);
        record.origin = origin;
        record.size = head.size;
        record.tls = self.connection.tls.as_ref().map(|tls| (tls.version, tls.cipher));
        let now = UNIX_EPOCH.elapsed().unwrap_or_default();
        record.started = milliseconds(now.saturating_sub(started.elapsed()));
        record.kept = mem::take(&mut exchange.kept);
        record.matched = exchange.matched.take();
        record.identity = exchange.identity.take();
        record.upstream = exchange
            .upstream_record
            .take()
            .map(|sent| mem::take(&mut *sent.lock().unwrap_or_else(PoisonError::into_inner)));
        record.response = response.map(|response| ResponseRecord {
            status: logged_status(response),
            fields: response.headers().clone(),
            body_size: 0,
            head_latency: milliseconds(started.elapsed()),
        });
        let received = self.received.take().unwrap_or_default();
        let monitor = self
            .proxy
            .traffic
            .as_ref()
            .filter(|_| self.is_watched)
            .map(|monitor| (Arc::clone(monitor), answer_kind(exchange.response_origin)));
        Some(Box::new(PluginLog { record, started, received, plugins, monitor }))
    }
}

impl Deref for RequestContext<'_> {
    type Target = Exchange;

    fn deref(&self) -> &Exchange {
        &self.exchange
    }
}

impl DerefMut for RequestContext<'_> {
    fn deref_mut(&mut self) -> &mut Exchange {
        &mut self.exchange
    }
}

impl Drop for RequestContext<'_> {
    fn drop(&mut self) {
        drop(self.close(None));
    }
}

/// Scheme, host and port that the client sent the request to.
fn client_origin(exchange: &Exchange, connection: &ClientConnection, ports: &PortMaps) -> String {
    let scheme = Scheme::from_tls(exchange.tls).as_str();
    let host = exchange.head().authority().host();
    format!("{scheme}://{host}:{}", ports.public(connection.local.port()))
}
