//! What is counted of the requests of a Route, and one request that is being counted: dropping it counts it, so that
//! nobody can forget to, and a client that leaves before there is an answer is counted with nginx's 499.

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
use crate::{body::Body, request_head::ClientHead};

/// nginx's status of a request whose client left before an answer.
const CLIENT_LEFT: u16 = 499;

/// Where one Consumer is counted, once it has come.
type ConsumerCounts = OnceLock<Arc<Sharded<TrafficCounts>>>;

/// How the requests of one Route are counted, in one Snapshot.
pub struct RouteMetrics {
    groups: MetricGroups,
    counters: Arc<RouteCounters>,
    /// How many Consumers there are.
    known: usize,
    /// Where each Consumer is counted, by its place; made as they come.
    consumers: OnceLock<Box<[ConsumerCounts]>>,
}

/// One request that is being counted.
#[derive(Debug)]
pub struct RequestMetrics {
    counting: Arc<RouteMetrics>,
    consumer: Option<Arc<Sharded<TrafficCounts>>>,
    started: Instant,
    gateway_latency: Duration,
    upstream_latency: Option<Duration>,
    status: u16,
    source: ResponseSource,
    received: u64,
    /// What comes of a body whose length is not known before.
    arriving: Option<Arc<AtomicU64>>,
    sent: u64,
}

/// How an answer came about.
#[derive(Clone, Copy, Debug)]
pub struct AnswerOrigin {
    /// The status that the client gets.
    pub status: u16,
    /// Who made it.
    pub source: ResponseSource,
    /// How long the gateway took.
    pub gateway_latency: Duration,
    /// How long the upstream took, if it was asked.
    pub upstream_latency: Option<Duration>,
}

impl RouteMetrics {
    /// Counts this of the requests of a Route, where so many Consumers are known.
    #[must_use]
    pub fn new(groups: MetricGroups, counters: Arc<RouteCounters>, known: usize) -> Self {
        Self { groups, counters, known, consumers: OnceLock::new() }
    }

    /// What is counted.
    #[must_use]
    pub const fn groups(&self) -> MetricGroups {
        self.groups
    }

    /// What has been counted.
    #[must_use]
    pub const fn counters(&self) -> &Arc<RouteCounters> {
        &self.counters
    }

    /// Begins to count a request that came at this time.
    #[must_use]
    pub fn start_request(self: &Arc<Self>, head: &ClientHead, started: Instant) -> RequestMetrics {
        RequestMetrics {
            counting: Arc::clone(self),
            consumer: None,
            started,
            gateway_latency: Duration::ZERO,
            upstream_latency: None,
            status: CLIENT_LEFT,
            source: ResponseSource::Kong,
            received: if self.groups.bandwidth { request_head(head) } else { 0 },
            arriving: None,
            sent: 0,
        }
    }

    fn consumer(&self, place: usize, name: &str) -> Option<&Arc<Sharded<TrafficCounts>>> {
        let all = self.consumers.get_or_init(|| (0..self.known).map(|_| OnceLock::new()).collect());
        Some(all.get(place)?.get_or_init(|| self.counters.of_consumer(name)))
    }
}

impl fmt::Debug for RouteMetrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Counting").field("groups", &self.groups).finish_non_exhaustive()
    }
}

impl RequestMetrics {
    /// Counts the bytes of the body of the request.
    #[must_use]
    pub fn count_request_body(&mut self, body: Body) -> Body {
        if !self.counting.groups.bandwidth {
            return body;
        }
        if let Some(length) = body.size_hint().exact() {
            self.received += length;
            return body;
        }
        let arrived = Arc::default();
        self.arriving = Some(Arc::clone(&arrived));
        body.counted(arrived)
    }

    /// Notes from which Consumer it is: its place and its name.
    pub fn set_consumer(&mut self, place: usize, name: &str) {
        if self.counting.groups.per_consumer {
            self.consumer = self.counting.consumer(place, name).cloned();
        }
    }

    /// Notes what the answer is, and how it came about.
    pub fn record_response<B>(&mut self, origin: AnswerOrigin, response: &Response<B>) {
        let AnswerOrigin { status, source, gateway_latency, upstream_latency } = origin;
        (self.status, self.source) = (status, source);
        (self.gateway_latency, self.upstream_latency) = (gateway_latency, upstream_latency);
        if self.counting.groups.bandwidth {
            self.sent += response_head(response);
        }
    }

    /// Notes bytes of the body of the answer.
    pub const fn add_sent_bytes(&mut self, bytes: u64) {
        self.sent += bytes;
    }
}

