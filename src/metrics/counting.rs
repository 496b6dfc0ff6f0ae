//! Metrics of a Route, and of one request. A request is counted when its metrics are dropped, so that none can be missed; a
//! client that leaves before the response is counted with nginx's status 499.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use http::{HeaderMap, Response};
use http_body::Body as _;

use super::{
    MetricGroups, ResponseSource,
    counters::RouteCounters,
    histogram::{GATEWAY_BOUNDS, LATENCY_BOUNDS},
    sharded::Sharded,
    traffic::TrafficCounts,
};
use crate::{body::Body, nginx_status::CLIENT_CLOSED_REQUEST, request_head::ClientHead};

/// Counters of one Consumer, created for its first request.
type ConsumerCounts = OnceLock<Arc<Sharded<TrafficCounts>>>;

/// Metrics of one Route in one Snapshot.
pub struct RouteMetrics {
    groups: MetricGroups,
    counters: Arc<RouteCounters>,
    /// Number of Consumers in the Snapshot.
    consumer_count: usize,
    /// Counters by index of the Consumer, created on demand.
    consumers: OnceLock<Box<[ConsumerCounts]>>,
}

/// Metrics of one request.
#[derive(Debug)]
pub struct RequestMetrics {
    route: Arc<RouteMetrics>,
    consumer: Option<Arc<Sharded<TrafficCounts>>>,
    started: Instant,
    gateway_latency: Duration,
    upstream_latency: Option<Duration>,
    status: u16,
    source: ResponseSource,
    received: u64,
    /// Received bytes of a request body without a known length.
    streamed: Option<Arc<AtomicU64>>,
    sent: u64,
}

/// Status, source and latencies of a response.
#[derive(Clone, Copy, Debug)]
pub struct AnswerOrigin {
    /// Status that the client gets.
    pub status: u16,
    /// Source.
    pub source: ResponseSource,
    /// Time in the gateway.
    pub gateway_latency: Duration,
    /// Time of the upstream, if the request was sent to one.
    pub upstream_latency: Option<Duration>,
}

impl RouteMetrics {
    /// Metrics of these groups, in a Snapshot with this number of Consumers.
    #[must_use]
    pub fn new(groups: MetricGroups, counters: Arc<RouteCounters>, consumer_count: usize) -> Self {
        Self { groups, counters, consumer_count, consumers: OnceLock::new() }
    }

    /// Groups that are counted.
    #[must_use]
    pub const fn groups(&self) -> MetricGroups {
        self.groups
    }

    /// Counters of the Route.
    #[must_use]
    pub const fn counters(&self) -> &Arc<RouteCounters> {
        &self.counters
    }

    /// Starts the metrics of a request that arrived at `started`.
    #[must_use]
    pub fn start_request(self: &Arc<Self>, head: &ClientHead, started: Instant) -> RequestMetrics {
        RequestMetrics {
            route: Arc::clone(self),
            consumer: None,
            started,
            gateway_latency: Duration::ZERO,
            upstream_latency: None,
            status: CLIENT_CLOSED_REQUEST,
            source: ResponseSource::Kong,
            received: if self.groups.bandwidth { request_head_bytes(head) } else { 0 },
            streamed: None,
            sent: 0,
        }
    }

    fn consumer(&self, index: usize, name: &str) -> Option<&Arc<Sharded<TrafficCounts>>> {
        let all = self.consumers.get_or_init(|| (0..self.consumer_count).map(|_| OnceLock::new()).collect());
        Some(all.get(index)?.get_or_init(|| self.counters.of_consumer(name)))
    }
}

impl fmt::Debug for RouteMetrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("RouteMetrics").field("groups", &self.groups).finish_non_exhaustive()
    }
}

