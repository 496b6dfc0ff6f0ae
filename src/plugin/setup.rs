//! Inputs of a plugin's `compile`: its settings and what the process provides.

use std::{
    cell::RefCell,
    fmt,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::Resources;
use crate::{
    diag::Diagnostic,
    document::{NodePath, Value},
    file_read::FileReader,
};

/// What a plugin is made from.
pub struct PluginSetup<'a> {
    /// The id of its entry in the configuration. Nodes that share a configuration see the same id.
    pub id: Uuid,
    /// Its settings, checked and with defaults.
    pub config: &'a Value,
    /// The path of its settings in the configuration.
    pub at: NodePath,
    /// The folder of the files that settings may name. Paths outside of it are rejected.
    pub specs: &'a Path,
    /// Receives warnings: mistakes with which the plugin still works.
    pub warnings: &'a RefCell<Vec<Diagnostic>>,
    /// Receives the files that the plugin was made from, each with the hash of its contents. The plugin is made again
    /// when one of them changes.
    pub files: &'a RefCell<Vec<(PathBuf, u64)>>,
    /// Resources that all plugins of the process share.
    pub resources: &'a Resources,
    /// Reads files.
    pub reader: &'a FileReader,
}

impl PluginSetup<'_> {
    /// Deserializes the settings into a plugin's own type.
    ///
    /// # Errors
    /// The type does not fit the settings. The fields of the plugin's definition make that a mistake of the plugin.
    pub fn read_settings<T: DeserializeOwned>(&self) -> Result<T, Vec<Diagnostic>> {
        T::deserialize(serde_json::Value::from(self.config))
            .map_err(|error| vec![Diagnostic::error(self.at.clone(), error.to_string())])
    }
}

impl fmt::Debug for PluginSetup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSetup").field("at", &self.at).finish_non_exhaustive()
    }
}

/// The size limit of a file that a plugin is made from, in bytes.
pub(super) const MAX_FILE_BYTES: u64 = 64 << 20;

/// The hash of a file's contents; `None` if the file cannot be read.
#[must_use]
pub fn file_hash(path: &Path, reader: &FileReader) -> Option<u64> {
    reader.hash(path, MAX_FILE_BYTES)
}
