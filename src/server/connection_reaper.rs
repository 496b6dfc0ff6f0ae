//! Reaper of connections: ends those that are idle, or slow to send or to read, for too long.
//!
//! A connection records a change of its state with one store of a coarse time, and a single task checks all connections
//! four times a second. So no request needs a timer, and a connection ends at its timeout or up to two ticks earlier, but
//! not later.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use http::HeaderValue;
use tokio::{sync::Notify, time::Instant};

use super::clock::Clock;
use crate::{
    metrics::{ConnectionStates, ListenerCounters},
    settings::Settings,
};

/// Interval of the checks, and the unit of all times here.
const TICK: Duration = Duration::from_millis(250);

/// Idle connections that are closed at a time when no more may be open. (As nginx's.)
const IDLE_BATCH: usize = 32;

/// Timeouts of the states of a connection, in ticks.
#[derive(Clone, Copy, Debug)]
struct ReaperTimeouts {
    /// For the head of a request. (nginx: `client_header_timeout`)
    head: u32,
    /// Between requests. (nginx: `keepalive_timeout`)
    idle: u32,
    /// While the client does not read. (nginx: `send_timeout`)
    unread: u32,
}

/// Reaper of the connections of a listener group.
#[derive(Debug)]
pub(super) struct ConnectionReaper {
    clock: Arc<Clock>,
    timeouts: ReaperTimeouts,
    connections: Mutex<Vec<Arc<ConnectionActivity>>>,
    accepted: AtomicU64,
    /// Requests of connections that have ended.
    ended_requests: AtomicU64,
    counters: Arc<ListenerCounters>,
}

/// Activity of one connection.
#[derive(Debug)]
pub(super) struct ConnectionActivity {
    clock: Arc<Clock>,
    /// Requests whose responses have not ended.
    open_requests: AtomicU32,
    /// All requests so far.
    requests: AtomicU64,
    /// Whether the client has begun the head of a request, or has just connected.
    expects_head: AtomicBool,
    /// Tick of the last change of state.
    since: AtomicU32,
    /// Tick since which the client does not read; 0 if it reads.
    unread_since: AtomicU32,
    ends_immediately: AtomicBool,
    ending: Notify,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionEnding {
    /// After the responses to the open requests.
    Graceful,
    /// At once.
    Immediate,
}

impl ConnectionReaper {
    /// A reaper without connections, which counts their states in `counters`.
    pub(super) fn new(settings: &Settings, counters: Arc<ListenerCounters>) -> Self {
        let never = Duration::MAX;
        let timeouts = ReaperTimeouts {
            head: ticks(settings.client_header_timeout),
            idle: ticks(settings.keepalive_timeout.unwrap_or(never)),
            unread: ticks(settings.send_timeout),
        };
        Self::with_timeouts(timeouts, counters)
    }

    fn with_timeouts(timeouts: ReaperTimeouts, counters: Arc<ListenerCounters>) -> Self {
        Self {
            clock: Arc::new(Clock::new()),
            timeouts,
            connections: Mutex::default(),
            accepted: AtomicU64::new(0),
            ended_requests: AtomicU64::new(0),
            counters,
        }
    }

    /// Registers a new connection.
    pub(super) fn register(&self) -> Arc<ConnectionActivity> {
        let activity = Arc::new(ConnectionActivity {
            clock: Arc::clone(&self.clock),
            open_requests: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            expects_head: AtomicBool::new(true),
            since: AtomicU32::new(self.clock.tick()),
            unread_since: AtomicU32::new(0),
            ends_immediately: AtomicBool::new(false),
            ending: Notify::new(),
        });
        self.lock().push(Arc::clone(&activity));
        self.accepted.fetch_add(1, Relaxed);
        activity
    }