impl RequestMetrics {
    /// Counts the bytes of the body of the request.
    #[must_use]
    pub fn count_request_body(&mut self, body: Body) -> Body {
        if !self.route.groups.bandwidth {
            return body;
        }
        if let Some(length) = body.size_hint().exact() {
            self.received += length;
            return body;
        }
        let streamed = Arc::default();
        self.streamed = Some(Arc::clone(&streamed));
        body.counted(streamed)
    }

    /// Sets the Consumer, by its index and name.
    pub fn set_consumer(&mut self, index: usize, name: &str) {
        if self.route.groups.per_consumer {
            self.consumer = self.route.consumer(index, name).cloned();
        }
    }

    /// Records the response.
    pub fn record_response<B>(&mut self, origin: AnswerOrigin, response: &Response<B>) {
        let AnswerOrigin { status, source, gateway_latency, upstream_latency } = origin;
        (self.status, self.source) = (status, source);
        (self.gateway_latency, self.upstream_latency) = (gateway_latency, upstream_latency);
        if self.route.groups.bandwidth {
            self.sent += response_head_bytes(response);
        }
    }

    /// Adds bytes of the response body.
    pub const fn add_sent_bytes(&mut self, bytes: u64) {
        self.sent += bytes;
    }
}

impl Drop for RequestMetrics {
    fn drop(&mut self) {
        let MetricGroups { statuses, latencies, bandwidth, .. } = self.route.groups;
        let shard = self.route.counters.all.local();
        let traffic = self.consumer.as_deref().map_or(&shard.traffic, Sharded::local);
        if statuses {
            traffic.count_response(self.status, self.source);
        }
        if bandwidth {
            let streamed = self.streamed.as_deref().map_or(0, |bytes| bytes.load(Relaxed));
            traffic.count_bytes(self.received + streamed, self.sent);
        }
        if latencies {
            shard.gateway.observe(GATEWAY_BOUNDS, self.gateway_latency);
            if let Some(upstream) = self.upstream_latency {
                shard.upstream.observe(LATENCY_BOUNDS, upstream);
            }
            shard.request.observe(LATENCY_BOUNDS, self.started.elapsed());
        }
    }
}

/// Bytes of a request head in HTTP/1.1.
fn request_head_bytes(head: &ClientHead) -> u64 {
    let target = head.target().path_and_query().map_or(1, |target| target.as_str().len());
    let line = head.method().as_str().len() + target + " HTTP/1.1\r\n".len() + 1;
    (line + field_bytes(head.fields())) as u64
}

/// Bytes of a response head in HTTP/1.1.
fn response_head_bytes<B>(response: &Response<B>) -> u64 {
    let reason = response.status().canonical_reason().unwrap_or_default().len();
    ("HTTP/1.1 200 \r\n".len() + reason + field_bytes(response.headers())) as u64
}

