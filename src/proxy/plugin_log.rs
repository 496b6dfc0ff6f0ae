//! Record of a request for the plugins that log, which get it when the last byte of the response is sent or the client
//! has left.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use crate::{
    plugin::{Plugin, RequestRecord},
    supervise::catch_panic,
    traffic::{AnswerKind, TrafficMonitor},
};

/// Record of a request, and the plugins that log it. Dropping it calls them.
pub(super) struct PluginLog {
    pub(super) record: RequestRecord,
    /// Arrival of the request.
    pub(super) started: Instant,
    /// Bytes of the request body.
    pub(super) received: Arc<AtomicU64>,
    pub(super) plugins: Vec<Arc<dyn Plugin>>,
    /// Monitor that records the request, and what made its answer.
    pub(super) monitor: Option<(Arc<TrafficMonitor>, AnswerKind)>,
}

impl PluginLog {
    /// Adds bytes of the response body.
    pub(super) fn add_sent_bytes(&mut self, bytes: u64) {
        if let Some(response) = &mut self.record.response {
            response.body_size += bytes;
        }
    }
}

impl Drop for PluginLog {
    fn drop(&mut self) {
        self.record.duration = self.started.elapsed();
        self.record.size += self.received.load(Relaxed);
        if let Some((monitor, kind)) = &self.monitor {
            monitor.record(&self.record, *kind);
        }
        for plugin in &self.plugins {
            if let Err(panic) = catch_panic(|| plugin.log(&self.record)) {
                tracing::error!("a plugin that logs {panic}");
            }
        }
    }
}

impl std::fmt::Debug for PluginLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginLog").field("record", &self.record).finish_non_exhaustive()
    }
}
