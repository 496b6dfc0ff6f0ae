//! Log of one request: its line of the access log, its metrics, and its record for plugins that log.

use http::Response;

use super::{UpstreamTiming, log_values::logged_status, plugin_log::PluginLog};
use crate::{
    access_log::{LogLine, RouteFields},
    body::Body,
    metrics::{AnswerOrigin, RequestMetrics, ResponseSource},
    plugin::{Exchange, ResponseOrigin},
    traffic::{AnswerKind, RequestTraffic},
};

/// Log of one request. Dropping it writes the line, counts the request and calls the plugins that log.
#[derive(Debug, Default)]
pub struct RequestLog {
    /// Line of the access log.
    pub line: Option<LogLine>,
    /// Metrics of the Route.
    pub(super) metrics: Option<RequestMetrics>,
    /// Entry in the traffic of the last minutes.
    pub(super) traffic: Option<RequestTraffic>,
    /// Record for the plugins that log, and for those who watch the traffic.
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
            line.record_response(logged_status(response), response.headers(), fields);
        }
    }

    /// Records the response to a request that has not reached the router.
    pub(super) fn record_refusal(&mut self, response: &Response<Body>) {
        self.record_response(response, RouteFields::default());
        if let Some(traffic) = &mut self.traffic {
            traffic.record_response(logged_status(response), AnswerKind::Gateway, None);
        }
    }

    /// Records the response in the traffic.
    pub(super) fn record_traffic(&mut self, response: &Response<Body>, exchange: &Exchange) {
        if let Some(traffic) = &mut self.traffic {
            let kind = answer_kind(exchange.response_origin);
            traffic.record_response(logged_status(response), kind, exchange.matched.clone());
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

/// What made an answer.
pub(super) const fn answer_kind(origin: ResponseOrigin) -> AnswerKind {
    match origin {
        ResponseOrigin::Mock => AnswerKind::Mock,
        ResponseOrigin::Upstream(_) => AnswerKind::Upstream,
        ResponseOrigin::Plugin | ResponseOrigin::Gateway => AnswerKind::Gateway,
    }
}
