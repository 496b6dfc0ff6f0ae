//! Types of settings with a fixed set of values, and of settings that name files and plugins.

use std::path::{Path, PathBuf};

use http::HeaderName;

use super::error::SettingFault;

/// A setting whose value is one of a few words.
pub(super) trait SettingWord: Copy + 'static {
    /// The words, in Kong's order.
    const WORDS: &'static [(&'static str, Self)];
}

/// Severity of log messages, in the words of Kong and syslog; ordered from the least severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Details for debugging.
    Debug,
    /// Events.
    Info,
    /// Significant events.
    Notice,
    /// Possible problems.
    Warn,
    /// Errors.
    Error,
    /// Errors that stop a component.
    Crit,
    /// Errors that need immediate action.
    Alert,
    /// The process is unusable.
    Emerg,
}

impl SettingWord for LogLevel {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("debug", Self::Debug),
        ("info", Self::Info),
        ("notice", Self::Notice),
        ("warn", Self::Warn),
        ("error", Self::Error),
        ("crit", Self::Crit),
        ("alert", Self::Alert),
        ("emerg", Self::Emerg),
    ];
}

impl LogLevel {
    /// The word of the level.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::WORDS.iter().find(|(_, level)| *level == self).map_or("", |(word, _)| word)
    }

    /// The level with this word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, level)| *level)
    }
}

/// What becomes of a configuration with errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigErrorAction {
    /// It is refused.
    Refuse,
    /// Entities with errors are kept out of it.
    Quarantine,
}

impl SettingWord for ConfigErrorAction {
    const WORDS: &'static [(&'static str, Self)] =
        &[("refuse", Self::Refuse), ("quarantine", Self::Quarantine)];
}

/// Kind of router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouterFlavor {
    /// Kong's first router, with PCRE.
    Traditional,
    /// Kong's expressions router with traditional routes.
    TraditionalCompatible,
    /// Routes as expressions.
    Expressions,
}

impl SettingWord for RouterFlavor {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("traditional", Self::Traditional),
        ("traditional_compatible", Self::TraditionalCompatible),
        ("expressions", Self::Expressions),
    ];
}

/// Ranking of Routes that match the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteMatchCalculation {
    /// As Kong computes it.
    Original,
    /// As Kong documents it.
    Strict,
}

impl SettingWord for RouteMatchCalculation {
    const WORDS: &'static [(&'static str, Self)] = &[("original", Self::Original), ("strict", Self::Strict)];
}

/// What becomes of Lua in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UntrustedLua {
    /// It is refused.
    Off,
    /// It runs in a sandbox.
    Sandbox,
    /// Kong runs it without a sandbox; here it runs in one, too.
    On,
}

impl SettingWord for UntrustedLua {
    const WORDS: &'static [(&'static str, Self)] =
        &[("on", Self::On), ("off", Self::Off), ("sandbox", Self::Sandbox)];
}

/// The media type of an error body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// `application/json`.
    Json,
    /// `application/xml`.
    Xml,
    /// `text/html`.
    Html,
    /// `text/plain`.
    Plain,
}

impl SettingWord for ErrorType {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("application/json", Self::Json),
        ("application/xml", Self::Xml),
        ("text/html", Self::Html),
        ("text/plain", Self::Plain),
    ];
}

/// Files of error templates. (Kong: `error_template_html`, `error_template_json` and so on.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorTemplateFiles(Vec<(&'static str, ErrorType, PathBuf)>);

impl ErrorTemplateFiles {
    /// The templates that are set: name of the setting, type of the bodies, file.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, ErrorType, &Path)> {
        self.0.iter().map(|(name, error_type, file)| (*name, *error_type, file.as_path()))
    }

    /// Adds the file of a template.
    #[expect(clippy::unnecessary_wraps, reason = "other readers return errors")]
    pub(super) fn add(
        &mut self,
        name: &'static str,
        error_type: ErrorType,
        file: &str,
    ) -> Result<(), SettingFault> {
        self.0.push((name, error_type, PathBuf::from(file)));
        Ok(())
    }
}

/// Destination of an access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// No access log.
    Off,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, to which lines are appended.
    File(PathBuf),
}

/// Format of the lines of an access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// Kong's format: nginx's `combined` with the request id.
    Combined,
    /// One JSON object.
    Json,
}

impl SettingWord for AccessLogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("combined", Self::Combined), ("json", Self::Json)];
}

/// Where a trusted peer gives the client's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RealIpHeader {
    /// A header.
    Header(HeaderName),
    /// The PROXY protocol, before the first request of a connection.
    ProxyProtocol,
}

/// Plugins that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSelection {
    /// Whether all bundled plugins may be used.
    pub bundled: bool,
    /// Names of further plugins, which may not exist.
    pub named: Vec<String>,
}

impl PluginSelection {
    /// Whether a bundled plugin may be used.
    #[must_use]
    pub fn allows(&self, plugin: &str) -> bool {
        self.bundled || self.named.iter().any(|named| named == plugin)
    }
}
