//! Log of one request: its line of the access log, its metrics, and its record for plugins that log.

use http::Response;

use super::{UpstreamTiming, log_values::logged_status, plugin_log::PluginLog};
use crate::{
    access_log::{LogLine, RouteFields},
    body::Body,
    metrics::{AnswerOrigin, RequestMetrics, ResponseSource},
    plugin::Exchange,
};

/// Log of one request. Dropping it writes the line, counts the request and calls the plugins that log.
#[derive(Debug, Default)]
pub struct RequestLog {
    /// Line of the access log.
    pub line: Option<LogLine>,
    /// Metrics of the Route.
    pub(super) metrics: Option<RequestMetrics>,
    /// Record for the plugins that log.
    pub(super) plugin_log: Option<Box<PluginLog>>,
}

impl RequestLog {
    /// Adds bytes of the response body.
    pub fn add_sent_bytes(&mut self, bytes: u64) {
        if let Some(line) = &mut self.line {
            line.add_sent_bytes(bytes);
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.add_sent_bytes(bytes);
        }
        if let Some(plugin_log) = &mut self.plugin_log {
            plugin_log.add_sent_bytes(bytes);
        }
    }

    /// Records the response in the access log.
    pub(super) fn record_response(&mut self, response: &Response<Body>, fields: RouteFields<'_>) {
        if let Some(line) = &mut self.line {
            line.record_response(logged_status(response), fields);
        }
    }

    /// Records the response in the metrics. `timing` is that of the upstream, if the request was sent to one.
    pub(super) fn record_metrics(
        &mut self,
        response: &Response<Body>,
        exchange: &Exchange,
        timing: Option<UpstreamTiming>,
    ) {
        let Some(metrics) = &mut self.metrics else { return };
        if let Some(identity) = &exchange.identity {
            metrics.set_consumer(identity.consumer.index, identity.consumer.label());
        }
        let origin = AnswerOrigin {
            status: logged_status(response),
            source: if timing.is_some_and(|timing| timing.has_response) {
                ResponseSource::Service
            } else {
                ResponseSource::Kong
            },
            gateway_latency: timing.map_or_else(|| exchange.started.elapsed(), |timing| timing.proxy_latency),
            upstream_latency: timing.map(|timing| timing.upstream_latency),
        };
        metrics.record_response(origin, response);
    }
}
