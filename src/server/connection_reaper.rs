//! What each connection is doing, so that one that does nothing for too long can be ended.
//!
//! A connection notes a change of what it does with one store of a coarse time; a single task looks at all of them
//! four times a second. So nobody sets a timer for each request, and a connection ends at its time or up to two ticks
//! earlier, but not later.

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

/// How often connections are looked at, and the unit of all times here.
const TICK: Duration = Duration::from_millis(250);

/// How many idle connections make room when there is none. (As nginx's.)
const RELIEF: usize = 32;

/// After how many ticks a connection that stays as it is has to end.
#[derive(Clone, Copy, Debug)]
struct ReaperTimeouts {
    head: u32,
    idle: u32,
    unread: u32,
}

/// All connections of a process.
#[derive(Debug)]
pub(super) struct ConnectionReaper {
    clock: Arc<Clock>,
    patience: ReaperTimeouts,
    all: Mutex<Vec<Arc<ConnectionActivity>>>,
    accepted: AtomicU64,
    /// Requests of connections that have ended.
    past: AtomicU64,
    noted: Arc<ListenerCounters>,
}

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct ConnectionActivity {
    clock: Arc<Clock>,
    /// Requests that are being answered.
    answering: AtomicU32,
    /// Requests that were ever begun.
    requests: AtomicU64,
    /// Whether a part of the next request has come; a new connection owes one.
    owes: AtomicBool,
    /// Since when it has been so.
    since: AtomicU32,
    /// Since when the client reads nothing; 0 if it does.
    unread: AtomicU32,
    cut: AtomicBool,
    told: Notify,
}

/// How a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionEnding {
    /// After the requests that are being answered.
    Orderly,
    /// At once.
    Cut,
}

impl ConnectionReaper {
    /// No connections yet; what they are doing is noted in `noted`.
    pub(super) fn new(settings: &Settings, noted: Arc<ListenerCounters>) -> Self {
        let never = Duration::MAX;
        let patience = ReaperTimeouts {
            head: ticks(settings.client_header_timeout),
            idle: ticks(settings.keepalive_timeout.unwrap_or(never)),
            unread: ticks(settings.send_timeout),
        };
        Self::with(patience, noted)
    }

    fn with(patience: ReaperTimeouts, noted: Arc<ListenerCounters>) -> Self {
        let (accepted, past) = Default::default();
        Self { clock: Arc::new(Clock::new()), patience, all: Mutex::default(), accepted, past, noted }
    }

    /// Takes a new connection in.
    pub(super) fn begin(&self) -> Arc<ConnectionActivity> {
        let pulse = Arc::new(ConnectionActivity {
            clock: Arc::clone(&self.clock),
            answering: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            owes: AtomicBool::new(true),
            since: AtomicU32::new(self.clock.tick()),
            unread: AtomicU32::new(0),
            cut: AtomicBool::new(false),
            told: Notify::new(),
        });
        self.lock().push(Arc::clone(&pulse));
        self.accepted.fetch_add(1, Relaxed);
        pulse
    }

