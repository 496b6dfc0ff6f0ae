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

/// Least time between two lookups of a name whose answer has not expired.
const REFRESH_PAUSE: Duration = Duration::from_secs(1);

/// Lifetime of the first answer that a name has no records; each further one lasts twice as long.
const FIRST_NOT_FOUND_TTL: Duration = Duration::from_secs(1);

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
    /// Number of lookups in succession that found no records.
    not_found: u32,
    /// Start of the last lookup.
    started: Option<Instant>,
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
        self.resolve_newer(name, None).await
    }

    /// Resolves a name again whose answer of the time `used` has an address that cannot be reached. Returns a newer answer
    /// if there is one; looks the name up at most once a second, and returns the known answer in between.
    ///
    /// # Errors
    /// The name has no address any more, or the lookup failed.
    pub async fn refresh(&self, name: &str, used: Instant) -> Result<Arc<DnsAnswer>, DnsError> {
        self.resolve_newer(name, Some(used)).await
    }

    async fn resolve_newer(&self, name: &str, used: Option<Instant>) -> Result<Arc<DnsAnswer>, DnsError> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        match self.cached_or_pending(&name, used) {
            CacheState::Cached(found) => found,
            CacheState::Pending(mut pending) => match pending.wait_for(Option::is_some).await {
                Ok(found) => found.clone().unwrap_or(Err(DnsError::NotFound)),
                Err(_) => Err(DnsError::Failed("the lookup was cancelled".into())),
            },
        }
    }

    /// The state of a name. With `used`, an answer of that time or before counts as expired.
    fn cached_or_pending(&self, name: &str, used: Option<Instant>) -> CacheState {
        let now = Instant::now();
        let mut names = lock(&self.shared.names);
        if names.len() >= MAX_NAMES && !names.contains_key(name) {
            names.retain(|_, entry| entry.is_usable(now, self.shared.options.stale_ttl));
        }
        let entry = names.entry(name.into()).or_default();
        let is_lookup_pending = entry.pending.as_ref().is_some_and(|pending| pending.has_changed().is_ok());
        let may_refresh =
            is_lookup_pending || entry.started.is_none_or(|started| now >= started + REFRESH_PAUSE);
        let is_current = |answer: &&Arc<DnsAnswer>| {
            now < answer.expires && used.is_none_or(|used| answer.looked_up > used || !may_refresh)
        };
        if let Some(answer) = entry.answer.as_ref().filter(is_current) {
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
                entry.started = Some(now);
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
        match stale {
            Some(stale) if used.is_none() => CacheState::Cached(Ok(stale)),
            _ => CacheState::Pending(pending),
        }
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
                entry.not_found = 0;
                Ok(answer)
            }
            Err(error) => {
                if error == DnsError::NotFound {
                    // The records have been removed, which also ends the use of the stale answer.
                    entry.answer = None;
                }
                let lifetime = if error == DnsError::NotFound {
                    entry.not_found = entry.not_found.saturating_add(1);
                    not_found_lifetime(entry.not_found, options.not_found_ttl)
                } else {
                    options.error_ttl
                };
                entry.failed = Some((error.clone(), now + lifetime));
                let stale = entry.answer.clone().filter(|answer| now < answer.expires + options.stale_ttl);
                stale.ok_or(error)
            }
        }
    }
}

/// Lifetime of the answer of the `count`-th lookup in succession that found no records.
fn not_found_lifetime(count: u32, most: Duration) -> Duration {
    let doublings = count.saturating_sub(1).min(16);
    most.min(FIRST_NOT_FOUND_TTL * (1 << doublings))
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
        let CacheState::Pending(repeated) = resolver.cached_or_pending("localhost", None) else {
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
        drop(resolver.cached_or_pending("another", None));
        assert_eq!(lock(&resolver.shared.names).len(), 1);
    }

    #[test]
    fn a_name_without_records_is_looked_up_again_soon_and_then_less_often() {
        let seconds = |count, most| not_found_lifetime(count, Duration::from_secs(most)).as_secs();
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 99].map(|count| seconds(count, 30)), [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!([1, 2, 3].map(|count| seconds(count, 0)), [0, 0, 0], "the setting is the bound");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_leads_nowhere_is_replaced_at_most_once_a_second() {
        let resolver = DnsResolver::default();
        let begin = Instant::now();
        let answer = |age: Duration| {
            let looked_up = begin + age;
            let expires = begin + Duration::from_mins(10);
            Arc::new(DnsAnswer { kind: RecordKind::A, hosts: Vec::new(), looked_up, expires })
        };
        let set = |answer: &Arc<DnsAnswer>, started: Instant| {
            let (answer, started) = (Some(answer.clone()), Some(started));
            let entry = CachedName { answer, started, ..CachedName::default() };
            lock(&resolver.shared.names).insert("shop.test".into(), entry);
        };
        let first = answer(Duration::ZERO);
        let is_cached = |used: Option<Instant>| {
            matches!(resolver.cached_or_pending("shop.test", used), CacheState::Cached(Ok(_)))
        };
        set(&first, begin);
        assert!(is_cached(Some(begin)), "it was looked up right now");
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(is_cached(None), "it has not expired");
        assert!(!is_cached(Some(begin)), "a lookup begins");
        assert!(!is_cached(Some(begin)), "the same lookup is pending");
        let second = answer(Duration::from_secs(5));
        set(&second, begin + Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(is_cached(Some(begin)), "there is a newer answer than the one that was used");
        assert!(!is_cached(Some(second.looked_up)), "the newer one was used, too");
    }
}
