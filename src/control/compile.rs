//! Compilation of a configuration: from a text to a Snapshot that is not yet live.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{config_source::UNFINISHED_WAIT, live_config::unfinished_report};
use crate::{
    config::{self, ConfigReader, DeclarativeFormat, QuarantineState},
    diag::{Diagnostic, DiagnosticReport, SourceFile},
    document::KnownText,
    file_read::{FileReader, retry_while_unfinished},
    snapshot::{CompiledSnapshot, Snapshot, SnapshotCompiler},
};

/// Current time in seconds since 1970; 0 if the clock is before that.
fn unix_time() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |duration| duration.as_secs());
    i64::try_from(now).unwrap_or_default()
}

/// Reads, checks and compiles a configuration on its own, without a previous one; with `quarantines`, without the entities
/// that have errors. Waits up to `UNFINISHED_WAIT` for
/// a file that is being written.
///
/// # Errors
/// All errors of the configuration.
pub fn compile_config(
    compiler: &mut SnapshotCompiler,
    source: &Arc<SourceFile>,
    format: DeclarativeFormat,
    quarantines: bool,
) -> Result<CompiledSnapshot, DiagnosticReport> {
    let (before, advise) = (&compiler.empty(), format != DeclarativeFormat::Kong);
    let attempt = |reader: &FileReader| {
        ReadOptions { format, before, advise, layout: false, known: None, reader, quarantines }
            .compile(compiler, source)
    };
    match retry_while_unfinished(UNFINISHED_WAIT, attempt) {
        (_, Some(unfinished)) => Err(unfinished_report(&unfinished)),
        (result, None) => result,
    }
}

/// Options for reading a configuration.
pub(super) struct ReadOptions<'a> {
    pub(super) format: DeclarativeFormat,
    /// The live Snapshot: parts that do not change are taken from it.
    pub(super) before: &'a Snapshot,
    /// Whether warnings are reported: what looks like a mistake and can still be used.
    pub(super) advise: bool,
    /// Whether the positions of nodes are recorded, for the next write.
    pub(super) layout: bool,
    /// Layout of the live text, if it is known.
    pub(super) known: Option<KnownText<'a>>,
    /// Reads the files that the configuration names.
    pub(super) reader: &'a FileReader,
    /// Whether entities with errors are kept out of the configuration instead of refusing it.
    pub(super) quarantines: bool,
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
        let mut state = self.quarantines.then(QuarantineState::default);
        let result = loop {
            let config = match reader.parse_with(source, state.as_mut()) {
                Ok(config) => config,
                Err(report) => break Err(report.diagnostics().to_vec()),
            };
            let records = config.entities.records.iter().filter(|_| self.quarantines);
            let places = records.map(|record| (record.at.clone(), record.entity)).collect();
            match (compiler.compile(config, self.before, self.advise, self.reader), &mut state) {
                (Err(found), Some(state)) => {
                    let (errors, warnings): (Vec<_>, Vec<_>) =
                        found.into_iter().partition(Diagnostic::is_error);
                    if let Err(errors) = state.add(compiler.errors_at_entities(errors), &places) {
                        break Err(errors.into_iter().chain(warnings).collect());
                    }
                }
                (result, _) => break result,
            }
        };
        match result {
            Ok(mut compiled) => {
                config::relocate(source, &mut compiled.warnings);
                compiled.snapshot.relocate_quarantined(source);
                Ok(compiled)
            }
            Err(mut diagnostics) => {
                config::relocate(source, &mut diagnostics);
                Err(DiagnosticReport::new(source.clone(), diagnostics))
            }
        }
    }
}
