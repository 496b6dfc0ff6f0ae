//! Memory that threads do not share: each writes into a part of its own, and who reads puts them together.

use std::sync::OnceLock;

/// How many parts there are at most. Threads beyond that share some.
const SHARDS: usize = 8;

/// One value for each of some threads, made when it is first used.
#[derive(Debug)]
pub(super) struct Sharded<T>([OnceLock<Box<T>>; SHARDS]);

impl<T> Default for Sharded<T> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; SHARDS])
    }
}

impl<T: Default> Sharded<T> {
    /// The value of this thread.
    pub(super) fn mine(&self) -> &T {
        self.0[place()].get_or_init(Box::default)
    }

    /// All values that were ever used.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(|it| it.get().map(|it| &**it))
    }
}

/// The part of this thread: it follows from where the thread has its memory.
fn place() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    /// Fibonacci hashing: addresses of threads differ in their middle bits only.
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let address = HERE.with(|it| std::ptr::from_ref(it).addr() as u64);
    let hash = (address >> 6).wrapping_mul(GOLDEN) >> (64 - SHARDS.trailing_zeros());
    usize::try_from(hash).unwrap_or_default() % SHARDS
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    #[test]
    fn nothing_is_lost_between_threads() {
        let counter: Sharded<AtomicU64> = Sharded::default();
        assert_eq!(counter.all().count(), 0);
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        counter.mine().fetch_add(1, Relaxed);
                    }
                });
            }
        });
        assert_eq!(counter.all().map(|it| it.load(Relaxed)).sum::<u64>(), 20_000);
        assert!(counter.all().count() <= SHARDS);
    }

    #[test]
    fn a_thread_stays_where_it_is() {
        assert_eq!(place(), place());
        assert!(place() < SHARDS);
    }
}
