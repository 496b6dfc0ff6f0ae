//! Answers and their ages; one lookup for all who ask at the same time.

use std::{
    collections::HashMap,
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch::{self, Receiver},
    time::Instant,
};

use super::{DnsAnswer, DnsError, DnsOptions, RecordKind, search::NameSearch};
use crate::supervise::catch_future_panic;

/// From so many names on, those of former configurations are forgotten.
const MOST_NAMES: usize = 4096;

/// Looks names up, and remembers. A clone is another handle to the same memory.
#[derive(Clone)]
pub struct DnsResolver {
    shared: Arc<DnsCache>,
}

struct DnsCache {
    options: DnsOptions,
    /// Made when the first name is looked up: files are read for it.
    search: OnceLock<NameSearch>,
    names: Mutex<HashMap<Arc<str>, CachedName>>,
}

/// What is known about a name.
#[derive(Default)]
struct CachedName {
    good: Option<Arc<DnsAnswer>>,
    /// The last lookup failed; it is not repeated before this time.
    failed: Option<(DnsError, Instant)>,
    /// The lookup that is on its way.
    flight: Option<Receiver<Option<LookupResult>>>,
    last: Option<RecordKind>,
}

impl CachedName {
    /// Whether anything is known that is worth keeping.
    fn is_of_use(&self, now: Instant, stale_ttl: Duration) -> bool {
        let is_good = self.good.as_ref().is_some_and(|it| now < it.expires + stale_ttl);
        let is_bad = self.failed.as_ref().is_some_and(|(_, until)| now < *until);
        is_good || is_bad || self.flight.is_some()
    }
}

/// What a lookup gave.
pub(super) type LookupResult = Result<Arc<DnsAnswer>, DnsError>;

/// What to do for one who asks.
enum CacheState {
    Now(LookupResult),
    Later(Receiver<Option<LookupResult>>),
}

impl DnsResolver {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(options: DnsOptions) -> Self {
        let shared = DnsCache { options, search: OnceLock::new(), names: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// What a name stands for. An answer that is too old is given while a new one is looked for.
    ///
    /// # Errors
    /// It stands for nothing, or nobody could say.
    pub async fn resolve(&self, name: &str) -> Result<Arc<DnsAnswer>, DnsError> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        match self.look(&name) {
            CacheState::Now(found) => found,
            CacheState::Later(mut flight) => match flight.wait_for(Option::is_some).await {
                Ok(found) => found.clone().unwrap_or(Err(DnsError::NotFound)),
                Err(_) => Err(DnsError::Failed("the lookup was given up".into())),
            },
        }
    }

    fn look(&self, name: &str) -> CacheState {
        let now = Instant::now();
        let mut names = lock(&self.shared.names);
        if names.len() >= MOST_NAMES && !names.contains_key(name) {
            names.retain(|_, it| it.is_of_use(now, self.shared.options.stale_ttl));
        }
        let known = names.entry(name.into()).or_default();
        if let Some(good) = known.good.as_ref().filter(|it| now < it.expires) {
            return CacheState::Now(Ok(good.clone()));
        }
        let stale = known.good.clone().filter(|it| now < it.expires + self.shared.options.stale_ttl);
        if let Some((fault, _)) = known.failed.clone().filter(|(_, until)| now < *until) {
            return CacheState::Now(stale.ok_or(fault));
        }
        // One whose task is gone is on its way no more.
        let flight = match known.flight.as_ref().filter(|it| it.has_changed().is_ok()) {
            Some(flight) => flight.clone(),
            None => {
                let (landed, flight) = watch::channel(None);
                known.flight = Some(flight.clone());
                let (resolver, name, last) = (self.clone(), Arc::from(name), known.last);
                tokio::spawn(async move {
                    let found =
                        catch_future_panic(pin!(async { resolver.search().find(&name, last).await })).await;
                    let found = found.unwrap_or_else(|panicked| {
                        tracing::error!("the lookup of {name} {panicked}");
                        Err(DnsError::Failed(panicked.to_string().into()))
                    });
                    landed.send_replace(Some(resolver.note(&name, found)));
                });
                flight
            }
        };
        stale.map_or(CacheState::Later(flight), |stale| CacheState::Now(Ok(stale)))
    }

    fn search(&self) -> &NameSearch {
        self.shared.search.get_or_init(|| NameSearch::new(self.shared.options.clone()))
    }

    /// Remembers what a lookup gave; what is given to those who wait for it.
    fn note(&self, name: &Arc<str>, found: Result<DnsAnswer, DnsError>) -> LookupResult {
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
                if fault == DnsError::NotFound {
                    // Its owner has taken it away: that is an answer, too.
                    known.good = None;
                }
                let pause =
                    if fault == DnsError::NotFound { options.not_found_ttl } else { options.error_ttl };
                known.failed = Some((fault.clone(), now + pause));
                let stale = known.good.clone().filter(|it| now < it.expires + options.stale_ttl);
                stale.ok_or(fault)
            }
        }
    }
}

impl Default for DnsResolver {
    fn default() -> Self {
        Self::new(DnsOptions::default())
    }
}

impl fmt::Debug for DnsResolver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Resolver")
    }
}

fn lock(names: &Mutex<HashMap<Arc<str>, CachedName>>) -> MutexGuard<'_, HashMap<Arc<str>, CachedName>> {
    // Every entry is whole at any time.
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lookup_whose_task_is_gone_is_made_again() {
        let resolver = DnsResolver::default();
        let (landed, flight) = watch::channel(None);
        lock(&resolver.shared.names)
            .insert("localhost".into(), CachedName { flight: Some(flight), ..CachedName::default() });
        drop(landed);
        let CacheState::Later(again) = resolver.look("localhost") else { panic!("nothing is known of it") };
        assert!(again.has_changed().is_ok(), "it is on its way");
        assert_ne!(
            resolver.resolve("localhost").await,
            Err(DnsError::Failed("the lookup was given up".into()))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn names_of_former_configurations_are_forgotten() {
        let resolver =
            DnsResolver::new(DnsOptions { hosts_file: "/nowhere".into(), ..DnsOptions::default() });
        let until = Instant::now();
        {
            let mut names = lock(&resolver.shared.names);
            for n in 0..MOST_NAMES {
                let failed = Some((DnsError::NotFound, until));
                names.insert(n.to_string().into(), CachedName { failed, ..CachedName::default() });
            }
        }
        drop(resolver.look("another"));
        assert_eq!(lock(&resolver.shared.names).len(), 1);
    }
}
