//! Storage of responses in memory, shared by all plugins of the process, within one budget of bytes.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::{cache_key::CacheKey, stored_response::StoredResponse};
use crate::{
    body::{BodyBuffers, BudgetedBuffer},
    budget::{MemoryBudget, Reservation},
};

/// Responses that may be stored for one key: each answers other values of the fields in their Vary.
const MAX_VARIANTS: usize = 16;

/// Memory of a group without its responses, in bytes.
const GROUP_BYTES: usize = 512;

/// Groups that have not been used for the longest time, of which each write drops those that have expired.
const SWEPT_PER_WRITE: usize = 4;

/// Cache of responses. Clones share it.
#[derive(Clone)]
pub struct ResponseCache {
    buffers: BodyBuffers,
    table: Arc<Mutex<CacheTable>>,
}

/// The part of a cache that belongs to one plugin instance. Dropping it drops its responses.
pub(super) struct CacheSpace {
    cache: ResponseCache,
    number: u64,
    plugin: Uuid,
}

#[derive(Default)]
struct CacheTable {
    spaces: HashMap<u64, SpaceGroups>,
    last_space: u64,
    /// Groups by the time of their last use.
    order: BTreeMap<u64, (u64, CacheKey)>,
    last_use: u64,
}

/// The groups of one plugin instance.
struct SpaceGroups {
    plugin: Uuid,
    groups: HashMap<CacheKey, ResponseGroup>,
}

/// The responses for one key.
struct ResponseGroup {
    used: u64,
    variants: Vec<Arc<StoredResponse>>,
    /// Until when responses for the key count as not cacheable.
    uncacheable_until: Option<Instant>,
    _room: Reservation,
}

/// What a cache has for a request.
pub(super) enum CacheLookup {
    /// A response, fresh or not.
    Stored(Arc<StoredResponse>),
    /// Nothing, and the last response could not be stored.
    Uncacheable,
    /// Nothing.
    Absent,
}

impl ResponseCache {
    /// A cache of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { buffers: BodyBuffers::new(limit, Duration::ZERO), table: Arc::default() }
    }

    /// The budget of all responses.
    #[must_use]
    pub const fn memory(&self) -> &MemoryBudget {
        self.buffers.memory()
    }

    /// Largest size of one body, in bytes: an eighth of the budget.
    pub(super) fn max_body_bytes(&self) -> usize {
        self.memory().limit() / 8
    }

    /// An empty buffer for a body of at most `limit` bytes.
    pub(super) fn new_buffer(&self, limit: usize) -> BudgetedBuffer {
        self.buffers.new_buffer(limit)
    }

    /// Appends to a buffer; responses that were not used for the longest time make room. Whether there was room.
    pub(super) fn append(&self, buffer: &mut BudgetedBuffer, data: &[u8]) -> bool {
        self.make_room(|| buffer.append(data).is_ok())
    }

    /// Reserves memory in the same way.
    pub(super) fn reserve(&self, bytes: usize) -> Option<Reservation> {
        let mut reservation = self.memory().reservation();
        self.make_room(|| reservation.grow(bytes).is_ok()).then_some(reservation)
    }

    fn make_room(&self, mut try_reserve: impl FnMut() -> bool) -> bool {
        loop {
            if try_reserve() {
                return true;
            }
            let oldest = self.table().pop_oldest();
            if oldest.is_none() {
                return false;
            }
        }
    }

    pub(super) fn space(&self, plugin: Uuid) -> CacheSpace {
        let mut table = self.table();
        table.last_space += 1;
        CacheSpace { cache: self.clone(), number: table.last_space, plugin }
    }

    /// A response by its key: of one plugin, or of any.
    #[must_use]
    pub fn find(&self, plugin: Option<Uuid>, key: CacheKey) -> Option<Arc<StoredResponse>> {
        let now = Instant::now();
        let table = self.table();
        let mut groups = table.spaces_of(plugin).filter_map(|(_, space)| space.groups.get(&key));
        groups.find_map(|group| group.variants.iter().find(|stored| stored.expires_at > now).cloned())
    }

    /// Drops the responses with a key. Whether there was one.
    pub fn purge(&self, plugin: Option<Uuid>, key: CacheKey) -> bool {
        let is_found = self.find(plugin, key).is_some();
        let mut table = self.table();
        let numbers: Vec<u64> = table.spaces_of(plugin).map(|(number, _)| *number).collect();
        let dropped: Vec<_> = numbers.into_iter().filter_map(|number| table.remove(number, key)).collect();
        drop(table);
        drop(dropped);
        is_found
    }

    /// Drops all responses.
    pub fn purge_all(&self) {
        let mut table = self.table();
        let spaces = std::mem::take(&mut table.spaces);
        table.order.clear();
        drop(table);
        drop(spaces);
    }

    fn table(&self) -> MutexGuard<'_, CacheTable> {
        // Every change leaves the table consistent enough: an entry of `order` without its group is skipped.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CacheTable {
    fn spaces_of(&self, plugin: Option<Uuid>) -> impl Iterator<Item = (&u64, &SpaceGroups)> {
        self.spaces.iter().filter(move |(_, space)| plugin.is_none_or(|plugin| space.plugin == plugin))
    }

    fn remove(&mut self, number: u64, key: CacheKey) -> Option<ResponseGroup> {
        let group = self.spaces.get_mut(&number)?.groups.remove(&key)?;
        self.order.remove(&group.used);
        Some(group)
    }

    /// Removes the group that has not been used for the longest time. The outer option is empty if there is none.
    #[expect(clippy::option_option, reason = "the outer one ends the loop of the caller")]
    fn pop_oldest(&mut self) -> Option<Option<ResponseGroup>> {
        let (_, (number, key)) = self.order.pop_first()?;
        Some(self.remove(number, key))
    }

    /// Notes the use of a group.
    fn touch(&mut self, number: u64, key: CacheKey) {
        self.last_use += 1;
        let used = self.last_use;
        let group = self.spaces.get_mut(&number).and_then(|space| space.groups.get_mut(&key));
        if let Some(group) = group {
            let before = std::mem::replace(&mut group.used, used);
            self.order.remove(&before);
            self.order.insert(used, (number, key));
        }
    }

    /// Removes groups that have expired, of those that have not been used for the longest time.
    fn sweep(&mut self, now: Instant) -> Vec<ResponseGroup> {
        let oldest: Vec<(u64, CacheKey)> = self.order.values().take(SWEPT_PER_WRITE).copied().collect();
        let is_over = |table: &Self, (number, key): &(u64, CacheKey)| {
            let group = table.spaces.get(number).and_then(|space| space.groups.get(key));
            group.is_none_or(|group| group.is_over(now))
        };
        let over: Vec<_> = oldest.into_iter().filter(|place| is_over(self, place)).collect();
        over.into_iter().filter_map(|(number, key)| self.remove(number, key)).collect()
    }
}