    /// Looks at all connections, for as long as it is polled; time is counted from `began`.
    pub(super) async fn watch(&self, began: Instant) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            // By the clock, so that ticks that were missed count, too.
            let passed = began.elapsed().as_millis() / TICK.as_millis();
            self.tick(u32::try_from(passed).unwrap_or(u32::MAX).saturating_add(1));
        }
    }

    /// Lets some idle connections end, so that others can begin.
    pub(super) fn relieve(&self) {
        let all = self.lock();
        all.iter().filter(|it| it.is_idle()).take(RELIEF).for_each(|it| it.end(ConnectionEnding::Orderly));
    }

    /// Lets all connections end after what they are doing.
    pub(super) fn drain(&self) {
        self.lock().iter().for_each(|it| it.end(ConnectionEnding::Orderly));
    }

    fn tick(&self, now: u32) {
        self.clock.set(now, SystemTime::now());
        // Only this list still knows those that have ended.
        let mut all = self.lock();
        all.retain(|it| {
            let goes_on = Arc::strong_count(it) > 1;
            if !goes_on {
                self.past.fetch_add(it.requests.load(Relaxed), Relaxed);
            }
            goes_on
        });
        let (accepted, requests) = (self.accepted.load(Relaxed), self.past.load(Relaxed));
        let mut doing = ConnectionStates { accepted, requests, ..ConnectionStates::default() };
        for pulse in &*all {
            pulse.tell(&mut doing);
            if let Some(ending) = pulse.overdue(now, self.patience) {
                pulse.end(ending);
            }
        }
        self.noted.note(doing);
        if all.capacity() > 1024 && all.len() < all.capacity() / 4 {
            all.shrink_to_fit();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<ConnectionActivity>>> {
        // A list of handles holds no invariant that a panic could break.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionActivity {
    /// Bytes have come: of a new request, if none is being answered.
    pub(super) fn received(&self) {
        if self.is_idle() {
            self.since.store(self.clock.tick(), Relaxed);
            self.owes.store(true, Relaxed);
        }
    }

    /// A client of HTTP/2 has begun the head of a request.
    pub(super) fn begins(&self) {
        self.since.store(self.clock.tick(), Relaxed);
        self.owes.store(true, Relaxed);
    }

    /// It has finished that head, or is connected: nothing is expected of it.
    pub(super) fn settles(&self) {
        self.since.store(self.clock.tick(), Relaxed);
        self.owes.store(false, Relaxed);
    }

    /// The head of a request has come.
    pub(super) fn asked(&self) {
        self.owes.store(false, Relaxed);
        self.answering.fetch_add(1, Relaxed);
        self.requests.fetch_add(1, Relaxed);
    }

    /// An answer has ended.
    pub(super) fn answered(&self) {
        self.since.store(self.clock.tick(), Relaxed);
        self.answering.fetch_sub(1, Relaxed);
    }

    /// The client has read something, or has not.
    pub(super) fn wrote(&self, something: bool) {
        let unread = self.unread.load(Relaxed);
        if something && unread != 0 {
            self.unread.store(0, Relaxed);
        } else if !something && unread == 0 {
            self.unread.store(self.clock.tick(), Relaxed);
        }
    }

    /// How many requests were ever begun, if none of them is being answered.
    pub(super) fn requests_at_rest(&self) -> Option<u64> {
        (self.answering.load(Relaxed) == 0).then(|| self.requests.load(Relaxed))
    }

    /// The value of Date for an answer.
    pub(super) fn date(&self) -> HeaderValue {
        self.clock.date()
    }

    /// Whether it was told to end at once.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Relaxed)
    }

    /// Waits until it is told to end.
    pub(super) async fn ending(&self) -> ConnectionEnding {
        self.told.notified().await;
        if self.cut.load(Relaxed) { ConnectionEnding::Cut } else { ConnectionEnding::Orderly }
    }

    fn is_idle(&self) -> bool {
        self.answering.load(Relaxed) == 0 && !self.owes.load(Relaxed)
    }

    /// Adds what it is doing.
    fn tell(&self, doing: &mut ConnectionStates) {
        doing.requests += self.requests.load(Relaxed);
        let place = match (self.answering.load(Relaxed), self.owes.load(Relaxed)) {
            (0, true) => &mut doing.reading,
            (0, false) => &mut doing.waiting,
            _ => &mut doing.writing,
        };
        *place += 1;
    }

    /// Tells it to end.
    pub(super) fn end(&self, ending: ConnectionEnding) {
        if ending == ConnectionEnding::Cut {
            self.cut.store(true, Relaxed);
        }
        self.told.notify_one();
    }

    /// Whether it has done nothing for too long, at this time.
    fn overdue(&self, now: u32, patience: ReaperTimeouts) -> Option<ConnectionEnding> {
        let age = |since: u32| now.wrapping_sub(since);
        let unread = self.unread.load(Relaxed);
        if unread != 0 && age(unread) >= patience.unread {
            return Some(ConnectionEnding::Cut);
        }
        if self.answering.load(Relaxed) > 0 {
            return None;
        }
        let quiet = age(self.since.load(Relaxed));
        if self.owes.load(Relaxed) {
            (quiet >= patience.head).then_some(ConnectionEnding::Cut)
        } else if quiet >= patience.idle.saturating_add(patience.head) {
            // It was told, and does not let go.
            Some(ConnectionEnding::Cut)
        } else {
            (quiet >= patience.idle).then_some(ConnectionEnding::Orderly)
        }
    }
}

/// Not less than two, as the first one may be over at once.
fn ticks(time: Duration) -> u32 {
    u32::try_from((time.as_millis() / TICK.as_millis()).max(2)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::ConnectionCounters;

    /// Head 10 ticks, idle 20, unread 30.
    fn pulses() -> ConnectionReaper {
        let patience = ReaperTimeouts { head: 10, idle: 20, unread: 30 };
        ConnectionReaper::with(patience, Arc::default())
    }

    /// Checks after how many ticks a connection that has done this has to end, and how.
    #[track_caller]
    fn check(does: impl Fn(&ConnectionActivity), expected: Option<(u32, ConnectionEnding)>) {
        let pulses = pulses();
        let pulse = pulses.begin();
        does(&pulse);
        let found = (1..100).find_map(|ticks| Some((ticks, pulse.overdue(1 + ticks, pulses.patience)?)));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_connection_that_does_nothing_ends() {
        check(|_| (), Some((10, ConnectionEnding::Cut)));
        check(ConnectionActivity::received, Some((10, ConnectionEnding::Cut)));
        check(ConnectionActivity::asked, None);
        let once = |pulse: &ConnectionActivity| {
            pulse.asked();
            pulse.answered();
        };
        check(once, Some((20, ConnectionEnding::Orderly)));
        let again = |pulse: &ConnectionActivity| {
            once(pulse);
            pulse.received();
        };
        check(again, Some((10, ConnectionEnding::Cut)));
        let unread = |pulse: &ConnectionActivity| {
            pulse.asked();
            pulse.wrote(false);
        };
        check(unread, Some((30, ConnectionEnding::Cut)));
        let read = |pulse: &ConnectionActivity| {
            unread(pulse);
            pulse.wrote(true);
        };
        check(read, None);
        check(ConnectionActivity::settles, Some((20, ConnectionEnding::Orderly)));
        let head = |pulse: &ConnectionActivity| {
            pulse.settles();
            pulse.begins();
        };
        check(head, Some((10, ConnectionEnding::Cut)));
        let pulses = pulses();
        let pulse = pulses.begin();
        pulse.settles();
        assert_eq!(pulse.overdue(1 + 29, pulses.patience), Some(ConnectionEnding::Orderly));
        assert_eq!(pulse.overdue(1 + 30, pulses.patience), Some(ConnectionEnding::Cut), "it was told");
    }

    #[test]
    fn connections_that_ended_are_forgotten() {
        let pulses = pulses();
        let (one, two) = (pulses.begin(), pulses.begin());
        drop(one);
        pulses.tick(2);
        assert_eq!(pulses.lock().len(), 1);
        drop(two);
        pulses.tick(3);
        assert!(pulses.lock().is_empty());
    }

    #[test]
    fn what_connections_do_is_noted() {
        let pulses = pulses();
        let [ended, idle, busy, _new] = [(); 4].map(|()| pulses.begin());
        for pulse in [&ended, &idle, &busy, &busy] {
            pulse.asked();
        }
        idle.answered();
        drop(ended);
        let noted = ConnectionCounters { proxy: pulses.noted.clone(), ..ConnectionCounters::default() };
        assert_eq!(noted.doing(), ConnectionStates::default());
        for now in 2..4 {
            pulses.tick(now);
            let expected = ConnectionStates { accepted: 4, requests: 4, reading: 1, writing: 1, waiting: 1 };
            assert_eq!(noted.doing(), expected);
        }
    }

    #[test]
    fn times_are_rounded_down() {
        assert_eq!(ticks(Duration::from_millis(999)), 3);
        assert_eq!(ticks(Duration::from_millis(1)), 2);
        assert_eq!(ticks(Duration::from_secs(10)), 40);
        assert_eq!(ticks(Duration::MAX), u32::MAX);
    }
}