/// Bytes of the fields in HTTP/1.1, with the empty line after them.
fn field_bytes(headers: &HeaderMap) -> usize {
    let all: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    all + 2
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        pin::Pin,
        task::{Context, Poll},
    };

    use bytes::Bytes;
    use http::Request;
    use http_body::Frame;

    use super::*;
    use crate::body::BodyError;

    const ALL: MetricGroups = MetricGroups {
        per_consumer: true,
        statuses: true,
        latencies: true,
        bandwidth: true,
        upstream_health: false,
    };

    fn route_metrics(groups: MetricGroups, counters: &Arc<RouteCounters>) -> Arc<RouteMetrics> {
        Arc::new(RouteMetrics::new(groups, Arc::clone(counters), 2))
    }

    fn head() -> ClientHead {
        let request = Request::get("/a?b").header("host", "x").body(()).unwrap();
        ClientHead::new(request.into_parts().0, false).0
    }

    /// Counts a request that a Service answered with this status.
    fn count(route: &Arc<RouteMetrics>, consumer: Option<(usize, &str)>, status: u16) {
        let mut count = route.start_request(&head(), Instant::now());
        if let Some((index, name)) = consumer {
            count.set_consumer(index, name);
        }
        let (gateway_latency, upstream_latency) = (Duration::from_millis(2), Some(Duration::from_millis(30)));
        let origin =
            AnswerOrigin { status, source: ResponseSource::Service, gateway_latency, upstream_latency };
        count.record_response(origin, &Response::builder().status(status).body(()).unwrap());
        count.add_sent_bytes(100);
    }

    #[test]
    fn a_request_is_counted_when_it_ends() {
        let counters = Arc::new(RouteCounters::new("s".to_owned(), "r".to_owned()));
        let route = route_metrics(ALL, &counters);
        let pending = route.start_request(&head(), Instant::now());
        count(&route, None, 200);
        count(&route, None, 200);
        assert_eq!(counters.requests()[0].statuses, BTreeMap::from([((200, "service"), 2)]));
        drop(pending);
        assert_eq!(counters.requests()[0].statuses[&(499, "kong")], 1);
        let latencies = counters.latencies();
        assert_eq!((latencies.gateway.count, latencies.upstream.count, latencies.request.count), (3, 2, 3));
        assert_eq!((latencies.gateway.sum, latencies.upstream.sum), (4000, 60_000));
        let received = "GET /a?b HTTP/1.1\r\nhost: x\r\n\r\n".len() as u64;
        let sent = "HTTP/1.1 200 OK\r\n\r\n".len() as u64 + 100;
        let counts = &counters.requests()[0];
        assert_eq!((counts.ingress, counts.egress), (3 * received, 2 * sent));
    }

    #[test]
    fn consumers_are_counted_separately_if_configured() {
        let counters = Arc::new(RouteCounters::default());
        let first = route_metrics(ALL, &counters);
        count(&first, Some((1, "alice")), 200);
        count(&first, None, 401);
        // After a reload, the index of a Consumer may change.
        let second = route_metrics(ALL, &counters);
        count(&second, Some((0, "alice")), 200);
        // No Consumer has this index.
        count(&second, Some((9, "carol")), 200);
        let counts = counters.requests();
        let statuses: Vec<_> =
            counts.iter().map(|count| (count.consumer.as_str(), count.statuses.clone())).collect();
        let without_consumer = BTreeMap::from([((200, "service"), 1), ((401, "service"), 1)]);
        assert_eq!(statuses, [("", without_consumer), ("alice", BTreeMap::from([((200, "service"), 2)]))]);
        let together = route_metrics(MetricGroups { per_consumer: false, ..ALL }, &counters);
        count(&together, Some((0, "alice")), 200);
        assert_eq!(counters.requests()[0].statuses[&(200, "service")], 2);
    }

    #[test]
    fn groups_that_no_plugin_asks_for_are_not_counted() {
        let counters = Arc::new(RouteCounters::default());
        let groups = MetricGroups { statuses: true, ..MetricGroups::default() };
        count(&route_metrics(groups, &counters), None, 204);
        let counts = &counters.requests()[0];
        assert_eq!((counts.ingress, counts.egress, counters.latencies().request.count), (0, 0, 0));
    }

    /// Chunked body.
    struct Pieces(Vec<&'static str>);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(self.0.pop().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
        }
    }

    fn read(mut body: Body) -> usize {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut read = 0;
        while let Poll::Ready(Some(frame)) = Pin::new(&mut body).poll_frame(&mut context) {
            read += frame.unwrap().into_data().unwrap().len();
        }
        read
    }

    #[test]
    fn a_body_is_counted_by_its_length_or_as_it_comes() {
        let counters = Arc::new(RouteCounters::default());
        let route = route_metrics(ALL, &counters);
        for body in [Body::full("12345"), Body::boxed(Pieces(vec!["ab", "cde"]))] {
            let mut count = route.start_request(&head(), Instant::now());
            assert_eq!(read(count.count_request_body(body)), 5);
        }
        assert_eq!(counters.requests()[0].ingress, 2 * (request_head_bytes(&head()) + 5));
    }
}
