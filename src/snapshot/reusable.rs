//! Parts of a configuration that the next one can use again.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use uuid::Uuid;

use super::{balancers::Balancers, counting};
use crate::{diag::Diagnostic, entity::PluginEntity as Entry, plugin::Plugin, upstream::TlsSettings};

/// What the next configuration can use again of one, once that is current.
#[derive(Debug, Default)]
pub(super) struct Reusable {
    /// Its plugins by id. One whose settings did not change is used again: its documents are not compiled twice, and its
    /// counters go on.
    pub(super) plugins: HashMap<Uuid, ReusablePlugin>,
    pub(super) balancers: Balancers,
    pub(super) counters: counting::KeptCounters,
    /// How TLS is spoken with its upstreams.
    pub(super) tls: Vec<Arc<TlsSettings>>,
}

/// A plugin that may be used again.
pub(super) struct ReusablePlugin {
    pub(super) entry: Arc<Entry>,
    pub(super) made: CompiledPlugin,
}

/// A plugin, what it was made from, and what was said about it.
#[derive(Clone)]
pub(super) struct CompiledPlugin {
    pub(super) plugin: Arc<dyn Plugin>,
    pub(super) files: Vec<(PathBuf, u64)>,
    pub(super) warnings: Vec<Diagnostic>,
}

impl std::fmt::Debug for ReusablePlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("name", &self.entry.name).finish_non_exhaustive()
    }
}
