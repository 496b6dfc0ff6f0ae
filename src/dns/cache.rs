//! Answers and their ages; one lookup for all who ask at the same time.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use tokio::{
    sync::watch::{self, Receiver},
    time::Instant,
};

use super::{Answer, Fault, Kind, Options, search::Search};

/// Looks names up, and remembers. A clone is another handle to the same memory.
#[derive(Clone)]
pub struct Resolver {
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    /// Made when the first name is looked up: files are read for it.
    search: OnceLock<Search>,
    names: Mutex<HashMap<Arc<str>, Name>>,
}

/// What is known about a name.
#[derive(Default)]
struct Name {
    good: Option<Arc<Answer>>,
    /// The last lookup failed; it is not repeated before this time.
    failed: Option<(Fault, Instant)>,
    /// The lookup that is on its way.
    flight: Option<Receiver<Option<Found>>>,
    last: Option<Kind>,
}

/// What a lookup gave.
pub(super) type Found = Result<Arc<Answer>, Fault>;

/// What to do for one who asks.
enum Known {
    Now(Found),
    Later(Receiver<Option<Found>>),
}

impl Resolver {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let shared = Shared { options, search: OnceLock::new(), names: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// What a name stands for. An answer that is too old is given while a new one is looked for.
    ///
    /// # Errors
    /// It stands for nothing, or nobody could say.
    pub async fn resolve(&self, name: &str) -> Result<Arc<Answer>, Fault> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        match self.look(&name) {
            Known::Now(found) => found,
            Known::Later(mut flight) => match flight.wait_for(Option::is_some).await {
                Ok(found) => found.clone().unwrap_or(Err(Fault::NotFound)),
                Err(_) => Err(Fault::Failed("the lookup was given up".into())),
            },
        }
    }

    fn look(&self, name: &str) -> Known {
        let now = Instant::now();
        let mut names = lock(&self.shared.names);
        let known = names.entry(name.into()).or_default();
        if let Some(good) = known.good.as_ref().filter(|it| now < it.expires) {
            return Known::Now(Ok(good.clone()));
        }
        let stale = known.good.clone().filter(|it| now < it.expires + self.shared.options.stale_ttl);
        if let Some((fault, _)) = known.failed.clone().filter(|(_, until)| now < *until) {
            return Known::Now(stale.ok_or(fault));
        }
        let flight = match &known.flight {
            Some(flight) => flight.clone(),
            None => {
                let (landed, flight) = watch::channel(None);
                known.flight = Some(flight.clone());
                let (resolver, name, last) = (self.clone(), Arc::from(name), known.last);
                tokio::spawn(async move {
                    let found = resolver.search().find(&name, last).await;
                    landed.send_replace(Some(resolver.note(&name, found)));
                });
                flight
            }
        };
        stale.map_or(Known::Later(flight), |stale| Known::Now(Ok(stale)))
    }

    fn search(&self) -> &Search {
        self.shared.search.get_or_init(|| Search::new(self.shared.options.clone()))
    }

    /// Remembers what a lookup gave; what is given to those who wait for it.
    fn note(&self, name: &Arc<str>, found: Result<Answer, Fault>) -> Found {
        let options = &self.shared.options;
        let now = Instant::now();
        let mut names = lock(&self.shared.names);
        let known = names.entry(name.clone()).or_default();
        known.flight = None;
        match found {
            Ok(answer) => {
                let answer = Arc::new(answer);
                known.last = Some(answer.kind);
                known.good = Some(answer.clone());
                known.failed = None;
                Ok(answer)
            }
            Err(fault) => {
                if fault == Fault::NotFound {
                    // Its owner has taken it away: that is an answer, too.
                    known.good = None;
                }
                let pause = if fault == Fault::NotFound { options.not_found_ttl } else { options.error_ttl };
                known.failed = Some((fault.clone(), now + pause));
                let stale = known.good.clone().filter(|it| now < it.expires + options.stale_ttl);
                stale.ok_or(fault)
            }
        }
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Resolver")
    }
}

fn lock(names: &Mutex<HashMap<Arc<str>, Name>>) -> MutexGuard<'_, HashMap<Arc<str>, Name>> {
    // Every entry is whole at any time.
    names.lock().unwrap_or_else(PoisonError::into_inner)
}
