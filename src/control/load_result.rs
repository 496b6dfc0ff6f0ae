//! Results of loads of a configuration.

use std::sync::Arc;

use crate::{diag::DiagnosticReport, snapshot::Snapshot};

/// A configuration that is live now.
#[derive(Debug)]
pub struct LoadedConfig {
    /// The Snapshot compiled from it.
    pub snapshot: Arc<Snapshot>,
    /// Warnings for the author of the configuration.
    pub warnings: DiagnosticReport,
    /// Differences from the previous configuration, in words.
    pub changes: String,
}

/// Result of comparing the source with the live configuration.
#[derive(Debug)]
pub enum Reconciled {
    /// They are equal, or the live configuration has replaced the source in memory.
    Unchanged,
    /// The configuration of the source is live now.
    Loaded(LoadedConfig),
    /// The configuration of the source cannot be used. It counts as a failure when the same text is refused a second
    /// time.
    Refused {
        /// All errors of the configuration.
        report: DiagnosticReport,
        /// Whether the same text was refused before.
        is_failure: bool,
    },
    /// The configuration of the source is not loaded yet, since it may be incomplete.
    Pending(DiagnosticReport),
}

/// A text that was not loaded.
#[derive(Debug)]
pub enum PostError {
    /// The configuration cannot be used.
    Refused(DiagnosticReport),
    /// A file that it names is being written.
    Unfinished(DiagnosticReport),
}
