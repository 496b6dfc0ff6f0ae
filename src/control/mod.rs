//! NEXT: decides what is current: the watched file, SIGHUP, the Admin API.

pub mod admin;
mod folder;
pub mod load;
mod mocked;
mod readiness;
pub mod reload;
pub mod watch;
pub mod write;

pub use load::{Control, Door, Loaded};
pub use mocked::{Document, Mocked};
pub use readiness::Readiness;
