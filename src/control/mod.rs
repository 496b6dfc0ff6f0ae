//! NEXT: decides what is current: the watched file, SIGHUP, the Admin API.

pub mod admin;
mod current;
mod cut;
mod door;
mod folder;
pub mod load;
mod mocked;
mod readiness;
mod reading;
pub mod reload;
#[cfg(test)]
mod tests;
mod verbosity;
pub mod watch;
pub mod write;

pub use current::{LoadFailure, LoadHistory, Pending};
pub use door::{ConfigSource, read};
pub use load::{Control, LoadedConfig, PostError, Reconciled};
pub use mocked::{MockConfig, MockedDocument};
pub use readiness::Readiness;
pub use reading::compile;
pub use verbosity::LogLevelHandle;
