//! Queue of one plugin's log entries. Pushing does not block; a task delivers batches and ends when the queue is empty.

use std::{
    collections::VecDeque,
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    runtime::Handle,
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use super::DeliveryTracker;
use crate::{
    budget::Reservation,
    supervise::{catch_future_panic, catch_panic},
};

/// Limits and delays of a queue. (Kong: `config.queue` of plugins.)
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::plugin) struct QueueSettings {
    /// The maximum number of entries in a batch.
    pub(in crate::plugin) max_batch_size: usize,
    /// The time that the first entry of a batch waits for others.
    pub(in crate::plugin) batch_delay: Duration,
    /// The maximum number of entries that wait or are in concurrent delivery. Beyond it, the oldest that wait are dropped.
    pub(in crate::plugin) max_entries: usize,
    /// Their maximum size in bytes.
    pub(in crate::plugin) max_bytes: usize,
    /// The time for retries of a batch; then it is dropped.
    pub(in crate::plugin) max_retry_time: Duration,
    /// The delay before the first retry; it doubles with each retry.
    pub(in crate::plugin) initial_retry_delay: Duration,
    /// The maximum delay between two retries.
    pub(in crate::plugin) max_retry_delay: Duration,
    /// Whether batches are delivered concurrently.
    pub(in crate::plugin) concurrent: bool,
}

/// Destination of batches.
pub(in crate::plugin) trait BatchSink: Send + Sync + 'static {
    /// Its name in log messages.
    fn name(&self) -> String;

    /// Delivers a batch. An error means that none of it was delivered.
    fn deliver<'a>(
        &'a self,
        batch: &'a [Bytes],
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;
}

/// Handle to push entries.
pub(in crate::plugin) struct DeliveryQueue<S>(Arc<QueueState<S>>);

struct QueueState<S> {
    sink: S,
    settings: QueueSettings,
    deliveries: DeliveryTracker,
    waiting: Mutex<PendingEntries>,
    /// Notified when a batch is full.
    full: Notify,
}

struct PendingEntries {
    entries: VecDeque<Bytes>,
    /// Their memory, from the budget of all queues.
    counted: Reservation,
    /// The number of entries in concurrent delivery.
    concurrent: usize,
    /// The size of both in bytes.
    bytes: usize,
    /// Entries dropped since the last batch was taken.
    dropped: usize,
    running: bool,
}

impl<S: BatchSink> DeliveryQueue<S> {
    pub(in crate::plugin) fn new(sink: S, settings: QueueSettings, deliveries: &DeliveryTracker) -> Self {
        let waiting = Mutex::new(PendingEntries {
            entries: VecDeque::new(),
            counted: deliveries.memory().reservation(),
            concurrent: 0,
            bytes: 0,
            dropped: 0,
            running: false,
        });
        let full = Notify::new();
        Self(Arc::new(QueueState { sink, settings, deliveries: deliveries.clone(), waiting, full }))
    }

    /// Adds an entry. It is dropped without a runtime, which ends before its threads do.
    pub(in crate::plugin) fn push(&self, entry: Bytes) {
        let Ok(runtime) = Handle::try_current() else { return };
        let shared = &self.0;
        let QueueSettings { max_batch_size, max_entries, max_bytes, .. } = shared.settings;
        let mut waiting = shared.lock();
        let mut dropped = 0;
        while waiting.counted.grow(entry.len()).is_err() {
            dropped += 1;
            if waiting.drop_oldest().is_none() {
                // Other queues and batches in delivery use all the memory.
                waiting.dropped += dropped;
                drop(waiting);
                shared.deliveries.remove_entries(dropped - 1);
                return;
            }
        }
        waiting.bytes += entry.len();
        waiting.entries.push_back(entry);
        shared.deliveries.add_entry();
        while waiting.exceeds(max_entries, max_bytes) && waiting.drop_oldest().is_some() {
            dropped += 1;
        }
        waiting.dropped += dropped;
        let full = waiting.entries.len() >= max_batch_size;
        let was_idle = !mem::replace(&mut waiting.running, true);
        drop(waiting);
        if dropped > 0 {
            shared.deliveries.remove_entries(dropped);
        }
        if was_idle {
            runtime.spawn(Arc::clone(shared).run());
        } else if full {
            shared.full.notify_one();
        }
    }
}

