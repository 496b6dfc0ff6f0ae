//! Table of the settings that mynah honours: one row per setting, in the order in which they are read.
//!
//! | file | rows |
//! |---|---|
//! | `gateway` | configuration, listeners, Admin API, logs, response headers, errors, router, process |
//! | `traffic` | addresses of clients, limits of requests and connections, timeouts, connections to upstreams |
//! | `tls` | certificates, protocols and ciphers |
//! | `dns` | name resolution |
//!
//! The rows of client certificates are in `client_certificates`, which reads them together.

mod dns;
mod gateway;
mod tls;
mod traffic;

use super::{Settings, client_certificates, error::SettingFault};

/// A setting that mynah honours: the only place of its name, default, description and reader.
#[derive(Debug)]
pub struct SettingRow {
    /// Kong's name, or a name of mynah's own.
    pub name: &'static str,
    /// Other names that Kong accepts.
    pub(super) aliases: &'static [&'static str],
    /// The default as a user would write it; empty if nothing is set.
    pub default: &'static str,
    /// What it sets, in one line, with units.
    pub description: &'static str,
    /// Whether it restricts access. A name that looks like a misspelt one of these is an error, not a warning.
    pub(super) protective: bool,
    /// Reads a value. None for settings that are read together with others (`client_certificates`).
    pub(super) read: Option<SettingReader>,
}

/// Reads the value of a setting, given its name and text, into the settings.
type SettingReader = fn(&mut Settings, &'static str, &str) -> Result<(), SettingFault>;

impl SettingRow {
    /// A row whose value is read by itself.
    const fn new(
        name: &'static str,
        default: &'static str,
        description: &'static str,
        read: SettingReader,
    ) -> Self {
        Self { read: Some(read), ..Self::read_elsewhere(name, default, description) }
    }

    /// A row whose value is read together with others.
    pub(super) const fn read_elsewhere(
        name: &'static str,
        default: &'static str,
        description: &'static str,
    ) -> Self {
        Self { name, aliases: &[], default, description, protective: false, read: None }
    }

    const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    const fn protective(self) -> Self {
        Self { protective: true, ..self }
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// `read!(field, reader)`: a reader that stores what `reader` returns in a field of [`Settings`].
macro_rules! read {
    ($($field:ident).+, $reader:expr) => {
        |settings, name, text| {
            settings.$($field).+ = $reader(name, text)?;
            Ok(())
        }
    };
}
use read;

const TABLES: [&[SettingRow]; 5] =
    [gateway::ROWS, traffic::ROWS, tls::ROWS, client_certificates::ROWS, dns::ROWS];

/// All rows.
pub(super) fn all() -> impl Iterator<Item = &'static SettingRow> {
    TABLES.into_iter().flatten()
}