impl ResponseGroup {
    fn is_over(&self, now: Instant) -> bool {
        self.variants.iter().all(|stored| stored.expires_at <= now)
            && self.uncacheable_until.is_none_or(|until| until <= now)
    }
}

impl CacheSpace {
    pub(super) const fn cache(&self) -> &ResponseCache {
        &self.cache
    }

    /// The stored response for a key that answers a request.
    pub(super) fn find(
        &self,
        key: CacheKey,
        now: Instant,
        answers: impl Fn(&StoredResponse) -> bool,
    ) -> CacheLookup {
        let mut table = self.cache.table();
        let space = table.spaces.get(&self.number);
        let Some(group) = space.and_then(|space| space.groups.get(&key)) else { return CacheLookup::Absent };
        let found = group.variants.iter().find(|stored| stored.expires_at > now && answers(stored)).cloned();
        let is_uncacheable = group.uncacheable_until.is_some_and(|until| until > now);
        match found {
            Some(stored) => {
                table.touch(self.number, key);
                CacheLookup::Stored(stored)
            }
            None if is_uncacheable => CacheLookup::Uncacheable,
            None => CacheLookup::Absent,
        }
    }

    /// Stores a response, in place of those that answer the same requests.
    pub(super) fn store(&self, key: CacheKey, response: StoredResponse, now: Instant) {
        self.change(key, now, |group| {
            group.uncacheable_until = None;
            group.variants.retain(|other| other.expires_at > now && other.vary != response.vary);
            if group.variants.len() >= MAX_VARIANTS {
                group.variants.remove(0);
            }
            group.variants.push(Arc::new(response));
        });
    }

    /// Notes that responses for a key cannot be stored, so that requests for it do not wait for each other.
    pub(super) fn mark_uncacheable(&self, key: CacheKey, now: Instant, until: Instant) {
        self.change(key, now, |group| group.uncacheable_until = Some(until));
    }

    fn change(&self, key: CacheKey, now: Instant, change: impl FnOnce(&mut ResponseGroup)) {
        // A new group may need room, and that is made before the table is locked.
        let Some(room) = self.cache.reserve(GROUP_BYTES) else { return };
        let mut table = self.cache.table();
        let swept = table.sweep(now);
        let space = table
            .spaces
            .entry(self.number)
            .or_insert_with(|| SpaceGroups { plugin: self.plugin, groups: HashMap::new() });
        let group = space.groups.entry(key).or_insert_with(|| ResponseGroup {
            used: 0,
            variants: Vec::new(),
            uncacheable_until: None,
            _room: room,
        });
        change(group);
        table.touch(self.number, key);
        drop(table);
        drop(swept);
    }
}

impl Drop for CacheSpace {
    fn drop(&mut self) {
        let mut table = self.cache.table();
        let Some(space) = table.spaces.remove(&self.number) else { return };
        for group in space.groups.values() {
            table.order.remove(&group.used);
        }
        drop(table);
        drop(space);
    }
}

impl Default for ResponseCache {
    /// 128 MiB.
    fn default() -> Self {
        Self::new(128 << 20)
    }
}

impl fmt::Debug for ResponseCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseCache").field("memory", self.memory()).finish_non_exhaustive()
    }
}
