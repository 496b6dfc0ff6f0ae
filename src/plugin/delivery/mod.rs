//! Delivery of log entries: queues, and tasks that send them in batches.
//! (Kong: "About queuing".)
//!
//! | file | what it holds |
//! |---|---|
//! | [`queue`] | the queue of one plugin: limits, batches, retries |
//! | [`tracker`] | undelivered entries of all queues, and the flush at shutdown |

mod queue;
mod tracker;

pub(super) use queue::{BatchSink, DeliveryQueue, QueueSettings};
pub use tracker::DeliveryTracker;
