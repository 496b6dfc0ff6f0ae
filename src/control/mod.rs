//! Control plane: loads configurations, watches their files, serves the Admin API, and publishes the live Snapshot.

pub mod admin;
mod api_documents;
mod change_log;
mod compile;
mod config_files;
mod config_source;
pub mod last_good;
mod live_config;
pub mod load;
mod load_result;
mod log_level;
mod mock_config;
mod publish;
mod readiness;
pub mod reload;
mod start;
#[cfg(test)]
mod tests;
mod truncation;
pub mod watch;
pub mod write;

pub use change_log::{ChangeCause, ChangeEntry, PatchedFile, compare_sources};
pub use compile::compile_config;
pub use config_source::{ConfigSource, read_config};
pub use live_config::{LoadFailure, LoadHistory, PendingLoad};
pub use load::Control;
pub use load_result::{LoadedConfig, PostError, Reconciled};
pub use log_level::LogLevelHandle;
pub use mock_config::{MockConfig, MockedDocument};
pub use readiness::Readiness;
