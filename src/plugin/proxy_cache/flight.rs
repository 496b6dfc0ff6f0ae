//! Requests on their way upstream that other requests for the same response wait for.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::cache_key::CacheKey;

/// The longest time that requests wait for another one, from its beginning. (nginx: `proxy_cache_lock_timeout`.)
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The requests of one plugin instance that lead, by the keys of their responses. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<CacheKey, Flight>>>);

struct Flight {
    /// Until when other requests wait.
    deadline: Instant,
    outcome: watch::Receiver<FlightOutcome>,
}

/// What has become of the response of a request that leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlightOutcome {
    /// It has not arrived.
    Pending,
    /// It is stored.
    Stored,
    /// It cannot be stored.
    NotStored,
    /// Its request has ended without one, for example as its client has left.
    Abandoned,
    /// It takes too long.
    TimedOut,
}

/// The part of a request in a flight.
pub(super) enum FlightRole {
    /// Others wait for its response.
    Lead(FlightLead),
    /// It waits.
    Wait(FlightWait),
    /// It goes upstream, and nothing waits for it.
    Alone,
}

/// The duty to report what becomes of a response. Dropping it reports that the request was abandoned.
pub(super) struct FlightLead {
    flights: Flights,
    key: CacheKey,
    outcome: watch::Sender<FlightOutcome>,
}

/// The wait for the outcome of another request.
pub(super) struct FlightWait {
    deadline: Instant,
    outcome: watch::Receiver<FlightOutcome>,
}

impl Flights {
    /// Joins the flight for a key, or begins one.
    pub(super) fn join(&self, key: CacheKey) -> FlightRole {
        let now = Instant::now();
        match self.lock().entry(key) {
            Entry::Occupied(flight) if flight.get().deadline <= now => FlightRole::Alone,
            Entry::Occupied(flight) => {
                let Flight { deadline, outcome } = flight.get();
                FlightRole::Wait(FlightWait { deadline: *deadline, outcome: outcome.clone() })
            }
            Entry::Vacant(vacant) => {
                let (sender, outcome) = watch::channel(FlightOutcome::Pending);
                vacant.insert(Flight { deadline: now + MAX_WAIT, outcome });
                FlightRole::Lead(FlightLead { flights: self.clone(), key, outcome: sender })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, Flight>> {
        // Insertions and removals leave the map consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FlightLead {
    /// Reports the outcome. Later requests do not join.
    pub(super) fn finish(self, outcome: FlightOutcome) {
        self.flights.lock().remove(&self.key);
        self.outcome.send_replace(outcome);
    }
}

impl Drop for FlightLead {
    fn drop(&mut self) {
        // While this exists, the flight of its key is its own.
        if *self.outcome.borrow() == FlightOutcome::Pending {
            self.flights.lock().remove(&self.key);
        }
    }
}

impl FlightWait {
    /// The time when the wait ends at the latest.
    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The same wait, which ends at this time at the latest.
    pub(super) fn until(self, deadline: Instant) -> Self {
        Self { deadline: self.deadline.min(deadline), ..self }
    }

    /// Waits for the outcome.
    pub(super) async fn outcome(mut self) -> FlightOutcome {
        let has_ended = self.outcome.wait_for(|outcome| *outcome != FlightOutcome::Pending);
        match timeout_at(self.deadline, has_ended).await {
            Ok(Ok(outcome)) => *outcome,
            Ok(Err(_)) => FlightOutcome::Abandoned,
            Err(_) => FlightOutcome::TimedOut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: char) -> CacheKey {
        CacheKey::parse(&digit.to_string().repeat(64)).unwrap()
    }

    #[track_caller]
    fn lead(flights: &Flights) -> FlightLead {
        let FlightRole::Lead(lead) = flights.join(key('1')) else { panic!("another request leads") };
        lead
    }

    #[track_caller]
    fn wait(flights: &Flights) -> FlightWait {
        let FlightRole::Wait(wait) = flights.join(key('1')) else { panic!("no request leads") };
        wait
    }

    #[tokio::test(start_paused = true)]
    async fn others_wait_until_the_first_has_an_outcome() {
        let flights = Flights::default();
        let first = lead(&flights);
        assert!(matches!(flights.join(key('2')), FlightRole::Lead(_)));
        let waits = [wait(&flights), wait(&flights)];
        first.finish(FlightOutcome::Stored);
        for wait in waits {
            assert_eq!(wait.outcome().await, FlightOutcome::Stored);
        }
        let second = lead(&flights);
        let waiting = wait(&flights);
        second.finish(FlightOutcome::NotStored);
        assert_eq!(waiting.outcome().await, FlightOutcome::NotStored);
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_the_others_leads_when_the_first_leaves() {
        let flights = Flights::default();
        let first = lead(&flights);
        let waiting = wait(&flights);
        drop(first);
        let second = lead(&flights);
        assert_eq!(waiting.outcome().await, FlightOutcome::Abandoned);
        assert!(matches!(flights.join(key('1')), FlightRole::Wait(_)));
        drop(second);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_request_holds_the_others_for_a_limited_time_in_all() {
        let flights = Flights::default();
        let first = lead(&flights);
        let waiting = wait(&flights);
        assert_eq!(waiting.outcome().await, FlightOutcome::TimedOut);
        assert!(matches!(flights.join(key('1')), FlightRole::Alone));
        first.finish(FlightOutcome::Stored);
        drop(lead(&flights));
    }
}