    /// Checks all connections until it is dropped; ticks are counted from `start`.
    pub(super) async fn run(&self, start: Instant) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            // By the clock, so that missed ticks count, too.
            let passed = start.elapsed().as_millis() / TICK.as_millis();
            self.check_all(u32::try_from(passed).unwrap_or(u32::MAX).saturating_add(1));
        }
    }

    /// Ends some idle connections, so that others can be accepted.
    pub(super) fn close_idle(&self) {
        let connections = self.lock();
        for connection in connections.iter().filter(|connection| connection.is_idle()).take(IDLE_BATCH) {
            connection.end(ConnectionEnding::Graceful);
        }
    }

    /// Ends all connections after the responses to their open requests.
    pub(super) fn drain(&self) {
        self.lock().iter().for_each(|connection| connection.end(ConnectionEnding::Graceful));
    }

    /// Sets the clock, forgets ended connections, counts the states of the others, and ends those beyond a timeout.
    fn check_all(&self, now: u32) {
        self.clock.set(now, SystemTime::now());
        let mut connections = self.lock();
        connections.retain(|connection| {
            // The reaper holds the last reference to a connection that has ended.
            let is_open = Arc::strong_count(connection) > 1;
            if !is_open {
                self.ended_requests.fetch_add(connection.requests.load(Relaxed), Relaxed);
            }
            is_open
        });
        let (accepted, requests) = (self.accepted.load(Relaxed), self.ended_requests.load(Relaxed));
        let mut states = ConnectionStates { accepted, requests, ..ConnectionStates::default() };
        for connection in &*connections {
            connection.add_state(&mut states);
            if let Some(ending) = connection.overdue_ending(now, self.timeouts) {
                connection.end(ending);
            }
        }
        self.counters.set(states);
        if connections.capacity() > 1024 && connections.len() < connections.capacity() / 4 {
            connections.shrink_to_fit();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<ConnectionActivity>>> {
        // A list of handles holds no invariant that a panic could break.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionActivity {
    /// Records received bytes: the begin of a request head, if the connection was idle.
    pub(super) fn record_bytes(&self) {
        if self.is_idle() {
            self.since.store(self.clock.tick(), Relaxed);
            self.expects_head.store(true, Relaxed);
        }
    }

    /// Records that a client of HTTP/2 has begun the head of a request.
    pub(super) fn begin_head(&self) {
        self.since.store(self.clock.tick(), Relaxed);
        self.expects_head.store(true, Relaxed);
    }

    /// Records that a client of HTTP/2 has finished the head of a request, or the preface.
    pub(super) fn finish_head(&self) {
        self.since.store(self.clock.tick(), Relaxed);
        self.expects_head.store(false, Relaxed);
    }

    /// Records a request whose head has been read.
    pub(super) fn start_request(&self) {
        self.expects_head.store(false, Relaxed);
        self.open_requests.fetch_add(1, Relaxed);
        self.requests.fetch_add(1, Relaxed);
    }

    /// Records the end of a response.
    pub(super) fn finish_response(&self) {
        self.since.store(self.clock.tick(), Relaxed);
        self.open_requests.fetch_sub(1, Relaxed);
    }

    /// Records an attempt to write; without progress, the client does not read.
    pub(super) fn record_write(&self, has_progress: bool) {
        let unread_since = self.unread_since.load(Relaxed);
        if has_progress && unread_since != 0 {
            self.unread_since.store(0, Relaxed);
        } else if !has_progress && unread_since == 0 {
            self.unread_since.store(self.clock.tick(), Relaxed);
        }
    }

    /// Number of requests so far; `None` if one of them is still being answered.
    pub(super) fn answered_requests(&self) -> Option<u64> {
        (self.open_requests.load(Relaxed) == 0).then(|| self.requests.load(Relaxed))
    }

    /// Value of Date for a response.
    pub(super) fn date(&self) -> HeaderValue {
        self.clock.date()
    }

    /// Whether the connection must end at once.
    pub(super) fn ends_immediately(&self) -> bool {
        self.ends_immediately.load(Relaxed)
    }

    /// Waits until the connection must end.
    pub(super) async fn wait_for_ending(&self) -> ConnectionEnding {
        self.ending.notified().await;
        if self.ends_immediately() { ConnectionEnding::Immediate } else { ConnectionEnding::Graceful }
    }

    fn is_idle(&self) -> bool {
        self.open_requests.load(Relaxed) == 0 && !self.expects_head.load(Relaxed)
    }

    /// Adds the state of the connection, by nginx's classes.
    fn add_state(&self, states: &mut ConnectionStates) {
        states.requests += self.requests.load(Relaxed);
        let state = match (self.open_requests.load(Relaxed), self.expects_head.load(Relaxed)) {
            (0, true) => &mut states.reading,
            (0, false) => &mut states.waiting,
            _ => &mut states.writing,
        };
        *state += 1;
    }

    /// Requests the end of the connection.
    pub(super) fn end(&self, ending: ConnectionEnding) {
        if ending == ConnectionEnding::Immediate {
            self.ends_immediately.store(true, Relaxed);
        }
        self.ending.notify_one();
    }

    /// How the connection has to end because a timeout has passed at tick `now`.
    fn overdue_ending(&self, now: u32, timeouts: ReaperTimeouts) -> Option<ConnectionEnding> {
        let age = |since: u32| now.wrapping_sub(since);
        let unread_since = self.unread_since.load(Relaxed);
        if unread_since != 0 && age(unread_since) >= timeouts.unread {
            return Some(ConnectionEnding::Immediate);
        }
        if self.open_requests.load(Relaxed) > 0 {
            return None;
        }
        let idle = age(self.since.load(Relaxed));
        if self.expects_head.load(Relaxed) {
            (idle >= timeouts.head).then_some(ConnectionEnding::Immediate)
        } else if idle >= timeouts.idle.saturating_add(timeouts.head) {
            // The client has not closed the connection after its graceful end.
            Some(ConnectionEnding::Immediate)
        } else {
            (idle >= timeouts.idle).then_some(ConnectionEnding::Graceful)
        }
    }
}

/// A time in ticks, rounded down; at least two, because the first tick may end at once.
fn ticks(time: Duration) -> u32 {
    u32::try_from((time.as_millis() / TICK.as_millis()).max(2)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::ConnectionCounters;

    /// Head 10 ticks, idle 20, unread 30.
    fn reaper() -> ConnectionReaper {
        let timeouts = ReaperTimeouts { head: 10, idle: 20, unread: 30 };
        ConnectionReaper::with_timeouts(timeouts, Arc::default())
    }

    /// Checks after how many ticks a connection with this activity has to end, and how.
    #[track_caller]
    fn check(act: impl Fn(&ConnectionActivity), expected: Option<(u32, ConnectionEnding)>) {
        let reaper = reaper();
        let activity = reaper.register();
        act(&activity);
        let ending =
            (1..100).find_map(|ticks| Some((ticks, activity.overdue_ending(1 + ticks, reaper.timeouts)?)));
        assert_eq!(ending, expected);
    }

    #[test]
    fn a_connection_ends_when_its_state_lasts_too_long() {
        check(|_| (), Some((10, ConnectionEnding::Immediate)));
        check(ConnectionActivity::record_bytes, Some((10, ConnectionEnding::Immediate)));
        check(ConnectionActivity::start_request, None);
        let one_request = |activity: &ConnectionActivity| {
            activity.start_request();
            activity.finish_response();
        };
        check(one_request, Some((20, ConnectionEnding::Graceful)));
        let next_head = |activity: &ConnectionActivity| {
            one_request(activity);
            activity.record_bytes();
        };
        check(next_head, Some((10, ConnectionEnding::Immediate)));
        let unread = |activity: &ConnectionActivity| {
            activity.start_request();
            activity.record_write(false);
        };
        check(unread, Some((30, ConnectionEnding::Immediate)));
        let read = |activity: &ConnectionActivity| {
            unread(activity);
            activity.record_write(true);
        };
        check(read, None);
        check(ConnectionActivity::finish_head, Some((20, ConnectionEnding::Graceful)));
        let head = |activity: &ConnectionActivity| {
            activity.finish_head();
            activity.begin_head();
        };
        check(head, Some((10, ConnectionEnding::Immediate)));
        let reaper = reaper();
        let activity = reaper.register();
        activity.finish_head();
        assert_eq!(activity.overdue_ending(1 + 29, reaper.timeouts), Some(ConnectionEnding::Graceful));
        assert_eq!(
            activity.overdue_ending(1 + 30, reaper.timeouts),
            Some(ConnectionEnding::Immediate),
            "it did not end after its graceful end"
        );
    }

    #[test]
    fn ended_connections_are_forgotten() {
        let reaper = reaper();
        let (one, two) = (reaper.register(), reaper.register());
        drop(one);
        reaper.check_all(2);
        assert_eq!(reaper.lock().len(), 1);
        drop(two);
        reaper.check_all(3);
        assert!(reaper.lock().is_empty());
    }

    #[test]
    fn states_of_connections_are_counted() {
        let reaper = reaper();
        let [ended, idle, busy, _new] = [(); 4].map(|()| reaper.register());
        for activity in [&ended, &idle, &busy, &busy] {
            activity.start_request();
        }
        idle.finish_response();
        drop(ended);
        let counters = ConnectionCounters { proxy: reaper.counters.clone(), ..ConnectionCounters::default() };
        assert_eq!(counters.states(), ConnectionStates::default());
        for now in 2..4 {
            reaper.check_all(now);
            let expected = ConnectionStates { accepted: 4, requests: 4, reading: 1, writing: 1, waiting: 1 };
            assert_eq!(counters.states(), expected);
        }
    }

    #[test]
    fn times_are_rounded_down_to_ticks() {
        assert_eq!(ticks(Duration::from_millis(999)), 3);
        assert_eq!(ticks(Duration::from_millis(1)), 2);
        assert_eq!(ticks(Duration::from_secs(10)), 40);
        assert_eq!(ticks(Duration::MAX), u32::MAX);
    }
}
