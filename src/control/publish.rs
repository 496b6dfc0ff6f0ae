//! Publication of a compiled configuration: made live, recorded, and kept as the last good one.

use std::sync::Arc;

use super::{Control, LoadedConfig, change_log::ChangeContext, live_config::TextLocation};
use crate::{
    config::DeclarativeFormat,
    diag::{DiagnosticReport, SourceFile},
    snapshot::{CompiledSnapshot, Snapshot, SnapshotCompiler, describe_changes},
};

/// A compiled configuration that is to be published.
pub(super) struct NewConfig<'a> {
    /// The text that it was compiled from.
    pub(super) source: &'a Arc<SourceFile>,
    pub(super) format: DeclarativeFormat,
    pub(super) location: TextLocation,
    pub(super) compiled: CompiledSnapshot,
    pub(super) change: ChangeContext,
}

impl Control {
    /// Publishes a compiled Snapshot, and keeps its text as the last good one.
    pub(super) fn publish(
        &self,
        compiler: &mut SnapshotCompiler,
        before: &Snapshot,
        new: NewConfig<'_>,
    ) -> LoadedConfig {
        let NewConfig { source, format, .. } = new;
        let loaded = self.publish_unkept(compiler, before, new);
        self.keep(compiler, source, format, &loaded.snapshot);
        loaded
    }

    /// Publishes a compiled Snapshot.
    pub(super) fn publish_unkept(
        &self,
        compiler: &mut SnapshotCompiler,
        before: &Snapshot,
        new: NewConfig<'_>,
    ) -> LoadedConfig {
        let NewConfig { source, format, location, mut compiled, change } = new;
        compiler.adopt(&mut compiled);
        let CompiledSnapshot { snapshot, warnings, .. } = compiled;
        let changes = describe_changes(&before.entities, &snapshot.entities);
        let snapshot = self.live_config.publish(snapshot, source, format, location);
        let warnings = DiagnosticReport::new(source.clone(), warnings);
        self.record_published(change, &snapshot, &warnings, &changes);
        LoadedConfig { snapshot, warnings, changes }
    }
}
