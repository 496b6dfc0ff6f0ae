//! The queue of one plugin. Whoever leaves an entry goes on at once; a task delivers, batch by batch, and ends when
//! there is nothing left.

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

/// How a queue behaves. (Kong: `config.queue` of plugins.)
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::plugin) struct QueueSettings {
    /// The most entries that are delivered together.
    pub(in crate::plugin) batch: usize,
    /// How long the first entry of a batch waits for others.
    pub(in crate::plugin) pause: Duration,
    /// The most entries that wait, or are delivered beside one another; of more, the oldest that wait are lost.
    pub(in crate::plugin) entries: usize,
    /// The most bytes of them.
    pub(in crate::plugin) bytes: usize,
    /// How long a batch is tried again; then it is lost.
    pub(in crate::plugin) patience: Duration,
    /// The pause before the first further try; each one is twice as long as the one before.
    pub(in crate::plugin) first_pause: Duration,
    /// The longest pause between two tries.
    pub(in crate::plugin) longest_pause: Duration,
    /// Whether batches are delivered beside one another.
    pub(in crate::plugin) beside: bool,
}

/// Takes batches where they belong.
pub(in crate::plugin) trait BatchSink: Send + Sync + 'static {
    /// What it is, for the log.
    fn name(&self) -> String;

    /// Delivers entries, all of them or none.
    fn deliver<'a>(
        &'a self,
        batch: &'a [Bytes],
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;
}

/// The sending end.
pub(in crate::plugin) struct DeliveryQueue<S>(Arc<QueueState<S>>);

struct QueueState<S> {
    sink: S,
    settings: QueueSettings,
    deliveries: DeliveryTracker,
    waiting: Mutex<PendingEntries>,
    /// A batch is full.
    full: Notify,
}

struct PendingEntries {
    entries: VecDeque<Bytes>,
    /// The memory that they take, which all queues share.
    counted: Reservation,
    /// How many are delivered beside one another.
    beside: usize,
    /// Of both.
    bytes: usize,
    /// Since the last batch was taken.
    lost: usize,
    running: bool,
}

impl<S: BatchSink> DeliveryQueue<S> {
    pub(in crate::plugin) fn new(sink: S, settings: QueueSettings, deliveries: &DeliveryTracker) -> Self {
        let waiting = Mutex::new(PendingEntries {
            entries: VecDeque::new(),
            counted: deliveries.memory().reservation(),
            beside: 0,
            bytes: 0,
            lost: 0,
            running: false,
        });
        let full = Notify::new();
        Self(Arc::new(QueueState { sink, settings, deliveries: deliveries.clone(), waiting, full }))
    }

    /// Leaves an entry; it is lost if there is no runtime any more that could deliver it.
    pub(in crate::plugin) fn leave(&self, entry: Bytes) {
        let Ok(runtime) = Handle::try_current() else { return };
        let shared = &self.0;
        let QueueSettings { batch, entries, bytes, .. } = shared.settings;
        let mut waiting = shared.lock();
        let mut lost = 0;
        while waiting.counted.grow(entry.len()).is_err() {
            lost += 1;
            if waiting.lose_oldest().is_none() {
                // Other queues, or what is on its way, take all there is.
                waiting.lost += lost;
                drop(waiting);
                shared.deliveries.settle(lost - 1);
                return;
            }
        }
        waiting.bytes += entry.len();
        waiting.entries.push_back(entry);
        shared.deliveries.take_in();
        while waiting.is_over(entries, bytes) && waiting.lose_oldest().is_some() {
            lost += 1;
        }
        waiting.lost += lost;
        let full = waiting.entries.len() >= batch;
        let asleep = !mem::replace(&mut waiting.running, true);
        drop(waiting);
        if lost > 0 {
            shared.deliveries.settle(lost);
        }
        if asleep {
            runtime.spawn(Arc::clone(shared).run());
        } else if full {
            shared.full.notify_one();
        }
    }
}

impl PendingEntries {
    fn lose_oldest(&mut self) -> Option<()> {
        let oldest = self.entries.pop_front()?;
        self.bytes -= oldest.len();
        self.counted.shrink(oldest.len());
        Some(())
    }

    /// Forgets entries that were taken.
    fn landed(&mut self, batch: &[Bytes]) {
        self.beside -= batch.len();
        self.bytes -= batch.iter().map(Bytes::len).sum::<usize>();
    }

    fn is_over(&self, entries: usize, bytes: usize) -> bool {
        let all = self.entries.len() + self.beside;
        // One that is too large by itself is not lost.
        all > entries || (self.bytes > bytes && all > 1)
    }
}

