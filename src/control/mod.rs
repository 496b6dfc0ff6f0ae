//! NEXT: decides what is current: the watched file, SIGHUP, the Admin API.

pub mod admin;
mod config_source;
mod current;
mod cut;
mod folder;
pub mod load;
mod log_level;
mod mock_config;
mod readiness;
mod reading;
pub mod reload;
#[cfg(test)]
mod tests;
pub mod watch;
pub mod write;

pub use config_source::{ConfigSource, read};
pub use current::{LoadFailure, LoadHistory, Pending};
pub use load::{Control, LoadedConfig, PostError, Reconciled};
pub use log_level::LogLevelHandle;
pub use mock_config::{MockConfig, MockedDocument};
pub use readiness::Readiness;
pub use reading::compile;
