//! DELIVERY: what plugins tell others after a request is over: entries wait in a queue, and a task takes them away.
//! (Kong: "About queuing".)
//!
//! | part | what it is for |
//! |---|---|
//! | [`queue`] | the queue of one plugin: bounds, batches, further tries |
//! | [`tracker`] | all queues of the process: what is not delivered yet, and its time at the end |

mod queue;
mod tracker;

pub(super) use queue::{BatchSink, DeliveryQueue, QueueSettings};
pub use tracker::DeliveryTracker;