impl<S: BatchSink> QueueState<S> {
    fn lock(&self) -> MutexGuard<'_, PendingEntries> {
        // Moving entries about does not panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self: Arc<Self>) {
        while self.goes_on() {
            self.collect().await;
            let (batch, counted) = self.take();
            if self.settings.beside {
                let own = Arc::clone(&self);
                tokio::spawn(async move {
                    own.settle(&batch).await;
                    own.lock().landed(&batch);
                    drop(counted);
                });
            } else {
                self.settle(&batch).await;
                drop(counted);
            }
        }
    }

    /// Whether something waits; if nothing does, the task ends, and the next entry begins another one.
    fn goes_on(&self) -> bool {
        let mut waiting = self.lock();
        waiting.running = !waiting.entries.is_empty();
        waiting.running
    }

    /// Waits until a batch is full, or its first entry has waited long enough, or the process ends.
    async fn collect(&self) {
        let end = Instant::now() + self.settings.pause;
        while self.lock().entries.len() < self.settings.batch {
            tokio::select! {
                () = self.full.notified() => (),
                () = sleep_until(end) => return,
                () = self.deliveries.ending() => return,
            }
        }
    }

    /// The next batch, and the memory that it takes.
    fn take(&self) -> (Vec<Bytes>, Reservation) {
        let mut waiting = self.lock();
        let lost = mem::take(&mut waiting.lost);
        let count = waiting.entries.len().min(self.settings.batch);
        let batch: Vec<Bytes> = waiting.entries.drain(..count).collect();
        let counted = waiting.counted.split(batch.iter().map(Bytes::len).sum());
        waiting.beside += count;
        if !self.settings.beside {
            waiting.landed(&batch);
        }
        drop(waiting);
        if lost > 0 {
            tracing::warn!("{}: too many entries wait; lost are {lost}", self.sink.name());
        }
        (batch, counted)
    }

    async fn settle(&self, batch: &[Bytes]) {
        self.deliver(batch).await;
        self.deliveries.settle(batch.len());
    }

    /// A delivery that panicked has failed.
    async fn try_once(&self, batch: &[Bytes]) -> Result<(), String> {
        let delivering = catch_panic(|| self.sink.deliver(batch)).map_err(|panicked| panicked.to_string());
        catch_future_panic(delivering?.as_mut()).await.unwrap_or_else(|panicked| Err(panicked.to_string()))
    }

    async fn deliver(&self, batch: &[Bytes]) {
        let QueueSettings { patience, first_pause, longest_pause, .. } = self.settings;
        let (began, mut pause) = (Instant::now(), first_pause);
        while let Err(why) = self.try_once(batch).await {
            let (name, count) = (self.sink.name(), batch.len());
            if began.elapsed() + pause > patience {
                tracing::error!("{name}: a batch of {count} is lost: {why}");
                return;
            }
            tracing::warn!("{name}: a batch of {count} is sent again: {why}");
            sleep(pause).await;
            pause = (pause * 2).min(longest_pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what it is given, once `refusals` are used up.
    #[derive(Clone, Default)]
    struct Kept {
        batches: Arc<Mutex<Vec<String>>>,
        refusals: Arc<Mutex<usize>>,
    }

    impl BatchSink for Kept {
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
        batch: 3,
        pause: Duration::from_secs(10),
        entries: 5,
        bytes: 100,
        patience: Duration::from_mins(1),
        first_pause: Duration::from_secs(1),
        longest_pause: Duration::from_secs(4),
        beside: false,
    };

    /// Leaves `count` entries, lets some seconds pass, and tells the batches that were delivered by then, and how
    /// many entries wait.
    #[track_caller]
    fn check(settings: QueueSettings, refusals: usize, count: usize, seconds: u64, expected: (&str, usize)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let kept = Kept { refusals: Arc::new(Mutex::new(refusals)), ..Kept::default() };
        let deliveries = DeliveryTracker::default();
        let queue = DeliveryQueue::new(kept.clone(), settings, &deliveries);
        runtime.unwrap().block_on(async {
            for n in 0..count {
                queue.leave(Bytes::from(n.to_string()));
            }
            sleep(Duration::from_millis(seconds * 1000 + 500)).await;
        });
        assert_eq!((kept.batches.lock().unwrap().join(" | ").as_str(), deliveries.waiting()), expected);
    }

    #[test]
    fn a_batch_waits_until_it_is_full_or_old() {
        check(SETTINGS, 0, 2, 9, ("", 2));
        check(SETTINGS, 0, 2, 10, ("0 1", 0));
        check(SETTINGS, 0, 3, 0, ("0 1 2", 0));
        check(SETTINGS, 0, 4, 0, ("0 1 2", 1));
        check(SETTINGS, 0, 4, 10, ("0 1 2 | 3", 0));
        check(QueueSettings { batch: 1, ..SETTINGS }, 0, 3, 0, ("0 | 1 | 2", 0));
    }

    #[test]
    fn of_too_many_the_oldest_are_lost() {
        check(SETTINGS, 0, 7, 20, ("2 3 4 | 5 6", 0));
        check(QueueSettings { bytes: 2, ..SETTINGS }, 0, 4, 20, ("2 3", 0));
        // One that is too large by itself is not lost.
        check(QueueSettings { bytes: 0, ..SETTINGS }, 0, 4, 20, ("3", 0));
    }

    #[test]
    fn all_queues_share_one_budget_of_memory() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let deliveries = DeliveryTracker::of_size(8);
        let settings = QueueSettings { batch: 100, entries: 100, ..SETTINGS };
        let (first, second) = (Kept::default(), Kept::default());
        let queues = [&first, &second].map(|kept| DeliveryQueue::new(kept.clone(), settings, &deliveries));
        runtime.unwrap().block_on(async {
            for entry in ["aa", "bb", "cc"] {
                queues[0].leave(Bytes::from_static(entry.as_bytes()));
            }
            for entry in ["dd", "ee", "ffff"] {
                queues[1].leave(Bytes::from_static(entry.as_bytes()));
            }
            assert_eq!(
                (deliveries.memory().held(), deliveries.waiting()),
                (6, 3),
                "dd and ee are lost, and ffff has no room"
            );
            queues[0].leave(Bytes::from_static(b"gg"));
            queues[0].leave(Bytes::from_static(b"hh"));
            sleep(Duration::from_secs(11)).await;
        });
        assert_eq!(*first.batches.lock().unwrap(), ["bb cc gg hh"]);
        assert_eq!(*second.batches.lock().unwrap(), [""; 0]);
        assert_eq!((deliveries.memory().held(), deliveries.waiting()), (0, 0));
    }

    #[test]
    fn what_fails_is_tried_again_for_some_time() {
        // Further tries come after 1, 2, 4 and 4 seconds.
        check(SETTINGS, 1, 3, 0, ("", 3));
        check(SETTINGS, 1, 3, 1, ("0 1 2", 0));
        check(SETTINGS, 4, 3, 10, ("", 3));
        check(SETTINGS, 4, 3, 11, ("0 1 2", 0));
        check(QueueSettings { patience: Duration::from_secs(7), ..SETTINGS }, 4, 3, 11, ("", 0));
        check(QueueSettings { patience: Duration::ZERO, ..SETTINGS }, 1, 3, 0, ("", 0));
    }

    #[test]
    fn batches_beside_one_another_do_not_wait() {
        let one = QueueSettings { batch: 1, ..SETTINGS };
        check(one, 1, 2, 0, ("", 2));
        check(QueueSettings { beside: true, ..one }, 1, 2, 0, ("1", 1));
        check(QueueSettings { beside: true, ..one }, 1, 2, 1, ("1 | 0", 0));
    }

    #[test]
    fn batches_beside_one_another_are_bounded_too() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let kept = Kept { refusals: Arc::new(Mutex::new(2)), ..Kept::default() };
        let deliveries = DeliveryTracker::default();
        let settings = QueueSettings { batch: 1, entries: 2, beside: true, ..SETTINGS };
        let queue = DeliveryQueue::new(kept.clone(), settings, &deliveries);
        runtime.unwrap().block_on(async {
            for entry in ["a", "b", "c", "d"] {
                queue.leave(Bytes::from_static(entry.as_bytes()));
                sleep(Duration::from_millis(100)).await;
            }
            assert_eq!(deliveries.waiting(), 2, "the others are lost while those are on their way");
            sleep(Duration::from_secs(2)).await;
            queue.leave(Bytes::from_static(b"e"));
            sleep(Duration::from_secs(1)).await;
        });
        assert_eq!(*kept.batches.lock().unwrap(), ["a", "b", "e"]);
    }

    /// Panics at the first of each two deliveries.
    #[derive(Clone, Default)]
    struct Panics(Kept, Arc<Mutex<usize>>);

    impl BatchSink for Panics {
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
        for beside in [false, true] {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            let (sink, deliveries) = (Panics::default(), DeliveryTracker::default());
            let settings = QueueSettings { batch: 1, beside, ..SETTINGS };
            let queue = DeliveryQueue::new(sink.clone(), settings, &deliveries);
            runtime.unwrap().block_on(async {
                for entry in ["a", "b"] {
                    queue.leave(Bytes::from_static(entry.as_bytes()));
                    sleep(Duration::from_secs(5)).await;
                }
            });
            assert_eq!(*sink.0.batches.lock().unwrap(), ["a", "b"]);
            assert_eq!(deliveries.waiting(), 0);
        }
    }

    #[test]
    fn the_end_waits_for_what_is_left() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let kept = Kept::default();
        let deliveries = DeliveryTracker::default();
        let queue = DeliveryQueue::new(kept.clone(), SETTINGS, &deliveries);
        let left = runtime.unwrap().block_on(async {
            queue.leave(Bytes::from_static(b"a"));
            let began = Instant::now();
            let left = deliveries.flush(Duration::from_secs(5)).await;
            assert_eq!(began.elapsed(), Duration::ZERO, "it does not wait for others");
            *kept.refusals.lock().unwrap() = usize::MAX;
            queue.leave(Bytes::from_static(b"b"));
            (left, deliveries.flush(Duration::from_secs(5)).await)
        });
        assert_eq!(left, (0, 1));
        assert_eq!(*kept.batches.lock().unwrap(), ["a"]);
    }
}
