//! NEXT: decides what is current: the watched file, SIGHUP, the Admin API.

pub mod admin;
mod door;
mod folder;
pub mod load;
mod mocked;
mod readiness;
pub mod reload;
mod verbosity;
pub mod watch;
pub mod write;

pub use door::{Door, read};
pub use load::{Control, Loaded};
pub use mocked::{Document, Mocked};
pub use readiness::Readiness;
pub use verbosity::Verbosity;
