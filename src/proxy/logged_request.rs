//! Requests that plugins are told of when they are over: when the last byte of the answer is sent, or the client has
//! left.

use std::{
    mem,
    ops::{Deref, DerefMut},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Instant, UNIX_EPOCH},
};

use http::Response;

use super::{
    ClientConnection,
    units::{milliseconds, status},
};
use crate::{
    body::Body,
    plugin::{Exchange, Plugin, PluginChain, RequestRecord, ResponseRecord},
    settings::PortMaps,
    supervise::catch_panic,
    uri::Scheme,
};

/// A request with the plugins that are told of it; dropping it tells them.
pub(super) struct LoggedRequest {
    record: RequestRecord,
    started: Instant,
    /// Bytes of the body of the request.
    received: Arc<AtomicU64>,
    loggers: Vec<Arc<dyn Plugin>>,
}

impl LoggedRequest {
    /// Notes bytes of the body of the answer.
    pub(super) fn sent(&mut self, bytes: u64) {
        if let Some(answer) = &mut self.record.answer {
            answer.body += bytes;
        }
    }
}

impl Drop for LoggedRequest {
    fn drop(&mut self) {
        self.record.took = self.started.elapsed();
        self.record.size += self.received.load(Relaxed);
        for plugin in &self.loggers {
            if let Err(panicked) = catch_panic(|| plugin.log(&self.record)) {
                tracing::error!("a plugin that logs {panicked}");
            }
        }
    }
}

impl std::fmt::Debug for LoggedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logged").field("record", &self.record).finish_non_exhaustive()
    }
}

/// A request on its way through its chain. If it is dropped before [`RequestContext::close`], its client has left.
pub(super) struct RequestContext<'a> {
    exchange: Exchange,
    chain: &'a PluginChain,
    connection: &'a ClientConnection,
    ports: &'a PortMaps,
    received: Option<Arc<AtomicU64>>,
    closed: bool,
}

impl<'a> RequestContext<'a> {
    pub(super) fn new(
        exchange: Exchange,
        chain: &'a PluginChain,
        connection: &'a ClientConnection,
        ports: &'a PortMaps,
    ) -> Self {
        Self { exchange, chain, connection, ports, received: None, closed: false }
    }

    /// The plugins of its Route are those that count from now on.
    pub(super) fn enter(&mut self, chain: &'a PluginChain) {
        self.chain = chain;
        if chain.logs() && !matches!(self.exchange.body, Body::Empty) {
            let received = Arc::new(AtomicU64::new(0));
            let body = mem::take(&mut self.exchange.body);
            self.exchange.body = body.counted(received.clone());
            self.received = Some(received);
        }
    }

    pub(super) const fn chain(&self) -> &'a PluginChain {
        self.chain
    }

    /// What is to be told when the answer has ended, if anybody wants to be; nothing is left of the request then.
    pub(super) fn close(&mut self, response: Option<&Response<Body>>) -> Option<Box<LoggedRequest>> {
        if mem::replace(&mut self.closed, true) || !self.chain.logs() {
            return None;
        }
        let loggers = self.chain.loggers(&self.exchange);
        if loggers.is_empty() {
            return None;
        }
        let exchange = &mut self.exchange;
        let started = exchange.started;
        let place = place(exchange, self.connection, self.ports);
        let head = exchange.take_head();
        let client = exchange.client.ip();
        let mut record =
            RequestRecord::new(exchange.request_id, head.method, head.target, head.fields, client);
        record.place = place;
        record.size = head.size;
        record.tls = self.connection.tls.as_ref().map(|tls| (tls.version, tls.cipher));
        let now = UNIX_EPOCH.elapsed().unwrap_or_default();
        record.started = milliseconds(now.saturating_sub(started.elapsed()));
        record.matched = exchange.matched.take();
        record.identity = exchange.identity.take();
        record.sent =
            exchange.sent.take().map(|it| mem::take(&mut *it.lock().unwrap_or_else(PoisonError::into_inner)));
        record.answer = response.map(|it| ResponseRecord {
            status: status(it),
            fields: it.headers().clone(),
            body: 0,
            head_after: milliseconds(started.elapsed()),
        });
        let received = self.received.take().unwrap_or_default();
        Some(Box::new(LoggedRequest { record, started, received, loggers }))
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

/// The scheme, the host and the port that a request was sent to.
fn place(exchange: &Exchange, connection: &ClientConnection, ports: &PortMaps) -> String {
    let scheme = Scheme::from_tls(exchange.tls).as_str();
    let name = exchange.head().authority().host();
    format!("{scheme}://{name}:{}", ports.public(connection.local.port()))
}
