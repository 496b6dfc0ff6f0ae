//! Recent traffic, for people who watch the gateway: the numbers of each second, and the last exchanges.
//!
//! A request costs one entry of 24 bytes in a buffer of its thread. A task adds the entries up once a second. Heads of
//! requests and responses are recorded only while a client of the Admin API watches ([`TrafficMonitor::watch`]), bodies
//! never.
//!
//! | file | contents |
//! |---|---|
//! | `samples` | buffers of finished requests |
//! | `history` | numbers of the last minutes, by second and Route |
//! | `exchanges` | heads and times of the last requests |

mod exchanges;
mod history;
mod samples;

pub use exchanges::{ExchangeFilter, RecordedExchange};
pub use history::{AnswerCounts, Percentiles, RouteTraffic, SecondTraffic};
pub use samples::{AnswerKind, RequestTraffic};

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use self::{exchanges::ExchangeLog, history::TrafficHistory, samples::SampleBuffers};
use crate::plugin::RequestRecord;

/// How long exchanges are recorded after the last request for them.
const WATCH_TIME: Duration = Duration::from_secs(30);

/// Collects the traffic of a process.
#[derive(Debug)]
pub struct TrafficMonitor {
    samples: SampleBuffers,
    history: Mutex<TrafficHistory>,
    exchanges: Mutex<ExchangeLog>,
    /// Whether exchanges are recorded.
    is_watched: AtomicBool,
    watched_until: Mutex<Instant>,
    /// Time from which those of requests are counted.
    origin: Instant,
    /// Number of seconds that were added up.
    seconds: watch::Sender<u64>,
}

impl Default for TrafficMonitor {
    fn default() -> Self {
        Self {
            samples: SampleBuffers::default(),
            history: Mutex::default(),
            exchanges: Mutex::default(),
            is_watched: AtomicBool::new(false),
            watched_until: Mutex::new(Instant::now()),
            origin: Instant::now(),
            seconds: watch::Sender::new(0),
        }
    }
}

impl TrafficMonitor {
    /// Adds the finished requests up once a second; never returns.
    pub async fn run(&self) {
        let mut turns = interval(Duration::from_secs(1));
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            turns.tick().await;
            let now = Instant::now();
            self.add_up(SystemTime::now(), now - last);
            last = now;
            if now >= *lock(&self.watched_until) {
                self.is_watched.store(false, Relaxed);
            }
        }
    }

    /// Adds up the requests that finished in the last `span`.
    fn add_up(&self, now: SystemTime, span: Duration) {
        let samples = self.samples.take();
        lock(&self.history).add(now, span, &samples);
        self.seconds.send_modify(|seconds| *seconds += 1);
    }

    /// Begins to follow a request that arrived at `started`. It is counted when the result is dropped, until its response
    /// is recorded as one whose client left.
    #[must_use]
    pub fn start_request(self: &Arc<Self>, started: Instant) -> RequestTraffic {
        RequestTraffic::new(Arc::clone(self), started)
    }

    /// Microseconds of a time since the start of the monitor. They wrap after 71 minutes, so only differences have a meaning.
    fn micros(&self, time: Instant) -> u32 {
        let since = time.saturating_duration_since(self.origin);
        // The low bits of the seconds are enough for a number that wraps.
        let seconds = u32::try_from(since.as_secs() & u64::from(u32::MAX)).unwrap_or_default();
        seconds.wrapping_mul(1_000_000).wrapping_add(since.subsec_micros())
    }

    /// Records exchanges from now on, for half a minute.
    pub fn watch(&self) {
        *lock(&self.watched_until) = Instant::now() + WATCH_TIME;
        self.is_watched.store(true, Relaxed);
    }

    /// Whether exchanges are recorded.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.is_watched.load(Relaxed)
    }

    /// Records a finished request.
    pub fn record(&self, record: &RequestRecord, kind: AnswerKind) {
        lock(&self.exchanges).push(record, kind);
    }

    /// The numbers of the last seconds, the oldest first: at most `count`, of one Route or of all.
    #[must_use]
    pub fn seconds(&self, count: usize, route: Option<&str>) -> Vec<SecondTraffic> {
        lock(&self.history).seconds(count, route)
    }

    /// The numbers of each Route in the last `count` seconds, the busiest first.
    #[must_use]
    pub fn routes(&self, count: usize) -> Vec<RouteTraffic> {
        lock(&self.history).routes(count)
    }

    /// The last exchanges that pass the filter, the newest first.
    #[must_use]
    pub fn exchanges(&self, filter: &ExchangeFilter, count: usize) -> Vec<Arc<RecordedExchange>> {
        lock(&self.exchanges).last(filter, count)
    }

    /// One exchange, if it is still kept.
    #[must_use]
    pub fn exchange(&self, number: u64) -> Option<Arc<RecordedExchange>> {
        lock(&self.exchanges).find(number)
    }

    /// Number of the last exchange; 0 before the first one.
    #[must_use]
    pub fn last_exchange(&self) -> u64 {
        lock(&self.exchanges).last_number()
    }

    /// Changes once a second, when the numbers of that second are known.
    #[must_use]
    pub fn second_changes(&self) -> watch::Receiver<u64> {
        self.seconds.subscribe()
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    // Code under these locks leaves no value half-changed, so a poisoned lock is usable.
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
