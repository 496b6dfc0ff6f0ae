//! DELIVERY: what plugins tell others after a request is over: entries wait in a queue, and a task takes them away.
//! (Kong: "About queuing".)
//!
//! | part | what it is for |
//! |---|---|
//! | [`queue`] | the queue of one plugin: bounds, batches, further tries |
//! | [`outbox`] | all queues of the process: what is not delivered yet, and its time at the end |

mod outbox;
mod queue;

pub use outbox::DeliveryTracker;
pub(super) use queue::{BatchSink, DeliveryQueue, QueueSettings};
