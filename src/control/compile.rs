//! Reading of configurations: from a text to a Snapshot that is not current yet.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::live_config::unfinished_report;
use crate::{
    config::{self, ConfigReader, DeclarativeFormat},
    diag::{DiagnosticReport, SourceFile},
    document::KnownText,
    file_read::{FileReader, patiently},
    snapshot::{CompiledSnapshot, Snapshot, SnapshotCompiler},
};

/// A command waits so long for a file that is being written.
const PATIENCE: Duration = Duration::from_secs(3);

/// Seconds since 1970.
fn unix_time() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
    i64::try_from(now).unwrap_or_default()
}

/// Reads, checks and compiles a configuration by itself.
///
/// # Errors
/// Everything that is wrong with it.
pub fn compile_config(
    compiler: &mut SnapshotCompiler,
    source: &Arc<SourceFile>,
    format: DeclarativeFormat,
) -> Result<CompiledSnapshot, DiagnosticReport> {
    let (before, advise) = (&compiler.empty(), format != DeclarativeFormat::Kong);
    let attempt = |reader: &FileReader| {
        ReadOptions { format, before, advise, layout: false, known: None, reader }.compile(compiler, source)
    };
    match patiently(PATIENCE, attempt) {
        (_, Some(unfinished)) => Err(unfinished_report(&unfinished)),
        (made, None) => made,
    }
}

/// How a configuration is read.
pub(super) struct ReadOptions<'a> {
    pub(super) format: DeclarativeFormat,
    /// What is current: what does not change is taken from there.
    pub(super) before: &'a Snapshot,
    /// Whether what looks like a mistake and can be used is told.
    pub(super) advise: bool,
    /// Whether it is noted where its nodes stand, for the next write.
    pub(super) layout: bool,
    /// What is known of the text of what is current.
    pub(super) known: Option<KnownText<'a>>,
    /// Reads the files beside it.
    pub(super) reader: &'a FileReader,
}

impl ReadOptions<'_> {
    /// Reads, checks and compiles a configuration.
    pub(super) fn compile(
        &self,
        compiler: &mut SnapshotCompiler,
        source: &Arc<SourceFile>,
    ) -> Result<CompiledSnapshot, DiagnosticReport> {
        let plugins = compiler.plugins();
        let reader = ConfigReader {
            format: self.format,
            plugins: &plugins,
            now: unix_time(),
            before: Some((&self.before.entities, &self.before.origin)),
            layout: self.layout,
            known: self.known,
        };
        let compile = |config| compiler.compile(config, self.before, self.advise, self.reader);
        let made = match reader.parse(source).map(compile) {
            Ok(made) => made,
            Err(report) => Err(report.diagnostics().to_vec()),
        };
        match made {
            Ok(mut made) => {
                config::relocate(source, &mut made.warnings);
                Ok(made)
            }
            Err(mut complaints) => {
                config::relocate(source, &mut complaints);
                Err(DiagnosticReport::new(source.clone(), complaints))
            }
        }
    }
}
