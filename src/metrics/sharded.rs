//! Sharded values: each thread writes to a shard of its own, and readers combine the shards.

use std::sync::OnceLock;

/// Number of shards. More threads than this share some.
const SHARDS: usize = 8;

/// One value per shard, created on first use.
#[derive(Debug)]
pub(crate) struct Sharded<T>([OnceLock<Box<T>>; SHARDS]);

impl<T> Default for Sharded<T> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; SHARDS])
    }
}

impl<T: Default> Sharded<T> {
    /// The value of this thread.
    pub(crate) fn local(&self) -> &T {
        self.0[shard_index()].get_or_init(Box::default)
    }

    /// All values that have been used.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(|shard| shard.get().map(|value| &**value))
    }
}

/// Index of the shard of this thread, from the address of its thread-local memory.
fn shard_index() -> usize {
    thread_local!(static MARKER: u8 = const { 0 });
    /// Factor of Fibonacci hashing: the addresses of threads differ only in their middle bits.
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let address = MARKER.with(|marker| std::ptr::from_ref(marker).addr() as u64);
    let hash = (address >> 6).wrapping_mul(GOLDEN) >> (64 - SHARDS.trailing_zeros());
    usize::try_from(hash).unwrap_or_default() % SHARDS
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    #[test]
    fn the_sum_of_all_shards_is_complete() {
        let counter: Sharded<AtomicU64> = Sharded::default();
        assert_eq!(counter.all().count(), 0);
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        counter.local().fetch_add(1, Relaxed);
                    }
                });
            }
        });
        assert_eq!(counter.all().map(|value| value.load(Relaxed)).sum::<u64>(), 20_000);
        assert!(counter.all().count() <= SHARDS);
    }

    #[test]
    fn the_shard_of_a_thread_does_not_change() {
        assert_eq!(shard_index(), shard_index());
        assert!(shard_index() < SHARDS);
    }
}
