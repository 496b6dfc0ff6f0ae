//! Files besides the configuration that a Snapshot is compiled from.

use std::path::{Path, PathBuf};

use super::{CompiledSnapshot, SnapshotCompiler};
use crate::{file_read::FileReader, plugin};

impl SnapshotCompiler {
    /// Files that the last configuration names, whether it was valid or not.
    #[must_use]
    pub fn referenced_files(&self) -> &[PathBuf] {
        &self.referenced_files
    }

    /// Files besides the configuration that the current Snapshot was compiled from.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.reusable.plugins.values().flat_map(|kept| &kept.compiled.files).map(|(path, _)| path)
    }

    /// The same, with the hashes of their contents.
    #[must_use]
    pub fn hashed_files(&self) -> Vec<(PathBuf, u64)> {
        let mut files: Vec<_> =
            self.reusable.plugins.values().flat_map(|kept| kept.compiled.files.iter().cloned()).collect();
        files.sort_unstable();
        files.dedup();
        files
    }

    /// The folder of files that plugins name by relative paths.
    #[must_use]
    pub fn specs(&self) -> &Path {
        &self.specs
    }

    /// Compiles with another folder of files, which need not exist afterwards. The next Snapshot reuses no plugin that was
    /// compiled from files.
    pub fn compile_with_specs<T>(
        &mut self,
        specs: PathBuf,
        compile: impl FnOnce(&mut Self) -> T,
        compiled: impl FnOnce(&mut T) -> Option<&mut CompiledSnapshot>,
    ) -> T {
        let (own, named) = (std::mem::replace(&mut self.specs, specs), self.referenced_files.clone());
        let mut result = compile(self);
        if let Some(compiled) = compiled(&mut result) {
            compiled.files.clear();
            compiled.reusable.plugins.retain(|_, kept| kept.compiled.files.is_empty());
        }
        (self.specs, self.referenced_files) = (own, named);
        result
    }

    /// Whether the content of a file of the current Snapshot has changed.
    #[must_use]
    pub fn is_outdated(&self, reader: &FileReader) -> bool {
        let mut files = self.reusable.plugins.values().flat_map(|kept| &kept.compiled.files);
        files.any(|(path, hash)| plugin::file_hash(path, reader).unwrap_or_default() != *hash)
    }
}
