//! Parts of a compiled configuration that the next one can reuse.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use uuid::Uuid;

use super::{balancers::Balancers, route_metrics::KeptCounters};
use crate::{diag::Diagnostic, entity::PluginEntity, plugin::Plugin, upstream::TlsSettings};

/// Parts that the next configuration can reuse.
#[derive(Debug, Default)]
pub(super) struct Reusable {
    /// Plugins by id. A plugin with unchanged settings is reused: its documents are not compiled again, and it keeps its
    /// counters.
    pub(super) plugins: HashMap<Uuid, ReusablePlugin>,
    pub(super) balancers: Balancers,
    pub(super) counters: KeptCounters,
    /// TLS settings of upstreams.
    pub(super) tls: Vec<Arc<TlsSettings>>,
}

/// Plugin that may be reused.
pub(super) struct ReusablePlugin {
    pub(super) entity: Arc<PluginEntity>,
    pub(super) compiled: CompiledPlugin,
}

/// Compiled plugin, with the files that it was compiled from and its warnings.
#[derive(Clone)]
pub(super) struct CompiledPlugin {
    pub(super) plugin: Arc<dyn Plugin>,
    /// Paths and hashes.
    pub(super) files: Vec<(PathBuf, u64)>,
    pub(super) warnings: Vec<Diagnostic>,
}

impl std::fmt::Debug for ReusablePlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReusablePlugin").field("name", &self.entity.name).finish_non_exhaustive()
    }
}
