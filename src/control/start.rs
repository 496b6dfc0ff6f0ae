//! Start of the control: the first load, and the last good configuration in place of a source that cannot be used.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::{
    Control, LoadedConfig, Reconciled,
    change_log::{ChangeCause, ChangeContext},
    compile::ReadOptions,
    config_source::ConfigSource,
    last_good::{KeptConfig, LastGoodStore, LiveText},
    live_config::TextLocation,
    load::{ReconcileMode, is_blank},
    publish::NewConfig,
};
use crate::{
    config::DeclarativeFormat,
    diag::{Diagnostic, DiagnosticReport, SourceFile, plural},
    document::NodePath,
    file_read::{FileReader, retry_while_unfinished},
    snapshot::{CompiledSnapshot, Snapshot, SnapshotCompiler},
};

/// How long the start waits for a file that another process is writing.
const START_WAIT: Duration = Duration::from_secs(10);

impl Control {
    /// Loads the source for the first time. Waits up to `START_WAIT` for a file that is being written. If the source cannot
    /// be used, the last good configuration is live, if one was kept.
    ///
    /// # Errors
    /// All errors of the configuration.
    pub fn start(&self) -> Result<LoadedConfig, DiagnosticReport> {
        let Some(store) = &self.last_good else { return self.load_first(ReconcileMode::START) };
        if self.source == Some(ConfigSource::Empty) {
            let restored = self.restore(store, TextLocation::Memory);
            return restored.map_or_else(|| self.load_first(ReconcileMode::START), Ok);
        }
        // As in a reload, a file without content is one that cannot be used.
        let report = match self.load_first(ReconcileMode::START_OR_RESTORE) {
            Ok(loaded) => return Ok(loaded),
            Err(report) => report,
        };
        let Some(restored) = self.restore(store, TextLocation::Source) else {
            return self.load_first(ReconcileMode::START);
        };
        let (errors, _) = report.count();
        let source = self.source.as_ref().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            "{source} has {}; the last good configuration, kept in {}, is served in its place\n{report}",
            plural(errors, "error"),
            store.path().display()
        );
        // The second refusal of a text counts as a failure, which reports show.
        for _ in 0..2 {
            match self.reconcile(false) {
                Reconciled::Loaded(loaded) => return Ok(loaded),
                Reconciled::Refused { is_failure: false, .. } => (),
                Reconciled::Refused { .. } | Reconciled::Pending(_) | Reconciled::Unchanged => break,
            }
        }
        Ok(restored)
    }

    fn load_first(&self, mode: ReconcileMode) -> Result<LoadedConfig, DiagnosticReport> {
        let attempt = |reader: &FileReader| self.reconcile_with(&mut self.lock_compiler(), mode, reader);
        let (result, _) = retry_while_unfinished(START_WAIT, attempt);
        match result {
            Reconciled::Loaded(loaded) => Ok(loaded),
            Reconciled::Refused { report, .. } | Reconciled::Pending(report) => Err(report),
            // A forced load never reports that nothing has changed.
            Reconciled::Unchanged => Err(DiagnosticReport::new(SourceFile::new("(empty)", ""), Vec::new())),
        }
    }

    /// Makes the last good configuration live; `None` if there is none, or if it cannot be used, which the log says.
    fn restore(&self, store: &LastGoodStore, location: TextLocation) -> Option<LoadedConfig> {
        let path = store.path().display();
        let kept = match store.load() {
            Ok(kept) => kept?,
            Err(error) => {
                tracing::error!("the last good configuration in {path} is ignored: {error}");
                return None;
            }
        };
        let started = Instant::now();
        let mut compiler = self.lock_compiler();
        let before = self.live().current();
        match self.compile_kept(&mut compiler, store, &kept, &before) {
            Ok(compiled) => {
                let KeptConfig { source, format, saved_at, .. } = kept;
                let change = ChangeContext { cause: ChangeCause::Start, started, old: None, undoes: None };
                let new = NewConfig { source: &source, format, location, compiled, change };
                let loaded = self.publish_unkept(&mut compiler, &before, new);
                if location == TextLocation::Source {
                    self.live_config.mark_restored(saved_at);
                }
                Some(loaded)
            }
            Err(report) => {
                tracing::error!(
                    "the last good configuration in {path} cannot be used, and is ignored: it was loaded with other \
                     variables, settings or another version\n{report}"
                );
                None
            }
        }
    }

    fn compile_kept(
        &self,
        compiler: &mut SnapshotCompiler,
        store: &LastGoodStore,
        kept: &KeptConfig,
        before: &Snapshot,
    ) -> Result<CompiledSnapshot, DiagnosticReport> {
        let folder = UnpackedDocuments::new(kept, store.path()).map_err(|error| {
            let message = format!("its documents cannot be unpacked: {error}");
            let help = "allow the user that mynah runs as to write in the folder for temporary files";
            DiagnosticReport::new(
                SourceFile::new(kept.source.name.clone(), ""),
                vec![Diagnostic::error(NodePath::root(), message).help(help)],
            )
        })?;
        let reader = FileReader::default();
        let options = ReadOptions {
            format: kept.format,
            before,
            advise: false,
            layout: false,
            known: None,
            reader: &reader,
            quarantines: self.quarantines || kept.has_quarantine,
        };
        let specs = folder.0.clone().unwrap_or_else(|| compiler.specs().to_owned());
        compiler.compile_with_specs(
            specs,
            |compiler| options.compile(compiler, &kept.source),
            |result| result.as_mut().ok(),
        )
    }

    /// Keeps a configuration that goes live on the disk.
    pub(super) fn keep(
        &self,
        compiler: &SnapshotCompiler,
        source: &Arc<SourceFile>,
        format: DeclarativeFormat,
        snapshot: &Snapshot,
    ) {
        let Some(store) = &self.last_good else { return };
        let is_start = self.source == Some(ConfigSource::Empty) && snapshot.entities.is_empty();
        if is_start || is_blank(&source.text) {
            return;
        }
        store.save(LiveText {
            source: source.clone(),
            format,
            has_quarantine: !snapshot.quarantined().is_empty(),
            files: compiler.hashed_files(),
            specs: compiler.specs().to_owned(),
        });
    }
}

/// Folder of the documents of a kept configuration; none if it has no documents. Dropping it removes the folder.
struct UnpackedDocuments(Option<PathBuf>);

impl UnpackedDocuments {
    /// Unpacks the documents in a folder for temporary files, or beside the `store` if that cannot be written.
    fn new(kept: &KeptConfig, store: &Path) -> io::Result<Self> {
        if kept.documents.is_empty() {
            return Ok(Self(None));
        }
        let name = format!("mynah-documents-{}", Uuid::new_v4());
        let create = |folder: PathBuf| DirBuilder::new().mode(0o700).create(&folder).map(|()| folder);
        let folder =
            create(std::env::temp_dir().join(&name)).or_else(|_| create(store.with_file_name(name)))?;
        let unpacked = Self(Some(folder.clone()));
        kept.unpack_documents(&folder)?;
        Ok(unpacked)
    }
}

impl Drop for UnpackedDocuments {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // What stays is private.
            let _ = fs::remove_dir_all(folder);
        }
    }
}
