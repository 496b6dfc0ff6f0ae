//! A Plugin entry: which plugin, where it applies, with which settings. (Kong: Plugin object.)

use uuid::Uuid;

use super::{RouteIndex, ServiceIndex};
use crate::document::{Path, Value};

/// One configured plugin; its settings are compiled by `plugin`.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// Its id, given or derived from its name and scope.
    pub id: Uuid,
    /// Its name in the plugin table.
    pub name: String,
    /// A name for this one entry.
    pub instance_name: Option<String>,
    /// Where it applies.
    pub scope: Scope,
    /// Whether it runs at all.
    pub enabled: bool,
    /// The protocols of the requests that it sees.
    pub protocols: Vec<String>,
    /// Its settings, checked and complete.
    pub config: Value,
    /// The complete record, defaults filled in, as the Admin API shows it.
    pub record: Value,
    /// Where the entry stands in the file.
    pub at: Path,
}

/// Where a plugin applies; nothing set means everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// To the requests of one Route.
    pub route: Option<RouteIndex>,
    /// To the requests of one Service.
    pub service: Option<ServiceIndex>,
}