impl PendingEntries {
    fn drop_oldest(&mut self) -> Option<()> {
        let oldest = self.entries.pop_front()?;
        self.bytes -= oldest.len();
        self.counted.shrink(oldest.len());
        Some(())
    }

    /// Releases a batch that was taken.
    fn release(&mut self, batch: &[Bytes]) {
        self.concurrent -= batch.len();
        self.bytes -= batch.iter().map(Bytes::len).sum::<usize>();
    }

    fn exceeds(&self, max_entries: usize, max_bytes: usize) -> bool {
        let all = self.entries.len() + self.concurrent;
        // A single entry that exceeds the limit is kept.
        all > max_entries || (self.bytes > max_bytes && all > 1)
    }
}

impl<S: BatchSink> QueueState<S> {
    fn lock(&self) -> MutexGuard<'_, PendingEntries> {
        // The lock is never held over code that can panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self: Arc<Self>) {
        while self.has_entries() {
            self.wait_for_batch().await;
            let (batch, counted) = self.take_batch();
            if self.settings.concurrent {
                let own = Arc::clone(&self);
                tokio::spawn(async move {
                    own.deliver_batch(&batch).await;
                    own.lock().release(&batch);
                    drop(counted);
                });
            } else {
                self.deliver_batch(&batch).await;
                drop(counted);
            }
        }
    }

    /// Whether entries wait. If not, the task ends; the next push starts another one.
    fn has_entries(&self) -> bool {
        let mut waiting = self.lock();
        waiting.running = !waiting.entries.is_empty();
        waiting.running
    }

    /// Waits until a batch is full, its delay is over, or the process shuts down.
    async fn wait_for_batch(&self) {
        let end = Instant::now() + self.settings.batch_delay;
        while self.lock().entries.len() < self.settings.max_batch_size {
            tokio::select! {
                () = self.full.notified() => (),
                () = sleep_until(end) => return,
                () = self.deliveries.ending() => return,
            }
        }
    }

    /// Takes the next batch and its memory.
    fn take_batch(&self) -> (Vec<Bytes>, Reservation) {
        let mut waiting = self.lock();
        let dropped = mem::take(&mut waiting.dropped);
        let count = waiting.entries.len().min(self.settings.max_batch_size);
        let batch: Vec<Bytes> = waiting.entries.drain(..count).collect();
        let counted = waiting.counted.split(batch.iter().map(Bytes::len).sum());
        waiting.concurrent += count;
        if !self.settings.concurrent {
            waiting.release(&batch);
        }
        drop(waiting);
        if dropped > 0 {
            tracing::warn!("{}: too many entries wait; {dropped} dropped", self.sink.name());
        }
        (batch, counted)
    }

    async fn deliver_batch(&self, batch: &[Bytes]) {
        self.deliver_with_retries(batch).await;
        self.deliveries.remove_entries(batch.len());
    }

    /// One attempt. A panic counts as a failure.
    async fn try_once(&self, batch: &[Bytes]) -> Result<(), String> {
        let delivering = catch_panic(|| self.sink.deliver(batch)).map_err(|panicked| panicked.to_string());
        catch_future_panic(delivering?.as_mut()).await.unwrap_or_else(|panicked| Err(panicked.to_string()))
    }

    async fn deliver_with_retries(&self, batch: &[Bytes]) {
        let QueueSettings { max_retry_time, initial_retry_delay, max_retry_delay, .. } = self.settings;
        let (began, mut pause) = (Instant::now(), initial_retry_delay);
        while let Err(why) = self.try_once(batch).await {
            let (name, count) = (self.sink.name(), batch.len());
            if began.elapsed() + pause > max_retry_time {
                tracing::error!("{name}: a batch of {count} is dropped: {why}");
                return;
            }
            tracing::warn!("{name}: a batch of {count} is retried: {why}");
            sleep(pause).await;
            pause = (pause * 2).min(max_retry_delay);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records batches, after `refusals` failures.
    #[derive(Clone, Default)]
    struct RecordingSink {
        batches: Arc<Mutex<Vec<String>>>,
        refusals: Arc<Mutex<usize>>,
    }

    impl BatchSink for RecordingSink {
        fn name(&self) -> String {
            "test".to_owned()
        }

        fn deliver<'a>(
            &'a self,
            batch: &'a [Bytes],
        ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
            Box::pin(async move {
                let mut refusals = self.refusals.lock().unwrap();
                if *refusals > 0 {
                    *refusals -= 1;
                    return Err("not now".to_owned());
                }
                let texts: Vec<&str> =
                    batch.iter().map(|entry| std::str::from_utf8(entry).unwrap()).collect();
                self.batches.lock().unwrap().push(texts.join(" "));
                Ok(())
            })
        }
    }

    const SETTINGS: QueueSettings = QueueSettings {
        max_batch_size: 3,
        batch_delay: Duration::from_secs(10),
        max_entries: 5,
        max_bytes: 100,
        max_retry_time: Duration::from_mins(1),
        initial_retry_delay: Duration::from_secs(1),
        max_retry_delay: Duration::from_secs(4),
        concurrent: false,
    };

    /// Pushes `count` entries, waits some seconds, and checks the delivered batches and the number of entries left.
    #[track_caller]
    fn check(settings: QueueSettings, refusals: usize, count: usize, seconds: u64, expected: (&str, usize)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let sink = RecordingSink { refusals: Arc::new(Mutex::new(refusals)), ..RecordingSink::default() };
        let deliveries = DeliveryTracker::default();
        let queue = DeliveryQueue::new(sink.clone(), settings, &deliveries);
        runtime.unwrap().block_on(async {
            for n in 0..count {
                queue.push(Bytes::from(n.to_string()));
            }
            sleep(Duration::from_millis(seconds * 1000 + 500)).await;
        });
        assert_eq!((sink.batches.lock().unwrap().join(" | ").as_str(), deliveries.waiting()), expected);
    }

    #[test]
    fn a_batch_waits_until_it_is_full_or_old() {
        check(SETTINGS, 0, 2, 9, ("", 2));
        check(SETTINGS, 0, 2, 10, ("0 1", 0));
        check(SETTINGS, 0, 3, 0, ("0 1 2", 0));
        check(SETTINGS, 0, 4, 0, ("0 1 2", 1));
        check(SETTINGS, 0, 4, 10, ("0 1 2 | 3", 0));
        check(QueueSettings { max_batch_size: 1, ..SETTINGS }, 0, 3, 0, ("0 | 1 | 2", 0));
    }

    #[test]
    fn beyond_a_limit_the_oldest_entries_are_dropped() {
        check(SETTINGS, 0, 7, 20, ("2 3 4 | 5 6", 0));
        check(QueueSettings { max_bytes: 2, ..SETTINGS }, 0, 4, 20, ("2 3", 0));
        // A single entry that exceeds the limit is kept.
        check(QueueSettings { max_bytes: 0, ..SETTINGS }, 0, 4, 20, ("3", 0));
    }

    #[test]
    fn all_queues_share_one_budget_of_memory() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let deliveries = DeliveryTracker::with_memory(8);
        let settings = QueueSettings { max_batch_size: 100, max_entries: 100, ..SETTINGS };
        let (first, second) = (RecordingSink::default(), RecordingSink::default());
        let queues = [&first, &second].map(|sink| DeliveryQueue::new(sink.clone(), settings, &deliveries));
        runtime.unwrap().block_on(async {
            for entry in ["aa", "bb", "cc"] {
                queues[0].push(Bytes::from_static(entry.as_bytes()));
            }
            for entry in ["dd", "ee", "ffff"] {
                queues[1].push(Bytes::from_static(entry.as_bytes()));
            }
            assert_eq!(
                (deliveries.memory().held(), deliveries.waiting()),
                (6, 3),
                "dd and ee are dropped, and ffff has no room"
            );
            queues[0].push(Bytes::from_static(b"gg"));
            queues[0].push(Bytes::from_static(b"hh"));
            sleep(Duration::from_secs(11)).await;
        });
        assert_eq!(*first.batches.lock().unwrap(), ["bb cc gg hh"]);
        assert_eq!(*second.batches.lock().unwrap(), [""; 0]);
        assert_eq!((deliveries.memory().held(), deliveries.waiting()), (0, 0));
    }

    #[test]
    fn a_failed_batch_is_retried_for_some_time() {
        // Retries come after 1, 2, 4 and 4 seconds.
        check(SETTINGS, 1, 3, 0, ("", 3));
        check(SETTINGS, 1, 3, 1, ("0 1 2", 0));
        check(SETTINGS, 4, 3, 10, ("", 3));
        check(SETTINGS, 4, 3, 11, ("0 1 2", 0));
        check(QueueSettings { max_retry_time: Duration::from_secs(7), ..SETTINGS }, 4, 3, 11, ("", 0));
        check(QueueSettings { max_retry_time: Duration::ZERO, ..SETTINGS }, 1, 3, 0, ("", 0));
    }

    #[test]
    fn concurrent_batches_do_not_wait() {
        let one = QueueSettings { max_batch_size: 1, ..SETTINGS };
        check(one, 1, 2, 0, ("", 2));
        check(QueueSettings { concurrent: true, ..one }, 1, 2, 0, ("1", 1));
        check(QueueSettings { concurrent: true, ..one }, 1, 2, 1, ("1 | 0", 0));
    }

    #[test]
    fn concurrent_batches_are_bounded() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let sink = RecordingSink { refusals: Arc::new(Mutex::new(2)), ..RecordingSink::default() };
        let deliveries = DeliveryTracker::default();
        let settings = QueueSettings { max_batch_size: 1, max_entries: 2, concurrent: true, ..SETTINGS };
        let queue = DeliveryQueue::new(sink.clone(), settings, &deliveries);
        runtime.unwrap().block_on(async {
            for entry in ["a", "b", "c", "d"] {
                queue.push(Bytes::from_static(entry.as_bytes()));
                sleep(Duration::from_millis(100)).await;
            }
            assert_eq!(deliveries.waiting(), 2, "the others are dropped while those are in delivery");
            sleep(Duration::from_secs(2)).await;
            queue.push(Bytes::from_static(b"e"));
            sleep(Duration::from_secs(1)).await;
        });
        assert_eq!(*sink.batches.lock().unwrap(), ["a", "b", "e"]);
    }

    /// Panics in every second delivery, beginning with the first.
    #[derive(Clone, Default)]
    struct PanickingSink(RecordingSink, Arc<Mutex<usize>>);

    impl BatchSink for PanickingSink {
        fn name(&self) -> String {
            "test".to_owned()
        }

        fn deliver<'a>(
            &'a self,
            batch: &'a [Bytes],
        ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
            let tries = {
                let mut tries = self.1.lock().unwrap();
                *tries += 1;
                *tries
            };
            Box::pin(async move {
                assert!(tries % 2 == 0, "as intended");
                self.0.deliver(batch).await
            })
        }
    }

    #[test]
    fn a_delivery_that_panics_has_failed_and_the_queue_goes_on() {
        for concurrent in [false, true] {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            let (sink, deliveries) = (PanickingSink::default(), DeliveryTracker::default());
            let settings = QueueSettings { max_batch_size: 1, concurrent, ..SETTINGS };
            let queue = DeliveryQueue::new(sink.clone(), settings, &deliveries);
            runtime.unwrap().block_on(async {
                for entry in ["a", "b"] {
                    queue.push(Bytes::from_static(entry.as_bytes()));
                    sleep(Duration::from_secs(5)).await;
                }
            });
            assert_eq!(*sink.0.batches.lock().unwrap(), ["a", "b"]);
            assert_eq!(deliveries.waiting(), 0);
        }
    }

    #[test]
    fn a_flush_waits_for_entries_left() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let sink = RecordingSink::default();
        let deliveries = DeliveryTracker::default();
        let queue = DeliveryQueue::new(sink.clone(), SETTINGS, &deliveries);
        let left = runtime.unwrap().block_on(async {
            queue.push(Bytes::from_static(b"a"));
            let began = Instant::now();
            let left = deliveries.flush(Duration::from_secs(5)).await;
            assert_eq!(began.elapsed(), Duration::ZERO, "a flush does not wait for more entries");
            *sink.refusals.lock().unwrap() = usize::MAX;
            queue.push(Bytes::from_static(b"b"));
            (left, deliveries.flush(Duration::from_secs(5)).await)
        });
        assert_eq!(left, (0, 1));
        assert_eq!(*sink.batches.lock().unwrap(), ["a"]);
    }
}
