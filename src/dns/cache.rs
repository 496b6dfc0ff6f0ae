//! Cache of DNS answers, with one lookup for all concurrent requests of a name.

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

/// Number of names from which expired ones, such as those of earlier configurations, are removed.
const MAX_NAMES: usize = 4096;

/// DNS resolver with a cache. Clones share the cache.
#[derive(Clone)]
pub struct DnsResolver {
    shared: Arc<DnsCache>,
}

struct DnsCache {
    options: DnsOptions,
    /// Created for the first lookup, because it reads files.
    search: OnceLock<NameSearch>,
    names: Mutex<HashMap<Arc<str>, CachedName>>,
}

/// Cache entry of a name.
#[derive(Default)]
struct CachedName {
    answer: Option<Arc<DnsAnswer>>,
    /// Error of the last lookup, and the time until which it is not repeated.
    failed: Option<(DnsError, Instant)>,
    /// Lookup in progress.
    pending: Option<Receiver<Option<LookupResult>>>,
    last_kind: Option<RecordKind>,
}

impl CachedName {
    /// Whether the entry is still usable.
    fn is_usable(&self, now: Instant, stale_ttl: Duration) -> bool {
        let has_answer = self.answer.as_ref().is_some_and(|answer| now < answer.expires + stale_ttl);
        let has_error = self.failed.as_ref().is_some_and(|(_, until)| now < *until);
        has_answer || has_error || self.pending.is_some()
    }
}

/// Result of a lookup.
pub(super) type LookupResult = Result<Arc<DnsAnswer>, DnsError>;

/// State of a name in the cache.
enum CacheState {
    /// A cached result.
    Cached(LookupResult),
    /// A lookup in progress.
    Pending(Receiver<Option<LookupResult>>),
}

impl DnsResolver {
    /// A resolver with an empty cache.
    #[must_use]
    pub fn new(options: DnsOptions) -> Self {
        let shared = DnsCache { options, search: OnceLock::new(), names: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Resolves a name. Returns a stale answer while a new lookup runs.
    ///
    /// # Errors
    /// The name has no address, or the lookup failed.
    pub async fn resolve(&self, name: &str) -> Result<Arc<DnsAnswer>, DnsError> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        match self.cached_or_pending(&name) {
            CacheState::Cached(found) => found,
            CacheState::Pending(mut pending) => match pending.wait_for(Option::is_some).await {
                Ok(found) => found.clone().unwrap_or(Err(DnsError::NotFound)),
                Err(_) => Err(DnsError::Failed("the lookup was cancelled".into())),
            },
        }
    }

    fn cached_or_pending(&self, name: &str) -> CacheState {
        let now = Instant::now();
        let mut names = lock(&self.shared.names);
        if names.len() >= MAX_NAMES && !names.contains_key(name) {
            names.retain(|_, entry| entry.is_usable(now, self.shared.options.stale_ttl));
        }
        let entry = names.entry(name.into()).or_default();
        if let Some(answer) = entry.answer.as_ref().filter(|answer| now < answer.expires) {
            return CacheState::Cached(Ok(answer.clone()));
        }
        let stale =
            entry.answer.clone().filter(|answer| now < answer.expires + self.shared.options.stale_ttl);
        if let Some((error, _)) = entry.failed.clone().filter(|(_, until)| now < *until) {
            return CacheState::Cached(stale.ok_or(error));
        }
        // If the sender is gone, the task of the lookup has ended without a result.
        let pending = match entry.pending.as_ref().filter(|pending| pending.has_changed().is_ok()) {
            Some(pending) => pending.clone(),
            None => {
                let (sender, pending) = watch::channel(None);
                entry.pending = Some(pending.clone());
                let (resolver, name, last) = (self.clone(), Arc::from(name), entry.last_kind);
                tokio::spawn(async move {
                    let found =
                        catch_future_panic(pin!(async { resolver.search().find(&name, last).await })).await;
                    let found = found.unwrap_or_else(|panic| {
                        tracing::error!("the lookup of {name} {panic}");
                        Err(DnsError::Failed(panic.to_string().into()))
                    });
                    sender.send_replace(Some(resolver.store(&name, found)));
                });
                pending
            }
        };
        stale.map_or(CacheState::Pending(pending), |stale| CacheState::Cached(Ok(stale)))
    }

    fn search(&self) -> &NameSearch {
        self.shared.search.get_or_init(|| NameSearch::new(self.shared.options.clone()))
    }

    /// Stores the result of a lookup; returns the result for those who wait for it.
    fn store(&self, name: &Arc<str>, found: Result<DnsAnswer, DnsError>) -> LookupResult {
        let options = &self.shared.options;
        let now = Instant::now();
        let mut names = lock(&self.shared.names);
        let entry = names.entry(name.clone()).or_default();
        entry.pending = None;
        match found {
            Ok(answer) => {
                let answer = Arc::new(answer);
                entry.last_kind = Some(answer.kind);
                entry.answer = Some(answer.clone());
                entry.failed = None;
                Ok(answer)
            }
            Err(error) => {
                if error == DnsError::NotFound {
                    // The records have been removed, which also ends the use of the stale answer.
                    entry.answer = None;
                }
                let lifetime =
                    if error == DnsError::NotFound { options.not_found_ttl } else { options.error_ttl };
                entry.failed = Some((error.clone(), now + lifetime));
                let stale = entry.answer.clone().filter(|answer| now < answer.expires + options.stale_ttl);
                stale.ok_or(error)
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
        out.write_str("DnsResolver")
    }
}

fn lock(names: &Mutex<HashMap<Arc<str>, CachedName>>) -> MutexGuard<'_, HashMap<Arc<str>, CachedName>> {
    // Each entry is consistent at any time.
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lookup_whose_task_has_ended_is_repeated() {
        let resolver = DnsResolver::default();
        let (sender, pending) = watch::channel(None);
        lock(&resolver.shared.names)
            .insert("localhost".into(), CachedName { pending: Some(pending), ..CachedName::default() });
        drop(sender);
        let CacheState::Pending(repeated) = resolver.cached_or_pending("localhost") else {
            panic!("no lookup")
        };
        assert!(repeated.has_changed().is_ok(), "the lookup is in progress");
        assert_ne!(
            resolver.resolve("localhost").await,
            Err(DnsError::Failed("the lookup was cancelled".into()))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn names_of_earlier_configurations_are_removed() {
        let resolver =
            DnsResolver::new(DnsOptions { hosts_file: "/nowhere".into(), ..DnsOptions::default() });
        let until = Instant::now();
        {
            let mut names = lock(&resolver.shared.names);
            for n in 0..MAX_NAMES {
                let failed = Some((DnsError::NotFound, until));
                names.insert(n.to_string().into(), CachedName { failed, ..CachedName::default() });
            }
        }
        drop(resolver.cached_or_pending("another"));
        assert_eq!(lock(&resolver.shared.names).len(), 1);
    }
}