impl Drop for RequestMetrics {
    fn drop(&mut self) {
        let MetricGroups { statuses, latencies, bandwidth, .. } = self.counting.groups;
        let shard = self.counting.counters.all.mine();
        let traffic = self.consumer.as_deref().map_or(&shard.traffic, Sharded::mine);
        if statuses {
            traffic.answered(self.status, self.source);
        }
        if bandwidth {
            let arrived = self.arriving.as_deref().map_or(0, |it| it.load(Relaxed));
            traffic.moved(self.received + arrived, self.sent);
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

/// The bytes of a head as HTTP/1.1 has it.
fn request_head(head: &ClientHead) -> u64 {
    let target = head.target().path_and_query().map_or(1, |it| it.as_str().len());
    let line = head.method().as_str().len() + target + " HTTP/1.1\r\n".len() + 1;
    (line + fields(head.fields())) as u64
}

fn response_head<B>(response: &Response<B>) -> u64 {
    let reason = response.status().canonical_reason().unwrap_or_default().len();
    ("HTTP/1.1 200 \r\n".len() + reason + fields(response.headers())) as u64
}

fn fields(headers: &HeaderMap) -> usize {
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

    fn counting(groups: MetricGroups, counters: &Arc<RouteCounters>) -> Arc<RouteMetrics> {
        Arc::new(RouteMetrics::new(groups, Arc::clone(counters), 2))
    }

    fn head() -> ClientHead {
        let request = Request::get("/a?b").header("host", "x").body(()).unwrap();
        ClientHead::new(request.into_parts().0, false).0
    }

    /// Counts a request that a Service answered with this status.
    fn count(counting: &Arc<RouteMetrics>, consumer: Option<(usize, &str)>, status: u16) {
        let mut count = counting.start_request(&head(), Instant::now());
        if let Some((place, name)) = consumer {
            count.set_consumer(place, name);
        }
        let (gateway_latency, upstream_latency) = (Duration::from_millis(2), Some(Duration::from_millis(30)));
        let origin =
            AnswerOrigin { status, source: ResponseSource::Service, gateway_latency, upstream_latency };
        count.record_response(origin, &Response::builder().status(status).body(()).unwrap());
        count.add_sent_bytes(100);
    }

    #[test]
    fn a_request_is_counted_when_it_is_over() {
        let counters = Arc::new(RouteCounters::new("s".to_owned(), "r".to_owned()));
        let counting = counting(ALL, &counters);
        let pending = counting.start_request(&head(), Instant::now());
        count(&counting, None, 200);
        count(&counting, None, 200);
        assert_eq!(counters.requests()[0].statuses, BTreeMap::from([((200, "service"), 2)]));
        drop(pending);
        assert_eq!(counters.requests()[0].statuses[&(499, "kong")], 1);
        let latencies = counters.latencies();
        assert_eq!((latencies.gateway.count, latencies.upstream.count, latencies.request.count), (3, 2, 3));
        assert_eq!((latencies.gateway.sum, latencies.upstream.sum), (4000, 60_000));
        let received = "GET /a?b HTTP/1.1\r\nhost: x\r\n\r\n".len() as u64;
        let sent = "HTTP/1.1 200 OK\r\n\r\n".len() as u64 + 100;
        let told = &counters.requests()[0];
        assert_eq!((told.ingress, told.egress), (3 * received, 2 * sent));
    }

    #[test]
    fn consumers_are_told_apart_where_that_is_wanted() {
        let counters = Arc::new(RouteCounters::default());
        let first = counting(ALL, &counters);
        count(&first, Some((1, "alice")), 200);
        count(&first, None, 401);
        // After a reload she stands elsewhere.
        let second = counting(ALL, &counters);
        count(&second, Some((0, "alice")), 200);
        // Nobody stands there.
        count(&second, Some((9, "carol")), 200);
        let told = counters.requests();
        let statuses: Vec<_> = told.iter().map(|it| (it.consumer.as_str(), it.statuses.clone())).collect();
        let nobody = BTreeMap::from([((200, "service"), 1), ((401, "service"), 1)]);
        assert_eq!(statuses, [("", nobody), ("alice", BTreeMap::from([((200, "service"), 2)]))]);
        let together = counting(MetricGroups { per_consumer: false, ..ALL }, &counters);
        count(&together, Some((0, "alice")), 200);
        assert_eq!(counters.requests()[0].statuses[&(200, "service")], 2);
    }

    #[test]
    fn what_nobody_wants_is_not_counted() {
        let counters = Arc::new(RouteCounters::default());
        let groups = MetricGroups { statuses: true, ..MetricGroups::default() };
        count(&counting(groups, &counters), None, 204);
        let told = &counters.requests()[0];
        assert_eq!((told.ingress, told.egress, counters.latencies().request.count), (0, 0, 0));
    }

    /// A body in pieces, as one that comes in chunks.
    struct Pieces(Vec<&'static str>);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(self.0.pop().map(|it| Ok(Frame::data(Bytes::from_static(it.as_bytes())))))
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
        let counting = counting(ALL, &counters);
        for body in [Body::full("12345"), Body::boxed(Pieces(vec!["ab", "cde"]))] {
            let mut count = counting.start_request(&head(), Instant::now());
            assert_eq!(read(count.count_request_body(body)), 5);
        }
        assert_eq!(counters.requests()[0].ingress, 2 * (request_head(&head()) + 5));
    }
}
